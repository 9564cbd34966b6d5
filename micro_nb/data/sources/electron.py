"""Electron microscopy: MRC through mrcfile; Gatan DM, TIA SER, EMD, Bruker and others through rosettasciio. Read lazily."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..axes import is_length_unit, to_um
from ..location import Location
from .library import Described, LibrarySource, chosen, need, opening

PLUGINS = {
    ".dm3": "digitalmicrograph", ".dm4": "digitalmicrograph", ".ser": "tia", ".emi": "tia", ".emd": "emd", ".bcf": "bruker",
    ".blo": "blockfile", ".mib": "quantumdetector", ".tvips": "tvips", ".sur": "digitalsurf",
}  # fmt: skip
"""Suffix -> module of rosettasciio."""
_LETTERS = {"x": "X", "width": "X", "y": "Y", "height": "Y", "z": "Z", "time": "T"}


def open_mrc(location: Location, *, series: int = 0, axes: tuple[str, ...] | None = None) -> LibrarySource:
    """A micrograph, volume or stack of micrographs; a stack's planes are z."""
    with opening(location, "MRC"):
        chosen([0], series, location.uri)
        file = need("mrcfile", extra="formats", what="MRC").mmap(str(location.path), mode="r", permissive=True)
        pixels, voxel = file.data, file.voxel_size
        letters = "QZYX"[-pixels.ndim :]
        size = {a: float(voxel[a]) / 1e4 for a in "yx"} | ({"z": float(voxel.z) / 1e4} if file.is_volume() else {})
        flipped = int(file.header.mz) < 0
        found = Described("MRC", [pixels], letters, size, "MRC cell size", shut=file.close, facts={
            "cautions": ["values are mirrored along z as the file stores it"] if flipped else []})  # fmt: skip
        return LibrarySource.of(location, found, axes)


def open_electron(location: Location, *, series: int = 0, axes: tuple[str, ...] | None = None) -> LibrarySource:
    """An image of a file of electron microscopy; ``series`` is the number of its signal."""
    suffix = "." + location.name.rsplit(".", 1)[-1].lower()
    with opening(location, "electron microscopy"):
        module = need(f"rsciio.{PLUGINS[suffix]}", extra="formats", what=suffix)
        signal = chosen(module.file_reader(str(location.path), lazy=True), series, location.uri)
        along = sorted(signal["axes"], key=lambda a: a.get("index_in_array", 0))
        letters = "".join(_LETTERS.get(str(a.get("name") or "").lower(), "Q") for a in along)
        steps = [(_LETTERS.get(str(a.get("name") or "").lower(), ""), a.get("scale"), str(a.get("units") or "")) for a in along]
        size = {
            letter.lower(): abs(to_um(v, unit)) for letter, v, unit in steps if letter in tuple("ZYX") and is_length_unit(unit)
        }
        found = Described(
            f"{suffix[1:].upper()}", [signal["data"]], letters, size, "axes of the signal", facts=_facts(signal["metadata"])
        )
        return LibrarySource.of(location, found, axes)


def _facts(meta: Mapping[str, Any]) -> dict[str, Any]:
    general, tem = meta.get("General", {}), meta.get("Acquisition_instrument", {})
    scope: Mapping[str, Any] = next(iter(tem.values()), {}) if isinstance(tem, Mapping) else {}
    return {
        "name": general.get("title"), "acquired": " ".join(filter(None, (general.get("date"), general.get("time")))),
        "magnification": scope.get("magnification"), "microscope": scope.get("microscope"), "kV": scope.get("beam_energy"),
    }  # fmt: skip
