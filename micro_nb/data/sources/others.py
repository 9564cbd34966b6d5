"""HDF5 through h5py (Imaris pyramids, any data set of two to five dimensions), electron microscopy through mrcfile (MRC) and
rosettasciio (Gatan DM, TIA SER, EMD, Bruker ...), whole slides that only OpenSlide reads, NumPy files, and what bioio reads."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import UnknownFormatError
from ..axes import NAMES, is_length_unit, to_number, to_um
from ..location import Location
from ..source import Channel, Index
from .arrays import scaled_values
from .library import Boxes, Described, chosen, need, reader


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
    labels = [(str(d.label) or next(iter(d.keys()), "")).upper()[:1] for d in array.dims]  # netCDF names its scales
    tags = json.loads(array.attrs["axistags"])["axes"] if "axistags" in array.attrs else []  # ilastik
    letters = "".join(str(t.get("key", "Q")).upper()[:1] for t in tags) or "".join(c or "Q" for c in labels)
    size = [float(v) for v in np.ravel(array.attrs.get("element_size_um", ()))]  # Fiji
    known = letters if set("YX") <= set(letters) else "YX" if array.ndim == 2 else "Q" * array.ndim
    facts = {"name": array.name, "cautions": scaled_values(array.attrs)}
    return Described("HDF5", [array], known, dict(zip("zyx"[-len(size) :], size, strict=True)) if size else {}, "element_size_um",
                     (), facts, array.chunks[-2:] if array.chunks else None, file.close)  # fmt: skip


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
    channels = [_imaris_channel(file[f"DataSetInfo/Channel {c}"].attrs, c) for c in range(count)]
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


def _imaris_channel(attrs: Any, k: int) -> Channel:
    parts = [to_number(v) for v in _text(attrs.get("Color", "")).split()]
    color = "#{:02x}{:02x}{:02x}".format(*(round(255 * min(max(v or 0, 0), 1)) for v in parts)) if len(parts) == 3 else None
    waves = (to_number(_text(attrs.get(f"LSM{kind}Wavelength", ""))) or None for kind in ("Emission", "Excitation"))
    return Channel(_text(attrs.get("Name", "")) or f"channel {k}", color, None, *waves)


def _text(value: Any) -> str:
    """Imaris writes text as an array of letters."""
    return b"".join(np.ravel(value)).decode("utf-8", "replace") if isinstance(value, np.ndarray) else str(value)


_LETTERS = {"x": "X", "width": "X", "y": "Y", "height": "Y", "z": "Z", "time": "T"}


@reader("MRC", needs="mrcfile")
def open_mrc(library: Any, location: Location, series: int) -> Described:
    """A micrograph, volume or stack of micrographs; a stack's planes are z."""
    chosen([0], series, location.uri)
    file = library.mmap(str(location.path), mode="r", permissive=True)
    pixels, voxel = file.data, file.voxel_size
    along = [int(file.header[k]) for k in ("maps", "mapr", "mapc")]  # which axis sections, rows and columns run along
    letters = "QZYX" if sorted(along) != [1, 2, 3] else "Q" + "".join(" XYZ"[n] for n in along)
    size = {a: float(voxel[a]) / 1e4 for a in "yx"} | ({"z": float(voxel.z) / 1e4} if file.is_volume() else {})
    flipped = int(file.header.mz) < 0
    return Described("MRC", [pixels], letters[-pixels.ndim :], size, "MRC cell size", shut=file.close, facts={
        "cautions": ["values are mirrored along z as the file stores it"] if flipped else []})  # fmt: skip


@reader("electron microscopy")
def open_electron(_: Any, location: Location, series: int) -> Described:
    """An image of a file of electron microscopy; ``series`` is the number of its signal."""
    suffix = "." + location.name.rsplit(".", 1)[-1].lower()
    read = need(f"rsciio.{NAMES['rosettasciio'][suffix]}", extra="formats", what=suffix).file_reader
    try:
        found = read(str(location.path), lazy=True)
    except (ValueError, NotImplementedError):  # some formats, and colour in Gatan's, are read whole or not at all
        found = read(str(location.path), lazy=False)
    signal = chosen(found, series, location.uri)
    along = sorted(signal["axes"], key=lambda a: a.get("index_in_array", 0))
    letters = "".join(_LETTERS.get(str(a.get("name") or "").lower(), "Q") for a in along)
    steps = [(_LETTERS.get(str(a.get("name") or "").lower(), ""), a.get("scale"), str(a.get("units") or "")) for a in along]
    size = {letter.lower(): abs(to_um(v, unit)) for letter, v, unit in steps if letter in tuple("ZYX") and is_length_unit(unit)}
    pixels = signal["data"]
    if pixels.dtype.hasobject:
        raise UnknownFormatError(f"{location.uri}: series={series} holds no pixels but {pixels.dtype} values; try another series")
    if pixels.dtype.names:  # a field a sample
        pixels, letters = np.ascontiguousarray(pixels).view(pixels.dtype[0]).reshape(*pixels.shape, -1), letters + "S"
    return Described(
        f"{suffix[1:].upper()}", [pixels], letters, size, "axes of the signal", facts=_scope_facts(signal["metadata"])
    )


def _scope_facts(meta: Mapping[str, Any]) -> dict[str, Any]:
    general, tem = meta.get("General", {}), meta.get("Acquisition_instrument", {})
    scope: Mapping[str, Any] = next(iter(tem.values()), {}) if isinstance(tem, Mapping) else {}
    return {
        "name": general.get("title"), "acquired": " ".join(filter(None, (general.get("date"), general.get("time")))),
        "magnification": to_number(scope.get("magnification")), "microscope": scope.get("microscope"),
        "kV": to_number(scope.get("beam_energy")),
    }  # fmt: skip


@reader("slide", needs="openslide")
def open_slide(library: Any, location: Location, series: int) -> Described:
    """A slide; ``series`` 1 and on are its label, macro and thumbnail pictures, by name."""
    slide = library.OpenSlide(str(location.path))
    beside, said = sorted(slide.associated_images), dict(slide.properties)
    name = chosen([None, *beside], series, location.uri)
    if name is not None:
        picture = np.asarray(slide.associated_images[name].convert("RGB"))
        return Described(f"slide: {name}", [picture], "YXS", shut=slide.close)
    levels = [_slide_level(slide, k) for k in range(slide.level_count)]
    chunk = tuple(int(said.get(f"openslide.level[0].tile-{side}", 512)) for side in ("height", "width"))
    size = {"y": to_number(said.get("openslide.mpp-y")), "x": to_number(said.get("openslide.mpp-x"))}
    return Described(f"slide ({said.get('openslide.vendor', 'OpenSlide')})", levels, "YXS", size, "OpenSlide mpp", (),
                      _slide_facts(said, beside), (chunk[0], chunk[1]), slide.close)  # fmt: skip


def _slide_level(slide: Any, k: int) -> Boxes:
    (width, height), down = slide.level_dimensions[k], slide.level_downsamples[k]

    def read(index: Index) -> np.ndarray:
        ys, xs, samples = index
        corner = round(xs.start * down), round(ys.start * down)
        seen = slide.read_region(corner, k, (xs.stop - xs.start, ys.stop - ys.start))
        white = np.full((*seen.size[::-1], 3), 255, np.uint8)  # where a slide was not scanned
        pixels = np.asarray(seen)
        return np.where(pixels[..., 3:] > 0, pixels[..., :3], white)[..., samples]

    return Boxes((height, width, 3), np.uint8, read)


def _slide_facts(said: Mapping[str, str], beside: list[str]) -> dict[str, Any]:
    return {"magnification": to_number(said.get("openslide.objective-power")),
            "associated": [f"{k}: {name}" for k, name in enumerate(beside, 1)],
            "scanner": said.get("openslide.vendor")}  # fmt: skip


@reader("NumPy")
def open_npy(_: Any, location: Location, series: int) -> Described:
    """A NumPy file, mapped into memory; no pixel is read yet."""
    chosen([0], series, location.uri)
    array = np.load(location.path, mmap_mode="r", allow_pickle=False)
    letters = {2: "YX", 3: "YXS" if array.dtype == np.uint8 and array.shape[-1] in (3, 4) and array.shape[0] > 4 else "QYX"}
    return Described("NumPy file", [array], letters.get(array.ndim, "Q" * array.ndim))


@reader("bioio", needs="bioio")
def open_bioio(library: Any, location: Location, series: int) -> Described:
    """A scene of a file; ``series`` is its number.

    Raises
    ------
    UnknownFormatError : no installed reader of bioio opens it.
    """
    try:
        image = library.BioImage(str(location.path))
    except Exception as error:  # each reader refuses in its own way
        raise UnknownFormatError(f"{location.uri}: no installed reader of bioio opens it ({type(error).__name__})") from error
    image.set_scene(chosen(image.scenes, series, location.uri))
    pixels, size = image.xarray_dask_data, image.physical_pixel_sizes
    names = [Channel(str(n)) for n in image.channel_names or ()]
    return Described(f"bioio: {type(image.reader).__module__.split('.')[0]}", [pixels.data], "".join(map(str, pixels.dims)),
                      {a: getattr(size, a.upper()) for a in "zyx"}, "bioio physical_pixel_sizes", names)  # fmt: skip
