"""PNG, JPEG, WebP, BMP and GIF through Pillow: small pictures, decoded whole on the first read."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import imagecodecs
import numpy as np
from PIL import ExifTags, Image, ImageOps

from ...errors import AxesError, CorruptImageError, ImageNotFoundError, MicroNBError, UnsafeImageError
from ..axes import canonical, check_axes
from ..location import Location
from ..source import ImageInfo, Index, Level, Source

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
_GREY = {"1", "L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N", "LA", "La"}
_ORIENTATION = ExifTags.Base.Orientation


def open_picture(location: Location, *, series: int = 0, axes: tuple[str, ...] | None = None) -> Source:
    """A picture file, local or remote; reads the header only.

    Alpha is left out (a fact says so), palettes become RGB (``axes="yx"`` gives their indices), EXIF orientation is
    applied, and dots per inch are no pixel size.

    Raises
    ------
    CorruptImageError : truncated or damaged.
    UnsafeImageError : more pixels than Pillow decodes at once (179 megapixels, twice ``PIL.Image.MAX_IMAGE_PIXELS``).
    ImageNotFoundError : ``series`` is not 0.
    """
    if series != 0:
        raise ImageNotFoundError(f"{location.uri}: series={series} but a picture file holds one image (series 0)")
    return PictureSource(location, axes)


class PictureSource(Source):
    """One picture; kept in memory after the first read until it is closed."""

    def __init__(self, location: Location, axes: tuple[str, ...] | None) -> None:
        self.uri = location.uri
        self._location, self._axes = location, axes
        self._lock = threading.Lock()
        self._pixels: np.ndarray | None = None
        with _decoding(location.uri), location.open() as file, Image.open(file, formats=_FORMATS) as image:
            self.format = image.format or "picture"
            self._info = self._describe(image, *(_png_kind(location) if image.format == "PNG" else (8, False)))

    @property
    def info(self) -> ImageInfo:
        return self._info

    def read(self, level: int, index: Index) -> np.ndarray:
        index = self.check(level, index)
        with self._lock:
            if self._pixels is None:
                self._pixels = self._decode()
        return self._pixels[index].copy()

    def stored_bytes(self, *, full: bool) -> Iterator[bytes]:
        return self._location.sample(full=full)

    def close(self) -> None:
        self._pixels = None

    def _describe(self, image: Image.Image, depth: int, grey: bool) -> ImageInfo:
        width, height = image.size
        turned = image.getexif().get(_ORIENTATION, 1)
        if turned in (5, 6, 7, 8):
            width, height = height, width
        self._indices = image.mode == "P" and self._axes is not None and len(self._axes) == 2
        grey = grey or self._indices or image.mode in _GREY or (image.mode == "P" and _grey_palette(image))
        sizes = (height, width) if grey else (height, width, 3)
        dims = check_axes(self._axes, sizes) if self._axes else ("y", "x") if grey else ("y", "x", "c")
        if set(dims) != ({"y", "x"} if grey else {"y", "x", "c"}):
            raise AxesError(f"{self.uri}: axes {''.join(dims)!r} do not fit a picture of shape {sizes}; use 'yx' or 'yxc'")
        self._order = [dims.index(a) for a in canonical(dims)]
        shape = tuple(sizes[i] for i in self._order)
        facts: dict[str, Any] = {"mode": image.mode}
        cautions = []
        if image.mode == "P" and not self._indices and not _plain_palette(image):
            facts["palette"] = "indices are shown as the " + ("grey values" if grey else "colours") + " of the file's table"
            cautions.append(facts["palette"] + "; axes='yx' gives the indices")
        elif not grey and image.mode not in ("RGB", "RGBA", "P", "PA"):
            cautions.append(f"its {image.mode} values are converted to RGB")
        if turned in range(2, 9):
            facts["orientation"] = f"EXIF orientation {turned} is applied"
            cautions.append(facts["orientation"] + ": rows and columns are those of the picture, not of the file")
        if image.has_transparency_data:
            facts["alpha"] = "the alpha channel is left out"
        if getattr(image, "n_frames", 1) > 1:
            facts["frames"] = f"the first of {image.n_frames} frames is shown"  # type: ignore[attr-defined]
        dtype = np.dtype(
            np.uint16 if depth == 16 else np.int32 if image.mode == "I" else np.float32 if image.mode == "F" else np.uint8
        )
        facts |= {"cautions": cautions} if cautions else {}
        level = Level(shape, shape, (1.0,) * len(shape), (0.0,) * len(shape))
        return ImageInfo(axes=canonical(dims), dtype=dtype, levels=(level,), rgb=not grey and dims[-1] == "c", facts=facts)

    def _decode(self) -> np.ndarray:
        with _decoding(str(self.uri)), self._location.open() as file:
            if self._info.dtype == np.uint16:
                array = _png16(file.read())
            else:
                with Image.open(file, formats=_FORMATS) as image:
                    seen = ImageOps.exif_transpose(image)
                    array = np.asarray(seen) if self._indices else _array(seen, grey="c" not in self._info.axes)
        out = np.ascontiguousarray(array.transpose(self._order)).astype(self._info.dtype, copy=False)
        if out.shape != self._info.shape:
            raise CorruptImageError(f"{self.uri}: decoded to shape {out.shape} where the header says {self._info.shape}")
        return out


def _array(image: Image.Image, *, grey: bool) -> np.ndarray:
    if not grey:
        return np.asarray(image.convert("RGB"))
    if image.mode in ("LA", "La", "P"):
        image = image.convert("L")
    array = np.asarray(image)
    return array.astype(np.uint8) if array.dtype.kind == "b" else array


def _png16(data: bytes) -> np.ndarray:
    """A 16-bit PNG with all its bits, which Pillow would halve for colour; alpha dropped."""
    array = np.asarray(imagecodecs.png_decode(data))
    if array.ndim == 3 and array.shape[-1] in (2, 4):
        array = array[..., :-1]
    return array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array


def _png_kind(location: Location) -> tuple[int, bool]:
    """Bits a sample, and whether it is grey with or without alpha, which Pillow hides for 16 bits."""
    head = location.head(26)
    return (head[24], head[25] in (0, 4)) if len(head) == 26 else (8, False)


def _plain_palette(image: Image.Image) -> bool:
    """Whether the table gives every index its own value."""
    palette = image.getpalette("RGB") or []
    return _grey_palette(image) and palette[0::3] == list(range(len(palette[0::3])))


def _grey_palette(image: Image.Image) -> bool:
    palette = image.getpalette("RGB") or []
    return palette[0::3] == palette[1::3] == palette[2::3]


@contextmanager
def _decoding(uri: str) -> Iterator[None]:
    """Pillow's many ways to fail on damaged bytes, as one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
            yield
    except (MicroNBError, FileNotFoundError, PermissionError):
        raise
    except Image.DecompressionBombError as error:
        raise UnsafeImageError(
            f"{uri}: {error} Pictures are decoded whole: convert it to a tiled TIFF, or raise PIL.Image.MAX_IMAGE_PIXELS "
            "if you trust it"
        ) from None
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, EOFError ...
        detail = " ".join(str(error).split())[:160]
        raise CorruptImageError(
            f"{uri}: this picture cannot be read ({type(error).__name__}: {detail}); copy it again"
        ) from error
