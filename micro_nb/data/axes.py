"""Axes ``t c z y x`` and physical units: the only place that knows their order and their names."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from ..errors import AxesError, UnitsError

AXES = ("t", "c", "z", "y", "x")
SPATIAL = ("z", "y", "x")
PLANE = ("y", "x")

_PER, NAMES = (
    tomllib.loads(files(__package__).joinpath(name).read_text(encoding="utf-8")) for name in ("units.toml", "names.toml")
)


def to_um(value: float, unit: str) -> float:
    """A length in µm.

    >>> to_um(250, "nm")
    0.25
    """
    try:
        return float(value) * float(_PER["um"][_plain(unit)])
    except KeyError:
        raise UnitsError(f"length unit {unit!r} is not known; use one of nm, µm, mm, cm, m, inch") from None


def is_length_unit(unit: object) -> bool:
    """Whether ``unit`` names a length this module can convert."""
    return isinstance(unit, str) and _plain(unit) in _PER["um"]


def to_seconds(value: float, unit: str) -> float | None:
    """A time in seconds; None where the unit is not a time.

    >>> to_seconds(250, "ms")
    0.25
    """
    per = _PER["s"].get(_plain(unit))
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


def positive(value: object) -> float | None:
    """A number above zero, written as :func:`to_number` takes it; None where it is none."""
    number = to_number(value)
    return number if number and number > 0 else None


def stage_of(at: Iterable[object], unit: str = "um") -> dict[str, Any] | None:
    """Where the stage stood (x, y and perhaps z) as metadata keep it: µm; as the file says it in a unit that is no length.

    >>> stage_of(("1,5", 2, None), "mm")
    {'x': 1500.0, 'y': 2000.0, 'unit': 'um'}
    """
    known = {axis: v for axis, said in zip("xyz", at, strict=False) if (v := to_number(said)) is not None}
    if is_length_unit(unit):
        known, unit = {axis: to_um(v, unit) for axis, v in known.items()}, "um"
    return known | {"unit": unit} if known else None


def check_axes(axes: Iterable[str], shape: tuple[int, ...], where: str = "") -> tuple[str, ...]:
    """Axes as a tuple, one per dimension of ``shape``, drawn from ``t c z y x``, with y and x, none twice.

    Any order is accepted here; sources present them in canonical order. Errors begin with ``where``.

    >>> check_axes("cyx", (3, 64, 64))
    ('c', 'y', 'x')
    """
    names, where = tuple(axes), where and f"{where}: "
    if len(names) != len(shape):
        said = f"axes {''.join(names)!r} name {len(names)} dimensions but the array has {len(shape)}: shape {shape}"
        raise AxesError(where + said)
    unknown = [n for n in names if n not in AXES]
    if unknown or len(set(names)) != len(names) or not set(PLANE) <= set(names):
        raise AxesError(f"{where}axes {''.join(names)!r} must be drawn from 't c z y x', each once, and contain y and x")
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
