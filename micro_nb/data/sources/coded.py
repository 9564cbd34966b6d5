"""JPEG 2000 and JPEG XL through imagecodecs: pictures of up to 16 bits and more, decoded whole."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np

from ...errors import CorruptImageError, UnsafeImageError
from ..location import Location
from .library import MOST_BYTES, Described, LibrarySource, chosen, opening, planes


def open_coded(location: Location, *, series: int = 0, axes: tuple[str, ...] | None = None) -> LibrarySource:
    """A JPEG 2000 picture, whose header is read and whose pixels wait; or a JPEG XL picture, which is decoded at once.

    Raises
    ------
    UnsafeImageError : it would unpack to more than 1 GiB.
    """
    with opening(location, "JPEG 2000 or JPEG XL"):
        chosen([0], series, location.uri)
        head = location.head(1 << 16)
        if head.startswith((b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")):
            array = np.asarray(imagecodecs.jpegxl_decode(location.path.read_bytes()))
            name, shape, dtype = "JPEG XL", array.shape, array.dtype
            boxes = planes((), shape, dtype, lambda: array)
        else:
            name, (shape, dtype) = "JPEG 2000", _size(head, location.uri)
            boxes = planes((), shape, dtype, lambda: imagecodecs.jpeg2k_decode(location.path.read_bytes()))
        letters = "YX" if len(shape) == 2 else "YXS"
        return LibrarySource.of(location, Described(name, [boxes], letters), axes)


def _size(head: bytes, uri: str) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
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
