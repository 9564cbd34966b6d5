"""Electron microscopy: MRC through mrcfile; Gatan DM, TIA SER, EMD, Bruker and others through rosettasciio. Read lazily."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..axes import is_length_unit, to_um
from ..location import Location
from .library import Described, chosen, need, reader

PLUGINS = {
    ".dm3": "digitalmicrograph", ".dm4": "digitalmicrograph", ".ser": "tia", ".emi": "tia", ".emd": "emd", ".bcf": "bruker",
    ".blo": "blockfile", ".mib": "quantumdetector", ".tvips": "tvips", ".sur": "digitalsurf",
}  # fmt: skip
"""Suffix -> module of rosettasciio."""
_LETTERS = {"x": "X", "width": "X", "y": "Y", "height": "Y", "z": "Z", "time": "T"}


@reader("MRC", needs="mrcfile")
def open_mrc(library: Any, location: Location, series: int) -> Described:
    """A micrograph, volume or stack of micrographs; a stack's planes are z."""
    chosen([0], series, location.uri)
    file = library.mmap(str(location.path), mode="r", permissive=True)
    pixels, voxel = file.data, file.voxel_size
    letters = "QZYX"[-pixels.ndim :]
    size = {a: float(voxel[a]) / 1e4 for a in "yx"} | ({"z": float(voxel.z) / 1e4} if file.is_volume() else {})
    flipped = int(file.header.mz) < 0
    return Described("MRC", [pixels], letters, size, "MRC cell size", shut=file.close, facts={
        "cautions": ["values are mirrored along z as the file stores it"] if flipped else []})  # fmt: skip


@reader("electron microscopy")
def open_electron(_: Any, location: Location, series: int) -> Described:
    """An image of a file of electron microscopy; ``series`` is the number of its signal."""
    suffix = "." + location.name.rsplit(".", 1)[-1].lower()
    module = need(f"rsciio.{PLUGINS[suffix]}", extra="formats", what=suffix)
    signal = chosen(module.file_reader(str(location.path), lazy=True), series, location.uri)
    along = sorted(signal["axes"], key=lambda a: a.get("index_in_array", 0))
    letters = "".join(_LETTERS.get(str(a.get("name") or "").lower(), "Q") for a in along)
    steps = [(_LETTERS.get(str(a.get("name") or "").lower(), ""), a.get("scale"), str(a.get("units") or "")) for a in along]
    size = {letter.lower(): abs(to_um(v, unit)) for letter, v, unit in steps if letter in tuple("ZYX") and is_length_unit(unit)}
    return Described(
        f"{suffix[1:].upper()}", [signal["data"]], letters, size, "axes of the signal", facts=_facts(signal["metadata"])
    )


def _facts(meta: Mapping[str, Any]) -> dict[str, Any]:
    general, tem = meta.get("General", {}), meta.get("Acquisition_instrument", {})
    scope: Mapping[str, Any] = next(iter(tem.values()), {}) if isinstance(tem, Mapping) else {}
    return {
        "name": general.get("title"), "acquired": " ".join(filter(None, (general.get("date"), general.get("time")))),
        "magnification": scope.get("magnification"), "microscope": scope.get("microscope"), "kV": scope.get("beam_energy"),
    }  # fmt: skip
