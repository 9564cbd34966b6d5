"""Technical quality: focus, light, noise, and what does not belong to the specimen. Each aspect is one figure, a verdict, and
one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

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
from .measurement import Measurement, Value, facts
from .pixels import Greys, ceiling, of_channel, one_plane, read_greys
from .places import ANYWHERE, Place, pixel_box, place_words
from .registry import measurement
from .results import Found
from .scene import PLANES, Scene, need_planes
from .selecting import channel_named, place_of

_STEP_PX, _SOFT_PX = 3.1, 11.0  # width of a perfect step as it is measured; widest of the sharpest edges of what is in focus
_IN_FOCUS = 90.0  # % of the tiles as sharp as the best, from which a picture is in focus
_SATURATED, _CLIPPED = 0.01, 0.5  # % of the pixels from which a picture is called saturated at all, and from which that spoils it
_DARK = 0.25  # share of the range that a picture uses at least
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


@dataclass(frozen=True)
class Judged:
    """An aspect judged.

    Attributes
    ----------
    verdict : in a word or two: ``"in focus"``, ``"noisy"``.
    figure : the number that ranks places and images: ``(quantity, value, unit)``.
    more : further numbers.
    value : the answer as data where it is not the figure: whether it is so.
    found : how it was judged. ``boxes`` : where something is, by name.
    says : its sentence, where it is not the one that the verdict has; ``{0}`` is the figure, ``{1.value}`` the verdict, ``{2}``
        and on what else was measured.
    """

    verdict: str
    figure: tuple[str, float, str]
    more: tuple[tuple[str, Value, str], ...] = ()
    value: Value = None
    found: Mapping[str, Any] = field(default_factory=dict)
    boxes: tuple[tuple[str, Box], ...] = ()
    says: str = ""


def _focus(view: View) -> Judged:
    full = view.tiles[~view.tiles["empty"]]
    widths = full["edge_width_px"].dropna()
    how = {"method": "width of the sharpest edges, tile by tile", "tiles": len(view.tiles), "perfect_step_px": _STEP_PX}
    if not len(widths):
        return Judged("not to be judged", ("sharpness", 0.0, "%"), found=how)
    edge, good = float(widths.quantile(0.1)), 100 * float(full["focus_ok"].mean())
    verdict = "out of focus" if edge > _SOFT_PX else "partly in focus" if good < _IN_FOCUS else "in focus"
    more = (("width of the sharpest edges", edge, "px"), ("tiles in focus", good, "%"))
    return Judged(verdict, ("sharpness", 100 * min(_STEP_PX / edge, 1.0), "%"), more, verdict == "in focus", how)


def _saturation(view: View) -> Judged:
    percent = view.saturated
    verdict = "not saturated" if percent == 0 else "hardly saturated" if percent < _SATURATED else "saturated"
    more = (("grey value of saturated pixels", view.top, "grey value"), ("largest grey value", view.greys.high, "grey value"))
    how = {"method": "every pixel read", "samples": view.greys.n}
    return Judged(verdict, ("saturated pixels", percent, "%"), more, percent > 0, how)


def _exposure(view: View) -> Judged:
    greys, top, clipped = view.greys, view.top, view.saturated
    high, ratio = greys.percentile(99.9), view.quality.facts["snr"]
    used = 100 * high / top if top else 0.0
    verdict = "underexposed" if used < 100 * _DARK else "well exposed"
    if clipped >= _CLIPPED and not view.img.rgb:
        verdict = "overexposed"
    if greys.high == greys.low:
        verdict = "no signal"
    bright = ("grey value of the brightest parts", high, "grey value")
    more = (bright, ("largest grey value there can be", top, "grey value"), ("saturated pixels", clipped, "%"))
    more += (("signal to noise", ratio, "times"),) if ratio is not None else ()
    clear = verdict == "underexposed" and ratio is not None and ratio >= 2 * _NOISY
    says = _sentence("exposure", "underexposed, and yet clear") if clear else ""
    figure = ("share of the range that is used", used, "%")
    return Judged(verdict, figure, more, verdict, {"brightest_percentile": 99.9}, says=says)


def _noise(view: View) -> Judged:
    full = view.tiles[~view.tiles["empty"]]
    how = {"method": "Immerkær's mask, median of the tiles", "tiles": len(view.tiles)}
    figure = ("noise", float(view.tiles["noise_sd"].median()), "grey value")
    if not len(full) or view.quality.facts["snr"] is None:
        return Judged("nothing but noise", figure, found=how)
    ratio = float(full["snr"].median())
    return Judged("noisy" if ratio < _NOISY else "low noise", figure, (("signal to noise", ratio, "times"),), ratio, how)


def _contrast(view: View) -> Judged:
    low, high = view.greys.percentile(1), view.greys.percentile(99)
    percent = 100 * (high - low) / (high + low) if low >= 0 and high > 0 else 100.0 if high > low else 0.0
    verdict = "low" if percent < _FLAT else "moderate" if percent < 3 * _FLAT else "high"
    more = (("grey value of the darkest parts", low, "grey value"), ("grey value of the brightest parts", high, "grey value"))
    return Judged(verdict, ("contrast", percent, "%"), more, found={"method": "difference over sum", "percentiles": [1, 99]})


def _background(view: View) -> Judged:
    tiles, uneven = view.light.table, view.uneven
    figure = ("background", float(tiles["background"].median()), "grey value")
    how = {"method": "background of each tile", "tiles": len(tiles)}
    if uneven is None:
        return Judged("not to be judged", figure, found=how)
    more = (("unevenness of the background", uneven, "%"),)
    return Judged("uneven" if uneven > _UNEVEN else "even", figure, more, found=how)


def _evenness(view: View) -> Judged:
    uneven, corners = view.uneven, dark_corners(view.seen)
    how = {"method": "smooth surface through the background of the tiles", "tiles": len(view.light.table)}
    if corners.names:
        names, weaker = ", ".join(corners.names), ("unevenness of the light", 100 * (1 - corners.ratio), "%")
        return Judged("dark corners", weaker, (("dark corners", names, ""),), False, how)
    if uneven is None:
        raise EvidenceError("too little free background shows to judge how even the light is; an empty field would tell")
    verdict = "uneven" if uneven > _UNEVEN else "even"
    return Judged(verdict, ("unevenness of the light", uneven, "%"), (), verdict == "even", how)


def _things(view: View, things: list[tuple[str, Box]], what: str, how: Mapping[str, Any]) -> Judged:
    """Things that do not belong there: each once by name, with its place."""
    named = list(dict(reversed(things)).items())[::-1][:_NAMED]
    more: list[tuple[str, Value, str]] = []
    for k, (name, box) in enumerate(named, 1):
        y, x = (min((box[i] + box[i + 2]) / 2, n - 1) for i, n in zip((1, 0), view.img.plane_shape, strict=True))
        more += [(f"{what}, number {k}", name, ""), (f"place, number {k}", place_words(view.img, y, x), "")]
    parts = listed([f"{{{2 * k + 2}.value}} ({{{2 * k + 3}.value}})" for k in range(len(named))])
    figure, says = (f"number of {what}s", float(len(things)), "count"), f"I see {parts}{{where}}." if parts else ""
    return Judged("found" if things else "none", figure, tuple(more), bool(things), how, tuple(things[:_BOXES]), says)


def _marked(view: View) -> list[tuple[str, Box]]:
    return [(table("quality")["called"][m.kind], view.moved(m.box)) for m in marks(view.seen)]


def _at_edges(view: View) -> list[tuple[str, Box]]:
    found = [(f"a dark band along the {b.edge} edge", view.moved(b.box)) for b in edge_bands(view.seen)]
    height, width = view.part.plane_shape
    corners = {name: Region.part(name, (height, width)) for name in dark_corners(view.seen).names}
    return found + [(f"a dark {name} corner", view.moved((r.x0, r.y0, r.x1, r.y1))) for name, r in corners.items()]


def _marks(view: View) -> Judged:
    how = {"method": "straight lines, colours no stain has, black things", "looked_for": list(table("quality")["called"])}
    return _things(view, _marked(view), "mark", how)


def _edges(view: View) -> Judged:
    how = {"method": "dark rows near an edge and dark corners, against the middle of the picture"}
    return _things(view, _at_edges(view), "thing at the edge", how)


def _artefacts(view: View) -> Judged:
    lines = [("a seam, as stitching leaves", view.moved(box)) for box in seams_of(view.part).boxes]
    how = {"looked_for": ["marks", "debris", "dark bands", "dark corners", "seams"]}
    return _things(view, [*_marked(view), *_at_edges(view), *lines], "artefact", how)


def _stitching(view: View) -> Judged:
    seams = seams_of(view.part)
    boxes = tuple((f"seam, number {k}", view.moved(box)) for k, box in enumerate(seams.boxes, 1))
    how = {"method": "steps between neighbouring rows and columns, against those of all others"}
    more = (("largest jump", 100 * seams.jump, "%"),) if boxes else ()
    figure, found = ("number of seams", float(len(boxes)), "count"), {**how, "step_in_deviations": round(seams.strongest, 1)}
    return Judged("found" if boxes else "none", figure, more, bool(boxes), found, boxes)


def _halos(view: View) -> Judged:
    halo, name = halo_of(view.seen), "brightness of the rims above the background"
    how = {"method": "brightness around dark bodies, against the background"}
    how |= {"share_of_dark_bodies_percent": round(100 * halo.covered, 1)}  # type: ignore[dict-item]
    if view.quality.facts["snr"] is None or halo.noise:
        return Judged("none", (name, 0.0, "%"), (), False, how, says=_sentence("halos", "nothing but noise"))
    found = halo.percent >= _HALO
    return Judged("found" if found else "none", (name, halo.percent, "%"), (), found, how)


def _overall(view: View) -> Judged:
    checks = {"focus": _focus(view), "saturation": _saturation(view), "exposure": _exposure(view), "noise": _noise(view)}
    with suppress(EvidenceError):  # where no background shows, the light is not judged
        checks["evenness"] = _evenness(view)
    verdicts = {name: judged.verdict for name, judged in checks.items()}
    bad = {name: table("quality")["problem"][name].get(verdict, "") for name, verdict in verdicts.items()}
    if verdicts["exposure"] == "overexposed" or view.img.rgb or checks["saturation"].figure[1] < _CLIPPED:
        bad["saturation"] = ""
    if verdicts["exposure"] == "underexposed" and verdicts["noise"] == "low noise":
        bad["exposure"] = ""  # dark, and yet well above the noise
    if verdicts["focus"] == "not to be judged":
        bad["noise"] = ""
    problems = [why for why in bad.values() if why]
    more: tuple[tuple[str, Value, str], ...] = tuple(checks[name].figure for name in ("focus", "saturation", "noise"))
    figure = ("checks passed", float(len(checks) - len(problems)), "count")
    says = f"Look before you measure{{where}}: {listed(problems)}." if problems else ""
    return Judged("with problems" if problems else "fit to be measured", figure, more, not problems, verdicts, says=says)


ASPECTS: Mapping[str, Callable[[View], Judged]] = {
    "overall": _overall, "focus": _focus, "saturation": _saturation, "exposure": _exposure, "noise": _noise,
    "contrast": _contrast, "background": _background, "artefacts": _artefacts, "marks": _marks, "halos": _halos,
    "edges": _edges, "evenness": _evenness, "stitching": _stitching,
}  # fmt: skip
_ALL_PLANES = {w: axis for axis, words in PLANES.items() for w in (axis, *words)} | {"depth": "z"}


def _sentence(aspect: str, verdict: str) -> str:
    return str(table("quality")["says"][aspect][verdict])


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
    judged = ASPECTS[key](View(one_plane(img), place_of(where, scene, evaluate), named))
    name, figure, unit = judged.figure
    head = Measurement(name, int(figure) if unit == "count" else figure, unit, found={**judged.found, "aspect": key})
    rest = facts(judged.found, (f"verdict on {key}", judged.verdict), *judged.more)
    names = [f"box, {n}" if n.startswith("seam") else f"box, number {k}" for k, (n, _) in enumerate(judged.boxes, 1)]
    boxes = facts(judged.found, *((n, box, "px") for n, (_, box) in zip(names, judged.boxes, strict=True)))
    unit_of = None if judged.value is None else "times" if key == "noise" else ""
    return Found((head, *rest, *boxes), judged.says or _sentence(key, judged.verdict), judged.value, unit_of)


def _sharpest(img: MicroImage, axis: str, channel: str | None) -> Found:
    """Which slice or frame is the sharpest."""
    need_planes(img, axis)
    other = next((a for a in PLANES if a in img.axes and a != axis), None)
    flat = img.isel(**{other: 0}) if other else img  # type: ignore[arg-type]
    channel = channel or (None if flat.rgb or "c" not in flat.axes else flat.channels[0].name)
    best = best_focus(flat, axis=axis, channel=channel)  # type: ignore[arg-type]
    (one, many), sharp = PLANES[axis], int(best.table["in_focus"].sum())
    rows = facts(
        {"method": "variance of the Laplacian, less what noise adds", "axis": axis, "channel": channel or "all"},
        (f"sharpest {one}", best.index + 1, ""),
        (f"number of {many}", len(best.table), "count"),
        (f"{many} in focus", sharp, "count"),
    )
    shown = best.table.assign(**{one: best.table["index"] + 1}).set_index(one)[["score", "in_focus"]]
    says = "sharpest" if sharp <= 1 else "sharp_ones"
    return Found(rows, says, table=shown, more={"one": one, "many": many})
