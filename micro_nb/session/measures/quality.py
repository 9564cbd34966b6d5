"""Technical quality: focus, light, noise, and what does not belong to the specimen. Each aspect is one figure, a verdict, and
one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ...analysis.field_edges import dark_corners, edge_bands
from ...analysis.focus import best_focus
from ...analysis.halos import halo_of
from ...analysis.marks import marks
from ...analysis.quality import Quality
from ...analysis.quality import quality as judge
from ...analysis.seams import seams_of
from ...analysis.whole import Whole, whole
from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ..language import Node
from ..words.tables import listed, table
from .evaluation import evaluate
from .measurement import Fact, Value
from .pixels import Greys, ceiling, of_channel, one_plane, read_greys
from .registry import measurement
from .results import Found
from .scene import ANYWHERE, PLANES, Place, Scene, need_planes, pixel_box, place_words
from .selecting import channel_named, place_of

_STEP_PX, _SOFT_PX = 3.1, 11.0  # width of a perfect step as it is measured; widest of the sharpest edges of what is in focus
_IN_FOCUS = 90.0  # % of the tiles as sharp as the best, from which a picture is in focus
_SATURATED, _CLIPPED = 0.01, 0.5  # % of the pixels from which a picture is called saturated at all, and from which that spoils it
_DARK = 1 / 3  # share of the range that a picture uses at least: else three times the light would fit
_NOISY, _UNEVEN = 8.0, 25.0  # contrast over noise; fall of the background, %
_FLAT = 15.0  # Michelson contrast of the darkest and the brightest parts in %, below which contrast is low
_HALO = 20.0  # % of the depth of what is dark, by which its surroundings must exceed the background
_TILES_PX, _TILES = (32, 256), 8  # edges of small tiles, and how many of them at least lie along a side
_NAMED, _BOXES = 4, 12
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class View:
    """What is judged: the part of an image that a place names, in one channel or all, each look at it made once."""

    img: MicroImage
    place: Place = ANYWHERE
    channel: str | None = None

    @cached_property
    def part(self) -> MicroImage:
        """The pixels of the place's box."""
        img, (rows, cols) = of_channel(self.img.plane(), self.channel), self.box
        everything = (rows.stop - rows.start, cols.stop - cols.start) == tuple(img.plane_shape)
        return img if everything else img.isel(y=rows, x=cols)

    @cached_property
    def box(self) -> tuple[slice, slice]:
        """Its rows and columns in the image."""
        if self.place.mask is None or self.place.region is not None:
            return pixel_box(self.img, self.place.region)
        rows, cols = np.nonzero(self.place.mask)
        if not len(rows):
            raise EvidenceError(f"nothing lies {self.place.words or 'there'}, so its quality cannot be judged")
        return slice(int(rows.min()), int(rows.max()) + 1), slice(int(cols.min()), int(cols.max()) + 1)

    @cached_property
    def quality(self) -> Quality:
        """Focus, noise and saturation, tile by tile."""
        return self.light if self.place.mask is not None else judge(self.part)

    @cached_property
    def light(self) -> Quality:
        """The same in smaller tiles, so that there are enough to see how even the light is."""
        return judge(self.part, tile=int(np.clip(min(self.part.plane_shape) // _TILES, *_TILES_PX)))

    @cached_property
    def tiles(self) -> Any:
        """The table of the tiles whose middle lies in the place."""
        tiles = self.quality.table
        if self.place.mask is None:
            return tiles
        y, x = ((tiles[f"{a}0_px"] + tiles[f"{a}1_px"]).to_numpy(int) // 2 + s.start for a, s in zip("yx", self.box, strict=True))
        inside = tiles[self.place.mask[y, x]]
        return inside if len(inside) else tiles

    @cached_property
    def seen(self) -> Whole:
        """The whole part at a glance."""
        return whole(self.part)

    @cached_property
    def greys(self) -> Greys:
        """Its grey values."""
        return read_greys(self.img, self.place, self.channel)

    @property
    def top(self) -> float:
        """The grey value of a saturated pixel."""
        return ceiling(self.img, self.greys.high)

    @property
    def saturated(self) -> float:
        """% of the pixels that are."""
        return self.greys.share(">=", self.top) if self.img.dtype.kind in "iu" else 0.0

    @property
    def uneven(self) -> float | None:
        """How much the background varies, in %, without what is left of zero by calculation; None where it cannot be said."""
        found = self.light.facts["background_unevenness_percent"]
        return None if found is None else round(float(found), 6)

    def moved(self, box: Box) -> Box:
        """A box of the part in pixels of the image."""
        top, left = self.box[0].start, self.box[1].start
        return box[0] + left, box[1] + top, box[2] + left, box[3] + top


def _judged(
    aspect: str,
    verdict: str,
    figure: Fact,
    *more: Fact,
    how: Mapping[str, Any],
    value: Value = None,
    unit: str = "",
    says: str = "",
) -> Found:
    """An aspect judged: the figure that ranks places and images, the verdict in a word or two, and further numbers.

    Parameters
    ----------
    value : the answer as data where it is not the figure: whether it is so.
    says : its sentence, where it is not the one that the verdict has; ``{0}`` is the figure, ``{1.value}`` the verdict, ``{2}``
        and on what else was measured.
    """
    rows, told = (figure, (f"verdict on {aspect}", verdict), *more), says or str(table("quality")["says"][aspect][verdict])
    return Found.of({**how, "aspect": aspect}, *rows, says=told, value=value, unit=None if value is None else unit)


def _focus(view: View) -> Found:
    full = view.tiles[~view.tiles["empty"]]
    widths = full["edge_width_px"].dropna()
    how = {"method": "width of the sharpest edges, tile by tile", "tiles": len(view.tiles), "perfect_step_px": _STEP_PX}
    if not len(widths):
        return _judged("focus", "not to be judged", ("sharpness", 0.0, "%"), how=how)
    edge, good = float(widths.quantile(0.1)), 100 * float(full["focus_ok"].mean())
    verdict = "out of focus" if edge > _SOFT_PX else "partly in focus" if good < _IN_FOCUS else "in focus"
    more = (("width of the sharpest edges", edge, "px"), ("tiles in focus", good, "%"))
    figure = ("sharpness", 100 * min(_STEP_PX / edge, 1.0), "%")
    return _judged("focus", verdict, figure, *more, how=how, value=verdict == "in focus")


def _saturation(view: View) -> Found:
    percent, how = view.saturated, {"method": "every pixel read", "samples": view.greys.n}
    verdict = "not saturated" if percent == 0 else "hardly saturated" if percent < _SATURATED else "saturated"
    more = (("grey value of saturated pixels", view.top, "grey value"), ("largest grey value", view.greys.high, "grey value"))
    return _judged("saturation", verdict, ("saturated pixels", percent, "%"), *more, how=how, value=percent > 0)


def _exposure(view: View) -> Found:
    greys, top, clipped = view.greys, view.top, view.saturated
    high, ratio = greys.percentile(99.9), view.quality.facts["snr"]
    used = 100 * high / top if top else 0.0
    verdict = "underexposed" if used < 100 * _DARK else "well exposed"
    if clipped >= _CLIPPED and not view.img.rgb:
        verdict = "overexposed"
    if greys.high == greys.low:
        verdict = "no signal"
    bright = ("grey value of the brightest parts", high, "grey value")
    more: list[Fact] = [bright, ("largest grey value there can be", top, "grey value"), ("saturated pixels", clipped, "%")]
    more += [("signal to noise", ratio, "times")] if ratio is not None else []
    clear = verdict == "underexposed" and ratio is not None and ratio >= 2 * _NOISY
    says = str(table("quality")["says"]["exposure"]["underexposed, and yet clear"]) if clear else ""
    figure, how = ("share of the range that is used", used, "%"), {"brightest_percentile": 99.9}
    return _judged("exposure", verdict, figure, *more, how=how, value=verdict, says=says)


def _noise(view: View) -> Found:
    full = view.tiles[~view.tiles["empty"]]
    how = {"method": "Immerkær's mask, median of the tiles", "tiles": len(view.tiles)}
    figure = ("noise", float(view.tiles["noise_sd"].median()), "grey value")
    if not len(full) or view.quality.facts["snr"] is None:
        return _judged("noise", "nothing but noise", figure, how=how)
    ratio = float(full["snr"].median())
    verdict, more = "noisy" if ratio < _NOISY else "low noise", ("signal to noise", ratio, "times")
    return _judged("noise", verdict, figure, more, how=how, value=ratio, unit="times")


def _contrast(view: View) -> Found:
    low, high = view.greys.percentile(1), view.greys.percentile(99)
    percent = 100 * (high - low) / (high + low) if low >= 0 and high > 0 else 100.0 if high > low else 0.0
    verdict = "low" if percent < _FLAT else "moderate" if percent < 3 * _FLAT else "high"
    more = (("grey value of the darkest parts", low, "grey value"), ("grey value of the brightest parts", high, "grey value"))
    how = {"method": "difference over sum", "percentiles": [1, 99]}
    return _judged("contrast", verdict, ("contrast", percent, "%"), *more, how=how)


def _background(view: View) -> Found:
    tiles, uneven = view.light.table, view.uneven
    figure = ("background", float(tiles["background"].median()), "grey value")
    how = {"method": "background of each tile", "tiles": len(tiles)}
    if uneven is None:
        return _judged("background", "not to be judged", figure, how=how)
    more = ("unevenness of the background", uneven, "%")
    return _judged("background", "uneven" if uneven > _UNEVEN else "even", figure, more, how=how)


def _evenness(view: View) -> Found:
    uneven, corners = view.uneven, dark_corners(view.seen)
    how = {"method": "smooth surface through the background of the tiles", "tiles": len(view.light.table)}
    if corners.names:
        weaker, names = ("unevenness of the light", 100 * (1 - corners.ratio), "%"), ("dark corners", ", ".join(corners.names))
        return _judged("evenness", "dark corners", weaker, names, how=how, value=False)
    if uneven is None:
        raise EvidenceError("too little free background shows to judge how even the light is; an empty field would tell")
    verdict, side = "uneven" if uneven > _UNEVEN else "even", ("brighter side", _brighter_side(view.light.table))
    return _judged("evenness", verdict, ("unevenness of the light", uneven, "%"), side, how=how, value=verdict == "even")


def _brighter_side(tiles: pd.DataFrame) -> str:
    """Towards which side the background of tiles rises most over the picture."""
    rise = {}
    for axis, low, high in (("y", "top", "bottom"), ("x", "left", "right")):
        at = tiles[f"{axis}0_px"].to_numpy(float)
        slope = float(np.cov(at, tiles["background"])[0, 1] / at.var()) if len(tiles) > 1 and at.var() else 0.0
        rise[high if slope > 0 else low] = abs(slope) * float(np.ptp(at))
    return max(rise, key=lambda side: rise[side])


def _things(aspect: str, view: View, things: list[tuple[str, Box]], what: str, how: Mapping[str, Any]) -> Found:
    """Things that do not belong there: each once by name, with its place."""
    more: list[Fact] = []
    for k, (name, box) in enumerate(list(dict(reversed(things)).items())[::-1][:_NAMED], 1):
        y, x = (min((box[i] + box[i + 2]) / 2, n - 1) for i, n in zip((1, 0), view.img.plane_shape, strict=True))
        more += [(f"{what}, number {k}", name), (f"place, number {k}", place_words(view.img, y, x))]
    parts = listed([f"{{{k}.value}} ({{{k + 1}.value}})" for k in range(2, 2 + len(more), 2)])
    boxes = ((f"box, number {k}", box, "px") for k, (_, box) in enumerate(things[:_BOXES], 1))
    figure, says = (f"number of {what}s", len(things), "count"), f"I see {parts}{{where}}." if parts else ""
    return _judged(aspect, "found" if things else "none", figure, *more, *boxes, how=how, value=bool(things), says=says)


def _marked(view: View) -> list[tuple[str, Box]]:
    return [(table("quality")["called"][m.kind], view.moved(m.box)) for m in marks(view.seen)]


def _at_edges(view: View) -> list[tuple[str, Box]]:
    found = [(f"a dark band along the {b.edge} edge", view.moved(b.box)) for b in edge_bands(view.seen)]
    height, width = view.part.plane_shape
    corners = {name: Region.part(name, (height, width)) for name in dark_corners(view.seen).names}
    return found + [(f"a dark {name} corner", view.moved((r.x0, r.y0, r.x1, r.y1))) for name, r in corners.items()]


def _marks(view: View) -> Found:
    how = {"method": "straight lines, colours no stain has, black things", "looked_for": list(table("quality")["called"])}
    return _things("marks", view, _marked(view), "mark", how)


def _edges(view: View) -> Found:
    how = {"method": "dark rows near an edge and dark corners, against the middle of the picture"}
    return _things("edges", view, _at_edges(view), "thing at the edge", how)


def _artefacts(view: View) -> Found:
    lines = [("a seam, as stitching leaves", view.moved(box)) for box in seams_of(view.part).boxes]
    how = {"looked_for": ["marks", "debris", "dark bands", "dark corners", "seams"]}
    return _things("artefacts", view, [*_marked(view), *_at_edges(view), *lines], "artefact", how)


def _stitching(view: View) -> Found:
    seams, method = seams_of(view.part), "steps between neighbouring rows and columns, against those of all others"
    boxes = [(f"box, seam, number {k}", view.moved(box), "px") for k, box in enumerate(seams.boxes, 1)]
    more, figure = [("largest jump", 100 * seams.jump, "%")] if boxes else [], ("number of seams", len(boxes), "count")
    how, verdict = {"method": method, "step_in_deviations": round(seams.strongest, 1)}, "found" if boxes else "none"
    return _judged("stitching", verdict, figure, *more, *boxes, how=how, value=bool(boxes))


def _halos(view: View) -> Found:
    halo, name = halo_of(view.seen), "brightness of the rims above the background"
    how = {"method": "brightness around dark bodies, against the background"}
    how |= {"share_of_dark_bodies_percent": round(100 * halo.covered, 1)}  # type: ignore[dict-item]
    if view.quality.facts["snr"] is None or halo.noise:
        says = str(table("quality")["says"]["halos"]["nothing but noise"])
        return _judged("halos", "none", (name, 0.0, "%"), how=how, value=False, says=says)
    found = halo.percent >= _HALO
    return _judged("halos", "found" if found else "none", (name, halo.percent, "%"), how=how, value=found)


def _overall(view: View) -> Found:
    checks = {"focus": _focus(view), "saturation": _saturation(view), "exposure": _exposure(view), "noise": _noise(view)}
    with suppress(EvidenceError):  # where no background shows, the light is not judged
        checks["evenness"] = _evenness(view)
    figures = {name: judged.measured[0] for name, judged in checks.items()}
    verdicts = {name: str(judged.measured[1].value) for name, judged in checks.items()}
    bad = {name: table("quality")["problem"][name].get(verdict, "") for name, verdict in verdicts.items()}
    if verdicts["exposure"] == "overexposed" or view.img.rgb or figures["saturation"].number < _CLIPPED:
        bad["saturation"] = ""
    if verdicts["exposure"] == "underexposed" and verdicts["noise"] == "low noise":
        bad["exposure"] = ""  # dark, and yet well above the noise
    if verdicts["focus"] == "not to be judged":
        bad["noise"] = ""
    problems = [why for why in bad.values() if why]
    more = ((m.quantity, m.value, m.unit) for m in (figures[name] for name in ("focus", "saturation", "noise")))
    figure = ("checks passed", len(checks) - len(problems), "count")
    says = f"Look before you measure{{where}}: {listed(problems)}." if problems else ""
    verdict = "with problems" if problems else "fit to be measured"
    return _judged("overall", verdict, figure, *more, how=verdicts, value=not problems, says=says)


ASPECTS: Mapping[str, Callable[[View], Found]] = {
    "overall": _overall, "focus": _focus, "saturation": _saturation, "exposure": _exposure, "noise": _noise,
    "contrast": _contrast, "background": _background, "artefacts": _artefacts, "marks": _marks, "halos": _halos,
    "edges": _edges, "evenness": _evenness, "stitching": _stitching,
}  # fmt: skip
_ALL_PLANES = {w: axis for axis, words in PLANES.items() for w in (axis, *words)} | {"depth": "z"}


@measurement("quality")
def quality(scene: Scene, aspect: str = "overall", *, where: Node = None, channel: str | None = None) -> Found:
    """One aspect of technical quality: a figure, a verdict in words, and whether it is so.

    Focus, saturation, exposure, noise, contrast, background, evenness; artefacts, marks, halos, edges, stitching; or overall.
    With ``where="slices"`` (or ``"frames"``) the sharpest of them.
    """
    key = table("quality")["alias"].get(aspect.strip().lower(), aspect.strip().lower())
    if key not in ASPECTS:
        raise EvidenceError(f"quality has no aspect {aspect!r}; ask for {', '.join(ASPECTS)}")
    img, named = scene.image, channel_named(channel, scene.image) if channel is not None else None
    every = _ALL_PLANES.get(where) if isinstance(where, str) else None
    if key == "focus" and (every is not None or "z" in img.axes):
        return _sharpest(img, every or "z", named)
    if every is not None:
        raise EvidenceError(f"slices are compared by focus; for {key} ask for one of them, or each of them")
    return ASPECTS[key](View(one_plane(img), place_of(where, scene, evaluate), named))


def _sharpest(img: MicroImage, axis: str, channel: str | None) -> Found:
    """Which slice or frame is the sharpest."""
    need_planes(img, axis)
    other = next((a for a in PLANES if a in img.axes and a != axis), None)
    flat = img.isel(**{other: 0}) if other else img  # type: ignore[arg-type]
    channel = channel or (None if flat.rgb or "c" not in flat.axes else flat.channels[0].name)
    best = best_focus(flat, axis=axis, channel=channel)  # type: ignore[arg-type]
    (one, many), sharp = PLANES[axis], int(best.table["in_focus"].sum())
    how = {"method": "variance of the Laplacian, less what noise adds", "axis": axis, "channel": channel or "all"}
    number, focused = (f"number of {many}", len(best.table), "count"), (f"{many} in focus", sharp, "count")
    shown = best.table.assign(**{one: best.table["index"] + 1}).set_index(one)[["score", "in_focus"]]
    says = "sharpest" if sharp <= 1 else "sharp_ones"
    return Found.of(how, (f"sharpest {one}", best.index + 1), number, focused, says=says, table=shown, one=one, many=many)
