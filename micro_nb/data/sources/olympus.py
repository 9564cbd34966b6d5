"""Olympus OIF and OIB through oiffile, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..axes import is_length_unit, to_number, to_seconds, to_um
from ..location import Location
from ..source import Channel
from .library import Described, LibrarySource, chosen, need, opening, planes


def open_oif(location: Location, *, series: int = 0, axes: tuple[str, ...] | None = None) -> LibrarySource:
    """An image of an OIF or OIB file."""
    with opening(location, "Olympus OIF"):
        file = need("oiffile", extra="formats", what="Olympus OIF").OifFile(str(location.path))
        pages = chosen(file.series, series, location.uri)
        lead, first = [int(n) for n in pages.shape], file.asarray(pages.files[0])

        def page(*at: int) -> np.ndarray:
            return np.asarray(file.asarray(pages.files[int(np.ravel_multi_index(at, lead)) if lead else 0]))

        along = [file.mainfile.get(f"Axis {k} Parameters Common", {}) for k in range(8)]
        steps = {str(a.get("AxisCode")): _step(a) for a in along if a.get("AxisCode")}
        acquired = file.mainfile.get("Acquisition Parameters Common", {})
        channels = _channels(file.mainfile, dict(zip(pages.axes, lead, strict=True)).get("C", 1))
        found = Described(
            "Olympus OIF", [planes(lead, first.shape, first.dtype, page)], pages.axes + "YX",
            {a.lower(): steps.get(a) for a in "ZYX"}, "OIF axis parameters", channels,
            {"interval_s": steps.get("T"), "acquired": acquired.get("ImageCaputreDate")}, shut=file.close,
        )  # fmt: skip
        return LibrarySource.of(location, found, axes)


def _step(axis: Mapping[str, Any]) -> float | None:
    """Distance between neighbours along an axis, in µm or seconds."""
    start, end, n = (to_number(axis.get(k)) for k in ("StartPosition", "EndPosition", "MaxSize"))
    unit = str(axis.get("PixUnit") or axis.get("UnitName") or "")
    if start is None or end is None or not n or n < 2 or end == start:
        return None
    step = abs(end - start) / (n if axis.get("AxisCode") in ("X", "Y") else n - 1)
    return to_um(step, unit) if is_length_unit(unit) else to_seconds(step, unit)


def _channels(main: Mapping[str, Any], n: int) -> list[Channel]:
    said = [main.get(f"Channel {k + 1} Parameters", {}) for k in range(n)]
    waves = [(to_number(c.get("EmissionWavelength")), to_number(c.get("ExcitationWavelength"))) for c in said]
    return [
        Channel(str(c.get("DyeName") or f"channel {k}"), emission_nm=m or None, excitation_nm=x or None)
        for k, (c, (m, x)) in enumerate(zip(said, waves, strict=True))
    ]
