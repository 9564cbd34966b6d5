"""Many overlapping mask proposals to labels: which are sure, which say the same, and who owns a pixel."""

from __future__ import annotations

import numpy as np


def stability(logits: np.ndarray, offset: float = 1.0) -> np.ndarray:
    """``(n,)`` IoU of each mask of ``(n, h, w)`` logits cut a little higher with it cut a little lower; 0 for an empty one.

    References
    ----------
    Kirillov et al., Segment Anything, ICCV 2023, section 2 of its appendix.
    """
    inner = (logits > offset).sum((1, 2))
    outer = (logits > -offset).sum((1, 2))
    return np.asarray(inner / np.maximum(outer, 1))


def distinct(masks: np.ndarray, scores: np.ndarray, *, iou: float = 0.7, inside: float = 0.8) -> np.ndarray:
    """Positions of the masks that are kept, the surest first.

    Parameters
    ----------
    masks : ``(n, h, w) bool``. scores : ``(n,)``.
    iou : of two masks that overlap by more, the surer is kept.
    inside : the same for a mask of which this share lies in a surer one.
    """
    flat = masks.reshape(len(masks), masks[0].size if len(masks) else 0).astype(np.float32)
    size = flat.sum(1)
    common = flat @ flat.T
    union = np.maximum(size[:, None] + size[None] - common, 1)
    alike = (common / union > iou) | (common / np.maximum(np.minimum(size[:, None], size[None]), 1) > inside)
    kept: list[int] = []
    for k in np.argsort(-scores, kind="stable"):
        if size[k] and not alike[k, kept].any():
            kept.append(int(k))
    return np.array(kept, int)


def painted(masks: np.ndarray) -> np.ndarray:
    """``(h, w) int32``: label ``k + 1`` for mask ``k`` of ``(n, h, w) bool``; a pixel belongs to the first that holds it.

    >>> painted(np.array([[[True, True, False]], [[False, True, True]]])).tolist()
    [[1, 1, 2]]
    """
    numbered = np.where(masks.any(0), masks.argmax(0) + 1, 0) if len(masks) else np.zeros(masks.shape[1:])
    return np.asarray(numbered, np.int32)
