"""Axes ``t c z y x`` and physical units: the only place that knows their order and their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import AxesError, UnitsError

AXES = ("t", "c", "z", "y", "x")
SPATIAL = ("z", "y", "x")
PLANE = ("y", "x")

_UM_PER = {
    "angstrom": 1e-4, "å": 1e-4, "pm": 1e-6, "picometer": 1e-6, "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3,
    "um": 1.0, "µm": 1.0, "μm": 1.0, "\\u00b5m": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0,
    "micrometre": 1.0, "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3, "cm": 1e4, "centimeter": 1e4,
    "centimetre": 1e4, "m": 1e6, "meter": 1e6, "metre": 1e6, "inch": 25400.0, "in": 25400.0,
}  # fmt: skip


def to_um(value: float, unit: str) -> float:
    """A length in µm.

    >>> to_um(250, "nm")
    0.25
    """
    try:
        return float(value) * _UM_PER[unit.strip().lower()]
    except KeyError:
        raise UnitsError(f"length unit {unit!r} is not known; use one of nm, µm, mm, cm, m, inch") from None


def is_length_unit(unit: str | None) -> bool:
    """Whether ``unit`` names a length this module can convert."""
    return bool(unit) and unit.strip().lower() in _UM_PER  # type: ignore[union-attr]


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
