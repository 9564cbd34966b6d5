"""Whole slides that only OpenSlide reads, as 3DHISTECH MIRAX: any box of any level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..axes import to_number
from ..location import Location
from ..source import Index
from .library import Boxes, Described, LibrarySource, chosen, need, opening


def open_slide(location: Location, *, series: int = 0, axes: tuple[str, ...] | None = None) -> LibrarySource:
    """A slide; ``series`` 1 and on are its label, macro and thumbnail pictures, by name."""
    with opening(location, "slide"):
        slide = need("openslide", extra="formats", what="MIRAX and other slide").OpenSlide(str(location.path))
        beside, said = sorted(slide.associated_images), dict(slide.properties)
        name = chosen([None, *beside], series, location.uri)
        if name is not None:
            picture = np.asarray(slide.associated_images[name].convert("RGB"))
            return LibrarySource.of(location, Described(f"slide: {name}", [picture], "YXS", shut=slide.close), axes)
        levels = [_level(slide, k) for k in range(slide.level_count)]
        chunk = tuple(int(said.get(f"openslide.level[0].tile-{side}", 512)) for side in ("height", "width"))
        size = {"y": to_number(said.get("openslide.mpp-y")), "x": to_number(said.get("openslide.mpp-x"))}
        found = Described(f"slide ({said.get('openslide.vendor', 'OpenSlide')})", levels, "YXS", size, "OpenSlide mpp", (),
                          _facts(said, beside), (chunk[0], chunk[1]), slide.close)  # fmt: skip
        return LibrarySource.of(location, found, axes)


def _level(slide: Any, k: int) -> Boxes:
    (width, height), down = slide.level_dimensions[k], slide.level_downsamples[k]

    def read(index: Index) -> np.ndarray:
        ys, xs, samples = index
        corner = round(xs.start * down), round(ys.start * down)
        seen = slide.read_region(corner, k, (xs.stop - xs.start, ys.stop - ys.start))
        white = np.full((*seen.size[::-1], 3), 255, np.uint8)  # where a slide was not scanned
        pixels = np.asarray(seen)
        return np.where(pixels[..., 3:] > 0, pixels[..., :3], white)[..., samples]

    return Boxes((height, width, 3), np.uint8, read)


def _facts(said: Mapping[str, str], beside: list[str]) -> dict[str, Any]:
    return {"magnification": to_number(said.get("openslide.objective-power")),
            "associated": [f"{k}: {name}" for k, name in enumerate(beside, 1)],
            "scanner": said.get("openslide.vendor")}  # fmt: skip
