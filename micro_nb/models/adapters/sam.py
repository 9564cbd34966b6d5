"""SAM and SAM 2 of ``transformers`` as a segmenter: a grid of points finds all, boxes or points outline what is shown.

Preprocessing is done here in a few lines of torch, as the image processors of ``transformers`` need torchvision.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from ...errors import ImageNotFoundError
from .masks import distinct, painted, stability
from .segmenter import Instances, Prompts

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_KNOWN = ("sam", "sam2", "sam2_video")
_AT_ONCE = 64


@dataclass(frozen=True)
class SamSegmenter:
    """A model of the SAM family.

    Attributes
    ----------
    where : a folder that ``save_pretrained`` wrote, or a hub id (``"facebook/sam-vit-base"``, ``"facebook/sam2.1-hiera-tiny"``),
        which is fetched over the network when it is first used; safetensors only.
    prompts : ``"grid"``: a point on every crossing of a grid asks what lies there, and of proposals that say the same the surest
        is kept; names are then none of its business. ``"objects"``: Micro-D1 finds and names, and its boxes are outlined anew.
    points : crossings along a side of what is seen at once; objects smaller than their distance are missed.
    least_iou, least_stability : how sure a proposal must be, by the model's own estimate and by how little its outline moves
        with the threshold.
    largest : share of what is seen at once that an object covers at most; the ground is a mask as well.
    diameter_px, window, halo : see :class:`~micro_nb.models.adapters.Segmenter`.

    Raises
    ------
    ImageNotFoundError : no model is there (when it is first used).
    ValueError : it is no SAM or SAM 2, or an option is not known.

    Notes
    -----
    SAM is trained on photographs; it does not know words. ``prompts="objects"`` needs no threshold and no names.

    Examples
    --------
    >>> import micro_nb as mnb
    >>> from micro_nb.models.adapters import SamSegmenter
    >>> sam = SamSegmenter("facebook/sam-vit-base", prompts="objects")
    >>> found = mnb.parse("smear.png", ["white blood cell"], model=sam)  # doctest: +SKIP
    """

    where: str | os.PathLike[str]
    prompts: Literal["grid", "objects"] = "grid"
    points: int = 24
    least_iou: float = 0.8
    least_stability: float = 0.9
    largest: float = 0.25
    diameter_px: float | None = 48.0
    window: int = 512
    halo: int = 128

    def __post_init__(self) -> None:
        if self.prompts not in ("grid", "objects"):
            raise ValueError(f"prompts is 'grid' or 'objects'; got {self.prompts!r}")
        if min(self.points, self.window) < 1 or self.halo < 0:
            raise ValueError(f"points={self.points} and window={self.window} are at least 1, halo={self.halo} at least 0")

    @property
    def name(self) -> str:
        """``"sam"`` or ``"sam2"``, and where it came from."""
        return f"{self.model.config.model_type} {os.path.basename(os.fspath(self.where))}"

    @property
    def prompted(self) -> bool:
        """Whether objects are shown to it."""
        return self.prompts == "objects"

    @cached_property
    def weights_id(self) -> str:
        """SHA-256 of all weights."""
        digest = hashlib.sha256()
        for key, value in sorted(self.model.state_dict().items()):
            digest.update(key.encode())
            digest.update(value.detach().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @cached_property
    def model(self) -> Any:
        """The network, in evaluation mode; loaded on first use."""
        return _load(os.fspath(self.where))

    @property
    def side(self) -> int:
        """Pixels along the square that the network takes."""
        size = self.model.config.prompt_encoder_config.image_size
        return int(size if isinstance(size, int) else size[0])

    def segment(self, pixels: np.ndarray, prompts: Prompts | None = None) -> Instances:
        """See :meth:`Segmenter.segment`."""
        shape = (pixels.shape[-2], pixels.shape[-1])
        scale = self.side / max(shape)
        with torch.inference_mode():
            seen = self.model.get_image_embeddings(self._prepared(pixels))
            if prompts is None:
                return self._everything(seen, shape, scale)
            return self._shown(seen, prompts, shape, scale)

    def _prepared(self, pixels: np.ndarray) -> torch.Tensor:
        """``(1, 3, side, side)``: the longer side resized, padded with the mean colour."""
        picture = torch.from_numpy(np.broadcast_to(np.clip(pixels, 0, 1), (3, *pixels.shape[-2:])).astype(np.float32))[None]
        picture = (picture - torch.tensor(_MEAN)[:, None, None]) / torch.tensor(_STD)[:, None, None]
        height, width = (max(1, round(n * self.side / max(pixels.shape[-2:]))) for n in pixels.shape[-2:])
        picture = F.interpolate(picture, size=(height, width), mode="bilinear", align_corners=False, antialias=True)
        return F.pad(picture, (0, self.side - width, 0, self.side - height))

    def _everything(self, seen: Any, shape: tuple[int, int], scale: float) -> Instances:
        """All proposals of the grid that are sure, each once."""
        steps = (np.arange(self.points) + 0.5) / self.points * max(shape)
        grid = np.array([(y, x) for y in steps if y < shape[0] for x in steps if x < shape[1]])
        found = [self._sure(*self._ask(seen, Prompts(points=part[:, None]), scale, shape, several=True)) for part in _parts(grid)]
        logits, sure = (np.concatenate(parts) for parts in zip(*found, strict=True))
        kept = distinct(logits > 0, sure)
        return Instances.of(_painted(logits[kept], np.arange(len(kept)), shape), np.clip(sure[kept], 0, 1))

    def _sure(self, logits: np.ndarray, sure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of proposals ``(n, m, h, w)`` those that can be objects, ``(k, h, w)``, and how sure they are."""
        logits, sure = logits.reshape(-1, *logits.shape[2:]), sure.ravel()
        share = (logits > 0).mean((1, 2))
        good = (sure >= self.least_iou) & (share > 0) & (share <= self.largest)
        good[good] = stability(logits[good]) >= self.least_stability
        return logits[good], sure[good]

    def _shown(self, seen: Any, prompts: Prompts, shape: tuple[int, int], scale: float) -> Instances:
        """The best mask of each prompt."""
        if not len(prompts):
            return Instances.of(np.zeros(shape, np.int32))
        found = []
        for part in _parts(np.arange(len(prompts))):
            mine = Prompts(*(None if v is None else v[part] for v in (prompts.boxes, prompts.points, prompts.inside)))
            found.append(self._ask(seen, mine, scale, shape, several=False))
        logits, sure = (np.concatenate(parts)[:, 0] for parts in zip(*found, strict=True))
        return Instances.of(_painted(logits, np.argsort(-sure, kind="stable"), shape), np.clip(sure, 0, 1))

    def _ask(
        self, seen: Any, prompts: Prompts, scale: float, shape: tuple[int, int], *, several: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coarse logits ``(n, m, h, w)`` of the window and their estimated IoU ``(n, m)``; SAM counts x first."""
        asked: dict[str, torch.Tensor] = {}
        if prompts.boxes is not None:
            boxes = prompts.boxes[:, [1, 0, 3, 2]] * scale
            asked["input_boxes"] = torch.from_numpy(boxes.astype(np.float32))[None]
        if prompts.points is not None:
            inside = np.ones(prompts.points.shape[:2], bool) if prompts.inside is None else prompts.inside
            asked["input_points"] = torch.from_numpy((prompts.points[..., ::-1] * scale).astype(np.float32))[None]
            asked["input_labels"] = torch.from_numpy(inside.astype(np.int64))[None]
        found = self.model(image_embeddings=seen, multimask_output=several, **asked)
        logits = found.pred_masks[0].float().numpy()
        height, width = (max(1, round(n * scale * logits.shape[-1] / self.side)) for n in shape)
        return logits[..., :height, :width], found.iou_scores[0].float().numpy()


def _load(where: str) -> Any:
    from transformers import AutoModelForMaskGeneration  # slow to import: when a model is loaded

    try:
        model = AutoModelForMaskGeneration.from_pretrained(where, dtype=torch.float32, use_safetensors=True)
    except (OSError, ValueError) as error:  # nothing is there; what is there is no model
        raise ImageNotFoundError(f"{where}: no SAM model here ({str(error).strip().splitlines()[0]:.200})") from None
    if model.config.model_type not in _KNOWN:
        raise ValueError(f"{where}: is a {model.config.model_type}; known are {', '.join(_KNOWN)}")
    return model.eval().requires_grad_(False)


def _parts(rows: np.ndarray) -> Iterator[np.ndarray]:
    return (rows[k : k + _AT_ONCE] for k in range(0, len(rows), _AT_ONCE))


def _painted(logits: np.ndarray, order: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Labels ``shape`` of coarse masks ``(n, h, w)``, brought to full size a few at a time."""
    labels = np.zeros(shape, np.int32)
    for part in _parts(order):
        fine = F.interpolate(torch.from_numpy(logits[part])[:, None], size=shape, mode="bilinear", align_corners=False)[:, 0]
        mine = painted(fine.numpy() > 0)
        labels = np.where(labels == 0, np.concatenate([[0], part + 1]).astype(np.int32)[mine], labels)
    return labels
