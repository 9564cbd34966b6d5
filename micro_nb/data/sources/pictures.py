"""PNG, JPEG, WebP, BMP and GIF through Pillow, JPEG 2000 and JPEG XL through imagecodecs: decoded whole on the first read."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import imagecodecs
import numpy as np
from PIL import ExifTags, Image, ImageOps

from ...errors import AxesError, CorruptImageError, UnsafeImageError
from ..location import Location
from .library import MOST_BYTES, Described, LibrarySource, chosen, planes, reader, reading

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
_GREY = {"1", "L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N", "LA", "La"}
_ORIENTATION = ExifTags.Base.Orientation


def open_picture(location: Location, *, series: int = 0, axes: tuple[str, ...] | None = None) -> LibrarySource:
    """A picture file, local or remote; reads the header only. Its pixels are kept after the first read until it is closed.

    Alpha is left out (a fact says so), palettes become RGB (``axes="yx"`` gives their indices), EXIF orientation is
    applied, and dots per inch are no pixel size.

    Raises
    ------
    CorruptImageError : truncated or damaged.
    UnsafeImageError : more pixels than Pillow decodes at once (179 megapixels, twice ``PIL.Image.MAX_IMAGE_PIXELS``).
    ImageNotFoundError : ``series`` is not 0.
    """
    chosen([0], series, location.uri)
    with _decoding(location.uri), location.open() as file, Image.open(file, formats=_FORMATS) as image:
        return LibrarySource.of(location, _described(location, image, axes), axes)


def _described(location: Location, image: Image.Image, axes: tuple[str, ...] | None) -> Described:
    depth, grey = _png_kind(location) if image.format == "PNG" else (8, False)
    step = 255 // (2**depth - 1) if image.mode == "L" and 1 < depth < 8 else 1  # by which Pillow stretches few bits
    turned = image.getexif().get(_ORIENTATION, 1)
    size = image.size if turned in (5, 6, 7, 8) else image.size[::-1]
    indices = image.mode == "P" and axes is not None and len(axes) == 2
    grey = grey or indices or image.mode in _GREY or (image.mode == "P" and _grey_palette(image))
    shape = size if grey else (*size, 3)
    if axes is not None and sorted(axes) != sorted("yx" if grey else "yxc"):
        raise AxesError(f"{location.uri}: axes {''.join(axes)!r} do not fit a picture of shape {shape}; use 'yx' or 'yxc'")
    dtype = np.dtype(np.uint16 if depth == 16 else {"I": np.int32, "F": np.float32}.get(image.mode, np.uint8))
    pixels = planes((), shape, dtype, lambda: _decoded(location, shape, dtype, indices) // step)
    return Described(
        image.format or "picture", [pixels], "YX" if grey else "YXS", facts=_facts(image, turned, grey, indices),
        rgb=not grey and (axes is None or axes[-1] == "c"),
    )  # fmt: skip


def _facts(image: Image.Image, turned: int, grey: bool, indices: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {"mode": image.mode}
    cautions = []
    if image.mode == "P" and not indices and not _plain_palette(image):
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
    return facts | {"cautions": cautions}


def _decoded(location: Location, shape: tuple[int, ...], dtype: np.dtype[Any], indices: bool) -> np.ndarray:
    with _decoding(location.uri), location.open() as file:
        if dtype == np.uint16:
            array = _png16(file.read())
        else:
            with Image.open(file, formats=_FORMATS) as image:
                seen = ImageOps.exif_transpose(image)
                array = np.asarray(seen) if indices else _array(seen, grey=len(shape) == 2)
    if array.shape != shape:
        raise CorruptImageError(f"{location.uri}: decoded to shape {array.shape} where the header says {shape}")
    return array.astype(dtype, copy=False)


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
    with reading(uri, "picture"), warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
        try:
            yield
        except Image.DecompressionBombError as error:
            raise UnsafeImageError(
                f"{uri}: {error} Pictures are decoded whole: convert it to a tiled TIFF, or raise PIL.Image.MAX_IMAGE_PIXELS "
                "if you trust it"
            ) from None


@reader("JPEG 2000 or JPEG XL")
def open_coded(_: Any, location: Location, series: int) -> Described:
    """A JPEG 2000 picture, whose header is read and whose pixels wait; or a JPEG XL picture, which is decoded at once.

    Raises
    ------
    UnsafeImageError : it would unpack to more than 1 GiB.
    """
    chosen([0], series, location.uri)
    head = location.head(1 << 16)
    if head.startswith((b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")):
        array = np.asarray(imagecodecs.jpegxl_decode(location.path.read_bytes()))
        name, shape, dtype = "JPEG XL", array.shape, array.dtype
        boxes = planes((), shape, dtype, lambda: array)
    else:
        name, (shape, dtype) = "JPEG 2000", _jpeg2000_size(head, location.uri)
        boxes = planes((), shape, dtype, lambda: imagecodecs.jpeg2k_decode(location.path.read_bytes()))
    letters = "YX" if len(shape) == 2 else "YXS"
    return Described(name, [boxes], letters)


def _jpeg2000_size(head: bytes, uri: str) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and type of a JPEG 2000 codestream, from its first marker."""
    at = head.find(b"\xff\x4f\xff\x51")
    if at < 0 or len(head) < at + 43:
        raise CorruptImageError(f"{uri}: this JPEG 2000 file holds no picture in its first {len(head)} bytes")
    x1, y1, x0, y0 = struct.unpack(">4I", head[at + 8 : at + 24])
    samples, bits = int.from_bytes(head[at + 40 : at + 42], "big"), head[at + 42]
    dtype = np.dtype(f"{'i' if bits & 0x80 else 'u'}{1 if bits & 0x7F < 8 else 2 if bits & 0x7F < 16 else 4}")
    if max(y1 - y0, 0) * max(x1 - x0, 0) * samples * dtype.itemsize > MOST_BYTES:
        raise UnsafeImageError(
            f"{uri}: unpacks to {x1 - x0} x {y1 - y0} x {samples} pixels, more than 1 GiB; convert it to a tiled TIFF"
        )
    return (y1 - y0, x1 - x0) + ((samples,) if samples > 1 else ()), dtype
