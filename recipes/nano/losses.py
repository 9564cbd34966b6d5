"""The losses; each leaves out what is not known."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from data import Batch
from network import Seen
from targets import OFFSET_UNIT
from torch import nn

WEIGHTS = {
    "foreground": 1.0, "overlap": 0.3, "distance": 3.0, "offset": 1.5, "votes": 0.3, "boundary": 0.5, "seed": 0.5, "size": 0.15,
    "name": 0.3,
}  # fmt: skip
_PIXELS = 1500
"""Pixels of a layer of a crop that are asked whether their votes go to their own object."""


def geometry_losses(seen: torch.Tensor, maps: torch.Tensor) -> dict[str, torch.Tensor]:
    """Losses of the dense maps ``(B, L, 6, h, w)`` against ``(B, L, 8, h, w)``."""
    fore, known = maps[:, :, 0], maps[:, :, 6]
    inside = fore * known
    likely, depth, down, right, between, centre = seen.unbind(2)  # one gradient, not six of the whole size
    cross = F.binary_cross_entropy_with_logits(likely, fore, reduction="none")
    share = torch.sigmoid(likely) * known
    both, either = (share * fore).sum((0, 2, 3)), share.sum((0, 2, 3)) + inside.sum((0, 2, 3))
    far = F.smooth_l1_loss(depth, maps[:, :, 1], beta=0.1, reduction="none")
    miss = sum(F.smooth_l1_loss(one, maps[:, :, k], beta=0.1, reduction="none") for k, one in ((2, down), (3, right)))
    seam = F.binary_cross_entropy_with_logits(between, maps[:, :, 4], reduction="none")
    hill = F.binary_cross_entropy_with_logits(centre, maps[:, :, 5], reduction="none")
    near = known * (0.1 + fore + 4 * maps[:, :, 4])
    return {
        "foreground": _mean(cross, known), "overlap": 1 - ((2 * both + 1) / (either + 1)).mean(),
        "distance": _mean(far, known * (0.3 + fore)), "offset": _mean(miss * maps[:, :, 7], inside),
        "boundary": _mean(seam, near), "seed": _mean(hill, known * (0.2 + fore + 2 * maps[:, :, 5])),
    }  # fmt: skip


def vote_loss(seen: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Whether pixels vote for their own object's centre rather than for a neighbour's: cross entropy over all centres of a crop.

    How near a vote is counts in widths of the object voted for, so that a small object beside a large one is not swallowed (after
    Neven et al. 2019, with centres and widths that are known).
    """
    _, layers, h, w = batch.labels.shape
    ways = (seen[:, :, 2:4] * OFFSET_UNIT).flatten(0, 1).flatten(2).unbind(0)  # (2, h * w) of each crop and layer
    y, x = torch.meshgrid(*[torch.arange(n, device=seen.device, dtype=torch.float32) for n in (h, w)], indexing="ij")
    losses = [seen.sum() * 0]
    for b, k in ((batch.objects[..., 2] > 0).sum(2) > 1).nonzero().tolist():
        at = (batch.labels[b, k].flatten() > 0).nonzero()[:, 0]
        at = at[:: len(at) // _PIXELS + 1]
        owner = batch.labels[b, k].flatten()[at].long() - 1
        centres = batch.objects[b, k][batch.objects[b, k, :, 2] > 0]
        kept = owner < len(centres)
        at, owner = at[kept], owner[kept]
        way = ways[b * layers + k][:, at]
        votes = torch.stack([y.flatten()[at] + way[0], x.flatten()[at] + way[1]], 1)  # (N, 2)
        away = (votes[:, None] - centres[None, :, :2]).square().sum(2)  # (N, M)
        logits = -away / (2 * (0.25 * centres[:, 2]).clamp(min=1.0).square())
        losses.append(F.cross_entropy(logits.clamp(min=-40), owner))
    return torch.stack(losses).sum() / max(1, len(losses) - 1)


def size_loss(seen: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """Of ``(B, L, 2, h, w)`` against ``(B, L, 3, h, w)``."""
    there, known = sizes[:, :, 1], sizes[:, :, 2]
    wide = F.smooth_l1_loss(seen[:, :, 0], sizes[:, :, 0], beta=0.25, reduction="none")
    return _mean(wide, there * known) + _mean(F.binary_cross_entropy_with_logits(seen[:, :, 1], there, reduction="none"), known)


class Naming(nn.Module):
    """A point of the embedding space for every concept, and how badly objects are told apart by them.

    Parameters
    ----------
    concepts : names.
    parents : position of a concept -> that of its parent; a parent's name says nothing of its kinds.
    """

    def __init__(self, concepts: list[str], parents: dict[int, int], width: int = 128) -> None:
        super().__init__()
        self.names = concepts
        self.points = nn.Parameter(torch.randn(len(concepts), width))
        self.scale, self.bias = nn.Parameter(torch.tensor(2.3)), nn.Parameter(torch.tensor(-3.0))
        positive, known = torch.eye(len(concepts)), torch.ones(len(concepts), len(concepts))
        for kind, parent in parents.items():
            positive[kind, parent], known[parent, kind] = 1, 0
        self.register_buffer("positive", positive, persistent=False)
        self.register_buffer("known", known, persistent=False)

    def forward(self, embedding: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Sigmoid contrastive loss (Zhai et al. 2023) of pooled objects and concepts."""
        vectors, names = pooled(embedding, batch)
        if not len(names):
            return embedding.sum() * 0
        logits = F.normalize(vectors, dim=1) @ F.normalize(self.points, dim=1).T * self.scale.exp() + self.bias
        positive, known = self.positive[names], self.known[names]
        loss = F.binary_cross_entropy_with_logits(logits, positive, reduction="none") * known
        yes, no = positive * known, (1 - positive) * known
        return ((loss * yes).sum(1) / yes.sum(1).clamp(min=1) + (loss * no).sum(1) / no.sum(1).clamp(min=1)).mean()


def pooled(embedding: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean embeddings ``(N, D)`` of the named objects, and their names."""
    crops, width = embedding.shape[:2]
    layers, most = batch.names.shape[1:]
    labels = batch.labels[:, :, ::2, ::2].flatten(2)  # (B, L, h/2 * w/2)
    kept = (labels > 0) & (labels <= most)
    b, k, at = kept.nonzero(as_tuple=True)
    row = (b * layers + k) * most + labels[kept].long() - 1
    flat = embedding.flatten(2).transpose(1, 2)  # (B, h/2 * w/2, D)
    sums = embedding.new_zeros(crops * layers * most, width).index_add(0, row, flat[b, at])
    count = torch.bincount(row, minlength=len(sums))
    asked = (batch.names.flatten() >= 0) & (count > 0)
    return sums[asked] / count[asked][:, None], batch.names.flatten()[asked]


def losses_of(seen: Seen, batch: Batch, naming: Naming) -> dict[str, torch.Tensor]:
    """All losses of a batch, unweighed."""
    geometry = seen.geometry.float()
    return geometry_losses(geometry, batch.maps) | {
        "votes": vote_loss(geometry, batch), "size": size_loss(seen.size.float(), batch.sizes),
        "name": naming(seen.embedding.float(), batch),
    }  # fmt: skip


def _mean(loss: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (loss * weight).sum() / weight.sum().clamp(min=1)
