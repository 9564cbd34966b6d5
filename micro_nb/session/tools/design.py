"""Calculators of counting, statistics and experiment design; they need no image. What was given is kept as parameters."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, stats

from ...data.image import MicroImage
from ...errors import EvidenceError
from ..knowledge.amounts import UNITS
from ..registry import Measurement, tool

_MOST = 100_000  # samples a group; more is no plan
_ALTMAN = "Altman and Bland, BMJ (2005)"
_COHEN = "Cohen, Statistical Power Analysis for the Behavioral Sciences"


@tool("sample_size", unit="count", quantity="samples needed per group", needs_image=False)
def sample_size(
    img: MicroImage | None = None,
    *,
    effect: float = 0.0,
    difference: float = 0.0,
    sd: float = 0.0,
    power: float = 0.8,
    alpha: float = 0.05,
) -> tuple[Measurement, ...]:
    """Independent samples per group for a two-sided t-test of two groups, from the effect size d = difference / SD, or from
    difference and SD in one unit; exact, by the noncentral t distribution.
    """
    d = abs(effect) or (abs(difference) / sd if sd > 0 else 0.0)
    _checked(d, power, alpha)
    n = next((k for k in _candidates(d, power, alpha) if t_power(d, k, alpha) >= power), None)
    if n is None:
        raise EvidenceError("so small an effect needs more samples than can be planned for")
    given = {"used_power_percent": 100 * power, "used_alpha": alpha, "test": "two-sided t-test of two groups", "source": _COHEN}
    return (
        Measurement("samples per group", n, "count", found=given),
        Measurement("effect size", d, found=given),
        Measurement("power reached", 100 * t_power(d, n, alpha), "%", found=given),
    )


def t_power(d: float, n: float, alpha: float) -> float:
    """Power of a two-sided two-sample t-test with ``n`` in each group for the effect size ``d``."""
    df, shift = 2 * n - 2, d * math.sqrt(n / 2)
    limit = stats.t.ppf(1 - alpha / 2, df)
    value = float(stats.nct.sf(limit, df, shift) + stats.nct.cdf(-limit, df, shift))
    return value if math.isfinite(value) else 1.0


def _candidates(d: float, power: float, alpha: float) -> range:
    """Group sizes around the normal approximation 2 (z + z)² / d²."""
    z = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)
    about = 2 * (z / d) ** 2
    return range(max(2, int(about) - 2), min(_MOST, int(about) + 10))


@tool("achieved_power", unit="%", quantity="power of a comparison", needs_image=False)
def achieved_power(
    img: MicroImage | None = None, *, n: float, effect: float = 0.0, difference: float = 0.0, sd: float = 0.0, alpha: float = 0.05
) -> tuple[Measurement, ...]:
    """Power (%) of a two-sided t-test of two groups of `n` independent samples each."""
    d = abs(effect) or (abs(difference) / sd if sd > 0 else 0.0)
    _checked(d, 0.8, alpha)
    if not 2 <= n <= _MOST:
        raise EvidenceError("a comparison needs at least two samples in each group")
    given = {"used_alpha": alpha, "test": "two-sided t-test of two groups", "source": _COHEN}
    return Measurement("power", 100 * t_power(d, n, alpha), "%", found=given), Measurement("effect size", d, found=given)


@tool("mean_interval", quantity="standard error and interval of a mean", needs_image=False)
def mean_interval(img: MicroImage | None = None, *, sd: float, n: float, mean: float = 0.0) -> tuple[Measurement, ...]:
    """Standard error SD / sqrt(n), and the half width t x SE of the 95 % interval; with a mean, the interval itself."""
    if sd < 0 or not 2 <= n <= 1e9:
        raise EvidenceError("the standard deviation must not be negative, and it takes at least two samples")
    error, t = sd / math.sqrt(n), float(stats.t.ppf(0.975, n - 1))
    given = {"confidence_percent": 95, "t": t, "source": _ALTMAN}
    around = (mean - t * error, mean + t * error)
    whole = (Measurement("stated mean", mean, interval=around, found=given),) if mean else ()
    return (
        Measurement("standard error", error, found=given),
        Measurement("half width of the interval", t * error, found=given),
        *whole,
    )


@tool("share_interval", unit="%", quantity="a share with its interval", needs_image=False)
def share_interval(img: MicroImage | None = None, *, first: float, second: float) -> Measurement:
    """Share of `first` of `second` (%), with the Wilson 95 % interval."""
    if not 0 <= first <= second or second < 1 or first != int(first) or second != int(second):
        raise EvidenceError("a share needs whole numbers, the first not larger than the second")
    low, high = stats.binomtest(int(first), int(second)).proportion_ci(0.95, "wilson")
    bounds = 100 * float(low), 100 * float(high)
    return Measurement(
        "stated share",
        100 * first / second,
        "%",
        bounds,
        {
            "confidence_percent": 95,
            "interval_by": "Wilson",
            "source": "Wilson, Journal of the American Statistical Association (1927)",
        },
    )


@tool("measurements_needed", unit="count", quantity="measurements for a wanted precision", needs_image=False)
def measurements_needed(img: MicroImage | None = None, *, margin: float, sd: float = 0.0, cv: float = 0.0) -> Measurement:
    """Measurements (fields, samples) until the 95 % interval of the mean is +- `margin`: (1.96 x SD / margin)², with SD in the
    unit of the margin, or `cv` and margin both in %.
    """
    spread = sd or cv
    if spread <= 0 or margin <= 0:
        raise EvidenceError("it takes the scatter (a standard deviation, or a coefficient of variation) and the precision wanted")
    z = 1.96
    return Measurement(
        "measurements needed",
        math.ceil((z * spread / margin) ** 2),
        "count",
        found={"z": z, "spread": spread, "confidence_percent": 95, "source": "Cochran, Sampling Techniques"},
    )


@tool("count_error", unit="%", quantity="error of a count", needs_image=False)
def count_error(img: MicroImage | None = None, *, n: float) -> tuple[Measurement, ...]:
    """Standard deviation sqrt(N) of a count of randomly placed objects, and in % of it."""
    if not 1 <= n <= 1e12:
        raise EvidenceError("a count must be at least one")
    given = {"source": "Russ, The Image Processing Handbook"}
    return (
        Measurement("relative error of the count", 100 / math.sqrt(n), "%", found=given),
        Measurement("standard deviation of the count", math.sqrt(n), "count", found=given),
    )


@tool("chamber_concentration", unit="per ml", quantity="cells per ml from a counting chamber", needs_image=False)
def chamber_concentration(img: MicroImage | None = None, *, n: float, squares: float, dilution: float = 1.0) -> Measurement:
    """Cells per ml from a Neubauer chamber: cells / large squares x dilution x 10,000."""
    if n < 0 or squares <= 0 or dilution < 1:
        raise EvidenceError("the count must not be negative, the squares positive, and the dilution at least one")
    found = {"per_square": 10_000, "used_dilution": dilution, "source": "Freshney, Culture of Animal Cells"}
    return Measurement("concentration", n / squares * dilution * 10_000, "per ml", found=found)


@tool("detection_scores", quantity="precision, recall and F score", needs_image=False)
def detection_scores(
    img: MicroImage | None = None, *, true_positives: float, false_positives: float, false_negatives: float
) -> tuple[Measurement, ...]:
    """Precision TP / (TP + FP), recall TP / (TP + FN), F = 2 TP / (2 TP + FP + FN), AP = TP / (TP + FP + FN)."""
    tp, fp, fn = true_positives, false_positives, false_negatives
    if min(tp, fp, fn) < 0 or tp <= 0:
        raise EvidenceError("counts must not be negative, and something must have been found rightly")
    source = {"source": "Maier-Hein et al., Nature Methods (2024)"}
    return (
        Measurement("F score", 2 * tp / (2 * tp + fp + fn), found=source),
        Measurement("precision", tp / (tp + fp), found=source),
        Measurement("recall", tp / (tp + fn), found=source),
        Measurement("average precision at the threshold", tp / (tp + fp + fn), found=source),
    )


@tool("overlap_scores", quantity="Dice from IoU or back", needs_image=False)
def overlap_scores(img: MicroImage | None = None, *, iou: float = 0.0, dice: float = 0.0) -> Measurement:
    """Dice = 2 IoU / (1 + IoU), or IoU = Dice / (2 - Dice)."""
    if not (0 < iou <= 1) and not (0 < dice <= 1):
        raise EvidenceError("an overlap lies between zero and one")
    source = {"source": "Maier-Hein et al., Nature Methods (2024)"}
    return Measurement("Dice", 2 * iou / (1 + iou), found=source) if iou else Measurement("IoU", dice / (2 - dice), found=source)


@tool("doubling_time", unit="h", quantity="doubling time", needs_image=False)
def doubling_time(img: MicroImage | None = None, *, first: float, second: float, hours: float) -> Measurement:
    """Doubling time (h) of exponential growth from `first` to `second` cells in `hours`: time x ln 2 / ln(second / first)."""
    if not 0 < first < second or hours <= 0:
        raise EvidenceError("growth needs a larger number at the end than at the start, and a time")
    return Measurement(
        "doubling time",
        hours * math.log(2) / math.log(second / first),
        "h",
        found={"source": "Freshney, Culture of Animal Cells"},
    )


@tool("closure", unit="%", quantity="closure of a gap", needs_image=False)
def closure(img: MicroImage | None = None, *, first: float, second: float) -> Measurement:
    """Closure of a gap (%) between its area (or width) at the start, `first`, and now, `second`."""
    if first <= 0 or second < 0:
        raise EvidenceError("the gap at the start must be positive")
    return Measurement(
        "closure", 100 * (first - second) / first, "%", found={"source": "Liang, Park and Guan, Nature Protocols (2007)"}
    )


@tool("converted", quantity="a value in another unit", needs_image=False)
def converted(img: MicroImage | None = None, *, amount: float, old: str, new: str) -> Measurement:
    """A value in another unit of the same dimension (lengths, areas, volumes, times)."""
    if old not in UNITS or new not in UNITS or UNITS[old][0] != UNITS[new][0]:
        raise EvidenceError(f"{old} cannot be converted to {new}")
    value = amount * UNITS[old][1] / UNITS[new][1]
    return Measurement(
        "converted value", float(np.format_float_positional(value, 12, fractional=False)), new, found={"old_unit": old}
    )


@tool("spin_force", unit="x g", quantity="relative centrifugal force", needs_image=False)
def spin_force(img: MicroImage | None = None, *, rpm: float, radius_cm: float) -> Measurement:
    """Relative centrifugal force (times g): 1.118e-5 x radius in cm x rpm²."""
    if rpm <= 0 or radius_cm <= 0:
        raise EvidenceError("speed and radius must be positive")
    return Measurement("relative centrifugal force", 1.118e-5 * radius_cm * rpm**2, "x g", found={"factor": 1.118e-5})


def _checked(d: float, power: float, alpha: float) -> None:
    if d <= 0 or not math.isfinite(d):
        raise EvidenceError("it takes an effect size, or a difference and a standard deviation in the same unit")
    if not 0.05 <= power < 1 or not 0 < alpha < 0.5:
        raise EvidenceError("power must lie between alpha and one, and the significance level between zero and one half")


def least_difference(sd: float, n: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """Smallest difference that ``n`` per group find with this power, in the unit of ``sd``."""
    return sd * float(optimize.brentq(lambda d: t_power(d, n, alpha) - power, 1e-3, 60))
