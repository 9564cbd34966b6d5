"""Tools about one thing described by its look: which is meant, what it is, where; and what in a picture is not as the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage as ndi

from ...analysis.field_edges import dark_corners, edge_bands
from ...analysis.whole import Whole, whole
from ...data.image import MicroImage
from ...errors import EvidenceError
from ..eyes import FLOOR, is_kind, made_by
from ..registry import Measurement, run, tool
from .chosen import select
from .looked import all_named
from .marks import CALLED, marks_of, placed

Box = tuple[float, float, float, float]
_HUE_OF = {"red": 0, "orange": 28, "brown": 25, "yellow": 60, "green": 120, "cyan": 180, "blue": 235, "purple": 275,
           "violet": 275, "magenta": 310, "pink": 330}  # fmt: skip
_BIG, _SMALL = r"\b(?:big|large|huge|giant|biggest|largest)\b", r"\b(?:small|tiny|little)\b"
_ROWS = {"top": r"\b(?:top|upper|above)\b", "bottom": r"\b(?:bottom|lower|below)\b"}
_COLS = {"left": r"\bleft\b", "right": r"\bright\b"}
_MIDDLE = r"\b(?:middle|cent(?:re|er)|central)\b"
_ODD = r"\b(?:odd|burst|broken|strange|weird|irregular|unusual|different)\b"
_AREA = r"\b(?:bands?|areas?|regions?|holes?|patch(?:es)?|lines?|streaks?|stripes?|smudges?|clouds?|fibres?|fibers?)\b"
_RARE = 0.12  # share of the objects up to which a kind is rare
_DEEPER, _BLUER = 1.2, 0.05  # absorbance of red light, and blue less green, of nuclear stain beside red cells
_RARITY = {True: 0.8, False: 0.3}  # what being of a rare kind adds to the score, where something odd is looked for and elsewhere
_LINE_WORDS = r"\b(?:band|wall|stripe|strip|barrier|edge|thick|bar)\b"


@dataclass
class Candidate:
    """Something that could be meant: its name, box, mean colour, size as a share of the picture, and how it was found."""

    name: str
    box: Box
    colour: np.ndarray
    share: float
    score: float = 0.0
    found: dict[str, Any] = field(default_factory=dict)


@tool("described_thing", quantity="one thing described by its look")
def described_thing(img: MicroImage, *, look: str, eyes: str = FLOOR) -> tuple[Measurement, ...]:
    """Which thing is meant by words for colour, size and place ("the big blue round thing at the bottom"), among marks, bands
    along an edge, objects with a name and areas of that colour: what it looks like, where, its box, its share of the picture (%),
    and how well the words fit (0 to 1).
    """
    seen = whole(img)
    chosen = max(_candidates(img, seen, look, eyes), key=lambda c: c.score, default=None)
    if chosen is None or chosen.score <= 0:
        raise EvidenceError("I find nothing of that look in the picture")
    how = {**chosen.found, "words": sorted(look_words(look)), "fit": round(float(chosen.score), 3)}
    return (
        Measurement("what it looks like", chosen.name, found=how),
        *placed(img, chosen.box, how),
        Measurement("share of the picture", 100 * chosen.share, "%", found=how),
        *_white_cell(img, chosen, eyes),
    )


def _white_cell(img: MicroImage, chosen: Candidate, eyes: str) -> tuple[Measurement, ...]:
    """The type of a white cell by its nucleus, where it is one."""
    if eyes == FLOOR or not is_kind(chosen.name, "white blood cell"):
        return ()
    try:
        return run(
            "white_cell_type", img, eyes=eyes, x=(chosen.box[0] + chosen.box[2]) / 2, y=(chosen.box[1] + chosen.box[3]) / 2
        )[:1]
    except EvidenceError:
        return ()  # its nucleus does not stand out


def look_words(look: str) -> tuple[str, ...]:
    """Words for colour and brightness, in the order of the palette: always the same one for the same question."""
    look = look.split(" with ")[0]  # "the burst cell with red dots": the dots are red, not the cell
    return tuple(w for w in (*_HUE_OF, "black", "white", "dark", "bright", "grey") if re.search(rf"\b{w}\b", look))


def _candidates(img: MicroImage, seen: Whole, look: str, eyes: str) -> list[Candidate]:
    pixels = float(np.prod(img.plane_shape))
    found = [
        Candidate(CALLED[m.kind], m.box, np.array(m.colour), _area(m.box) / pixels, found={"contrast": round(m.contrast, 3)})
        for m in marks_of(img, seen)
    ]
    for c in found:
        c.score = 0.4 + _fit(c, seen, look, img)  # what is drawn or lies on it is what people point at
    if re.search(_LINE_WORDS, look):
        found += _bands(img, seen, look)
    objects = [] if re.search(_AREA, look) else _objects(img, seen, look, eyes)
    regions = [] if any(c.score > 0.5 for c in (*found, *objects)) else _regions(img, seen, look)
    _nucleated(objects, np.median(seen.colours, axis=(1, 2)))
    return [*found, *objects, *regions]


def _nucleated(objects: list[Candidate], background: np.ndarray) -> None:
    """Renames red cells that take away far more red light than the others: only nuclear stain does."""
    red = [c for c in objects if is_kind(c.name, "red blood cell")]
    if len(red) < 5:
        return
    taken = np.array([-np.log10(max(float(c.colour[0] / max(background[0], 0.05)), 0.01)) for c in red])
    excess = np.array([float(c.colour[2] - c.colour[1]) for c in red])  # bluer than the haemoglobin of its neighbours
    for c, t, e in zip(red, taken, excess, strict=True):
        if t > _DEEPER * float(np.median(taken)) + 0.02 and e > _BLUER + float(np.median(excess)):
            c.name = "nucleated cell, probably a white blood cell (leukocyte): it is stained as nuclei are, unlike the red cells"


def _bands(img: MicroImage, seen: Whole, look: str) -> list[Candidate]:
    out = []
    for band in edge_bands(seen):
        name = f"dark band along the {band.edge} edge: not a cell, but as the wall or edge of a chamber, channel or plate looks"
        c = Candidate(name, band.box, np.zeros(3), _area(band.box) / float(np.prod(img.plane_shape)), found={"spans": band.spans})
        c.score = 1.0 + _place_fit(c.box, look, img)
        out.append(c)
    return out


def _objects(img: MicroImage, seen: Whole, look: str, eyes: str) -> list[Candidate]:
    """Whole objects of the first layer, named by the model or plain objects."""
    if eyes == FLOOR:
        table, how = select(img, eyes=eyes).table, {}
    else:
        found = all_named(img, eyes)
        table, how = found.table, {k: v for k, v in made_by(eyes, found).items() if k in ("weights", "score_threshold")}
        table = table[table["layer"] == "object"] if (table["layer"] == "object").any() else table
    if not len(table):
        return []
    names = table["name"] if "name" in table else pd.Series(["object"] * len(table), index=table.index)
    common, size = names.value_counts(normalize=True), table["bbox_x1_px"] - table["bbox_x0_px"]
    out = []
    if re.search(r"\bcells?\b", look):
        table = table[[not is_kind(str(n), "platelet") for n in names]]
    for k in range(len(table)):
        row, name, wide = table.iloc[k], str(names.loc[table.index].iloc[k]), float(size.loc[table.index].iloc[k])
        box = tuple(float(row[f"bbox_{c}_px"]) for c in ("x0", "y0", "x1", "y1"))
        c = Candidate(name, box, _colour(seen, box), _area(box) / float(np.prod(img.plane_shape)),  # type: ignore[arg-type]
                      found={**how, "certainty": round(float(row.get("score", 0.0)), 3)})  # fmt: skip
        c.score = (
            _fit(c, seen, look, img)
            + _RARITY[bool(re.search(_ODD, look))] * float(common[name] < _RARE)
            + _size_fit(wide, size, look)
        )
        out.append(c)
    return out


def _regions(img: MicroImage, seen: Whole, look: str) -> list[Candidate]:
    """Connected areas of a colour that the words name."""
    out = []
    grey = ndi.gaussian_filter(seen.grey, 2)
    for word in look_words(look):
        if word in _HUE_OF:
            mask = (_hue_distance(seen.colours, word) < 22) & (seen.chroma > 0.12)
        else:
            low, high = np.percentile(grey, (2, 98))
            mask = grey <= low if word in ("black", "dark") else grey >= high
        labels, n = ndi.label(ndi.binary_opening(mask, iterations=2))
        sizes = np.bincount(labels.ravel(), minlength=n + 1)
        for k in np.argsort(-sizes[1:])[:6] + 1 if n else []:
            place = ndi.find_objects((labels == k).astype(np.int8))[0]
            share = float(sizes[k]) / labels.size
            c = Candidate(
                f"{word} area that has no name the model knows", seen.box(*place), _colour(seen, seen.box(*place)), share
            )
            c.score = 0.3 + min(share, 0.2) + _place_fit(c.box, look, img)
            out.append(c)
    return out


def _fit(c: Candidate, seen: Whole, look: str, img: MicroImage) -> float:
    """How well colour and place fit, from about -1 to 1.5."""
    words, total = look_words(look), _place_fit(c.box, look, img)
    background = np.median(seen.colours, axis=(1, 2))
    through = c.colour / np.maximum(background, 0.05)  # as if the background were white
    for word in words:
        if word in _HUE_OF:
            off = float(_hue_distance(through[:, None, None], word)[0, 0])
            vivid = float(np.ptp(through))
            total += (1.0 - off / 45) * min(vivid / 0.15, 3.0) if off < 90 else -1.0
        else:
            above = float(c.colour.mean() - background.mean())
            total += 1.5 * (above if word in ("white", "bright") else -above) if word != "grey" else 0.0
    return total


def _place_fit(box: Box, look: str, img: MicroImage) -> float:
    height, width = img.plane_shape
    y, x = (box[1] + box[3]) / 2 / height, (box[0] + box[2]) / 2 / width
    fits = [(_ROWS["top"], y < 0.5), (_ROWS["bottom"], y > 0.5), (_COLS["left"], x < 0.5), (_COLS["right"], x > 0.5),
            (_MIDDLE, 0.25 < y < 0.75 or 0.25 < x < 0.75)]  # fmt: skip
    return sum(0.4 if holds else -0.6 for words, holds in fits if re.search(words, look))


def _size_fit(size: float, sizes: pd.Series, look: str) -> float:
    rank = float((sizes < size).mean())
    if re.search(_ODD, look):
        return 0.6 * (rank - 0.5)
    return 0.5 * (rank - 0.5) if re.search(_BIG, look) else 0.5 * (0.5 - rank) if re.search(_SMALL, look) else 0.0


def _hue_distance(colours: np.ndarray, word: str) -> np.ndarray:
    """Degrees between the hue of each pixel ``(3, y, x)`` and that of a colour word; blue and purple stains are one to most."""
    r, g, b = colours
    hue = np.degrees(np.arctan2(np.sqrt(3) * (g - b), 2 * r - g - b)) % 360
    wanted = [235, 275] if word in ("blue", "purple", "violet") else [_HUE_OF[word]]
    away = [np.abs((hue - w + 180) % 360 - 180) for w in wanted]
    return np.asarray(np.min(away, axis=0))


def _colour(seen: Whole, box: Box) -> np.ndarray:
    """Mean colour of the inner half of a box."""
    x0, y0, x1, y1 = (v / seen.factor for v in box)
    dx, dy = (x1 - x0) / 4, (y1 - y0) / 4
    part = seen.colours[:, int(y0 + dy) : max(int(y1 - dy), int(y0 + dy) + 1), int(x0 + dx) : max(int(x1 - dx), int(x0 + dx) + 1)]
    return np.asarray(part.mean(axis=(1, 2)) if part.size else seen.colours.mean(axis=(1, 2)))


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


@tool("oddities", unit="count", quantity="what in the picture is not as the rest")
def oddities(img: MicroImage, *, eyes: str = FLOOR) -> tuple[Measurement, ...]:
    """How many kinds of things there are that are no ordinary part of the picture (marks, debris, dark bands, dark corners) and
    objects of a rare kind; each with what it looks like, place and box, the most conspicuous first.
    """
    seen = whole(img)
    found: list[tuple[float, str, Box]] = [(m.contrast, CALLED[m.kind], m.box) for m in marks_of(img, seen)]
    found = [max((f for f in found if f[1] == name), key=lambda f: f[0]) for name in dict.fromkeys(f[1] for f in found)]
    found += [(b.contrast, f"dark band along the {b.edge} edge (wall or edge of a chamber)", b.box) for b in edge_bands(seen)]
    names = dark_corners(seen).names
    if names:
        height, width = img.plane_shape
        found.append(
            (0.5, f"dark corners ({', '.join(names)}): vignetting, a field stop or the edge of a well", (0, 0, width, height))
        )
    found += _rare(img, eyes)
    how = {"looked_for": ["marks", "debris", "bands", "dark corners", "rare kinds of objects"]}
    out = [Measurement("kinds of oddities", len(found), "count", found=how)]
    for k, (_, name, box) in enumerate(found[:4]):
        out.append(Measurement(f"oddity {k + 1}", name, found=how))
        out += [Measurement(f"{m.quantity} of oddity {k + 1}", m.value, m.unit, found=how) for m in placed(img, box, how)]
    return tuple(out)


def _rare(img: MicroImage, eyes: str) -> list[tuple[float, str, Box]]:
    """The largest object of a kind that is rare among whole objects, such as a white cell among red ones."""
    if eyes == FLOOR:
        return []
    table = all_named(img, eyes).table
    table = table[table["layer"] == "object"]
    share = table["name"].value_counts(normalize=True)
    rare = table[[share[n] < _RARE and not is_kind(str(n), "platelet") for n in table["name"]]]
    if not len(rare) or len(table) < 8:
        return []
    row = rare.iloc[int(np.argmax((rare["bbox_x1_px"] - rare["bbox_x0_px"]).to_numpy()))]
    box = tuple(float(row[f"bbox_{c}_px"]) for c in ("x0", "y0", "x1", "y1"))
    return [(0.3, f"{row['name']} (rare here)", box)]  # type: ignore[list-item]
