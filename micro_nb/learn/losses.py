"""The losses; each leaves out what is not known."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F


def geometry_loss(predicted: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
    """Loss of the dense maps.

    Parameters
    ----------
    predicted : ``(B, L, 4, h, w)``: foreground logit, distance, offsets.
    targets : ``(B, L, 5, h, w)``: the same and what is known, see :func:`micro_nb.learn.targets.geometry`.

    Returns
    -------
    ``foreground`` (cross entropy over known pixels, and 1 - Dice of each layer), ``distance`` (mostly inside objects), ``offset``
    (inside objects alone); scalars.
    """
    known, fore = targets[:, :, 4], targets[:, :, 0]
    logit = predicted[:, :, 0]
    cross = F.binary_cross_entropy_with_logits(logit, fore, reduction="none") * known
    share = torch.sigmoid(logit) * known
    weight = known * (0.3 + fore)
    far = F.smooth_l1_loss(predicted[:, :, 1], targets[:, :, 1], beta=0.1, reduction="none") * weight
    miss = F.smooth_l1_loss(predicted[:, :, 2:4], targets[:, :, 2:4], beta=0.1, reduction="none").sum(2) * fore
    both, either = (share * fore).sum((0, 2, 3)), share.sum((0, 2, 3)) + (fore * known).sum((0, 2, 3))
    overlap = 1 - (2 * both + 1) / (either + 1)
    means = [loss.sum() / over.sum().clamp(min=1) for loss, over in ((cross, known), (far, weight), (miss, fore))]
    return {"foreground": means[0] + 0.3 * overlap.mean(), "distance": 3 * means[1], "offset": means[2]}


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
