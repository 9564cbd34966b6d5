"""Nikon ND2 through nd2, a frame at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..location import Location
from ..source import Channel
from .library import Described, LibrarySource, chosen, need, opening, planes


def open_nd2(location: Location, *, series: int = 0, axes: tuple[str, ...] | None = None) -> LibrarySource:
    """A position of an ND2 file; ``series`` is its number."""
    with opening(location, "Nikon ND2"):
        file = need("nd2", extra="formats", what="Nikon ND2").ND2File(str(location.path))
        inner = [a for a in file.sizes if a in "CYXS"]
        loops = {a: n for a, n in file.sizes.items() if a not in inner}
        position = chosen(range(loops.get("P", 1)), series, location.uri)
        lead = [a for a in loops if a != "P"]

        def frame(*at: int) -> np.ndarray:
            where = dict(zip(lead, at, strict=True)) | {"P": position}
            number = np.ravel_multi_index([where[a] for a in loops], list(loops.values())) if loops else 0
            return np.asarray(file.read_frame(int(number)))

        size = file.voxel_size()
        found = Described(
            "Nikon ND2", [planes([loops[a] for a in lead], [file.sizes[a] for a in inner], file.dtype, frame)],
            "".join((*lead, *inner)), {"z": size.z if "Z" in loops else None, "y": size.y, "x": size.x}, "ND2 calibration",
            _channels(file), _facts(file), shut=file.close,
        )  # fmt: skip
        return LibrarySource.of(location, found, axes)


def _channels(file: Any) -> list[Channel]:
    return [
        Channel(
            c.channel.name, "#{:02x}{:02x}{:02x}".format(*c.channel.color[:3]),
            emission_nm=c.channel.emissionLambdaNm, excitation_nm=c.channel.excitationLambdaNm,
        )
        for c in getattr(file.metadata, "channels", None) or ()
    ]  # fmt: skip


def _facts(file: Any) -> dict[str, Any]:
    channels = getattr(file.metadata, "channels", None) or [None]
    lens, volume = getattr(channels[0], "microscope", None), getattr(channels[0], "volume", None)
    loops = [loop.parameters for loop in file.experiment or () if loop.type == "TimeLoop"]
    seconds = (loops[0].periodMs or loops[0].periodDiff.avg) / 1000 if loops else None
    return {
        "objective": getattr(lens, "objectiveName", None), "magnification": getattr(lens, "objectiveMagnification", None),
        "na": getattr(lens, "objectiveNumericalAperture", None), "acquired": (file.text_info or {}).get("date"),
        "significant_bits": getattr(volume, "bitsPerComponentSignificant", None), "interval_s": seconds or None,
    }  # fmt: skip
