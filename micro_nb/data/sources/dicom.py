"""DICOM through pydicom: whole slides with the levels that lie beside them, segmentations, and plain images; frame by frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from ...errors import UnknownFormatError
from ..axes import NAMES, stage_of
from ..location import Location
from ..source import Channel, Index, paste
from .library import Boxes, Described, chosen, planes, reader

_BESIDE = 512
_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"


@reader("DICOM", needs="pydicom")
def open_dicom(library: Any, location: Location, series: int) -> Described:
    """A DICOM file; for a level of a whole slide, all levels of its series in the folder."""
    chosen([0], series, location.uri)
    head = library.dcmread(str(location.path), stop_before_pixels=True)
    if "Rows" not in head:
        raise UnknownFormatError(
            f"{location.uri}: this DICOM file ({head.SOPClassUID.name}) holds no pixels; open the image it is about"
        )
    arrays = _levels(library, location, head)
    letters = "CZYXS" if "TotalPixelMatrixRows" in head else ("T" if "FrameTime" in head else "Q") + "YXS"
    about = arrays[0][0]
    return Described(
        "DICOM", [array for _, array in arrays], letters, lambda: _size(about), "DICOM PixelSpacing", lambda: _channels(about),
        lambda: _facts(about), (about.Rows, about.Columns),
    )  # fmt: skip


def _levels(library: Any, location: Location, head: Any) -> list[tuple[Any, Boxes]]:
    """Headers and pixels of the levels of a slide, finest first; a file beside it that cannot be read is left out."""
    if "TotalPixelMatrixRows" not in head:
        inner = head.Rows, head.Columns, head.SamplesPerPixel  # frames one after another
        return [(head, planes((int(head.get("NumberOfFrames", 1)),), inner, _dtype(head),
                              lambda k: library.pixels.pixel_array(str(location.path), index=k)))]  # fmt: skip
    found = [(head, _matrix(library, str(location.path), head))]
    beside = sorted(location.path.parent.iterdir())[:_BESIDE] if head.SOPClassUID == _SLIDE and "VOLUME" in head.ImageType else []
    for path in beside:
        if path.is_file() and path != location.path and path.suffix in (".dcm", "") and library.misc.is_dicom(path):
            with suppress(Exception):
                h = library.dcmread(str(path), stop_before_pixels=True)
                if h.get("SeriesInstanceUID") == head.SeriesInstanceUID and "VOLUME" in h.get("ImageType", ()):
                    found.append((h, _matrix(library, str(path), h)))
    return sorted(found, key=lambda level: -int(level[0].TotalPixelMatrixColumns))


def _matrix(library: Any, path: str, h: Any) -> Boxes:
    """The tiles of a slide or of a segmentation put together: ``(c, z, y, x, s)``."""
    height, width, rows, cols = h.TotalPixelMatrixRows, h.TotalPixelMatrixColumns, h.Rows, h.Columns
    down, across = math.ceil(height / rows), math.ceil(width / cols)
    channels, depth = len(_channels(h)) or 1, int(h.get("TotalPixelMatrixFocalPlanes", 1))
    if "PerFrameFunctionalGroupsSequence" not in h and channels * depth * down * across > int(h.NumberOfFrames):
        raise ValueError(f"{down} x {across} tiles where the file holds {h.NumberOfFrames} frames")
    places = _places(h, channels, depth, down, across)
    frames = planes((len(places) and int(h.NumberOfFrames),), (rows, cols, h.SamplesPerPixel), _dtype(h),
                    lambda k: library.pixels.pixel_array(path, index=k))  # fmt: skip

    def read(index: Index) -> np.ndarray:
        c, z, ys, xs, s = index
        out = np.zeros([i.stop - i.start for i in index], _dtype(h))
        for at in np.ndindex(*out.shape[:2]):
            for r in range(ys.start // rows, -(-ys.stop // rows)):
                for k in range(xs.start // cols, -(-xs.stop // cols)):
                    frame = places.get((c.start + at[0], z.start + at[1], r, k))
                    if frame is not None:  # a sparse slide leaves tiles out
                        tile = frames[slice(frame, frame + 1), slice(0, rows), slice(0, cols), s][0]
                        paste(out[at], (ys, xs), tile, (r * rows, k * cols))
        return out

    return Boxes((channels, depth, height, width, h.SamplesPerPixel), _dtype(h), read)


def _places(h: Any, channels: int, depth: int, down: int, across: int) -> Mapping[tuple[int, int, int, int], int]:
    """Channel, focal plane, row and column of tiles -> frame."""
    if "PerFrameFunctionalGroupsSequence" not in h:
        return {at: k for k, at in enumerate(np.ndindex(channels, depth, down, across))}
    paths = {str(p.get("OpticalPathIdentifier")): k for k, p in enumerate(h.get("OpticalPathSequence", ()))}
    found = {}
    for k, frame in enumerate(h.PerFrameFunctionalGroupsSequence):
        at = frame.PlanePositionSlideSequence[0]
        if "SegmentIdentificationSequence" in frame:
            c = int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber) - 1
        else:
            said = (frame.get("OpticalPathIdentificationSequence") or [{}])[0]
            c = paths.get(str(said.get("OpticalPathIdentifier")), 0)
        row, col = int(at.RowPositionInTotalImagePixelMatrix) - 1, int(at.ColumnPositionInTotalImagePixelMatrix) - 1
        found[c, 0, row // h.Rows, col // h.Columns] = k
    return found


def _dtype(h: Any) -> np.dtype[Any]:
    bits = 8 if h.BitsAllocated == 1 else h.BitsAllocated
    return np.dtype(f"{'i' if h.get('PixelRepresentation') else 'u'}{bits // 8}")


def _size(h: Any) -> dict[str, float]:
    shared = h.get("SharedFunctionalGroupsSequence") or [{}]
    said = (shared[0].get("PixelMeasuresSequence") or [h])[0]
    spacing, z = said.get("PixelSpacing") or (0, 0), said.get("SpacingBetweenSlices") or 0
    return {"z": float(z) * 1000, "y": float(spacing[0]) * 1000, "x": float(spacing[1]) * 1000}


def _channels(h: Any) -> list[Channel]:
    if "SegmentSequence" in h:
        return [Channel(str(s.SegmentLabel)) for s in h.SegmentSequence]
    paths = h.get("OpticalPathSequence") or ()
    waves = [p.get("IlluminationWaveLength") for p in paths]
    return [
        Channel(str(p.get("OpticalPathDescription") or p.get("OpticalPathIdentifier")), excitation_nm=float(w) if w else None)
        for p, w in zip(paths, waves, strict=True)
    ]


def _facts(h: Any) -> dict[str, Any]:
    lens = [float(p.ObjectiveLensPower) for p in h.get("OpticalPathSequence") or () if p.get("ObjectiveLensPower")]
    at = (h.get("TotalPixelMatrixOriginSequence") or [{}])[0]
    corner = (at.get(f"{axis}OffsetInSlideCoordinateSystem") for axis in "XYZ")
    slope, offset = float(h.get("RescaleSlope") or 1), float(h.get("RescaleIntercept") or 0)
    cautions = [f"values are as stored; value * {slope:g} + {offset:g} is not applied"] if (slope, offset) != (1, 0) else []
    cautions += [said.format(h.get(k)) for k, said in NAMES["dicom"].items() if h.get(k) not in (None, "")]
    light = str(h.get("PhotometricInterpretation") or "")
    cautions += [NAMES["photometric"][light]] if light in NAMES["photometric"] else []
    return {
        "modality": h.get("Modality"), "photometric": light, "magnification": lens[0] if lens else None,
        "acquired": str(h.get("AcquisitionDateTime") or h.get("AcquisitionDate") or ""), "cautions": cautions,
        "microscope": " ".join(filter(None, (h.get("Manufacturer"), h.get("ManufacturerModelName")))),
        "significant_bits": h.get("BitsStored"), "stage": stage_of(corner, "mm"),
    }  # fmt: skip
