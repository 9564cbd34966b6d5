"""Whole slides that only OpenSlide reads (3DHISTECH MIRAX), NumPy files, and whatever an installed bioio reader opens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import UnknownFormatError
from ..axes import to_number
from ..location import Location
from ..source import Channel, Index
from .library import Boxes, Described, chosen, reader


@reader("slide", needs="openslide")
def open_slide(library: Any, location: Location, series: int) -> Described:
    """A slide; ``series`` 1 and on are its label, macro and thumbnail pictures, by name."""
    slide = library.OpenSlide(str(location.path))
    beside, said = sorted(slide.associated_images), dict(slide.properties)
    name = chosen([None, *beside], series, location.uri)
    if name is not None:
        picture = np.asarray(slide.associated_images[name].convert("RGB"))
        return Described(f"slide: {name}", [picture], "YXS", shut=slide.close)
    levels = [_slide_level(slide, k) for k in range(slide.level_count)]
    chunk = tuple(int(said.get(f"openslide.level[0].tile-{side}", 512)) for side in ("height", "width"))
    size = {"y": to_number(said.get("openslide.mpp-y")), "x": to_number(said.get("openslide.mpp-x"))}
    return Described(f"slide ({said.get('openslide.vendor', 'OpenSlide')})", levels, "YXS", size, "OpenSlide mpp", (),
                      _slide_facts(said, beside), (chunk[0], chunk[1]), slide.close)  # fmt: skip


def _slide_level(slide: Any, k: int) -> Boxes:
    (width, height), down = slide.level_dimensions[k], slide.level_downsamples[k]

    def read(index: Index) -> np.ndarray:
        ys, xs, samples = index
        corner = round(xs.start * down), round(ys.start * down)
        seen = slide.read_region(corner, k, (xs.stop - xs.start, ys.stop - ys.start))
        white = np.full((*seen.size[::-1], 3), 255, np.uint8)  # where a slide was not scanned
        pixels = np.asarray(seen)
        return np.where(pixels[..., 3:] > 0, pixels[..., :3], white)[..., samples]

    return Boxes((height, width, 3), np.uint8, read)


def _slide_facts(said: Mapping[str, str], beside: list[str]) -> dict[str, Any]:
    return {"magnification": to_number(said.get("openslide.objective-power")),
            "associated": [f"{k}: {name}" for k, name in enumerate(beside, 1)],
            "scanner": said.get("openslide.vendor")}  # fmt: skip


@reader("NumPy")
def open_npy(_: Any, location: Location, series: int) -> Described:
    """A NumPy file, mapped into memory; no pixel is read yet."""
    chosen([0], series, location.uri)
    array = np.load(location.path, mmap_mode="r", allow_pickle=False)
    letters = {2: "YX", 3: "YXS" if array.dtype == np.uint8 and array.shape[-1] in (3, 4) and array.shape[0] > 4 else "QYX"}
    return Described("NumPy file", [array], letters.get(array.ndim, "Q" * array.ndim))


@reader("bioio", needs="bioio")
def open_bioio(library: Any, location: Location, series: int) -> Described:
    """A scene of a file; ``series`` is its number.

    Raises
    ------
    UnknownFormatError : no installed reader of bioio opens it.
    """
    try:
        image = library.BioImage(str(location.path))
    except Exception as error:  # each reader refuses in its own way
        raise UnknownFormatError(f"{location.uri}: no installed reader of bioio opens it ({type(error).__name__})") from error
    image.set_scene(chosen(image.scenes, series, location.uri))
    pixels, size = image.xarray_dask_data, image.physical_pixel_sizes
    names = [Channel(str(n)) for n in image.channel_names or ()]
    return Described(f"bioio: {type(image.reader).__module__.split('.')[0]}", [pixels.data], "".join(map(str, pixels.dims)),
                      {a: getattr(size, a.upper()) for a in "zyx"}, "bioio physical_pixel_sizes", names)  # fmt: skip
