"""``Objects``: what a segmentation found, as a table (a row an object) and label images."""

from __future__ import annotations

import html
import os
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..render.markdown import markdown_text, mime, table
from .where import where

if TYPE_CHECKING:
    import xarray as xr

    from ..data.image import MicroImage

REQUIRED = ("label", "layer", "name", "score")
_MEASURE = "micro_nb.analysis.measure:measure"  # a layer above, so looked up by name when it is asked for
_SAVE, _LOAD = "micro_nb.tiles.objects_io:save_objects", "micro_nb.tiles.objects_io:load_objects"
_SHOWN_ROWS, _SHOWN_COLUMNS = 8, 9


@dataclass(frozen=True)
class Objects:
    """Objects found in one image.

    Attributes
    ----------
    table : a row an object. Columns ``label`` (int, unique within its layer, > 0), ``layer`` and ``name`` (str), ``score``
        (0..1), then measurements with their unit in the name (``area_um2`` or ``area_px2``, ``centroid_y_px``, ...,
        ``bbox_y0_px``, ``bbox_x0_px``, ``bbox_y1_px``, ``bbox_x1_px``; positions in pixels of level 0).
    labels : integer label image ``(layer, y, x)``, 0 = background; lazy where it is large; None where it was not kept.
    presence : a row a prompt: name, status, present, p_value; None for segmenters without prompts.
    pixel_size : µm per pixel (axis -> µm), None where unknown.
    image_id : content id of the image.
    made_by : how: function, version, parameters; JSON values.
    """

    table: pd.DataFrame
    labels: xr.DataArray | None = None
    presence: pd.DataFrame | None = None
    pixel_size: Mapping[str, float] | None = None
    image_id: str | None = None
    made_by: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = [c for c in REQUIRED if c not in self.table.columns]
        if missing:
            raise ValueError(f"Objects.table lacks the columns {missing}; it has {list(self.table.columns)}")
        object.__setattr__(self, "made_by", MappingProxyType(dict(self.made_by)))

    def __len__(self) -> int:
        return len(self.table)

    @classmethod
    def from_labels(cls, img: MicroImage, labels: xr.DataArray, **measuring: Any) -> Objects:
        """Measures labelled objects of ``img``.

        Parameters
        ----------
        labels : ``(y, x)`` or ``(layer, y, x)`` integers, 0 = background; ``attrs`` say how they were made.
        **measuring : as for :func:`micro_nb.measure`.
        """
        table = pkgutil.resolve_name(_MEASURE)(img, labels, **measuring)
        made_by = {str(k): v for k, v in getattr(labels, "attrs", {}).items()}
        return cls(table, labels, pixel_size=img.pixel_size, image_id=img.content_id, made_by=made_by)

    def where(self, mask: pd.Series) -> Objects:
        """The objects whose rows are True in ``mask``; labels are kept as they are."""
        return replace(self, table=self.table[mask])

    def filter(self, condition: str) -> Objects:
        """The objects that meet a condition on their columns; labels are kept as they are.

        Raises
        ------
        ValueError : the condition uses more than columns, numbers, text, arithmetic and comparisons, or an unknown column.

        Examples
        --------
        >>> cells = Objects(pd.DataFrame({"label": [1, 2], "layer": "cell", "name": "cell", "score": [0.4, 0.9]}))
        >>> cells.filter("score > 0.5 and name == 'cell'").table["label"].tolist()
        [2]
        """
        return self.where(where(self.table, condition))

    def save(self, path: str | os.PathLike[str], *, name: str = "objects", overwrite: bool = False) -> Path:
        """Writes the objects, whole or not at all; the suffix says how.

        ``.zarr`` holds everything: in an OME-Zarr image as ``labels/<name>``, else in a store of its own. ``.csv`` and
        ``.parquet`` hold the table; ``.geojson`` table and outlines (QuPath opens it); ``.json`` is COCO, table and masks;
        ``.tif`` holds the labels and ``.zip`` the outlines for ImageJ and Fiji.

        Returns
        -------
        What was written.

        Raises
        ------
        WriteError : the place is taken, or cannot be written, or there are no labels to write.
        UnknownFormatError : the suffix is none of these.
        """
        written: Path = pkgutil.resolve_name(_SAVE)(self, path, name=name, overwrite=overwrite)
        return written

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, name: str = "objects") -> Objects:
        """Reads what :meth:`save` wrote, QuPath's GeoJSON, or COCO of one image.

        Raises
        ------
        ImageNotFoundError, UnknownFormatError : nothing is there, or the suffix is not known.
        CorruptImageError : it does not hold objects; says why.
        """
        found: Objects = pkgutil.resolve_name(_LOAD)(path, name=name)
        return found

    def __repr__(self) -> str:
        layers = self.table["layer"].value_counts()
        counts = ", ".join(f"{n:,} {layer}" for layer, n in layers.items()) if len(layers) else "none"
        scale = f"{self.pixel_size['x']:.4g} µm/px" if self.pixel_size else "no pixel size"
        return f"<Objects: {counts}; {len(self.table.columns)} columns, {scale}>"

    def _ai_repr_(self, **hints: Any) -> Mapping[str, str]:
        """For assistants: how many of what, and the first rows, as short Markdown."""
        few = self.table.iloc[:_SHOWN_ROWS, :_SHOWN_COLUMNS]
        rows = [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in row] for row in few.itertuples(index=False)]
        counts = [f"- {markdown_text(str(name) or 'unnamed')}: {n}" for name, n in self.table["name"].value_counts().items()]
        return mime("\n".join([markdown_text(repr(self)[1:-1]), "", *counts, "", table(few.columns, rows)]))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        few = self.table.iloc[:_SHOWN_ROWS, :_SHOWN_COLUMNS]
        text = f"{self!r}\n{few.to_string(index=False, float_format='{:.4g}'.format)}"
        rows = few.to_html(index=False, escape=True, border=0, float_format="{:.4g}".format)
        return {"text/plain": text, "text/html": f"<div><p>{html.escape(repr(self)[1:-1])}</p>{rows}</div>"}
