"""``Scene``: a generated image with exact truth. A plan until it is read; painted block by block, larger than memory."""

from __future__ import annotations

import json
import os
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, asdict, dataclass, fields
from functools import cached_property, lru_cache, wraps
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec

import numpy as np

from ...errors import PlanError, UnitsError
from ...settings import settings
from ..image import MicroImage
from ..region import Region
from ..source import Channel, ImageInfo, Index, Level, Source, paste
from .lattice import Box, around
from .sprites import BLOCK, Library, Placed, block_box, paint_labels

if TYPE_CHECKING:
    import pandas as pd

P = ParamSpec("P")
_KEPT_BLOCKS = 48
_MAX_LEVEL = 5
_DISTRICT = 2048


@dataclass(frozen=True)
class Model(ABC):
    """What a kind of scene decides: where objects lie and how a block is painted. Frozen: it is the whole plan.

    A kind says its ``limits`` (parameter, lowest, highest), its dtype and its channels; :func:`maker` makes its function.

    Attributes
    ----------
    shape : ``(y, x)`` px.
    seed : same seed, same scene.
    pixel_size : µm per px.
    """

    shape: tuple[int, int] = (2048, 2048)
    _: KW_ONLY
    seed: int = 0
    pixel_size: float = 1.0

    kind: ClassVar[str]
    dtype: ClassVar[type]
    rgb: ClassVar[bool] = False
    channels: ClassVar[tuple[Channel, ...]] = ()
    limits: ClassVar[tuple[tuple[str, float, float], ...]] = ()

    def __post_init__(self) -> None:
        for name, low, high in self.limits:
            if not low <= getattr(self, name) <= high:
                raise PlanError(f"{name}={getattr(self, name)} must lie in {low:g}..{high:g}")
        if len(self.shape) != 2 or min(self.shape) < 1:
            raise PlanError(f"shape {self.shape} must be (y, x), both at least 1")
        if not 0 < self.pixel_size < 100:
            raise UnitsError(f"pixel_size={self.pixel_size} must be µm per pixel, between 0 and 100")
        object.__setattr__(self, "shape", (int(self.shape[0]), int(self.shape[1])))

    @property
    @abstractmethod
    def library(self) -> Library:
        """The sprites."""

    @abstractmethod
    def plan(self, box: Box) -> Placed:
        """All objects whose middle pixel lies in ``box``, ordered by label, which is painting order; the same through any box."""

    def place(self, box: Box) -> Placed:
        """As :meth:`plan`, for the part of ``box`` inside the image; remembers what it planned."""
        y0, y1, x0, x1 = box = max(box[0], 0), min(box[1], self.shape[0]), max(box[2], 0), min(box[3], self.shape[1])
        spans = (range(low // _DISTRICT, -(-high // _DISTRICT)) for low, high in ((y0, y1), (x0, x1)))
        placed = Placed.join([_district(self, *at).inside(box) for at in product(*spans)] or [NOTHING])
        return placed.where(np.argsort(placed.label, kind="stable"))

    @abstractmethod
    def paint(self, level: int, row: int, col: int) -> np.ndarray:
        """Block ``(row, col)`` of a level, ``(BLOCK, BLOCK)`` or ``(3, BLOCK, BLOCK)``, in :attr:`dtype`."""

    def px(self, um: float) -> float:
        """A length in px."""
        return um / self.pixel_size

    def around(self, level: int, row: int, col: int) -> Placed:
        """The objects of the image that may reach into a block."""
        return self.place(around(block_box(level, row, col), self.library.reach + (2 << level)))

    def label_block(self, row: int, col: int) -> np.ndarray:
        """Truth of a block of level 0, ``(BLOCK, BLOCK)`` int32."""
        canvas = np.zeros((BLOCK, BLOCK), np.int32)
        paint_labels(canvas, self.library.masks, self.around(0, row, col), (row * BLOCK, col * BLOCK))
        return canvas

    def describe(self) -> dict[str, Any]:
        """Generator and parameters, JSON-ready."""
        return {"generator": f"micro_nb.samples.{self.kind}", **asdict(self), "shape": list(self.shape)}


RGB = tuple(Channel(n, c) for n, c in (("red", "#ff0000"), ("green", "#00ff00"), ("blue", "#0000ff")))
NOTHING = Placed(*(np.zeros(0, np.int64) for _ in range(6)))


@lru_cache(maxsize=128)
def _district(model: Model, row: int, col: int) -> Placed:
    """Plans are made in large squares, as every plan pays for its rim."""
    y0, x0 = row * _DISTRICT, col * _DISTRICT
    return model.plan((y0, min(y0 + _DISTRICT, model.shape[0]), x0, min(x0 + _DISTRICT, model.shape[1])))


class SceneSource(Source):
    """The picture of a scene, or its truth (int32 labels, level 0 alone). Any window is cut from the blocks it touches, which
    are the same whatever window asks for them."""

    def __init__(self, model: Model, *, truth: bool = False) -> None:
        self.model, self._truth, coarsest = model, truth, 0
        while not truth and max(model.shape) >> coarsest > BLOCK and coarsest < _MAX_LEVEL:
            coarsest += 1
        rgb = model.rgb and not truth
        self._block = lru_cache(_KEPT_BLOCKS)(self._paint)
        self._labels = {} if truth else {"truth": SceneSource(model, truth=True)}
        self._info = ImageInfo(
            axes=("c", "y", "x") if rgb else ("y", "x"), dtype=np.dtype(np.int32 if truth else model.dtype), rgb=rgb,
            levels=tuple(self._level(k, (3,) if rgb else ()) for k in range(coarsest + 1)),
            pixel_size={"y": model.pixel_size, "x": model.pixel_size}, pixel_size_source="generator",
            channels=(Channel("truth"),) if truth else model.channels, facts=model.describe(),
        )  # fmt: skip
        self.format = f"generated ({model.kind}{' truth' if truth else ''})"
        if not truth:
            self.uri = pkgutil.resolve_name("micro_nb.data.samples.address:scene_address")(model)  # it knows all generators

    @property
    def info(self) -> ImageInfo:
        return self._info

    def labels(self) -> Mapping[str, Source]:
        return self._labels

    def _level(self, k: int, lead: tuple[int, ...]) -> Level:
        plane = tuple(-(-n // 2**k) for n in self.model.shape)
        chunks, ones = tuple(min(n, BLOCK) for n in plane), (1.0,) * len(lead)
        return Level(lead + plane, lead + chunks, (*ones, 2.0**k, 2.0**k), (0.0,) * (len(lead) + 2))

    def _paint(self, level: int, row: int, col: int) -> np.ndarray:
        return self.model.label_block(row, col) if self._truth else self.model.paint(level, row, col)

    def read(self, level: int, index: Index) -> np.ndarray:
        *lead, rows, cols = index = self.check(level, index)
        out = np.empty([s.stop - s.start for s in index], self.info.dtype)
        spans = (range(s.start // BLOCK, (s.stop - 1) // BLOCK + 1) for s in (rows, cols))
        wanted = list(product(*spans))

        def fill(place: tuple[int, ...]) -> None:
            block = self._block(level, place[0], place[1])[tuple(lead)]
            paste(out.T, (cols, rows), block.T, (place[1] * BLOCK, place[0] * BLOCK))

        if len(wanted) == 1 or settings.threads == 1:
            for place in wanted:
                fill(place)
        else:
            with ThreadPoolExecutor(settings.threads) as pool:
                list(pool.map(fill, wanted))
        return out

    def stored_bytes(self, *, full: bool) -> Iterator[bytes]:
        yield json.dumps(self.model.describe(), sort_keys=True).encode()
        rows, cols = (-(-n // BLOCK) if full else 1 for n in self.model.shape)
        for place in np.ndindex(rows, cols):
            yield np.ascontiguousarray(self._block(0, *place)).tobytes()


@dataclass(frozen=True)
class Scene:
    """A generated image with exact truth.

    Nothing is painted until it is read, and a region is painted the same whichever window asks for it, so a scene of any
    size is a plan of a few hundred bytes.

    Examples
    --------
    >>> import micro_nb as mnb
    >>> scene = mnb.samples.fluorescence((256, 256), seed=1)
    >>> scene.image.shape, scene.labels.dtype
    ((256, 256), dtype('int32'))
    >>> scene.count() == len(scene.table)
    True
    """

    model: Model

    @cached_property
    def image(self) -> MicroImage:
        """The picture; lazy, with pyramid levels. ``image.labels["truth"]`` is :attr:`labels`."""
        return MicroImage(SceneSource(self.model))

    @cached_property
    def labels(self) -> MicroImage:
        """The truth: int32 ``(y, x)``, 0 = background, one label an object; lazy."""
        return self.image.labels["truth"]

    @cached_property
    def table(self) -> pd.DataFrame:
        """Every object of the scene, a row each; see :meth:`objects`. Paints the truth once, block by block."""
        return self.objects()

    def objects(self, region: Region | str | None = None) -> pd.DataFrame:
        """The objects whose middle pixel lies in ``region`` (all of them without one), measured on the truth.

        Returns
        -------
        DataFrame with ``label``, ``name``, ``y_px``, ``x_px`` (middle pixel), ``centroid_y_px``, ``centroid_x_px``, ``area_px2``,
        ``area_um2`` (of what is visible inside the image), ``strength`` (brightness or stain factor the generator used).
        """
        import pandas as pd

        placed = self._placed(region)
        area, y, x = self._moments(placed)
        names = self.model.library.names[placed.variant].astype(str)
        return pd.DataFrame({
            "label": placed.label, "name": names, "y_px": placed.y, "x_px": placed.x, "centroid_y_px": y, "centroid_x_px": x,
            "area_px2": area, "area_um2": area * self.model.pixel_size**2, "strength": placed.strength,
        })  # fmt: skip

    def count(self, region: Region | str | None = None, *, name: str | None = None) -> int:
        """How many objects have their middle pixel in ``region``; exact, from the plan alone; counts of halves add up.

        Parameters
        ----------
        region : a :class:`Region`, or a part such as ``"left half"``; None for the whole.
        name : only objects of this class.
        """
        total = 0
        for placed in self._bands(region):
            total += len(placed) if name is None else int((self.model.library.names[placed.variant] == name).sum())
        return total

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> MicroImage:
        """Writes the picture as OME-Zarr with its truth as the label image ``truth`` and opens what was written."""
        from ..open import open_image
        from ..save import save_image

        save_image(self.image, path, overwrite=overwrite, labels={"truth": self.labels})
        return open_image(path)

    def __repr__(self) -> str:
        settings_ = ", ".join(f"{f.name}={getattr(self.model, f.name)}" for f in fields(self.model))
        return f"<Scene {self.model.kind}: {settings_}>"

    def _bands(self, region: Region | str | None) -> Iterator[Placed]:
        """Plan of a region in bands, so that memory stays bounded."""
        place = Region.part(region, self.model.shape) if isinstance(region, str) else region
        size = {"y": self.model.pixel_size, "x": self.model.pixel_size}
        full = (0.0, 0.0, *(float(n) for n in self.model.shape))
        y0, x0, y1, x1 = place.to("px", size).clip(self.model.shape).box if place else full
        box = tuple(int(np.ceil(v)) for v in (y0, y1, x0, x1))
        inside = place.to("px", size) if place else None
        for top in range(box[0], max(box[1], box[0] + 1), 4096):
            placed = self.model.place((top, min(top + 4096, box[1]), box[2], box[3]))
            yield placed if inside is None else placed.where(inside.contains(placed.y, placed.x))

    def _placed(self, region: Region | str | None) -> Placed:
        placed = Placed.join([*self._bands(region), NOTHING])
        return placed.where(np.argsort(placed.label, kind="stable"))

    def _moments(self, placed: Placed) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Visible area and centroid of objects sorted by label, by painting the blocks that they touch."""
        n, reach = len(placed), self.model.library.reach
        sums = np.zeros((3, n))
        if n == 0:
            return sums[0].astype(int), sums[1], sums[2]
        low = [max(int(v.min()) - reach, 0) // BLOCK for v in (placed.y, placed.x)]
        high = [
            min(int(v.max()) + reach, size - 1) // BLOCK for v, size in zip((placed.y, placed.x), self.model.shape, strict=True)
        ]
        blocks = [(r, c) for r in range(low[0], high[0] + 1) for c in range(low[1], high[1] + 1)]
        with ThreadPoolExecutor(settings.threads) as pool:
            for at, part in pool.map(lambda b: self._block_moments(placed.label, *b), blocks):
                sums[:, at] += part
        area = sums[0]
        return area.astype(int), sums[1] / np.maximum(area, 1), sums[2] / np.maximum(area, 1)

    def _block_moments(self, wanted: np.ndarray, row: int, col: int) -> tuple[np.ndarray, np.ndarray]:
        height, width = (min(n - k * BLOCK, BLOCK) for n, k in zip(self.model.shape, (row, col), strict=True))
        labels = self.model.label_block(row, col)[:height, :width]
        y, x = np.nonzero(labels)
        found, position = np.unique(labels[y, x], return_inverse=True)
        sums = np.stack([np.bincount(position, w, len(found)) for w in (None, y + row * BLOCK, x + col * BLOCK)])
        at = np.searchsorted(wanted, found)
        known = (at < len(wanted)) & (wanted[np.minimum(at, len(wanted) - 1)] == found)
        return at[known], sums[:, known]


def maker(model: Callable[P, Model]) -> Callable[P, Scene]:
    """The function that plans scenes of one kind: with the parameters of its model, and what its docstring says of them."""

    @wraps(model, updated=())
    def make(*args: P.args, **kwargs: P.kwargs) -> Scene:
        return Scene(model(*args, **kwargs))

    make.__name__ = make.__qualname__ = vars(model)["kind"]
    return make
