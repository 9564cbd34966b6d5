"""Files of microscopes read a frame at a time: Nikon ND2 through nd2, Leica LIF (LOF, XLIF, XLEF) through liffile, Olympus OIF
and OIB through oiffile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..axes import is_length_unit, to_number, to_seconds, to_um
from ..location import Location
from ..source import Channel
from .library import Described, chosen, planes, reader


@reader("Nikon ND2", needs="nd2")
def open_nd2(library: Any, location: Location, series: int) -> Described:
    """A position of an ND2 file; ``series`` is its number."""
    file = library.ND2File(str(location.path))
    inner = [a for a in file.sizes if a in "CYXS"]
    loops = {a: n for a, n in file.sizes.items() if a not in inner}
    position = chosen(range(loops.get("P", 1)), series, location.uri)
    lead = [a for a in loops if a != "P"]

    def frame(*at: int) -> np.ndarray:
        where = dict(zip(lead, at, strict=True)) | {"P": position}
        number = np.ravel_multi_index([where[a] for a in loops], list(loops.values())) if loops else 0
        return np.asarray(file.read_frame(int(number)))

    size = file.voxel_size()
    return Described(
        "Nikon ND2", [planes([loops[a] for a in lead], [file.sizes[a] for a in inner], file.dtype, frame)],
        "".join((*lead, *inner)), {"z": size.z if "Z" in loops else None, "y": size.y, "x": size.x}, "ND2 calibration",
        _nd2_channels(file), _nd2_facts(file), shut=file.close,
    )  # fmt: skip


def _nd2_channels(file: Any) -> list[Channel]:
    return [
        Channel(
            c.channel.name, "#{:02x}{:02x}{:02x}".format(*c.channel.color[:3]),
            emission_nm=c.channel.emissionLambdaNm, excitation_nm=c.channel.excitationLambdaNm,
        )
        for c in getattr(file.metadata, "channels", None) or ()
    ]  # fmt: skip


def _nd2_facts(file: Any) -> dict[str, Any]:
    channels = getattr(file.metadata, "channels", None) or [None]
    lens, volume = getattr(channels[0], "microscope", None), getattr(channels[0], "volume", None)
    loops = [loop.parameters for loop in file.experiment or () if loop.type == "TimeLoop"]
    seconds = (loops[0].periodMs or loops[0].periodDiff.avg) / 1000 if loops else None
    return {
        "objective": getattr(lens, "objectiveName", None), "magnification": getattr(lens, "objectiveMagnification", None),
        "na": getattr(lens, "objectiveNumericalAperture", None), "acquired": (file.text_info or {}).get("date"),
        "significant_bits": getattr(volume, "bitsPerComponentSignificant", None), "interval_s": seconds or None,
    }  # fmt: skip


_COLORS = {"red": "#ff0000", "green": "#00ff00", "blue": "#0000ff", "cyan": "#00ffff", "magenta": "#ff00ff", "yellow": "#ffff00",
           "gray": "#ffffff", "grey": "#ffffff"}  # fmt: skip


@reader("Leica LIF", needs="liffile")
def open_lif(library: Any, location: Location, series: int) -> Described:
    """An image of a Leica file; ``series`` is its number."""
    file = library.LifFile(str(location.path))
    image = chosen(list(file.images), series, location.uri)
    inner = list(image.frames.frame_sizes)
    lead = [d for d in image.dims if d not in inner]

    def frame(*at: int) -> np.ndarray:
        return np.asarray(image.frame(**dict(zip(lead, at, strict=True))))

    return Described(
        "Leica LIF", [planes([image.sizes[d] for d in lead], [image.sizes[d] for d in inner], image.dtype, frame)],
        "".join(d[0] for d in (*lead, *inner)), {a.lower(): _lif_step(image, a, 1e6) for a in "ZYX"}, "Leica dimensions",
        _lif_channels(image), _lif_facts(image, len(file.images)), shut=file.close,
    )  # fmt: skip


def _lif_step(image: Any, dim: str, factor: float) -> float | None:
    """Distance between neighbours along a dimension, from metres or seconds."""
    at = image.coords.get(dim)
    return abs(float(at[-1] - at[0])) / (len(at) - 1) * factor if at is not None and len(at) > 1 else None


def _lif_channels(image: Any) -> list[Channel]:
    described = image.xml_element.findall("./Data/Image/ImageDescription/Channels/ChannelDescription")
    names = [next((p.get("Value") for p in c.iter("ChannelProperty") if p.get("Key") == "DyeName"), None) for c in described]
    looks = [c.get("LUTName", "") for c in described]
    return [
        Channel(n or look or f"channel {i}", _COLORS.get(look.lower()))
        for i, (n, look) in enumerate(zip(names, looks, strict=True))
    ]


def _lif_facts(image: Any, images: int) -> dict[str, Any]:
    said = {k: v for e in image.xml_element.iter("ATLConfocalSettingDefinition") for k, v in e.attrib.items()}
    lens = said.get("ObjectiveName", "").strip()
    return {
        "name": image.name, "images": images if images > 1 else None, "interval_s": _lif_step(image, "T", 1.0), "objective": lens,
        "magnification": float(said["Magnification"]) if said.get("Magnification") else None,
        "na": float(said["NumericalAperture"]) if said.get("NumericalAperture") else None, "immersion": said.get("Immersion"),
    }  # fmt: skip


@reader("Olympus OIF", needs="oiffile")
def open_oif(library: Any, location: Location, series: int) -> Described:
    """An image of an OIF or OIB file."""
    file = library.OifFile(str(location.path))
    pages = chosen(file.series, series, location.uri)
    lead, first = [int(n) for n in pages.shape], file.asarray(pages.files[0])

    def page(*at: int) -> np.ndarray:
        return np.asarray(file.asarray(pages.files[int(np.ravel_multi_index(at, lead)) if lead else 0]))

    along = [file.mainfile.get(f"Axis {k} Parameters Common", {}) for k in range(8)]
    steps = {str(a.get("AxisCode")): _oif_step(a) for a in along if a.get("AxisCode")}
    acquired = file.mainfile.get("Acquisition Parameters Common", {})
    channels = _oif_channels(file.mainfile, dict(zip(pages.axes, lead, strict=True)).get("C", 1))
    return Described(
        "Olympus OIF", [planes(lead, first.shape, first.dtype, page)], pages.axes + "YX",
        {a.lower(): steps.get(a) for a in "ZYX"}, "OIF axis parameters", channels,
        {"interval_s": steps.get("T"), "acquired": acquired.get("ImageCaputreDate")}, shut=file.close,
    )  # fmt: skip


def _oif_step(axis: Mapping[str, Any]) -> float | None:
    """Distance between neighbours along an axis, in µm or seconds."""
    start, end, n = (to_number(axis.get(k)) for k in ("StartPosition", "EndPosition", "MaxSize"))
    unit = str(axis.get("PixUnit") or axis.get("UnitName") or "")
    if start is None or end is None or not n or n < 2 or end == start:
        return None
    step = abs(end - start) / (n if axis.get("AxisCode") in ("X", "Y") else n - 1)
    return to_um(step, unit) if is_length_unit(unit) else to_seconds(step, unit)


def _oif_channels(main: Mapping[str, Any], n: int) -> list[Channel]:
    said = [main.get(f"Channel {k + 1} Parameters", {}) for k in range(n)]
    waves = [(to_number(c.get("EmissionWavelength")), to_number(c.get("ExcitationWavelength"))) for c in said]
    return [
        Channel(str(c.get("DyeName") or f"channel {k}"), emission_nm=m or None, excitation_nm=x or None)
        for k, (c, (m, x)) in enumerate(zip(said, waves, strict=True))
    ]
