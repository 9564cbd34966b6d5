"""Axes ``t c z y x`` and physical units: the only place that knows their order and their names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from ..errors import AxesError, UnitsError

AXES = ("t", "c", "z", "y", "x")
SPATIAL = ("z", "y", "x")
PLANE = ("y", "x")

_UM_PER = {
    "fm": 1e-9, "femtometer": 1e-9, "pm": 1e-6, "picometer": 1e-6, "å": 1e-4, "angstrom": 1e-4, "nm": 1e-3, "nanometer": 1e-3,
    "um": 1.0, "µm": 1.0, "μm": 1.0, "\\u00b5m": 1.0, "µ": 1.0, "μ": 1.0, "micron": 1.0, "micrometer": 1.0, "thou": 25.4,
    "mm": 1e3, "millimeter": 1e3, "cm": 1e4, "centimeter": 1e4, "dm": 1e5, "decimeter": 1e5, "inch": 25400.0, "in": 25400.0,
    "m": 1e6, "meter": 1e6, "km": 1e9, "kilometer": 1e9,
}  # fmt: skip
_S_PER = {
    "ps": 1e-12, "picosecond": 1e-12, "ns": 1e-9, "nanosecond": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "microsecond": 1e-6,
    "ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "minute": 60.0,
    "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "d": 86400.0, "day": 86400.0,
}  # fmt: skip


def to_um(value: float, unit: str) -> float:
    """A length in µm.

    >>> to_um(250, "nm")
    0.25
    """
    try:
        return float(value) * _UM_PER[_plain(unit)]
    except KeyError:
        raise UnitsError(f"length unit {unit!r} is not known; use one of nm, µm, mm, cm, m, inch") from None


def is_length_unit(unit: object) -> bool:
    """Whether ``unit`` names a length this module can convert."""
    return isinstance(unit, str) and _plain(unit) in _UM_PER


def to_seconds(value: float, unit: str) -> float | None:
    """A time in seconds; None where the unit is not a time.

    >>> to_seconds(250, "ms")
    0.25
    """
    per = _S_PER.get(_plain(unit))
    return None if per is None else float(value) * per


def _plain(unit: str) -> str:
    """Lower case, singular, American; but ``Mm`` and ``Pm`` are no small lengths."""
    name = unit.strip()
    if name in ("Mm", "Pm"):
        return name
    name = name.lower().replace("metre", "meter").replace("ångström", "angstrom").replace("inches", "inch")
    return name[:-1] if len(name) > 3 and name.endswith("s") else name


def to_number(value: object) -> float | None:
    """A finite number that is written as a number or a text, with a decimal point or comma; None where it is none.

    >>> to_number("0,2520"), to_number("1.5e-1"), to_number("1,234.5"), to_number(True)
    (0.252, 0.15, None, None)
    """
    if isinstance(value, bool):
        return None
    text = str(value).strip()
    try:
        number = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def check_axes(axes: Iterable[str], shape: tuple[int, ...]) -> tuple[str, ...]:
    """Axes as a tuple, one per dimension of ``shape``, drawn from ``t c z y x``, with y and x, none twice.

    Any order is accepted here; sources present them in canonical order.

    >>> check_axes("cyx", (3, 64, 64))
    ('c', 'y', 'x')
    """
    names = tuple(axes)
    if len(names) != len(shape):
        raise AxesError(f"axes {''.join(names)!r} name {len(names)} dimensions but the array has {len(shape)}: shape {shape}")
    unknown = [n for n in names if n not in AXES]
    if unknown or len(set(names)) != len(names) or not set(PLANE) <= set(names):
        raise AxesError(f"axes {''.join(names)!r} must be drawn from 't c z y x', each once, and contain y and x")
    return names


def canonical(axes: Iterable[str]) -> tuple[str, ...]:
    """The same axes in the order ``t c z y x``."""
    present = set(axes)
    return tuple(a for a in AXES if a in present)


def resolve_pixel_size(value: float | Mapping[str, float] | None) -> dict[str, float] | None:
    """A user's ``pixel_size`` in µm as a mapping axis -> µm; a single number means y and x.

    >>> resolve_pixel_size(0.325)
    {'y': 0.325, 'x': 0.325}
    """
    if value is None:
        return None
    sizes = {"y": value, "x": value} if isinstance(value, int | float) else dict(value)
    for axis, size in sizes.items():
        if axis not in SPATIAL or isinstance(size, bool) or not 0 < float(size) < float("inf"):
            raise UnitsError(f"pixel_size[{axis!r}] = {size!r}: give µm per pixel, greater than 0, for z, y or x")
    if not set(PLANE) <= set(sizes):
        raise UnitsError(f"pixel_size {sizes} must give both y and x in µm")
    return {axis: float(sizes[axis]) for axis in SPATIAL if axis in sizes}
