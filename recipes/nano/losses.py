"""The losses; each leaves out what is not known."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from data import Batch
from torch import nn

from micro_nb.learn import losses as learn
from micro_nb.models.tile_network import OFFSET_UNIT, Maps

WEIGHTS = learn.WEIGHTS | {"votes": 0.3, "name": 0.3}
_PIXELS = 1500
"""Pixels of a layer of a crop that are asked whether their votes go to their own object."""


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


def losses_of(seen: Maps, batch: Batch, naming: Naming) -> dict[str, torch.Tensor]:
    """All losses of a batch, unweighed."""
    geometry = seen.geometry.float()
    return learn.geometry_losses(geometry, batch.maps) | {
        "votes": vote_loss(geometry, batch),
        "name": naming(seen.embedding.float(), batch),
    }  # fmt: skip
