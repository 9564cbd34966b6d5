"""``Objects`` as ImageJ and Fiji open them: labels as a TIFF, outlines as a zip of regions of interest."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import tifffile

from ..errors import MissingExtraError, WriteError
from .objects import Objects
from .polygons import cutouts, layer_names, rings

_MOST_PIXELS = 1 << 29


def write_label_tiff(objects: Objects, path: Path) -> None:
    """Labels as an ImageJ TIFF, a channel a layer; uint16 where the numbers fit, else float32, as ImageJ knows no uint32.

    Raises
    ------
    WriteError : there are no labels, or more pixels than fit into one TIFF.
    """
    labels = objects.labels
    if labels is None or labels.size > _MOST_PIXELS:
        why = "have no labels" if labels is None else f"have labels of {labels.shape}, too many for one TIFF; save them as .zarr"
        raise WriteError(f"{path}: these objects {why}")
    values = np.asarray(labels.values)
    values = values[None] if values.ndim == 2 else values
    table = objects.table
    for k, layer in enumerate(layer_names(labels)):
        mine = table if len(values) == 1 else table[table["layer"] == layer]
        values[k] = np.where(np.isin(values[k], mine["label"].to_numpy()), values[k], 0)
    if values.max(initial=0) > 1 << 24:
        raise WriteError(
            f"{path}: ImageJ keeps no labels above {1 << 24:,} apart, and one is {values.max():,}; save them as .zarr"
        )
    stored = values.astype(np.uint16 if values.max(initial=0) < 1 << 16 else np.float32)
    size = objects.pixel_size
    told = {"axes": "CYX", "unit": "um" if size else "pixel"}
    pixels_a_unit = (1 / size["x"], 1 / size["y"]) if size else None
    tifffile.imwrite(path, stored, imagej=True, metadata=told, resolution=pixels_a_unit, compression="zlib")


def write_rois(objects: Objects, path: Path) -> None:
    """The outline of each object as a region of interest, named by its name and label; of one in parts the largest.

    Raises
    ------
    WriteError : the objects have no labels. MissingExtraError : roifile is not installed.
    """
    try:
        import roifile
    except ImportError:
        raise MissingExtraError("regions of ImageJ need roifile; try pip install 'micro-nb[notebook]'") from None
    if objects.labels is None:
        raise WriteError(f"{path}: these objects have no labels, so they have no outlines")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for row, cutout in zip(objects.table.to_dict("records"), cutouts(objects.table, objects.labels), strict=True):
            if cutout is None:
                continue
            ring = max((part[0] for part in rings(cutout)), key=len)[:-1] + 0.5
            name = f"{row['layer']}-{row['label']} {row['name']}".replace("/", "_")
            roi = roifile.ImagejRoi.frompoints(ring[:, ::-1], name=name)
            roi.roitype = roifile.ROI_TYPE.POLYGON
            out.writestr(f"{name}.roi", roi.tobytes())
