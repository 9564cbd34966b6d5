"""Technical quality: focus, light, noise, and what does not belong to the specimen. Each aspect is one figure, a verdict, and
one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from ...analysis.field_edges import dark_corners, edge_bands
from ...analysis.focus import best_focus
from ...analysis.halos import halo_of
from ...analysis.marks import marks
from ...analysis.seams import seams_of
from ...data.image import MicroImage
from ...data.region import Region
from ...errors import AxesError, EvidenceError
from ..language import Node
from .evaluation import evaluate
from .frame import place_words
from .judged import Judged, View
from .measurement import Measurement, Value, facts
from .pixels import ceiling, one_plane
from .registry import measurement
from .results import Found
from .scene import Scene
from .selecting import channel_named, place_of

_STEP_PX = 3.1
"""Width of a perfect step as it is measured: nothing is sharper."""
_SOFT_PX, _IN_FOCUS = (
    11.0,
    90.0,
)  # widest of the sharpest edges; % of the tiles as sharp as the best, from which a picture is in focus
_SATURATED, _CLIPPED = 0.01, 0.5  # % of the pixels from which a picture is called saturated at all, and from which that spoils it
_DARK = 0.25  # share of the range that a picture uses at least
_NOISY, _UNEVEN = 8.0, 25.0  # contrast over noise; fall of the background, %
_FLAT = 15.0  # Michelson contrast of the darkest and the brightest parts in %, below which contrast is low
_HALO = 20.0  # % of the depth of what is dark, by which its surroundings must exceed the background
CALLED = {
    "scale bar": "a scale bar", "text": "text drawn into the picture", "pointer": "a pointer (a dark straight line)",
    "drawn patch": "something in a colour that no stain gives, such as a drawn arrow",
    "debris": "debris or dirt (black, without colour)",
}  # fmt: skip


def _sharpness(view: View) -> tuple[float | None, float]:
    """Width of the sharpest edges in px, and how many % of the tiles with content are as sharp as the best."""
    full = view.tiles[~view.tiles["empty"]]
    widths = full["edge_width_px"].dropna()
    if not len(widths):
        return None, 0.0
    return float(widths.quantile(0.1)), 100 * float(full["focus_ok"].mean())


def _focus(view: View) -> Judged:
    edge, good = _sharpness(view)
    how = {"method": "width of the sharpest edges, tile by tile", "tiles": len(view.tiles), "perfect_step_px": _STEP_PX}
    if edge is None:
        return Judged(
            "not to be judged",
            "Nothing stands out from the noise{where}, so focus cannot be judged.",
            ("sharpness", 0.0, "%"),
            found=how,
        )
    sharp, some = edge <= _SOFT_PX, good < _IN_FOCUS
    verdict = "in focus" if sharp and not some else "partly in focus" if sharp else "out of focus"
    says = {
        "in focus": "It is in focus{where}: the sharpest edges are {2} wide.",
        "partly in focus": "It is in focus only in part{where}: {3} of the tiles with content are as sharp as the best, "
        "whose edges are {2} wide.",
        "out of focus": "It is blurred{where}: no edge is sharper than {2}.",
    }[verdict]
    return Judged(
        verdict,
        says,
        ("sharpness", 100 * min(_STEP_PX / edge, 1.0), "%"),
        (("width of the sharpest edges", edge, "px"), ("tiles in focus", good, "%")),
        sharp and not some,
        how,
    )


def _saturation(view: View) -> Judged:
    top = ceiling(view.img, view.greys.high)
    percent = view.greys.share(">=", top) if view.img.dtype.kind in "iu" else 0.0
    verdict = "not saturated" if percent == 0 else "hardly saturated" if percent < _SATURATED else "saturated"
    says = {
        "not saturated": "Nothing is saturated{where}: the largest grey value is {3} where {2} would be saturated.",
        "hardly saturated": "Hardly anything is saturated{where}: {0} of the pixels have the largest grey value there "
        "can be, {2}.",
        "saturated": "Some of it is saturated{where}: {0} of the pixels have the largest grey value there can be, {2}.",
    }[verdict]
    more = (("grey value of saturated pixels", top, "grey value"), ("largest grey value", view.greys.high, "grey value"))
    return Judged(
        verdict,
        says,
        ("saturated pixels", percent, "%"),
        more,
        percent > 0,
        {"method": "every pixel read", "samples": view.greys.n},
    )


def _exposure(view: View) -> Judged:
    greys, top = view.greys, ceiling(view.img, view.greys.high)
    high, used = greys.percentile(99.9), 100 * greys.percentile(99.9) / top if top else 0.0
    clipped = greys.share(">=", top) if view.img.dtype.kind in "iu" else 0.0
    verdict = (
        "no signal"
        if greys.high == greys.low
        else "overexposed"
        if clipped >= _CLIPPED and not view.img.rgb
        else "underexposed"
        if used < 100 * _DARK
        else "well exposed"
    )
    ratio = view.quality.facts["snr"]
    still = "; the signal still is {5.value} times the noise" if ratio is not None and ratio >= 2 * _NOISY else ""
    says = {
        "no signal": "There is no signal{where}: all grey values are {2}.",
        "overexposed": "It is overexposed{where}: {4} of the pixels are saturated at {3}.",
        "underexposed": "It is underexposed{where}: the brightest parts reach {2} of {3}, so only {0} of the range is used"
        + still
        + ".",
        "well exposed": "The exposure is fine{where}: the brightest parts reach {2} of {3}, and {4} of the pixels are saturated.",
    }[verdict]
    more = (
        ("grey value of the brightest parts", high, "grey value"),
        ("largest grey value there can be", top, "grey value"),
        ("saturated pixels", clipped, "%"),
    )
    more += (("signal to noise", ratio, "times"),) if ratio is not None else ()
    return Judged(verdict, says, ("share of the range that is used", used, "%"), more, verdict, {"brightest_percentile": 99.9})


def _noise(view: View) -> Judged:
    full = view.tiles[~view.tiles["empty"]]
    sd = float(view.tiles["noise_sd"].median())
    how = {"method": "Immerkær's mask, median of the tiles", "tiles": len(view.tiles)}
    if not len(full) or view.quality.facts["snr"] is None:
        return Judged(
            "nothing but noise",
            "Nothing stands out from the noise{where}, whose standard deviation is {0} grey values.",
            ("noise", sd, "grey value"),
            found=how,
        )
    ratio = float(full["snr"].median())
    verdict = "noisy" if ratio < _NOISY else "low noise"
    lead = "It is noisy" if verdict == "noisy" else "The noise is low"
    says = f"{lead}{{where}}: the contrast is {{2.value}} times the noise, whose standard deviation is {{0}} grey values."
    return Judged(verdict, says, ("noise", sd, "grey value"), (("signal to noise", ratio, "times"),), ratio, how)


def _contrast(view: View) -> Judged:
    low, high = view.greys.percentile(1), view.greys.percentile(99)
    percent = 100 * (high - low) / (high + low) if low >= 0 and high > 0 else 100.0 if high > low else 0.0
    verdict = "low" if percent < _FLAT else "moderate" if percent < 3 * _FLAT else "high"
    says = (
        "The contrast is {1.value}{where}: the grey values reach from {2} in the darkest parts to {3} in the brightest, "
        "a Michelson contrast of {0}."
    )
    more = (("grey value of the darkest parts", low, "grey value"), ("grey value of the brightest parts", high, "grey value"))
    return Judged(
        verdict, says, ("contrast", percent, "%"), more, found={"method": "difference over sum", "percentiles": [1, 99]}
    )


def _unevenness(view: View) -> float | None:
    """How much the background varies, in %, without what is left of zero by calculation; None where it cannot be said."""
    uneven = view.light.facts["background_unevenness_percent"]
    return None if uneven is None else round(float(uneven), 6)


def _background(view: View) -> Judged:
    table, uneven = view.light.table, _unevenness(view)
    level = float(table["background"].median())
    how = {"method": "background of each tile", "tiles": len(table)}
    if uneven is None:
        return Judged(
            "not to be judged",
            "The background{where} lies at about {0}; too little of it is free to say how even it is.",
            ("background", level, "grey value"),
            found=how,
        )
    verdict = "uneven" if uneven > _UNEVEN else "even"
    says = "The background{where} is {1.value}: it lies at about {0} and varies by {2} over the picture."
    return Judged(
        verdict, says, ("background", level, "grey value"), (("unevenness of the background", float(uneven), "%"),), found=how
    )


def _evenness(view: View) -> Judged:
    uneven, corners = _unevenness(view), dark_corners(view.seen)
    how = {"method": "smooth surface through the background of the tiles", "tiles": len(view.light.table)}
    if corners.names:
        figure = ("unevenness of the light", 100 * (1 - corners.ratio), "%")
        dark = ", ".join(corners.names)
        return Judged(
            "dark corners",
            "The light is uneven{where}: it is {0} weaker in the {2.value}.",
            figure,
            (("dark corners", dark, ""),),
            False,
            how,
        )
    if uneven is None:
        raise EvidenceError(
            "too little free background shows to judge how even the light is; an image of an empty field would tell"
        )
    verdict = "uneven" if uneven > _UNEVEN else "even"
    says = "The light is {1.value}{where}: the background varies by {0} between its brightest and its darkest place."
    return Judged(verdict, says, ("unevenness of the light", float(uneven), "%"), (), verdict == "even", how)


def _listed(
    view: View, things: list[tuple[str, tuple[float, float, float, float]]], what: str, none: str, how: Mapping[str, Any]
) -> Judged:
    """Things that do not belong there: each once by name, with its place."""
    named = list(dict(reversed(things)).items())[::-1]
    more: list[tuple[str, Value, str]] = []
    for k, (name, box) in enumerate(named[:4], 1):
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        spot = place_words(view.img, min(y, view.img.plane_shape[0] - 1), min(x, view.img.plane_shape[1] - 1))
        more += [(f"{what}, number {k}", name, ""), (f"place, number {k}", spot, "")]
    parts = [f"{{{2 * k + 2}.value}} ({{{2 * k + 3}.value}})" for k in range(len(named[:4]))]
    says = (
        f"I see {', '.join(parts[:-1]) + ' and ' if len(parts) > 1 else ''}{parts[-1]}{{where}}."
        if parts
        else f"I see {none}{{where}}."
    )
    figure = (f"number of {what}s", float(len(things)), "count")
    return Judged("found" if things else "none", says, figure, tuple(more), bool(things), how, tuple(things[:12]))


def _marked(view: View) -> list[tuple[str, tuple[float, float, float, float]]]:
    return [(CALLED[m.kind], view.moved(m.box)) for m in marks(view.seen)]


def _at_edges(view: View) -> list[tuple[str, tuple[float, float, float, float]]]:
    found = [(f"a dark band along the {b.edge} edge", view.moved(b.box)) for b in edge_bands(view.seen)]
    names = dark_corners(view.seen).names
    height, width = view.part.plane_shape
    corners = [Region.part(name, (height, width)) for name in names]
    return found + [
        (f"a dark {name} corner", view.moved((r.x0, r.y0, r.x1, r.y1))) for name, r in zip(names, corners, strict=True)
    ]


def _marks(view: View) -> Judged:
    how = {"method": "straight lines, colours no stain has, black things", "looked_for": list(CALLED)}
    return _listed(view, _marked(view), "mark", "no marks: no scale bar, text, pointer or debris", how)


def _edges(view: View) -> Judged:
    how = {"method": "dark rows near an edge and dark corners, against the middle of the picture"}
    return _listed(
        view,
        _at_edges(view),
        "thing at the edge",
        "nothing special at the edges of the picture: no dark band, no dark corner",
        how,
    )


def _artefacts(view: View) -> Judged:
    lines = [("a seam, as stitching leaves", view.moved(box)) for box in seams_of(view.part).boxes]
    how = {"looked_for": ["marks", "debris", "dark bands", "dark corners", "seams"]}
    return _listed(
        view,
        [*_marked(view), *_at_edges(view), *lines],
        "artefact",
        "no artefacts: no marks, debris, dark bands, dark corners or seams",
        how,
    )


def _stitching(view: View) -> Judged:
    seams = seams_of(view.part)
    boxes = tuple((f"seam, number {k}", view.moved(box)) for k, box in enumerate(seams.boxes, 1))
    how = {
        "method": "steps between neighbouring rows and columns, against those of all others",
        "step_in_deviations": round(seams.strongest, 1),
    }
    if not boxes:
        return Judged(
            "none",
            "I see no seams of stitching{where}: no straight line crosses the picture at which the brightness jumps.",
            ("number of seams", 0.0, "count"),
            (),
            False,
            how,
        )
    says = (
        "I see {0} "
        + ("seam" if len(boxes) == 1 else "seams")
        + "{where}, where the brightness jumps by up to {2} of the range from dark to bright, as stitching leaves."
    )
    return Judged(
        "found",
        says,
        ("number of seams", float(len(boxes)), "count"),
        (("largest jump", 100 * seams.jump, "%"),),
        True,
        how,
        boxes,
    )


def _halos(view: View) -> Judged:
    halo = halo_of(view.seen)
    how = {
        "method": "brightness around dark bodies, against the background",
        "share_of_dark_bodies_percent": round(100 * halo.covered, 1),
    }
    figure = ("brightness of the rims above the background", halo.percent, "%")
    if view.quality.facts["snr"] is None or halo.noise:
        return Judged(
            "none",
            "I see no halos{where}: nothing stands out from the noise.",
            ("brightness of the rims above the background", 0.0, "%"),
            (),
            False,
            how,
        )
    if halo.percent < _HALO:
        return Judged("none", "I see no bright halos around dark bodies{where}.", figure, (), False, how)
    says = (
        "Dark bodies have bright halos{where}, {0} as bright above the background as the bodies are dark below it; phase "
        "contrast gives such halos, defocus does too."
    )
    return Judged("found", says, figure, (), True, how)


def _overall(view: View) -> Judged:
    checks = {"focus": _focus(view), "saturation": _saturation(view), "exposure": _exposure(view), "noise": _noise(view)}
    with suppress(EvidenceError):  # where no background shows, the light is not judged
        checks["light"] = _evenness(view)
    bad = {
        "focus": "it is not all in focus",
        "exposure": f"it is {checks['exposure'].verdict}",
        "noise": "the noise is strong",
        "light": "the light is uneven",
    }
    fine = {"in focus", "well exposed", "low noise", "even", "not saturated", "hardly saturated"}
    if view.img.rgb or checks["saturation"].figure[1] < _CLIPPED:
        fine.add("saturated")
    wrong = [name for name, judged in checks.items() if judged.verdict not in fine]
    if checks["exposure"].verdict == "underexposed" and checks["noise"].verdict == "low noise":
        wrong.remove("exposure")  # dark, and yet well above the noise
    if checks["focus"].verdict == "not to be judged":
        bad["focus"] = "nothing stands out from the noise"
        wrong = [name for name in wrong if name != "noise"]
    problems = [
        bad.get(name, "part of it is saturated")
        for name in wrong
        if not (name == "saturation" and checks["exposure"].verdict == "overexposed")
    ]
    more: tuple[tuple[str, Value, str], ...] = (
        ("sharpness", checks["focus"].figure[1], "%"),
        ("saturated pixels", checks["saturation"].figure[1], "%"),
        ("noise", checks["noise"].figure[1], "grey value"),
    )
    says = (
        "It is fit to be measured{where}: in focus, with little noise, and not saturated."
        if not problems
        else f"Look before you measure{{where}}: {_and(problems)}."
    )
    figure: tuple[str, float, str] = ("checks passed", float(len(checks) - len(wrong)), "count")
    return Judged(
        "fit to be measured" if not wrong else "with problems",
        says,
        figure,
        more,
        not wrong,
        {name: j.verdict for name, j in checks.items()},
    )


def _and(texts: list[str]) -> str:
    return f"{', '.join(texts[:-1])} and {texts[-1]}" if len(texts) > 1 else texts[0]


ASPECTS: Mapping[str, Callable[[View], Judged]] = {
    "overall": _overall, "focus": _focus, "saturation": _saturation, "exposure": _exposure, "noise": _noise,
    "contrast": _contrast, "background": _background,
    "artefacts": _artefacts, "marks": _marks, "halos": _halos, "edges": _edges, "evenness": _evenness, "stitching": _stitching,
}  # fmt: skip
_OTHER_WORDS = {
    "sharpness": "focus", "blur": "focus", "clipping": "saturation", "brightness": "exposure", "illumination": "evenness",
    "vignetting": "evenness", "dirt": "artefacts",
    "dust": "artefacts", "artifacts": "artefacts", "debris": "artefacts", "snr": "noise", "seams": "stitching", "halo": "halos",
    "quality": "overall", "all": "overall",
    "border": "edges", "tiling": "stitching", "flatness": "evenness", "shading": "evenness", "scale bar": "marks",
    "text": "marks",
}  # fmt: skip
_SLICES = ("slices", "slice", "z", "depth", "frames", "frame", "t")


@measurement(
    "quality",
    examples={"Is the image in focus?": 'quality("focus")', "Is anything saturated?": 'quality("saturation")',
              "how noisy is it": 'quality("noise")',
              "Which slice is in focus?": 'quality("focus", where="slices")', "Is the lighting even?": 'quality("evenness")',
              "any dirt or artefacts?": 'quality("artefacts")',
              "Is this image good enough to measure?": 'quality("overall")', "are there stitching lines": 'quality("stitching")'},
)  # fmt: skip
def quality(scene: Scene, aspect: str = "overall", *, where: Node = None, channel: str | None = None) -> Found:
    """One aspect of technical quality: a figure, a verdict in words, and whether it is so.

    Focus, saturation, exposure, noise, contrast, background, evenness; artefacts, marks, halos, edges, stitching; or overall.
    With
    ``where="slices"`` (or ``"frames"``) the sharpest of them.
    """
    key = _OTHER_WORDS.get(aspect.strip().lower(), aspect.strip().lower())
    if key not in ASPECTS:
        raise EvidenceError(f"quality has no aspect {aspect!r}; ask for {', '.join(ASPECTS)}")
    img, named = scene.image, channel_named(channel, scene.image) if channel is not None else None
    axis = next((a for a in ("z", "t") if a in img.axes), None)
    if key == "focus" and (where in _SLICES or axis == "z"):
        return _sharpest(img, "t" if where in ("frames", "frame", "t") else "z", named)
    if where in _SLICES:
        raise EvidenceError(f"slices are compared by focus; for {key} ask for one of them, or each of them")
    img = one_plane(img)
    place = place_of(where, scene, evaluate)
    judged = ASPECTS[key](View(img, place, named))
    return _as_found(key, judged)


def _as_found(key: str, judged: Judged) -> Found:
    """The one shape of every aspect: the figure, the verdict, what else was measured, and where."""
    name, figure, unit = judged.figure
    count = unit == "count"
    head = Measurement(name, int(figure) if count else figure, unit, found={**judged.found, "aspect": key})
    rest = facts(judged.found, (f"verdict on {key}", judged.verdict), *judged.more)
    boxes = facts(
        judged.found,
        *(
            (f"box, {name}" if name.startswith("seam") else f"box, number {k}", box, "px")
            for k, (name, box) in enumerate(judged.boxes, 1)
        ),
    )
    own = judged.value is not None
    unit_of = "times" if key == "noise" and own else "" if own else None
    return Found((head, *rest, *boxes), says=judged.says, value=judged.value, unit=unit_of)


def _sharpest(img: MicroImage, axis: str, channel: str | None) -> Found:
    """Which slice or frame is the sharpest."""
    if axis not in img.axes:
        raise AxesError(f"{img.name} has no {'slices in z' if axis == 'z' else 'frames in time'}: it is a single plane")
    other = next((a for a in ("t", "z") if a in img.axes and a != axis), None)
    flat = img.isel(**{other: 0}) if other else img  # type: ignore[arg-type]
    channel = channel or (None if flat.rgb or "c" not in flat.axes else flat.channels[0].name)
    best = best_focus(flat, axis=axis, channel=channel)  # type: ignore[arg-type]
    one, many = ("slice", "slices") if axis == "z" else ("frame", "frames")
    how = {"method": "variance of the Laplacian, less what noise adds", "axis": axis, "channel": channel or "all"}
    sharp = int(best.table["in_focus"].sum())
    rows = facts(
        how,
        (f"sharpest {one}", best.index + 1, ""),
        (f"number of {many}", len(best.table), "count"),
        (f"{many} in focus", sharp, "count"),
    )
    table = best.table.assign(**{one: best.table["index"] + 1}).set_index(one)[["score", "in_focus"]]
    also = ", and no other is nearly as sharp" if sharp <= 1 else f"; {{2}} {many} are at least half as sharp"
    return Found(rows, says=f"The sharpest {one} is number {{0}} of {{1}}{also}.", table=table)
