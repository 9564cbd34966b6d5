"""Files of microscopes. Zeiss CZI through pylibCZIrw: any box of a scene at any resolution, mosaics put together. A frame at a
time: Nikon ND2 through nd2, Leica LIF (LOF, XLIF, XLEF) through liffile, Olympus OIF and OIB through oiffile."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from ..axes import is_length_unit, stage_of, to_number, to_seconds, to_um
from ..location import Location
from ..source import Channel, Index
from .library import Boxes, Described, chosen, planes, reader

_DTYPES = {"Gray8": "u1", "Gray16": "u2", "Gray32Float": "f4", "Bgr24": "u1", "Bgr48": "u2", "Bgr96Float": "f4"}
_COARSEST = 1024


@reader("Zeiss CZI", needs="pylibCZIrw.czi")
def open_czi(library: Any, location: Location, series: int) -> Described:
    """A scene of a CZI file; ``series`` is its number."""
    file = library.CziReader(str(location.path))
    scenes = file.scenes_bounding_rectangle_no_pyramid or {None: file.total_bounding_rectangle_no_pyramid}
    scene = chosen(sorted(scenes), series, location.uri)
    place, box = scenes[scene], file.total_bounding_box_no_pyramid
    kind = file.get_channel_pixel_type(box.get("C", (0, 1))[0])  # asking for all of them takes long where a header is damaged
    lead = [(a, box[a][0], box[a][1] - box[a][0]) for a in "TCZ" if a in box]
    samples, dtype, lock = 3 if kind.startswith("Bgr") else 1, np.dtype(_DTYPES[kind]), threading.Lock()

    def read(index: Index, step: int) -> np.ndarray:
        ys, xs = index[-3:-1]
        roi = place.x + xs.start * step, place.y + ys.start * step, (xs.stop - xs.start) * step, (ys.stop - ys.start) * step
        out = np.empty([s.stop - s.start for s in index[:-1]] + [samples], dtype)
        for at in np.ndindex(*out.shape[:-3]):
            plane = {a: start + s.start + i for (a, start, _), s, i in zip(lead, index, at, strict=False)}
            with lock:
                pixels = file.read(roi=roi, plane=plane, scene=scene, zoom=1 / step)
            out[at] = pixels[: out.shape[-3], : out.shape[-2], ::-1]  # blue, green, red
        return out[..., index[-1]]

    def level(step: int) -> Boxes:
        shape = *(n for *_, n in lead), place.h // step, place.w // step, samples
        return Boxes(shape, dtype, lambda index: read(index, step))

    steps = [1]
    while max(place.w, place.h) // steps[-1] > _COARSEST:
        steps.append(2 * steps[-1])
    meta = file.metadata.get("ImageDocument", {}).get("Metadata", {})
    return Described(
        "Zeiss CZI", [level(s) for s in steps], "".join(a for a, *_ in lead) + "YXS", said_by="CZI Scaling", chunk=(512, 512),
        shut=file.close, **_czi_said(meta, _czi_stage(meta, scene, location)),
    )  # fmt: skip


def _czi_stage(meta: Mapping[str, Any], scene: int | None, location: Location) -> dict[str, Any] | None:
    """Where the stage stood: in the middle of the scene; where no scene says it, at the first stored tile."""
    scenes = _all(meta, "Information", "Image", "Dimensions", "S", "Scenes", "Scene")
    mine = next((s for s in scenes if to_number(s.get("@Index")) == (scene or 0)), {})
    middle = str(mine.get("CenterPosition") or "").split(",")
    if len(middle) == 2 or scene:
        return stage_of(middle) if len(middle) == 2 else None
    text = _first_tile(location)
    found = (re.search(rf"<{name}Position>([^<]+)", text) for name in ("StageX", "StageY", "Focus"))
    return stage_of(m and m[1] for m in found)


def _first_tile(location: Location) -> str:
    """What the first stored tile says of itself, which pylibCZIrw does not hand out; the file's directory says where it lies."""
    with suppress(OSError, OverflowError), location.open() as file:
        for start, skipped in ((84, 166), (None, 32)):  # the directory's first entry, then the tile behind its header
            file.seek(start or file.tell())
            file.seek(int.from_bytes(file.read(8), "little") + skipped)
        size = int.from_bytes(file.read(4), "little")
        file.seek(252, 1)
        return file.read(min(size, 1 << 20)).decode("utf-8", "replace")
    return ""


def _czi_said(meta: Mapping[str, Any], stage: dict[str, Any] | None) -> dict[str, Any]:
    """Pixel size, channels and facts of CZI's metadata."""
    about = _at(meta, "Information", "Image")
    shown = {c.get("@Id"): c for c in _all(meta, "DisplaySetting", "Channels", "Channel")}
    metres = {str(d.get("@Id")).lower(): to_number(d.get("Value")) for d in _all(meta, "Scaling", "Items", "Distance")}
    wanted = _at(about, "ObjectiveSettings", "ObjectiveRef").get("@Id")
    objectives = _all(meta, "Information", "Instrument", "Objectives", "Objective")
    lens = next((o for o in objectives if o.get("@Id") == wanted), objectives[0] if len(objectives) == 1 else {})
    microscopes = _all(meta, "Information", "Instrument", "Microscopes", "Microscope")
    return {
        "pixel_size": {a: v * 1e6 for a, v in metres.items() if v},
        "channels": [_czi_channel(c, shown.get(c.get("@Id"), {})) for c in _all(about, "Dimensions", "Channels", "Channel")],
        "facts": {
            "acquired": about.get("AcquisitionDateAndTime"), "objective": lens.get("@Name"), "immersion": lens.get("Immersion"),
            "magnification": to_number(lens.get("NominalMagnification")), "na": to_number(lens.get("LensNA")),
            "microscope": microscopes[0].get("@Name") if microscopes else None,
            "significant_bits": int(to_number(about.get("ComponentBitCount")) or 0) or None,
            "interval_s": to_number(_at(about, "Dimensions", "T", "Positions", "Interval").get("Increment")), "stage": stage,
        },
    }  # fmt: skip


def _czi_channel(said: Mapping[str, Any], shown: Mapping[str, Any]) -> Channel:
    color = str(shown.get("Color") or said.get("Color") or "")
    return Channel(
        str(said.get("@Name") or said.get("Fluor") or said.get("@Id")),
        f"#{color[-6:].lower()}" if len(color) in (7, 9) else None,
        emission_nm=to_number(said.get("EmissionWavelength")), excitation_nm=to_number(said.get("ExcitationWavelength")),
    )  # fmt: skip


def _at(meta: Any, *path: str) -> Mapping[str, Any]:
    for key in path:
        meta = meta.get(key) if isinstance(meta, Mapping) else None
    return meta if isinstance(meta, Mapping) else {}


def _all(meta: Any, *path: str) -> list[Mapping[str, Any]]:
    """Elements of a name; XML with a single one gives it bare."""
    found = _at(meta, *path[:-1]).get(path[-1])
    return [e for e in (found if isinstance(found, list) else [found]) if isinstance(e, Mapping)]


@reader("Nikon ND2", needs="nd2")
def open_nd2(library: Any, location: Location, series: int) -> Described:
    """A position of an ND2 file; ``series`` is its number."""
    file = library.ND2File(str(location.path))
    inner = [a for a in file.sizes if a in "CYXS"]
    loops = {a: n for a, n in file.sizes.items() if a not in inner}
    position = chosen(range(loops.get("P", 1)), series, location.uri)
    lead = [a for a in loops if a != "P"]

    def number(*at: int) -> int:
        where = dict(zip(lead, at, strict=False)) | {"P": position}
        return int(np.ravel_multi_index([where.get(a, 0) for a in loops], list(loops.values()))) if loops else 0

    def frame(*at: int) -> np.ndarray:
        return np.asarray(file.read_frame(number(*at)))

    first, size = getattr(file.frame_metadata(number()), "channels", None) or [None], file.voxel_size()
    return Described(
        "Nikon ND2", [planes([loops[a] for a in lead], [file.sizes[a] for a in inner], file.dtype, frame)],
        "".join((*lead, *inner)), {"z": size.z if "Z" in loops else None, "y": size.y, "x": size.x}, "ND2 calibration",
        lambda: _nd2_channels(file), lambda: _nd2_facts(file, first[0]), shut=file.close,
    )  # fmt: skip


def _nd2_channels(file: Any) -> list[Channel]:
    return [
        Channel(
            c.channel.name, "#{:02x}{:02x}{:02x}".format(*c.channel.color[:3]),
            emission_nm=c.channel.emissionLambdaNm, excitation_nm=c.channel.excitationLambdaNm,
        )
        for c in getattr(file.metadata, "channels", None) or ()
    ]  # fmt: skip


def _nd2_facts(file: Any, first: Any) -> dict[str, Any]:
    """``first``: what is said of the first channel of the first frame."""
    channels = getattr(file.metadata, "channels", None) or [None]
    place = getattr(getattr(first, "position", None), "stagePositionUm", None)
    lens, volume = getattr(channels[0], "microscope", None), getattr(channels[0], "volume", None)
    loops = [loop.parameters for loop in file.experiment or () if loop.type == "TimeLoop"]
    seconds = (loops[0].periodMs or loops[0].periodDiff.avg) / 1000 if loops else None
    return {
        "objective": getattr(lens, "objectiveName", None), "magnification": getattr(lens, "objectiveMagnification", None),
        "na": getattr(lens, "objectiveNumericalAperture", None), "acquired": (file.text_info or {}).get("date"),
        "significant_bits": getattr(volume, "bitsPerComponentSignificant", None), "interval_s": seconds or None,
        "stage": stage_of(place or ()),
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
        "".join(d[0] for d in (*lead, *inner)), lambda: {a.lower(): _lif_step(image, a, 1e6) for a in "ZYX"}, "Leica dimensions",
        lambda: _lif_channels(image), lambda: _lif_facts(image, len(file.images)), shut=file.close,
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
    lead, first, places = [int(n) for n in pages.shape], file.asarray(pages[0]), dict(zip(pages.indices, pages, strict=True))

    def page(*at: int) -> np.ndarray:
        return np.asarray(file.asarray(places[at]))

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
    step = abs(end - start) / (n - 1)
    return to_um(step, unit) if is_length_unit(unit) else to_seconds(step, unit)


def _oif_channels(main: Mapping[str, Any], n: int) -> list[Channel]:
    said = [main.get(f"Channel {k + 1} Parameters", {}) for k in range(n)]
    waves = [(to_number(c.get("EmissionWavelength")), to_number(c.get("ExcitationWavelength"))) for c in said]
    return [
        Channel(next((v for v in named if v != "None"), f"channel {k}"), emission_nm=m or None, excitation_nm=x or None)
        for k, (c, (m, x)) in enumerate(zip(said, waves, strict=True))
        for named in [[str(c[key]) for key in ("DyeName", "CH Name") if c.get(key)]]
    ]
