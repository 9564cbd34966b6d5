"""``MicroImage``: an image of any size as lazy levels, selections and facts. Opening and selecting read metadata only."""

from __future__ import annotations

import hashlib
import json
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import AxesError
from .lazy import from_datatree, level_array, to_datatree
from .region import Region
from .source import Channel, ImageInfo, Source
from .view import Pick, Projection, ProjectionView, SourceView

if TYPE_CHECKING:
    import xarray as xr

_CARD = "micro_nb.render.card:image_card"  # drawn by a layer above, so looked up by name when a notebook asks
_TEXT, _MIME = "micro_nb.render.markdown:image_markdown", "micro_nb.render.markdown:mime"
Selector = int | slice | Sequence[int] | None


class MicroImage:
    """A microscope image: lazy pyramid levels, physical scale, channels and metadata over one :class:`Source`.

    Singleton axes are dropped except y and x. ``sel`` and ``isel`` return a new MicroImage and read nothing.

    Examples
    --------
    >>> import numpy as np, micro_nb as mnb
    >>> img = mnb.open_image(np.zeros((2, 64, 48), "uint16"), axes="cyx", pixel_size=0.5)
    >>> img.sizes
    {'c': 2, 'y': 64, 'x': 48}
    >>> img.isel(c=0).sizes
    {'y': 64, 'x': 48}
    """

    def __init__(self, source: Source) -> None:
        single: dict[str, Pick] = {a: 0 for a, n in source.info.sizes.items() if n == 1 and a not in ("y", "x")}
        self.source: Source = SourceView(source, single) if single else source

    @property
    def info(self) -> ImageInfo:
        """All metadata known without reading pixels."""
        return self.source.info

    @property
    def name(self) -> str:
        """Last part of the path; what it is where there is no path."""
        address = (self.source.uri or self.source.format).split("?")[0]
        return address.rstrip("/").rsplit("/", 1)[-1].removeprefix("sample:")

    @property
    def uri(self) -> str | None:
        """Where the pixels come from; None in memory."""
        return self.source.uri

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes in the order ``t c z y x``."""
        return self.info.axes

    @property
    def sizes(self) -> dict[str, int]:
        """Axis -> pixels at level 0."""
        return self.info.sizes

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels at level 0, in the order of :attr:`axes`."""
        return self.info.shape

    @property
    def plane_shape(self) -> tuple[int, int]:
        """``(y, x)`` at level 0."""
        return self.sizes["y"], self.sizes["x"]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Stored dtype."""
        return np.dtype(self.info.dtype)

    @property
    def pixel_size(self) -> Mapping[str, float] | None:
        """µm per pixel of level 0 by axis; None where nothing trustworthy says so."""
        return self.info.pixel_size

    @property
    def pixel_size_source(self) -> str | None:
        """What the pixel size was taken from."""
        return self.info.pixel_size_source

    @property
    def channels(self) -> tuple[Channel, ...]:
        """One entry per channel."""
        return self.info.channels

    @property
    def rgb(self) -> bool:
        """Whether c holds the red, green and blue of one colour picture."""
        return self.info.rgb

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Further facts the file holds (objective, NA, acquisition ...)."""
        return self.info.facts

    @cached_property
    def levels(self) -> tuple[xr.DataArray, ...]:
        """Lazy DataArrays, level 0 first, coordinates in µm where the pixel size is known."""
        return tuple(level_array(self.source, k) for k in range(len(self.info.levels)))

    @property
    def data(self) -> xr.DataArray:
        """Level 0."""
        return self.levels[0]

    @cached_property
    def labels(self) -> dict[str, MicroImage]:
        """Label images stored with this image, by name."""
        return {name: MicroImage(source) for name, source in self.source.labels().items()}

    def isel(
        self, *, t: Selector = None, c: Selector = None, z: Selector = None, y: slice | None = None, x: slice | None = None
    ) -> MicroImage:
        """A lazy selection by position in level-0 pixels. An int drops the axis; lists are for c only."""
        picks: dict[str, Pick] = {}
        for axis, wanted in (("t", t), ("c", c), ("z", z), ("y", y), ("x", x)):
            if wanted is not None and (axis in self.axes or wanted not in (0, slice(None))):  # a dropped singleton is still 0
                picks[axis] = self._pick(axis, wanted)
        return MicroImage(SourceView(self.source, picks)) if picks else self

    def sel(
        self,
        *,
        t: Selector = None,
        z: Selector = None,
        c: Selector | str | Sequence[str] = None,
        region: Region | str | None = None,
        project: Projection | None = None,
    ) -> MicroImage:
        """A lazy selection by name and place.

        Parameters
        ----------
        t, z : position, or a slice of positions.
        c : channel name, position, or a list of either.
        region : a :class:`Region` (px or µm), or a named part such as ``"left half"``; its bounding box is taken.
        project : ``"max"`` or ``"mean"`` over every remaining t and z longer than one.

        Raises
        ------
        AxesError : an axis or channel this image does not have; the channels it has are named.
        UnitsError : a region in µm on an image without a pixel size.
        """
        out = self
        if region is not None:
            place = Region.part(region, self.plane_shape) if isinstance(region, str) else region
            rows, cols = place.to("px", self.pixel_size).clip(self.plane_shape).at()
            out = out.isel(y=rows, x=cols)
        if c is not None:
            out = out.isel(c=self._channel_positions(c))
        out = out.isel(t=t, z=z)
        return out._project(project) if project else out

    def plane(self, *, project: Projection | None = None) -> MicroImage:
        """This image if it is a plane (c, y, x or y, x); a longer t or z is projected if ``project`` says so, else refused.

        Raises
        ------
        AxesError : t or z is longer than one and no projection was named.
        """
        out = self._project(project) if project else self
        extra = [f"{a} ({out.sizes[a]})" for a in ("t", "z") if a in out.axes]
        if extra:
            axis = extra[0][0]
            raise AxesError(
                f"{self.name} has {' and '.join(extra)} beside y and x; choose one plane with img.sel({axis}=0) "
                "or say project='max' or 'mean'"
            )
        return out

    def read(self, level: int = 0, index: tuple[slice, ...] | None = None) -> np.ndarray:
        """Pixels of one level as a NumPy array, axes in canonical order; the whole level without ``index``."""
        return self.source.read(level, index or (slice(None),) * len(self.axes))

    def level_for(self, max_pixels: int) -> int:
        """The finest level whose ``y * x`` is at most ``max_pixels``; the coarsest where none is."""
        for k, level in enumerate(self.info.levels):
            if level.shape[-1] * level.shape[-2] <= max_pixels:
                return k
        return len(self.info.levels) - 1

    @cached_property
    def content_id(self) -> str:
        """``"sampled:<sha256>"`` of the metadata and a deterministic sample of the stored bytes; cheap at any size."""
        return "sampled:" + self._digest(full=False)

    def verify(self) -> str:
        """``"full:<sha256>"`` over all stored bytes; reads everything."""
        return "full:" + self._digest(full=True)

    def to_datatree(self) -> xr.DataTree:
        """A DataTree with siblings ``s0``, ``s1``, ... each holding the variable ``image``; lazy."""
        facts = {"pixel_size_source": self.pixel_size_source, "facts": dict(self.metadata), "uri": self.uri}
        return to_datatree(self.levels, self.info.to_dict() | facts | {"format": self.source.format}, self.name)

    @classmethod
    def from_datatree(cls, tree: xr.DataTree) -> MicroImage:
        """The image that :meth:`to_datatree` described."""
        return cls(from_datatree(tree))

    def __repr__(self) -> str:
        sizes = ", ".join(f"{a} {n}" for a, n in self.sizes.items())
        scale = f"{self.pixel_size['x']:.4g} µm/px" if self.pixel_size else "no pixel size"
        levels = f"{len(self.info.levels)} level{'s' * (len(self.info.levels) > 1)}"
        return f"<MicroImage {self.name} ({sizes}) {self.dtype}, {levels}, {scale}, {self.source.format}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return pkgutil.resolve_name(_CARD)(self)  # type: ignore[no-any-return]

    def _ai_repr_(self, *, multimodal: bool = False, **hints: Any) -> dict[str, str]:
        """For assistants: the facts as short Markdown, and a thumbnail where they see pictures."""
        text, shown = pkgutil.resolve_name(_TEXT)(self), pkgutil.resolve_name(_CARD)(self) if multimodal else {}
        return pkgutil.resolve_name(_MIME)(text, png=shown.get("image/png"))  # type: ignore[no-any-return]

    def _digest(self, *, full: bool) -> str:
        digest = hashlib.sha256(json.dumps(self.info.to_dict(), sort_keys=True).encode())
        for block in self.source.stored_bytes(full=full):
            digest.update(len(block).to_bytes(8, "little"))
            digest.update(block)
        return digest.hexdigest()

    def _project(self, how: Projection) -> MicroImage:
        source = self.source
        for axis in ("t", "z"):
            if axis in source.info.axes:
                source = ProjectionView(source, axis, how)
        return MicroImage(source)

    def _pick(self, axis: str, wanted: Any) -> Pick:
        if axis not in self.axes:
            raise AxesError(f"{self.name} has no axis {axis!r}; its axes are {''.join(self.axes)!r}")
        size = self.sizes[axis]
        if isinstance(wanted, slice):
            start, stop, step = wanted.indices(size)
            return slice(start, stop, step)
        if isinstance(wanted, int | np.integer):
            return int(wanted) + (size if wanted < 0 else 0)
        if axis != "c":
            raise AxesError(f"{axis}={wanted!r}: give a position or a slice; lists are for channels only")
        return tuple(int(i) + (size if i < 0 else 0) for i in wanted)

    def _channel_positions(self, c: Any) -> Any:
        names = [channel.name for channel in self.channels]
        if isinstance(c, int) and not -len(names) <= c < len(names):
            raise AxesError(f"channel {c} is not one of {', '.join(names)}")
        if isinstance(c, str):
            matches = [i for i, n in enumerate(names) if n == c] or [i for i, n in enumerate(names) if n.lower() == c.lower()]
            if not matches:
                raise AxesError(f"channel {c!r} is not one of {', '.join(names)}")
            if len(matches) > 1:
                raise AxesError(f"channel {c!r} occurs {len(matches)} times; select it by position")
            return matches[0]
        if isinstance(c, list | tuple):
            return [self._channel_positions(item) for item in c]
        return c
