"""Quantities of objects, one number each, and the statistics that sum them up; units, and lengths as expressions write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...data.image import MicroImage
from ...errors import EvidenceError, UnitsError
from ..words.tables import table

COLUMNS: Mapping[str, str] = table("quantities")["column"]
ALIASES: Mapping[str, str] = table("quantities")["alias"]
POWER: Mapping[str, int] = table("quantities")["power"]
STATISTIC_WORDS: Mapping[str, str] = table("quantities")["statistic"]
_GREY = {"intensity": "mean_intensity", "integrated": "sum_intensity", "contrast": "max_intensity"}
QUANTITIES = (
    *COLUMNS, "aspect_ratio", "roundness", *_GREY, "distance_to_border", "distance_to_centre", "x", "y", "volume", "oddness",
)  # fmt: skip
OF_OTHERS = ("count", "coverage", "distance")
"""Of another kind: how many lie in an object, how many per cent of it they cover, how far the nearest is: ``count(spot)``."""
_UNLIKE = ("area", "solidity", "mean_intensity")
_SPREAD = 1.4826
"""Median absolute deviation of a normal distribution, in standard deviations."""
STATISTICS: Mapping[str, Callable[[np.ndarray], Any]] = {
    "mean": np.mean, "median": np.median, "min": np.min, "max": np.max, "sum": np.sum, "range": np.ptp,
    "sd": lambda v: np.std(v, ddof=1) if len(v) > 1 else 0.0, "iqr": lambda v: np.subtract(*np.percentile(v, (75, 25))),
    "cv": lambda v: 100 * STATISTICS["sd"](v) / abs(np.mean(v)), "sem": lambda v: STATISTICS["sd"](v) / np.sqrt(len(v)),
    "mode": lambda v: mode(v),
}  # fmt: skip
SPREADS = ("sd", "sem", "cv", "iqr", "range")
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
        if match is None or unit not in (*_IN_UM, "px", ""):
            raise UnitsError(f"{text!r} is no length; write for example 20 um or 15 px")
        return cls(float(match[1]), unit or "px")

    def pixels(self, pixel_size: Mapping[str, float] | None, image: str = "this image") -> float:
        """The length in pixels.

        Raises
        ------
        UnitsError : it is given in a physical unit and the pixel size is not known.
        """
        if self.unit != "px" and pixel_size is None:
            raise UnitsError(f"{image} has no pixel size, so {self.value:g} {self.unit} are not known in pixels; {TELL}")
        return convert(self.value, self.unit, "px", pixel_um(pixel_size))

    def __str__(self) -> str:
        return f"{self.value:g} {self.unit.replace('um', 'µm')}"


def pixel_um(pixel_size: Mapping[str, float] | None) -> float | None:
    """µm per pixel, the mean of both directions; None where it is not known."""
    return float(np.sqrt(pixel_size["y"] * pixel_size["x"])) if pixel_size else None


def plain_unit(text: str) -> str:
    """The language's spelling of a unit.

    >>> plain_unit("µm²"), plain_unit("microns"), plain_unit("per mm²")
    ('um2', 'um', 'per mm2')
    """
    text = text.strip().lower().replace("µ", "u").replace("μ", "u").replace("²", "2").replace("³", "3")
    return str(table("quantities")["unit_alias"].get(text, text))


def convert(value: float, unit: str, to: str, pixel: float | None) -> float:
    """A value in another unit of the same dimension.

    Parameters
    ----------
    pixel : µm per pixel; None where it is not known.

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
    if "px" in (a, b) and a != b and pixel is None:
        raise UnitsError(f"without a pixel size µm and px cannot be converted; {TELL}")
    scale = {**_IN_UM, "px": pixel or 1.0}
    return value * (scale[a] / scale[b]) ** power_a


def _base(unit: str) -> tuple[str | None, int]:
    """The unit of length in a unit, and its power: ``"per mm2"`` is mm to the minus two."""
    per, stem = unit.startswith("per "), unit.removeprefix("per ")
    power = int(stem[-1]) if stem[-1:] in ("2", "3") else 1
    base = stem[:-1] if power > 1 else stem
    return (base if base in _IN_UM or base == "px" else None), -power if per else power


def named(quantity: str) -> str:
    """How a quantity is called in prose."""
    return str(table("quantities")["called"].get(quantity, quantity.replace("_", " ")))


def plain_quantity(text: str) -> tuple[str, str]:
    """The quantity that a text names, and the channel it is meant in.

    >>> plain_quantity("intensity(GFP)"), plain_quantity("circularity")
    (('intensity', 'GFP'), ('roundness', ''))
    """
    match = re.fullmatch(r"\s*(\w+)\s*(?:\(\s*[\"']?([^)\"']*)[\"']?\s*\))?\s*", text)
    name = (match[1].lower() if match else text).strip()
    name = ALIASES.get(name, name)
    of = (match[2] or "").strip() if match else ""
    if name not in QUANTITIES and not (name in OF_OTHERS and of):
        others = ", ".join(f"{known}(nucleus)" for known in OF_OTHERS)
        raise EvidenceError(f"objects have no quantity {text!r}; measure {', '.join(QUANTITIES)}, or of another kind {others}")
    return name, of


def without_channel(text: str) -> str:
    """The quantity that a text names, with the kind it is of, and without a channel."""
    name, of = plain_quantity(text)
    return f"{name}({of})" if name in OF_OTHERS else name


def statistic(values: np.ndarray, name: str) -> float:
    """A statistic of values: one of ``STATISTICS`` or a percentile ``p90``."""
    if re.fullmatch(r"p\d{1,2}(\.\d+)?", name):
        return float(np.percentile(values, float(name[1:])))
    if name not in STATISTICS:
        raise EvidenceError(f"there is no statistic {name!r}; ask for {', '.join(STATISTICS)} or a percentile such as p90")
    return float(STATISTICS[name](values))


def mode(values: np.ndarray) -> float:
    """The middle of the fullest bin of a histogram (after Freedman and Diaconis)."""
    if np.ptp(values) == 0:
        return float(values[0])
    counts, edges = np.histogram(values, "fd")
    return float(edges[counts.argmax() :][:2].mean())


def values_of(
    objects: pd.DataFrame, quantity: str, *, img: MicroImage, unit: str = "", channel: str | None = None
) -> tuple[np.ndarray, str]:
    """One number an object, and its unit.

    Parameters
    ----------
    unit : of the result, ``""`` for the natural one: µm where the pixel size is known, else px.
    channel : whose grey values are meant.
    """
    name, own = plain_quantity(quantity)
    measured = np.asarray(_measured(objects, name, img, own or channel))
    base, power = "um" if img.pixel_size else "px", POWER.get(name, 0)
    plain = "grey value" if name in _GREY else "deg" if name == "orientation" else ""
    natural = f"{base}{power if power > 1 else ''}" if power else plain
    if unit in ("", natural) or (not power and unit == "grey"):
        return measured, natural
    if not power:
        raise UnitsError(f"{named(name)} cannot be given in {unit}")
    if img.pixel_size is None and not unit.startswith("px"):
        raise UnitsError(f"{img.name} has no pixel size, so {named(name)} cannot be given in {unit}; {TELL}")
    return measured * convert(1.0, natural, unit, pixel_um(img.pixel_size)), unit


def _measured(objects: pd.DataFrame, name: str, img: MicroImage, channel: str | None) -> Any:
    match name:
        case "aspect_ratio":
            major, minor = (column(objects, n) for n in ("major_axis", "minor_axis"))
            return np.where(minor > 0, major / np.maximum(minor, 1e-9), np.nan)  # a single pixel has no shape
        case "roundness":
            return np.clip(4 * np.pi * column(objects, "area") / np.maximum(column(objects, "perimeter"), 1e-9) ** 2, 0, 1)
        case "volume":
            return np.pi / 6 * column(objects, "equivalent_diameter") ** 3
        case "oddness":
            return _unlikeness(objects)
        case "contrast":
            return column(objects, "max_intensity", channel) - column(objects, "min_intensity", channel)
        case "x" | "y" | "distance_to_border" | "distance_to_centre":
            return _placed(objects, name, img)
    return column(objects, _GREY[name], channel) if name in _GREY else column(objects, COLUMNS[name])


def _placed(objects: pd.DataFrame, name: str, img: MicroImage) -> Any:
    size = img.pixel_size or {"y": 1.0, "x": 1.0}
    y, x = (objects[f"centroid_{a}_px"].to_numpy(float) * size[a] for a in "yx")
    height, width = (n * size[a] for n, a in zip(img.plane_shape, "yx", strict=True))
    if name == "distance_to_border":
        return np.min([y, height - y, x, width - x], axis=0)
    return np.hypot(y - height / 2, x - width / 2) if name == "distance_to_centre" else x if name == "x" else y


def column(objects: pd.DataFrame, stem: str, channel: str | None = None) -> np.ndarray:
    """The column of this stem, whatever the unit in its name; the mean over channels for intensities without a channel."""
    names = [c for c in objects.columns if c == stem or c.startswith(stem + "_")]
    if not names:
        raise EvidenceError(f"objects have no column {stem!r}; they have {', '.join(objects.columns)}")
    own = [c for c in names if channel is not None and c[len(stem) + 1 :].lower() == channel.lower()]
    return np.asarray(objects[own[:1] or names].to_numpy(float).mean(axis=1))


def _unlikeness(objects: pd.DataFrame) -> np.ndarray:
    """How far each object lies from the typical one, in robust standard deviations of area, outline and brightness together."""
    columns = [c for stem in _UNLIKE for c in objects.columns if c == stem or c.startswith(stem + "_")]
    if not columns or not len(objects):
        return np.zeros(len(objects))
    values = {c: objects[c].to_numpy(float) for c in columns}
    off = [robust_deviation(np.log(np.maximum(v, 1e-9)) if c.startswith("area") else v) for c, v in values.items()]
    return np.asarray(np.sqrt(np.mean(np.square(off), axis=0)))


def robust_deviation(values: np.ndarray, least: float = 0.0) -> np.ndarray:
    """Deviations from the median in robust standard deviations, which are taken to be ``least`` at least."""
    middle = np.nanmedian(values)
    spread = max(_SPREAD * float(np.nanmedian(np.abs(values - middle))), least) or float(np.nanstd(values)) or 1.0
    return np.asarray(np.nan_to_num((values - middle) / spread))


def box(row: pd.Series) -> tuple[float, float, float, float]:
    """``(x0, y0, x1, y1)`` of an object in pixels of level 0."""
    return tuple(float(row[f"bbox_{k}_px"]) for k in ("x0", "y0", "x1", "y1"))  # type: ignore[return-value]
