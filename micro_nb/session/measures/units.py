"""Lengths, areas and other numbers with their unit, as expressions write them: ``"20 um"``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...errors import UnitsError
from ..words.tables import table

_IN_UM = {"nm": 1e-3, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6, "angstrom": 1e-4}
TELL = "tell me, for example: one pixel is half a micrometre"
"""What makes a physical unit possible where no pixel size is known."""


@dataclass(frozen=True)
class Length:
    """A number with its unit, e.g. of a distance."""

    value: float
    unit: str

    @classmethod
    def read(cls, text: str) -> Length:
        """``"20 um"``.

        Raises
        ------
        UnitsError : it is no number with a unit of length.

        >>> Length.read("20 µm"), Length.read("0.5mm")
        (Length(value=20.0, unit='um'), Length(value=0.5, unit='mm'))
        """
        match = re.fullmatch(r"\s*([-+]?[\d.]+(?:e[-+]?\d+)?)\s*([A-Za-zµμ]*)\s*", text)
        unit = plain_unit(match[2]) if match else ""
        if match is None or (unit not in _IN_UM and unit not in ("px", "")):
            raise UnitsError(f"{text!r} is no length; write for example 20 um or 15 px")
        return cls(float(match[1]), unit or "px")

    def pixels(self, pixel_size: Mapping[str, float] | None, image: str = "this image") -> float:
        """The length in pixels.

        Raises
        ------
        UnitsError : it is given in a physical unit and the pixel size is not known.
        """
        if self.unit == "px":
            return self.value
        if pixel_size is None:
            raise UnitsError(f"{image} has no pixel size, so {self.value:g} {self.unit} are not known in pixels; {TELL}")
        return float(self.value * _IN_UM[self.unit] / (pixel_size["y"] * pixel_size["x"]) ** 0.5)

    def __str__(self) -> str:
        return f"{self.value:g} {self.unit.replace('um', 'µm')}"


def plain_unit(text: str) -> str:
    """The language's spelling of a unit.

    >>> plain_unit("µm²"), plain_unit("microns"), plain_unit("per mm²")
    ('um2', 'um', 'per mm2')
    """
    text = text.strip().lower().replace("µ", "u").replace("μ", "u").replace("²", "2").replace("³", "3")
    return str(table("quantities")["unit_alias"].get(text, text))


def convert(value: float, unit: str, to: str, pixel_um: float | None) -> float:
    """A value in another unit of the same dimension.

    Parameters
    ----------
    pixel_um : µm per pixel; None where it is not known.

    Raises
    ------
    UnitsError : the units are of different dimensions, or the pixel size is needed and unknown.

    >>> round(convert(2.0, "um2", "px2", 0.5), 6), convert(1500, "nm", "um", None)
    (8.0, 1.5)
    """
    unit, to = plain_unit(unit), plain_unit(to)
    if unit == to:
        return value
    if unit in ("", "times", "ratio") and to == "%":
        return 100 * value
    if unit == "%" and to in ("", "times", "ratio", "fraction"):
        return value / 100
    (a, power_a), (b, power_b) = _base(unit), _base(to)
    if power_a != power_b or a is None or b is None:
        raise UnitsError(f"a value in {unit or 'no unit'} cannot be given in {to}")
    if "px" in (a, b) and a != b and pixel_um is None:
        raise UnitsError(f"without a pixel size µm and px cannot be converted; {TELL}")
    scale = {**_IN_UM, "px": pixel_um or 1.0}
    return value * (scale[a] / scale[b]) ** power_a


def _base(unit: str) -> tuple[str | None, int]:
    """The unit of length in a unit, and its power: ``"per mm2"`` is mm to the minus two."""
    per, stem = unit.startswith("per "), unit.removeprefix("per ")
    power = int(stem[-1]) if stem[-1:] in ("2", "3") else 1
    base = stem[:-1] if power > 1 else stem
    return (base if base in _IN_UM or base == "px" else None), -power if per else power
