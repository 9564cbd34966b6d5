"""Zeiss CZI through pylibCZIrw: any box of a scene at any of its resolutions, mosaics put together."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..axes import to_number
from ..location import Location
from ..source import Channel, Index
from .library import Boxes, Described, chosen, reader

_DTYPES = {"Gray8": "u1", "Gray16": "u2", "Gray32Float": "f4", "Bgr24": "u1", "Bgr48": "u2", "Bgr96Float": "f4"}
_COARSEST = 1024


@reader("Zeiss CZI", needs="pylibCZIrw.czi")
def open_czi(library: Any, location: Location, series: int) -> Described:
    """A scene of a CZI file; ``series`` is its number."""
    file = library.CziReader(str(location.path))
    scenes = file.scenes_bounding_rectangle_no_pyramid or {None: file.total_bounding_rectangle_no_pyramid}
    scene = chosen(sorted(scenes, key=str), series, location.uri)
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
    return Described(
        "Zeiss CZI", [level(s) for s in steps], "".join(a for a, *_ in lead) + "YXS", said_by="CZI Scaling", chunk=(512, 512),
        shut=file.close, **_said(file.metadata.get("ImageDocument", {}).get("Metadata", {})),
    )  # fmt: skip


def _said(meta: Mapping[str, Any]) -> dict[str, Any]:
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
        "channels": [_channel(c, shown.get(c.get("@Id"), {})) for c in _all(about, "Dimensions", "Channels", "Channel")],
        "facts": {
            "acquired": about.get("AcquisitionDateAndTime"), "objective": lens.get("@Name"), "immersion": lens.get("Immersion"),
            "magnification": to_number(lens.get("NominalMagnification")), "na": to_number(lens.get("LensNA")),
            "microscope": microscopes[0].get("@Name") if microscopes else None,
            "significant_bits": int(to_number(about.get("ComponentBitCount")) or 0) or None,
            "interval_s": to_number(_at(about, "Dimensions", "T", "Positions", "Interval").get("Increment")),
        },
    }  # fmt: skip


def _channel(said: Mapping[str, Any], shown: Mapping[str, Any]) -> Channel:
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
