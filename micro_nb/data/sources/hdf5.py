"""HDF5 through h5py: Imaris pyramids, and any data set with two to five dimensions. Read by blocks."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np

from ..axes import is_length_unit, to_number, to_um
from ..location import Location
from ..source import Channel, Index
from .library import Boxes, Described, chosen, reader


@reader("HDF5", needs="h5py")
def open_hdf5(library: Any, location: Location, series: int) -> Described:
    """An Imaris image, or the data set number ``series`` of an HDF5 file, in the order in which the file lists them."""
    file = library.File(str(location.path), "r")
    if "DataSetInfo" in file and "DataSet/ResolutionLevel 0" in file:
        chosen([0], series, location.uri)
        return _imaris(file)
    sets: list[Any] = []
    file.visititems(lambda _, node: sets.append(node) if getattr(node, "ndim", 0) > 1 and node.dtype.kind in "buif" else None)
    return _data_set(chosen(sets, series, location.uri), file)


def _data_set(array: Any, file: Any) -> Described:
    labels = [str(d.label or "").upper()[:1] for d in array.dims]
    tags = json.loads(array.attrs["axistags"])["axes"] if "axistags" in array.attrs else []  # ilastik
    letters = "".join(str(t.get("key", "Q")).upper()[:1] for t in tags) or "".join(c or "Q" for c in labels)
    size = [float(v) for v in np.ravel(array.attrs.get("element_size_um", ()))]  # Fiji
    known = letters if set("YX") <= set(letters) else "YX" if array.ndim == 2 else "Q" * array.ndim
    return Described("HDF5", [array], known, dict(zip("zyx"[-len(size) :], size, strict=True)) if size else {}, "element_size_um",
                     facts={"name": array.name}, chunk=array.chunks[-2:] if array.chunks else None, shut=file.close)  # fmt: skip


def _imaris(file: Any) -> Described:
    """Imaris keeps an array for each time and channel, padded to whole blocks; the sizes stand in its attributes as letters."""
    info = file["DataSetInfo/Image"].attrs
    count = sum(k.startswith("Channel ") for k in file["DataSetInfo"])
    low, high = ([to_number(_text(info.get(f"Ext{end}{k}", ""))) or 0.0 for k in range(3)] for end in ("Min", "Max"))
    unit, arrays = _text(info.get("Unit", "um")), []
    for k in range(len(file["DataSet"])):
        level = file[f"DataSet/ResolutionLevel {k}"]
        first = level["TimePoint 0/Channel 0"].attrs
        arrays.append(_blocks(level, len(level), count, [int(_text(first[f"ImageSize{a}"])) for a in "ZYX"]))
    spans = [to_um(h - lo, unit) if is_length_unit(unit) else 0.0 for lo, h in zip(low, high, strict=True)][::-1]
    size = {a: s / n for a, s, n in zip("zyx", spans, arrays[0].shape[2:], strict=True)}
    chunk = file["DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data"].chunks
    facts = {"acquired": _text(info.get("RecordingDate", "")), "name": _text(info.get("Name", ""))}
    channels = [_channel(file[f"DataSetInfo/Channel {c}"].attrs, c) for c in range(count)]
    return Described(
        "Imaris", arrays, "TCZYX", size, "Imaris extents", channels, facts, chunk[-2:] if chunk else None, file.close
    )


def _blocks(level: Any, times: int, channels: int, plane: list[int]) -> Boxes:
    lock = threading.Lock()

    def read(index: Index) -> np.ndarray:
        t, c, *rest = index
        with lock:
            return np.stack([
                np.stack([level[f"TimePoint {i}/Channel {j}/Data"][tuple(rest)] for j in range(c.start, c.stop)])
                for i in range(t.start, t.stop)
            ])  # fmt: skip

    return Boxes((times, channels, *plane), level["TimePoint 0/Channel 0/Data"].dtype, read)


def _channel(attrs: Any, k: int) -> Channel:
    parts = [to_number(v) for v in _text(attrs.get("Color", "")).split()]
    color = "#{:02x}{:02x}{:02x}".format(*(round(255 * min(max(v or 0, 0), 1)) for v in parts)) if len(parts) == 3 else None
    waves = (to_number(_text(attrs.get(f"LSM{kind}Wavelength", ""))) or None for kind in ("Emission", "Excitation"))
    return Channel(_text(attrs.get("Name", "")) or f"channel {k}", color, None, *waves)


def _text(value: Any) -> str:
    """Imaris writes text as an array of letters."""
    return b"".join(np.ravel(value)).decode("utf-8", "replace") if isinstance(value, np.ndarray) else str(value)
