"""The judgement of ``quality``: what is sharp, empty or saturated among all tiles, what to look at, and one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.image import MicroImage
from .background import unevenness_percent

if TYPE_CHECKING:
    import pandas as pd

_BLURRED = 1.8  # a tile whose edges are this many times wider than the image's sharpest ones is out of focus
_SOFT_PX = 11.0  # nothing in a well sampled image has its sharpest edges wider than this
_CEILINGS = (255, 1023, 4095, 16383, 65535)


def judged(plane: MicroImage, raw: pd.DataFrame, name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A channel's table and facts: what is sharp, empty or saturated can only be told from all tiles together."""
    ceiling, floor = _limits(plane.dtype, float(raw["top"].max()), float(raw["bottom"].min()))
    table = raw[["channel", "row", "col", "y0_px", "x0_px", "y1_px", "x1_px", "edge_width_px"]].copy()
    empty = raw["empty"] | raw["edge_width_px"].isna()
    empty |= raw["contrast"] < 0.25 * raw["contrast"][~empty].quantile(0.75)  # texture of the ground, next to that of objects
    widths = raw["edge_width_px"][~empty]
    best = float(widths.quantile(0.1)) if len(widths) else float("nan")
    table["focus"] = (best / raw["edge_width_px"]).where(~empty).clip(upper=1.5)
    table["focus_ok"] = ~empty & (raw["edge_width_px"] <= min(_BLURRED * best, _SOFT_PX))
    table["saturated_percent"] = 100.0 * raw["n_top"] * (raw["top"] == ceiling) / raw["n"]
    table["clipped_low_percent"] = 100.0 * raw["n_bottom"] * (raw["bottom"] == floor) / raw["n"]
    table["snr"], table["noise_sd"] = raw["snr"], raw["noise_sd"]
    bright = _bright_background(plane, raw)
    table["background"] = raw["bright"] if bright else raw["dark"]
    table["empty"] = empty
    table["reason"] = np.select(
        [empty, ~table["focus_ok"], table["saturated_percent"] > 1], ["empty", "blurred", "saturated"], ""
    )
    uneven = unevenness_percent(table, bright=bright)
    return table, _channel_facts(table, raw, best, uneven, ceiling, plane)


def _bright_background(plane: MicroImage, raw: pd.DataFrame) -> bool:
    """Whether objects are dark on light: always for RGB, else where most of the image lies nearer to its bright end."""
    low, high = float(raw["dark"].min()), float(raw["bright"].max())
    return plane.rgb or float(raw["middle"].median()) > (low + high) / 2


def _limits(dtype: np.dtype[Any], top: float, bottom: float) -> tuple[float | None, float | None]:
    """Grey values at which the detector clips: the dtype's, or those of a 10, 12 or 14 bit camera filled to the brim."""
    if dtype.kind not in "iu":
        return None, None
    info = np.iinfo(dtype)
    ceiling = next((float(c) for c in _CEILINGS if top == c <= info.max), float(info.max))
    return ceiling, float(info.min) if bottom >= info.min else None


def _channel_facts(
    table: pd.DataFrame, raw: pd.DataFrame, best: float, uneven: float | None, ceiling: float | None, plane: MicroImage
) -> dict[str, Any]:
    full = ~table["empty"]
    pixels, top = float(raw["n"].sum()), float(raw["top"].max())
    facts: dict[str, Any] = {
        "in_focus_percent": _percent(table["focus_ok"][full]), "edge_width_px": _finite(best),
        "empty_percent": _percent(table["empty"]),
        "saturated_percent": float((table["saturated_percent"] * raw["n"]).sum() / pixels),
        "clipped_low_percent": float((table["clipped_low_percent"] * raw["n"]).sum() / pixels),
        "snr": _finite(float(table["snr"][full].median())) if full.any() else None,
        "noise_sd": _finite(float(table["noise_sd"].median())), "background_unevenness_percent": uneven,
        "dynamic_range_used_percent": None if not ceiling else 100.0 * (top - float(raw["bottom"].min())) / ceiling,
        "not_finite_pixels": int(raw["not_finite"].sum()),
    }  # fmt: skip
    if plane.pixel_size and facts["edge_width_px"]:
        facts["edge_width_um"] = facts["edge_width_px"] * plane.pixel_size["x"]
    return facts | {"problems": _problems(facts, plane)}


def _problems(facts: Mapping[str, Any], plane: MicroImage) -> list[str]:
    """What a person should look at before measuring, in words."""
    found = []
    width, uneven = facts["edge_width_px"], facts["background_unevenness_percent"]
    if width is None:
        found.append("nothing stands out from the noise")
    elif width > _SOFT_PX:
        found.append(f"no edge is sharper than {width:.0f} px, so it is out of focus or oversampled")
    elif facts["in_focus_percent"] < 90:
        found.append(f"{100 - facts['in_focus_percent']:.0f} % of the tiles with content are out of focus")
    if facts["saturated_percent"] > 0.5 and not plane.rgb:
        found.append(f"{facts['saturated_percent']:.2g} % of the pixels are saturated")
    if facts["snr"] is not None and facts["snr"] < 8:
        found.append(f"the signal is only {facts['snr']:.1f} times the noise")
    if uneven is not None and uneven > 25:
        found.append(f"the background varies by {uneven:.0f} %")
    if facts["not_finite_pixels"]:
        found.append(f"{facts['not_finite_pixels']} pixels are NaN or infinite")
    return found


def worst(facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One dict for all channels: the least of what should be high, the most of what should be low."""
    each = list(facts.values())
    keys = {k: min if k in ("in_focus_percent", "snr", "dynamic_range_used_percent") else max for k in each[0] if k != "problems"}
    out: dict[str, Any] = {}
    for key, choose in keys.items():
        known = [f[key] for f in each if f.get(key) is not None]
        out[key] = choose(known) if known else None
    several = len(facts) > 1
    out["problems"] = [f"{name}: {p}" if several else p for name, f in facts.items() for p in f["problems"]]
    return out | ({"channels": {name: dict(f) for name, f in facts.items()}} if several else {})


def sentence(plane: MicroImage, facts: Mapping[str, Mapping[str, Any]], summary: Mapping[str, Any]) -> str:
    """The verdict for people."""
    worst = "" if len(facts) == 1 else " (the worst of its channels)"
    parts = [f"{100 - summary['empty_percent']:.0f} % of the tiles ({summary['tiles']:,}) hold content"]
    if summary["edge_width_px"] is not None:
        parts.append(
            f"{summary['in_focus_percent']:.0f} % of these are in focus (sharpest edges {summary['edge_width_px']:.1f} px)"
        )
    parts.append(f"{summary['saturated_percent']:.2g} % of the pixels are saturated")
    if summary["snr"] is not None:
        parts.append(f"signal to noise is {summary['snr']:.0f}")
    if summary["background_unevenness_percent"] is not None:
        parts.append(f"the background varies by {summary['background_unevenness_percent']:.0f} %")
    lead = "Fit to measure" if not summary["problems"] else f"Look before measuring, as {'; '.join(summary['problems'])}"
    read = "" if summary["exact"] else f" Read: {summary['measured_percent']:.3g} % of the pixels, a window in every tile."
    know = f" To know: {'; '.join(plane.info.cautions)}." if plane.info.cautions else ""
    return f"{lead}{worst}: {', '.join(parts)}.{read}{know}"


def _percent(flags: pd.Series) -> float:
    return 100.0 * float(flags.mean()) if len(flags) else 0.0


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
