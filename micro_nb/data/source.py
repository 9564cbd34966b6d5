"""What a format implements: metadata and ``read(level, index)``. Everything else stands on these two.

A source reads metadata only when it is made, presents axes in canonical order ``t c z y x``, is safe to read from several
threads, and knows nothing of xarray, plots or models.
"""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import AxesError, UnsafeImageError
from .axes import PLANE, canonical, check_axes

MAX_CHANNELS = 1 << 16
Index = tuple[slice, ...]
"""One slice (start, stop, step 1) per axis of the source, in the pixels of the level that is read."""


@dataclass(frozen=True)
class Channel:
    """A channel: its name, colour as ``#rrggbb``, display window in grey values, and wavelengths in nm where known."""

    name: str
    color: str | None = None
    window: tuple[float, float] | None = None
    emission_nm: float | None = None
    excitation_nm: float | None = None


@dataclass(frozen=True)
class Level:
    """One resolution of an image.

    Attributes
    ----------
    shape, chunks : pixels per axis, in the order of the source's axes; a chunk is the storage unit.
    scale : pixels of level 0 covered by one pixel of this level, per axis (1.0 at level 0).
    translation : position of this level's first pixel *edge* in pixels of level 0, per axis (0.0 where levels are aligned).
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    scale: tuple[float, ...]
    translation: tuple[float, ...]


def factor(full: int, size: int) -> float:
    """Level-0 pixels a pixel spans: the whole number meant where rounding explains the size, else the ratio."""
    whole = max(round(full / size), 1)
    return float(whole) if size in (full // whole, -(-full // whole)) else full / size


@dataclass(frozen=True)
class ImageInfo:
    """The metadata of an image, known before any pixel is read.

    Attributes
    ----------
    axes : canonical order, a subset of ``t c z y x`` that contains y and x.
    dtype : of the pixels as stored.
    levels : level 0 first, each coarser than the one before.
    pixel_size : µm per pixel of level 0 for z, y, x where known; None where nothing trustworthy says that of both y and x.
    pixel_size_source : what said so, e.g. ``"OME-XML PhysicalSizeX"``, ``"argument"``; None without a pixel size.
    channels : one per index of c; a single one without a c axis.
    rgb : True where c holds red, green and blue samples of one colour picture.
    facts : further facts the file holds, e.g. ``objective``, ``magnification``, ``na``, ``acquired``; JSON values. ``stage`` is
        where the stage stood at the first plane, x, y and z in its ``unit`` (of a DICOM slide: where its first pixel lies). What
        changes the meaning of values or is not as the file says stands in ``cautions``, a list of sentences. Empty ones go.
    """

    axes: tuple[str, ...]
    dtype: np.dtype[Any]
    levels: tuple[Level, ...]
    pixel_size: Mapping[str, float] | None = None
    pixel_size_source: str | None = None
    channels: tuple[Channel, ...] = ()
    rgb: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_axes(self.axes, self.levels[0].shape)
        if self.axes != canonical(self.axes):
            raise AxesError(f"a source must present axes in the order t c z y x, not {self.axes}")
        n_channels = self.sizes.get("c", 1)
        if n_channels > MAX_CHANNELS:
            raise UnsafeImageError(f"shape {self.shape} of axes {''.join(self.axes)!r} claims {n_channels} channels")
        if not self.channels:
            names = ("red", "green", "blue")[:n_channels] if self.rgb else [f"channel {i}" for i in range(n_channels)]
            object.__setattr__(self, "channels", tuple(Channel(n) for n in names))
        if len(self.channels) != n_channels:
            raise AxesError(f"{len(self.channels)} channel entries for {n_channels} channels")
        facts = {k: v for k, v in self.facts.items() if v is not None and (not isinstance(v, Sized) or len(v))}
        size = self.pixel_size if set(PLANE) <= set(self.pixel_size or ()) else None
        object.__setattr__(self, "facts", MappingProxyType(facts))
        object.__setattr__(self, "pixel_size", MappingProxyType(dict(size)) if size else None)
        object.__setattr__(self, "pixel_size_source", self.pixel_size_source if size else None)

    @property
    def cautions(self) -> tuple[str, ...]:
        """What a reader of any number measured here has to know: what was applied to values, or was left as it is."""
        return tuple(str(said) for said in self.facts.get("cautions", ()))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of level 0."""
        return self.levels[0].shape

    @property
    def sizes(self) -> dict[str, int]:
        """Axis -> length at level 0."""
        return dict(zip(self.axes, self.shape, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Canonical JSON-ready form; the metadata half of a content id."""
        return {
            "axes": "".join(self.axes),
            "dtype": np.dtype(self.dtype).str,
            "levels": [asdict(level) for level in self.levels],
            "pixel_size": dict(self.pixel_size) if self.pixel_size else None,
            "channels": [asdict(channel) for channel in self.channels],
            "rgb": self.rgb,
        }


def paste(out: np.ndarray, box: Sequence[slice], array: np.ndarray, corner: Sequence[int]) -> None:
    """Copies into ``out``, which holds ``box``, what of ``array`` lies in it; its first pixel is at ``corner``. Leading axes."""
    here, there = [], []
    for b, start, n in zip(box, corner, array.shape, strict=False):
        low, high = max(b.start, start), min(b.stop, start + n)
        here.append(slice(low - start, high - start))
        there.append(slice(low - b.start, high - b.start))
    out[tuple(there)] = array[tuple(here)]


class Source(ABC):
    """The one door to pixels. Subclasses are written once per format.

    Attributes
    ----------
    uri : where the pixels come from, as the user would write it; None for arrays in memory.
    format : short name shown to people, e.g. ``"OME-Zarr 0.5"``.
    opened : address, series and axes it was opened with, so that another process can open it again; None in memory.
    """

    uri: str | None = None
    format: str = "array"
    opened: tuple[str, int, tuple[str, ...] | None] | None = None

    @property
    @abstractmethod
    def info(self) -> ImageInfo:
        """Metadata; constant for the life of the source."""

    @abstractmethod
    def read(self, level: int, index: Index) -> np.ndarray:
        """Pixels of one level.

        Parameters
        ----------
        level : 0 is full resolution.
        index : one slice a canonical axis, inside the level, step 1.

        Returns
        -------
        Array of exactly the sliced shape, in the stored dtype (native byte order), canonical axis order.

        Raises
        ------
        CorruptImageError : a chunk is missing its promise (truncated or undecodable); names the file and the place.
        """

    @abstractmethod
    def stored_bytes(self, *, full: bool) -> Iterator[bytes]:
        """Stored (compressed) bytes in a deterministic order: a bounded sample, or with ``full`` all of them.

        A remote source may give its ETag instead of the sample.
        """

    def origin(self, level: int) -> tuple[int, int]:
        """``(y, x)`` of the first pixel inside its stored chunk: (0, 0) but for crops, whose chunks begin outside of them."""
        return 0, 0

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels to another process as its address, never as pixels."""
        if self.opened is None:
            raise TypeError(
                f"this image ({self.format}, axes {''.join(self.info.axes)}, shape {self.info.shape}) lies in memory, so another "
                "process cannot open it; save it with mnb.save_image(img, path) and open that"
            )
        return pkgutil.resolve_name("micro_nb.data.formats:reopen"), self.opened

    def labels(self) -> Mapping[str, Source]:
        """Label images that belong to this image, by name."""
        return {}

    def close(self) -> None:
        """Releases file handles; reading afterwards is an error."""

    def check(self, level: int, index: Index) -> Index:
        """``index`` with bounds filled in, or an AxesError that repeats the shapes it met."""
        shape = self.info.levels[level].shape
        if len(index) != len(shape):
            raise AxesError(f"index has {len(index)} slices for axes {''.join(self.info.axes)!r} of shape {shape}")
        full = []
        for s, n in zip(index, shape, strict=True):
            start, stop, step = s.indices(n)
            if step != 1 or stop <= start:
                raise AxesError(f"index {index} selects nothing or skips pixels in level {level} of shape {shape}")
            full.append(slice(start, stop))
        return tuple(full)


class SourceOver(Source):
    """A source that shows another one differently; what it does not change it passes on."""

    base: Source
    _info: ImageInfo
    _change = ""
    """What is done to the pixels, as content ids keep it."""

    def __reduce__(self) -> tuple[Any, ...]:
        if not is_dataclass(self):
            return super().__reduce__()
        said = (getattr(self, f.name) for f in fields(self))
        return type(self), tuple(dict(v) if isinstance(v, Mapping) else v for v in said)

    def _show(self, info: ImageInfo, change: str = "") -> None:
        for name, value in (("uri", self.base.uri), ("format", self.base.format), ("_info", info), ("_change", change)):
            object.__setattr__(self, name, value)

    @property
    def info(self) -> ImageInfo:
        return self._info

    def read(self, level: int, index: Index) -> np.ndarray:
        return self.base.read(level, index)

    def stored_bytes(self, *, full: bool) -> Iterator[bytes]:
        yield from [self._change.encode()] if self._change else ()
        yield from self.base.stored_bytes(full=full)

    def origin(self, level: int) -> tuple[int, int]:
        return self.base.origin(level)

    def labels(self) -> Mapping[str, Source]:
        return self.base.labels()

    def close(self) -> None:
        self.base.close()
