"""Leica LIF (and LOF, XLIF, XLEF) through liffile, a frame at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..location import Location
from ..source import Channel
from .library import Described, LibrarySource, chosen, need, opening, planes

_COLORS = {"red": "#ff0000", "green": "#00ff00", "blue": "#0000ff", "cyan": "#00ffff", "magenta": "#ff00ff", "yellow": "#ffff00",
           "gray": "#ffffff", "grey": "#ffffff"}  # fmt: skip


def open_lif(location: Location, *, series: int = 0, axes: tuple[str, ...] | None = None) -> LibrarySource:
    """An image of a Leica file; ``series`` is its number."""
    with opening(location, "Leica LIF"):
        file = need("liffile", extra="formats", what="Leica LIF").LifFile(str(location.path))
        image = chosen(list(file.images), series, location.uri)
        inner = list(image.frames.frame_sizes)
        lead = [d for d in image.dims if d not in inner]

        def frame(*at: int) -> np.ndarray:
            return np.asarray(image.frame(**dict(zip(lead, at, strict=True))))

        found = Described(
            "Leica LIF", [planes([image.sizes[d] for d in lead], [image.sizes[d] for d in inner], image.dtype, frame)],
            "".join(d[0] for d in (*lead, *inner)), {a.lower(): _step(image, a, 1e6) for a in "ZYX"}, "Leica dimensions",
            _channels(image), _facts(image, len(file.images)), shut=file.close,
        )  # fmt: skip
        return LibrarySource.of(location, found, axes)


def _step(image: Any, dim: str, factor: float) -> float | None:
    """Distance between neighbours along a dimension, from metres or seconds."""
    at = image.coords.get(dim)
    return abs(float(at[-1] - at[0])) / (len(at) - 1) * factor if at is not None and len(at) > 1 else None


def _channels(image: Any) -> list[Channel]:
    described = image.xml_element.findall("./Data/Image/ImageDescription/Channels/ChannelDescription")
    names = [next((p.get("Value") for p in c.iter("ChannelProperty") if p.get("Key") == "DyeName"), None) for c in described]
    looks = [c.get("LUTName", "") for c in described]
    return [
        Channel(n or look or f"channel {i}", _COLORS.get(look.lower()))
        for i, (n, look) in enumerate(zip(names, looks, strict=True))
    ]


def _facts(image: Any, images: int) -> dict[str, Any]:
    said = {k: v for e in image.xml_element.iter("ATLConfocalSettingDefinition") for k, v in e.attrib.items()}
    lens = said.get("ObjectiveName", "").strip()
    return {
        "name": image.name, "images": images if images > 1 else None, "interval_s": _step(image, "T", 1.0), "objective": lens,
        "magnification": float(said["Magnification"]) if said.get("Magnification") else None,
        "na": float(said["NumericalAperture"]) if said.get("NumericalAperture") else None, "immersion": said.get("Immersion"),
    }  # fmt: skip
