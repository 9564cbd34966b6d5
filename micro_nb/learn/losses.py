"""The losses; each leaves out what is not known."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

WEIGHTS = {"foreground": 1.0, "overlap": 0.3, "distance": 3.0, "offset": 1.5, "boundary": 0.5, "seed": 0.5}


def geometry_losses(seen: torch.Tensor, maps: torch.Tensor) -> dict[str, torch.Tensor]:
    """Losses of the dense maps, to be summed with :data:`WEIGHTS`.

    Parameters
    ----------
    seen : ``(B, L, 6, h, w)``, see :data:`micro_nb.models.tile_network.GEOMETRY`.
    maps : ``(B, L, 8, h, w)``, see :func:`micro_nb.learn.targets.targets`.
    """
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


def pooled(embedding: torch.Tensor, labels: torch.Tensor, objects: Sequence[tuple[int, int, int]]) -> torch.Tensor:
    """Mean embedding of each object.

    Parameters
    ----------
    embedding : ``(B, D, h, w)``. labels : ``(B, L, 2h, 2w) int32``. objects : crop, layer and number of each.

    Returns
    -------
    ``(len(objects), D)``.
    """
    _, width, h, w = embedding.shape
    crops, layers, numbers = torch.tensor(objects, device=labels.device, dtype=torch.long).reshape(-1, 3).T
    inside = (labels[crops, layers] == numbers[:, None, None]).to(embedding.dtype)
    share = inside.reshape(-1, h, 2, w, 2).mean((2, 4)).flatten(1)  # (N, h w)
    share = share / share.sum(1, keepdim=True).clamp(min=1e-6)
    found = embedding.new_zeros(len(objects), width) + 0 * embedding.sum()  # a graph also where there are no objects
    for k, seen in enumerate(embedding.flatten(2)):
        found[crops == k] = share[crops == k] @ seen.T
    return found


def sigmoid_contrastive(
    a: torch.Tensor, b: torch.Tensor, positive: torch.Tensor, known: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """Pairwise sigmoid loss (Zhai et al. 2023, SigLIP) of ``a (N, D)`` and ``b (M, D)``, over the pairs ``known (N, M)``.

    The positives of a row weigh as much as its negatives. ``scale`` is the logarithm of the factor of the cosines.
    """
    logits = F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T * scale.exp() + bias
    loss = F.binary_cross_entropy_with_logits(logits, positive, reduction="none") * known
    yes, no = positive * known, (1 - positive) * known
    rows = (loss * yes).sum(1) / yes.sum(1).clamp(min=1) + (loss * no).sum(1) / no.sum(1).clamp(min=1)
    return rows.sum() / max(1, len(rows))


def _mean(loss: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (loss * weight).sum() / weight.sum().clamp(min=1)
