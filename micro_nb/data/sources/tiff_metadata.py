"""Facts and pixel size of a TIFF, from what microscope software writes; never from the dots per inch of ordinary programs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import inf, prod
from typing import Any

import numpy as np
import tifffile

from ...errors import MicroNBError
from ..axes import NAMES, is_length_unit, positive, to_number, to_seconds, to_um
from ..source import Channel
from .ome_xml import Element, Found, describe, parse_ome

_FORMAT: dict[str, str] = NAMES["tiff"]
_PRINTED = {"inch", "inches", "in", "cm"}
_NO_UNIT = {"pixel", "pixels", "px", "null", "none"}


def format_name(series: Any) -> str:
    """Short name of the variety of TIFF."""
    return _FORMAT.get(series.kind, "TIFF")


def find_metadata(tif: tifffile.TiffFile, series: Any, ome: Element | None, image: Element | None) -> Found:
    """Everything known about a series without reading pixels; ``image`` is its own element of the OME-XML."""
    page, kind = series.keyframe, series.kind
    if ome is not None:
        found = describe(ome, image)
    elif kind == "imagej" or (kind == "generic" and tif.is_imagej):
        found = _imagej(tif, series)
    elif kind == "svs":
        found = _svs(page)
    elif kind in ("ndpi", "scn", "qpi"):
        found = _scanner(tif, page, kind)
    else:
        found = _microscope(tif)
    storage = _storage(tif, series)
    found.cautions = [*storage.pop("cautions", ()), *found.cautions]
    found.facts = storage | found.facts
    return found


def _imagej(tif: tifffile.TiffFile, series: Any) -> Found:
    page, ij = series.keyframe, tif.imagej_metadata or {}
    found = Found(facts={"software": f"ImageJ {ij['ImageJ']}"} if "ImageJ" in ij else {})
    units = {axis: str(ij.get(f"{axis}unit") or ij.get("unit") or "").strip() for axis in "zyx"}
    steps = {
        "z": abs(to_number(ij.get("spacing")) or 0),
        "y": 1 / (_per_unit(page, 283) or inf),
        "x": 1 / (_per_unit(page, 282) or inf),
    }
    sizes = {a: to_um(steps[a], units[a]) for a in "zyx" if steps[a] and is_length_unit(units[a])}
    if {"y", "x"} <= set(sizes) and units["x"].lower() not in _PRINTED:
        found.pixel_size, found.pixel_size_source = sizes, f"ImageJ resolution in {units['x']}"
    elif steps["x"] and units["x"] and units["x"].lower() not in _NO_UNIT:
        why = "it is how large the picture prints" if units["x"].lower() in _PRINTED else "its unit is no known length"
        found.cautions.append(f"ImageJ's scale of {steps['x']:.6g} {units['x']} a pixel is not used: {why}")
    planes = prod(int(to_number(ij.get(k)) or 1) for k in ("channels", "slices", "frames"))
    if planes != (declared := int(to_number(ij.get("images")) or 1)) or declared > len(series) > 0:
        found.cautions.append(f"its ImageJ header declares {declared} images and {planes} planes where {len(series)} are read")
    interval = to_seconds(abs(to_number(ij.get("finterval")) or 0), str(ij.get("tunit") or "s"))
    if interval:
        found.facts["interval_s"] = round(interval, 9)
    _imagej_calibration(ij, found, np.dtype(page.dtype or "u1"))
    if isinstance(ij.get("Info"), str):
        found.facts["info"] = ij["Info"][:4000]
    found.channels = _imagej_channels(ij)
    return found


def _imagej_calibration(ij: Mapping[str, Any], found: Found, dtype: np.dtype[Any]) -> None:
    """ImageJ's function from stored to meant values: signed 16 bits are applied, any other is told."""
    values = {k: v for k in ("cf", "c0", "c1", "c2", "c3", "c4", "vunit") if (v := ij.get(k)) is not None}
    if not {"cf", "c0", "c1"} & set(values) or (
        values.get("c0", 0) == 0 and values.get("c1", 1) == 1 and values.get("cf", 0) == 0
    ):
        return
    found.facts["calibration"] = values
    if _signed(values) and dtype == np.uint16:
        found.cautions.append("values are signed: the file stores them 32768 higher, as its calibration says")
    else:
        said = ", ".join(f"{k}={v}" for k, v in values.items())
        found.cautions.append(f"values are as stored; the file's calibration ({said}) is not applied")


def is_signed_imagej(tif: tifffile.TiffFile) -> bool:
    """Whether an ImageJ file keeps signed 16-bit values as unsigned ones."""
    return bool(tif.is_imagej) and _signed(tif.imagej_metadata or {})


def _signed(values: Mapping[str, Any]) -> bool:
    return to_number(values.get("cf")) == 0 and to_number(values.get("c0")) == -32768 and to_number(values.get("c1")) == 1


def _imagej_channels(ij: Mapping[str, Any]) -> tuple[Channel, ...]:
    n = ij.get("channels", 1)
    luts, ranges, labels = ij.get("LUTs") or [], ij.get("Ranges") or (), ij.get("Labels") or []
    if not isinstance(n, int) or not 1 <= n <= 4096:
        return ()
    numbered = any(re.match(r"[tzc]:\d+/\d+", str(label)) for label in labels)  # ImageJ's own numbering of slices
    named = n > 1 and len(labels) == n and int(ij.get("images", 1)) == n and not numbered
    names = [str(labels[i]) if named and labels[i] else f"channel {i}" for i in range(n)]
    colours = [_lut_color(luts[i]) if i < len(luts) else None for i in range(n)]
    windows = [(float(ranges[2 * i]), float(ranges[2 * i + 1])) if 2 * i + 1 < len(ranges) else None for i in range(n)]
    return tuple(map(Channel, names, colours, windows))


def _lut_color(lut: Any) -> str | None:
    lut = np.asarray(lut)
    return "#{:02x}{:02x}{:02x}".format(*(int(v) for v in lut[:, -1])) if lut.shape == (3, 256) else None


def _svs(page: Any) -> Found:
    said = tifffile.tifffile.svs_description_metadata(page.description)
    said.pop("Header", None)
    writer = re.match(r"Aperio [A-Za-z ]+v?[\d.]*", page.description)
    mpp = positive(said.get("MPP"))
    date = f"{said['Date']} {said.get('Time', '')}".strip() if "Date" in said else ""
    found = Found(facts={"software": writer[0].strip() if writer else "Aperio"})
    if mpp:
        found.pixel_size, found.pixel_size_source = {"y": mpp, "x": mpp}, "Aperio MPP"
    elif "MPP" in said:
        found.cautions.append(f"its MPP (µm a pixel) is {said['MPP']!r}, which is no size and is not used")
    about = {k: v for k, v in said.items() if isinstance(v, str | int | float)}
    found.facts |= {"magnification": positive(said.get("AppMag")), "acquired": date, "aperio": about}
    return found


def _scanner(tif: tifffile.TiffFile, page: Any, kind: str) -> Found:
    """Slide scanners that state µm through the resolution tags, in centimetres."""
    found, x, y = Found(), _per_unit(page, 282), _per_unit(page, 283)
    if int(page.resolutionunit) == 3 and x and y:
        found.pixel_size = {"y": 1e4 / y, "x": 1e4 / x}
        found.pixel_size_source = f"{_FORMAT[kind]} resolution tags"
    if kind == "ndpi":
        tags = page.ndpi_tags or {}
        maker = f"{tags.get('Make', '')} {tags.get('Model', '')}".strip()
        found.facts |= {"microscope": maker, "magnification": positive(tags.get("Magnification"))}
    elif kind == "scn":
        found.facts |= _texts(tif.scn_metadata, {"creationDate": "acquired", "objective": "magnification"})
    else:
        found.facts |= _texts(page.description, {"Objective": "objective", "Biomarker": "biomarker", "Name": "name"})
    return found


def _texts(xml: str | None, wanted: Mapping[str, str]) -> dict[str, Any]:
    """First text of each wanted element, by local name; nothing where the block is odd."""
    found: dict[str, Any] = {}
    try:
        elements = parse_ome(xml or "", uri="").iter()
    except MicroNBError:
        return found
    for element in elements:
        name = wanted.get(str(element.tag).rsplit("}", 1)[-1])
        if name and element.text and name not in found:
            found[name] = to_number(element.text) or element.text.strip()
    return found


def _microscope(tif: tifffile.TiffFile) -> Found:
    """Microscopes whose own tags state the size in metres or µm."""
    for said, values, unit in _statements(tif):
        known = {axis: v for axis, value in zip("xyz", values, strict=False) if (v := positive(value))}
        if {"y", "x"} <= set(known) and is_length_unit(unit):
            return Found({axis: to_um(v, unit) for axis, v in known.items()}, said)
    return Found()


def _statements(tif: tifffile.TiffFile) -> Iterator[tuple[str, list[Any], str]]:
    """What says a pixel size, the size along x, y and perhaps z, and its unit."""
    if tif.is_lsm and (lsm := tif.lsm_metadata):
        yield "Zeiss LSM VoxelSize", [lsm.get(f"VoxelSize{a}") for a in "XYZ"], "m"
    if tif.is_sis and (sis := tif.sis_metadata):
        yield "Olympus SIS pixel size", [sis.get(f"pixelsize{a}") for a in "xy"], "m"
    if tif.is_sem and (sem := tif.sem_metadata):
        entry = sem.get("ap_image_pixel_size") or sem.get("ap_pixel_size")
        if isinstance(entry, tuple) and len(entry) == 3:
            yield "Zeiss SEM pixel size", [entry[1]] * 2, str(entry[2])
    if tif.is_fei and (fei := tif.fei_metadata):
        scan = fei.get("Scan") or fei.get("EScan") or {}
        yield "FEI PixelWidth", [scan.get(k) for k in ("PixelWidth", "PixelHeight")], "m"
    if tif.is_micromanager and (mm := tif.micromanager_metadata):
        yield "Micro-Manager PixelSize_um", [(mm.get("Summary") or {}).get("PixelSize_um")] * 2, "um"


def _storage(tif: tifffile.TiffFile, series: Any) -> dict[str, Any]:
    page = series.keyframe
    facts: dict[str, Any] = {
        "compression": _word(tifffile.COMPRESSION, page.compression),
        "photometric": _word(tifffile.PHOTOMETRIC, page.photometric),
        "bits": page.bitspersample,
        "bigtiff": tif.is_bigtiff,
        "tiled": bool(page.is_tiled),
    }
    if facts["photometric"] == "miniswhite":
        facts["cautions"] = ["0 is white: values are as stored, not inverted"]
    if isinstance(page.tags.valueof(42113), str | float | int):
        facts["no_data"] = page.nodata
        facts["cautions"] = [*facts.get("cautions", ()), f"pixels of value {page.nodata} hold no data"]
    if 'role="scale"' in str(gdal := page.tags.valueof(42112, "")) or 'role="offset"' in str(gdal):
        facts["cautions"] = [*facts.get("cautions", ()), "values are as stored; GDAL's scale and offset are not applied"]
    if page.software:
        facts["software"] = page.software[:200]
    return facts


def _word(names: Any, value: Any) -> str:
    try:
        return str(names(value).name).lower()
    except ValueError:
        return str(value)


def _per_unit(page: Any, code: int) -> float | None:
    value = page.tags.valueof(code)
    if not isinstance(value, tuple) or len(value) != 2 or not value[0] or not value[1]:
        return None
    return float(value[0]) / float(value[1])
