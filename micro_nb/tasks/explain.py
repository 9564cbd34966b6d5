"""``explain``: where in an image the model sees what a prompt names, as a layer over the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from scipy.special import expit

from ..data.image import MicroImage
from ..data.open import open_image
from ..data.view import Projection
from ..models.network import MicroD1
from ..render.heat import ValueMap
from ..render.overview import Layers, overview_png
from .asked import read
from .load import load_model
from .look.looking import look_at
from .look.network import TileMaps
from .names import Vocabulary
from .text import encode_text

_CELLS = 1 << 20


@dataclass(frozen=True)
class Explanation:
    """Where a prompt is seen.

    Attributes
    ----------
    image, prompt : what was asked of what.
    map : ``(y, x) float32``, 0..1: how probable the prompt is for what lies at each place; coordinates are pixels of level 0.
    step : pixels of level 0 along a cell of the map.
    """

    image: MicroImage
    prompt: str
    map: xr.DataArray
    step: int

    def png(self, *, width: int = 800) -> bytes:
        """A PNG of the image under the map."""
        layer = ValueMap(self.map.to_numpy().astype(float), self.step, self.prompt)
        return overview_png(self.image, layers=Layers(values=layer), width=width)

    def __repr__(self) -> str:
        rows, cols = self.map.shape
        return f"Explanation({self.prompt!r}, {rows} x {cols} cells, at most {float(self.map.max()):.2f})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": repr(self), "image/png": self.png()}


def explain(
    img: Any, prompt: str, *, model: MicroD1 | None = None, channel: int | str | None = None,
    project: Projection | None = None,
) -> Explanation:  # fmt: skip
    """Where the model sees what a prompt names: the prompt against the embedding of every place, before anything is outlined.

    Parameters
    ----------
    img : an image or what :func:`micro_nb.open_image` takes.
    prompt : words, as for :func:`micro_nb.parse`.
    """
    model = model or load_model()
    plane, seen = look_at(open_image(img), model, channel=channel, project=project)
    maps = TileMaps(model, plane, seen.scale.pitch, seen.bounds)
    words = encode_text(read(prompt, Vocabulary.of(model)).words, model=model)[0]
    height, width = (-(-n // 2) for n in maps.shape)
    shrink = max(1, int(np.ceil(np.sqrt(height * width / _CELLS))))
    out = np.zeros((-(-height // shrink), -(-width // shrink)), np.float32)
    for tile in maps.grid:
        seen_here, (y, x) = maps.look(tile), (s.start // 2 for s in tile.core)
        part = _probable(seen_here.embedding, seen_here.unit, words, model)[::shrink, ::shrink]
        rows, cols = slice(y // shrink, y // shrink + part.shape[0]), slice(x // shrink, x // shrink + part.shape[1])
        out[rows, cols] = part[: out[rows, cols].shape[0], : out[rows, cols].shape[1]]
    step = 2 * seen.scale.pitch * shrink
    coords = {axis: (np.arange(n) + 0.5) * step - 0.5 for axis, n in zip(("y", "x"), out.shape, strict=True)}
    found = xr.DataArray(out, dims=("y", "x"), coords=coords, name="probability", attrs={"prompt": prompt, **seen.to_dict()})
    return Explanation(plane, prompt, found, step)


def _probable(coded: np.ndarray, unit: np.ndarray, words: np.ndarray, model: MicroD1) -> np.ndarray:
    """``(h, w)`` probability of a prompt for each cell of a window ``(D, h, w)``."""
    cells = torch.from_numpy((coded.astype(np.float32) * unit[:, None, None]).reshape(len(unit), -1).T.copy())
    with torch.inference_mode():
        cosines = model.joint.objects(cells[None])[0].numpy() @ words
    odds = cosines * float(model.joint.object_scale.exp()) + float(model.joint.object_bias)
    return np.asarray(expit(odds).reshape(coded.shape[1:]), np.float32)
