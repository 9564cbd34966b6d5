"""What readers of other packages' libraries share: lazy arrays, one error for all that damaged bytes make a library
raise, and a word for a package that is missing."""

from __future__ import annotations

import importlib
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache, wraps
from itertools import product
from typing import Any

import numpy as np

from ...errors import AxesError, CorruptImageError, ImageNotFoundError, MicroNBError, MissingExtraError, UnsafeImageError
from ..axes import PLANE, SPATIAL, canonical, check_axes
from ..location import Location
from ..source import MAX_CHANNELS, Channel, ImageInfo, Index, Level, Source, factor

Read = Callable[[Index], np.ndarray]
_MEANING = {"T": "t", "C": "c", "S": "c", "Z": "z", "Y": "y", "X": "x"}
MOST_BYTES, _PLANES_BYTES = 1 << 30, 64 << 20


class _Notes(logging.Handler):
    """Keeps the warnings of the thread that made it."""

    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.notes, self.thread = notes, threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread:
            self.notes.append(record.getMessage()[:300])


@contextmanager
def reading(uri: str, what: str) -> Iterator[list[str]]:
    """Turns the many ways in which a library refuses a damaged file into one error that says what the file was to be.

    Warnings that tifffile logs are collected instead of printed.
    """
    notes: list[str] = []
    handler, logger = _Notes(notes), logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        yield notes
    except (MicroNBError, FileNotFoundError, PermissionError, KeyboardInterrupt):
        raise
    except MemoryError as error:
        raise UnsafeImageError(f"{uri}: its header asks for more memory than there is; it is damaged or hostile") from error
    except Exception as error:  # every library has its own
        raise CorruptImageError(f"{uri}: not a readable {what} ({brief(error)}); copy or export it again") from error
    finally:
        logger.removeHandler(handler)


def brief(error: Exception) -> str:
    """An error in one short line.

    >>> brief(ValueError("no\\n such"))
    'ValueError: no such'
    """
    text = " ".join(str(error).split())[:160]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def need(module: str, *, extra: str, what: str) -> Any:
    """A module that an extra brings.

    Raises
    ------
    MissingExtraError : it is not installed; says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{what} files need a package that is not here ({error}); pip install 'micro-nb[{extra}]'"
        ) from None


@contextmanager
def opening(location: Location, what: str) -> Iterator[None]:
    """Turns the many ways in which a library refuses a file into one error that names it."""
    if not location.is_local:
        raise MissingExtraError(f"{location.uri}: {what} files are read from this machine only; download the file and open that")
    with reading(location.uri, f"{what} file"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries warn of what they then refuse, or read
        yield


class Boxes:
    """An array of which a function gives any box; in stored order, whatever that is."""

    def __init__(self, shape: Sequence[int], dtype: Any, read: Read) -> None:
        self.shape, self.dtype, self._read = tuple(int(n) for n in shape), np.dtype(dtype), read

    def __getitem__(self, index: Index) -> np.ndarray:
        return self._read(index)


def planes(lead: Sequence[int], inner: Sequence[int], dtype: Any, plane: Callable[..., np.ndarray]) -> Boxes:
    """An array of which a function gives one plane of shape ``inner`` at a time, called with its position along ``lead``.

    One thread calls it at a time, and the last planes are kept (64 MiB, or one).
    """
    if np.prod(inner, dtype=float) * np.dtype(dtype).itemsize > MOST_BYTES:
        raise MemoryError(f"a plane of shape {tuple(inner)}")
    lock, most = threading.Lock(), max(1, _PLANES_BYTES // max(int(np.prod(inner)) * np.dtype(dtype).itemsize, 1))
    one = lru_cache(most)(lambda *at: np.asarray(plane(*at)).reshape(inner))

    def read(index: Index) -> np.ndarray:
        first, rest = index[: len(lead)], index[len(lead) :]
        out = np.empty([s.stop - s.start for s in index], dtype)
        for at in product(*(range(s.start, s.stop) for s in first)):
            with lock:
                found = one(*at)
            out[tuple(i - s.start for i, s in zip(at, first, strict=True))] = found[rest]
        return out

    return Boxes((*lead, *inner), dtype, read)


@dataclass(frozen=True)
class Described:
    """What a reader found: arrays in stored order, one a level, what their dimensions are, and what the file says.

    Attributes
    ----------
    arrays : anything with ``shape``, ``dtype`` and slices.
    axes : a letter a stored dimension, of ``T C Z Y X`` and ``S`` for colour samples; others must be 1 long.
    rgb : whether three samples are red, green and blue; None: where they are bytes.
    pixel_size : µm by axis; what is not positive is left out.
    pixel_size, channels, facts : or functions that find them; where one fails, a fact says so, as the pixels are wanted.
    chunk : ``(y, x)`` that are read together; None for whole planes.
    shut : closes the file.
    """

    format: str
    arrays: Sequence[Any]
    axes: str
    pixel_size: Mapping[str, Any] | Callable[[], Mapping[str, Any]] = field(default_factory=dict)
    said_by: str = "metadata"
    channels: Sequence[Channel] | Callable[[], Sequence[Channel]] = ()
    facts: Mapping[str, Any] | Callable[[], Mapping[str, Any]] = field(default_factory=dict)
    chunk: tuple[int, int] | None = None
    shut: Callable[[], None] | None = None
    rgb: bool | None = None

    def said(self, name: str, otherwise: Any, cautions: list[str]) -> Any:
        """Pixel size, channels or facts; ``otherwise``, and a caution, where they cannot be understood."""
        value = getattr(self, name)
        try:
            return value() if callable(value) else value
        except Exception as error:  # each library has its own
            cautions.append(f"what the file says of its {name.replace('_', ' ')} is not understood ({brief(error)}) and not used")
            return otherwise


Describe = Callable[[Any, Location, int], Described]
Door = Callable[..., "LibrarySource"]


class LibrarySource(Source):
    """Arrays that another package reads from a local file; ``order``: where each canonical axis is among the stored ones."""

    def __init__(self, location: Location, found: Described, info: ImageInfo, order: tuple[int, ...]) -> None:
        self.uri, self.format, self._location, self._info = location.uri, found.format, location, info
        self._arrays, self._order, self._shut = tuple(found.arrays), order, found.shut

    @property
    def info(self) -> ImageInfo:
        return self._info

    @classmethod
    def of(cls, location: Location, found: Described, axes: tuple[str, ...] | None) -> LibrarySource:
        """From what a reader found; ``axes`` of the user replace its own, for all dimensions or for those longer than one.

        Raises
        ------
        AxesError : a dimension longer than one that is none of t c z y x.
        """
        odd: list[str] = []
        size, named = found.said("pixel_size", {}, odd), found.said("channels", (), odd)
        facts = dict(found.said("facts", {}, odd))
        facts["cautions"] = [*facts.get("cautions", ()), *odd]
        first, alpha = found.arrays[0], "S" in found.axes and found.arrays[0].shape[found.axes.index("S")] == 4
        if alpha and axes is None and np.dtype(first.dtype) == np.uint8:
            found = replace(found, arrays=[_opaque(a, found.axes.index("S")) for a in found.arrays])
            first, facts["alpha"] = found.arrays[0], "the alpha channel is left out"
        shape = tuple(int(n) for n in first.shape)
        if min(shape) < 1:
            raise CorruptImageError(f"{location.uri}: an image of shape {shape} holds no pixels")
        if np.dtype(first.dtype).kind not in "buif":
            raise CorruptImageError(f"{location.uri}: pixels of type {first.dtype} are not intensities")
        names = _named(found.axes, shape, axes, location.uri)
        used = canonical(n for n in names if n)
        said = {a: float(size.get(a) or 0) for a in SPATIAL if a in used}
        sizes = {a: v for a, v in said.items() if 0 < v < 1e6}  # no pixel is a metre wide: a diffraction pattern told in nm
        n = shape[names.index("c")] if "c" in names else 1
        if n > MAX_CHANNELS:
            raise UnsafeImageError(f"{location.uri}: claims {n} channels; its header is damaged")
        color = axes is None and "S" in found.axes and np.dtype(first.dtype) == np.uint8 if found.rgb is None else found.rgb
        rgb = color and n == 3
        info = ImageInfo(
            axes=used, dtype=np.dtype(first.dtype).newbyteorder("="), rgb=rgb,
            levels=tuple(_level(array, shape, names, used, found.chunk) for array in found.arrays),
            pixel_size=sizes, pixel_size_source=found.said_by,
            channels=tuple(named) if len(named) == n and not rgb else (),
            facts=facts,
        )  # fmt: skip
        order = tuple(names.index(a) for a in used)
        return cls(location, found, info, order)

    def read(self, level: int, index: Index) -> np.ndarray:
        asked = dict(zip(self._order, self.check(level, index), strict=True))
        if not self._arrays:
            raise ValueError(f"{self.uri}: the image is closed; open it again to read")
        array = self._arrays[level]
        box = tuple(asked.get(k, slice(0, 1)) for k in range(len(array.shape)))
        try:
            out = np.asarray(array[box])
        except (MicroNBError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise CorruptImageError(f"{self.uri}: {box} cannot be read ({brief(error)})") from error
        out = out.transpose(*self._order, *(k for k in range(out.ndim) if k not in self._order))
        return np.array(out.reshape(out.shape[: len(self._order)]), self.info.dtype, order="C")

    def stored_bytes(self, *, full: bool) -> Iterator[bytes]:
        return self._location.sample(full=full)

    def close(self) -> None:
        shut, self._shut, self._arrays = self._shut, None, ()
        if shut is not None:
            shut()

    def __del__(self) -> None:
        with suppress(Exception):  # half made, or at the end of the process
            self.close()


def reader(what: str, *, needs: str | None = None) -> Callable[[Describe], Door]:
    """Makes the door to a format from a function that takes a library, a location and the number of an image.

    Parameters
    ----------
    what : the format, as people call it.
    needs : module that the extra ``formats`` brings; the function gets it (None where nothing is needed).
    """

    def door(describe: Describe) -> Door:
        @wraps(describe, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
        def opened(location: Location, *, series: int = 0, axes: tuple[str, ...] | None = None) -> LibrarySource:
            with opening(location, what):
                library = need(needs, extra="formats", what=what) if needs else None
                return LibrarySource.of(location, describe(library, location, series), axes)

        return opened

    return door


def chosen(images: Sequence[Any], series: int, uri: str) -> Any:
    """The image of that number."""
    if not 0 <= series < len(images):
        raise ImageNotFoundError(f"{uri}: series={series} but the file holds {len(images)} (0 to {len(images) - 1})")
    return images[series]


def _opaque(array: Any, at: int) -> Boxes:
    """Red, green and blue of four samples."""
    return Boxes([3 if k == at else n for k, n in enumerate(array.shape)], array.dtype, lambda index: array[index])


def _named(letters: str, shape: tuple[int, ...], stated: tuple[str, ...] | None, uri: str) -> tuple[str, ...]:
    """The meaning of each stored dimension, "" for one that is dropped."""
    long = [k for k, n in enumerate(shape) if n > 1 or letters[k] in "YX"]
    if stated is not None:
        if len(stated) == len(long) < len(shape):
            check_axes(stated, tuple(shape[k] for k in long), uri)
            return tuple(stated[long.index(k)] if k in long else "" for k in range(len(shape)))
        return check_axes(stated, shape, uri)
    names = [_MEANING.get(c, "") for c in letters]
    if names.count("c") == 2:  # samples of one channel, or channels of one sample
        single = "S" if shape[letters.index("S")] == 1 else "C" if shape[letters.index("C")] == 1 else ""
        names = ["" if letters[k] == single else n for k, n in enumerate(names)]
    known = [n for n in names if n]
    if len(set(known)) < len(known) or not all(names[k] for k in long) or not set(PLANE) <= set(names):
        raise AxesError(
            f"{uri}: stores {letters} of shape {shape}; say which of t c z y x they are, e.g. axes={'tczyx'[-len(long) :]!r}"
        )
    return tuple(names)


def _level(
    array: Any, full: tuple[int, ...], names: Sequence[str], axes: tuple[str, ...], chunk: tuple[int, int] | None
) -> Level:
    at = [names.index(a) for a in axes]
    shape, unit = tuple(int(array.shape[k]) for k in at), dict(zip(PLANE, chunk or (1 << 30, 1 << 30), strict=True))
    chunks = tuple(min(unit.get(a, n if a == "c" else 1), n) for a, n in zip(axes, shape, strict=True))
    scale = tuple(factor(full[k], n) if a in SPATIAL else 1.0 for a, k, n in zip(axes, at, shape, strict=True))
    return Level(shape, chunks, scale, (0.0,) * len(axes))
