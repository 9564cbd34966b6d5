"""What was drawn into a picture or lies on it and is no specimen: scale bars, arrows, coloured patches, text, pointers, debris.

Drawn things give themselves away by what optics cannot make: lines that run along a pixel row, areas of one exact colour, edges
as sharp as a pixel. Things that lie in the light path are darker than any stain and have no colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage as ndi

from .whole import Whole

Kind = Literal["scale bar", "drawn patch", "text", "pointer", "debris"]
Slices = tuple[slice, slice]

_STEP = 0.1  # least contrast of a drawn line, of the range from black to white
_LINE = (0.03, 0.45)  # length of a scale bar, of the width of the picture
_SHORTEST = 20  # pixels of the shortest line that counts as drawn
_THICKEST = 8
_EVEN, _EVEN_GREY = 0.25, 0.02  # deviation along a drawn line, of its contrast; of the whole range in a grey picture
_SLENDER, _SAME = 6, 0.8  # length by thickness of a bar; share of its columns whose edge lies in one row
_PATCH = 2.5e-4  # least area of a drawn patch or of debris, of the picture
_INK = 0.2  # brightness of the rim that white letters stand on
_LETTERS, _FEW = 3, 6  # letters of a legend; drawn patches of one picture
_BRIGHT = 0.3  # brightness of a bright background
_EXCESS, _GLOW = 0.08, 0.25  # by how much a drawn colour exceeds it, and by how much blue does
_LARGEST = 0.05  # largest area of a drawn patch
_NEUTRAL, _SHADE, _BLACK = 0.14, 0.66, 0.42
"""Of the light that passes something on a stained slide: largest difference between colours of what has none; shadow; black."""
_TINTED, _POINTER = 0.06, 0.12  # chroma of the stain; least length of a pointer, of the picture


@dataclass(frozen=True)
class Mark:
    """One thing that is no specimen.

    Attributes
    ----------
    kind : what it looks like.
    box : ``(x0, y0, x1, y1)`` in pixels of level 0.
    contrast : of its grey values against what lies around it, of the range from black to white.
    colour : mean red, green and blue of it, 0 to 1.
    """

    kind: Kind
    box: tuple[float, float, float, float]
    contrast: float
    colour: tuple[float, float, float]


def marks(seen: Whole) -> tuple[Mark, ...]:
    """All marks of a picture; the most conspicuous of a kind first."""
    bars = _scale_bars(seen)
    found = [*bars, *_patches(seen), *_glyphs(seen, bars), *_dark_things(seen)]
    return tuple(sorted(found, key=lambda m: -m.contrast))


def _scale_bars(seen: Whole) -> list[Mark]:
    """Straight lines along pixel rows, of one colour, that end as sharply as they begin; overlapping ones are one bar."""
    width = seen.grey.shape[1]
    shortest = max(_SHORTEST, _LINE[0] * width)
    found: list[tuple[slice, slice, float]] = []
    planes = [*seen.colours] if seen.coloured else [seen.colours[0]]
    for plane in planes:
        for sign in (1.0, -1.0):
            found += _lines(plane * np.float32(sign), shortest, _LINE[1] * width, seen.coloured)
    return [_mark("scale bar", seen, (rows, cols), contrast) for rows, cols, contrast in _merged(found)]


def _lines(plane: np.ndarray, shortest: float, longest: float, coloured: bool) -> Iterator[tuple[slice, slice, float]]:
    """Bright bars of a plane ``(y, x)``."""
    for thick in (1, 3, _THICKEST):
        reach = thick + 1
        over = np.minimum(plane - _shifted(plane, reach), plane - _shifted(plane, -reach))
        labels, _ = ndi.label(over > _STEP)
        for k, place in enumerate(ndi.find_objects(labels)):
            tall, long = (s.stop - s.start for s in place)
            if not shortest <= long <= longest or tall > long:
                continue
            mask = labels[place] == k + 1
            run = _longest_run(mask)
            if run is None or run[2] - run[1] < shortest or not _straight(mask, *run):
                continue
            row, start, stop = place[0].start + run[0], place[1].start + run[1], place[1].start + run[2]
            line, contrast = plane[row, start:stop], float(np.median(over[row, start:stop]))
            even = _EVEN * contrast if coloured else _EVEN_GREY
            if float(np.std(line)) < even and _ends(plane, row, start, stop, contrast):
                yield place[0], slice(start, stop), contrast


def _shifted(plane: np.ndarray, by: int) -> np.ndarray:
    """The plane moved down by ``by`` rows; rows that come from outside repeat the first or last."""
    rows = np.clip(np.arange(plane.shape[0]) - by, 0, plane.shape[0] - 1)
    return np.asarray(plane[rows])


def _longest_run(mask: np.ndarray) -> tuple[int, int, int] | None:
    """``(row, start, stop)`` of the longest run along a row."""
    best: tuple[int, int, int] | None = None
    for row, line in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(np.int8), [0]])))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            if best is None or stop - start > best[2] - best[1]:
                best = row, int(start), int(stop)
    return best


def _straight(mask: np.ndarray, row: int, start: int, stop: int) -> bool:
    """Whether both long edges of the line run along pixel rows, and it is much longer than thick."""
    above = np.argmin(np.vstack([mask[row::-1, start:stop], np.zeros((1, stop - start), bool)]), axis=0)
    below = np.argmin(np.vstack([mask[row:, start:stop], np.zeros((1, stop - start), bool)]), axis=0)
    thick = int(np.median(above + below)) - 1
    same = [float(np.mean(np.abs(edge - np.median(edge)) < 1)) for edge in (above, below)]
    return bool(stop - start > _SLENDER * thick and min(same) > _SAME)


def _ends(plane: np.ndarray, row: int, start: int, stop: int, contrast: float) -> bool:
    """Whether the line stops at both ends within a few pixels."""
    inner = float(np.median(plane[row, start:stop]))
    outside = [plane[row, x] for x in (start - 5, stop + 4) if 0 <= x < plane.shape[1]]
    return len(outside) == 2 and all(inner - float(v) > 0.5 * contrast for v in outside)


def _merged(found: list[tuple[slice, slice, float]]) -> list[tuple[slice, slice, float]]:
    """Lines that lie on each other (of several colours or thicknesses) as one."""
    out: list[tuple[slice, slice, float]] = []
    for rows, cols, contrast in sorted(found, key=lambda f: -f[2]):
        if not any(_near(rows, r, 6) and _near(cols, c, 0) for r, c, _ in out):
            out.append((rows, cols, contrast))
    return out


def _near(a: slice, b: slice, gap: int) -> bool:
    return bool(a.start - gap < b.stop and b.start - gap < a.stop)


def _mark(kind: Kind, seen: Whole, place: Slices, contrast: float, inside: np.ndarray | None = None) -> Mark:
    part = seen.colours[(slice(None), *place)]
    colour = part[:, inside].mean(axis=1) if inside is not None else part.mean(axis=(1, 2))
    return Mark(kind, seen.box(*place), float(contrast), tuple(float(v) for v in colour))  # type: ignore[arg-type]


def _patches(seen: Whole) -> list[Mark]:
    """Coloured areas that no stain can give: a stain takes light away, so that on a bright background nothing that is stained is
    brighter than the background in red or green (cameras let blue glow a little).
    """
    background = np.median(seen.colours, axis=(1, 2))
    if not seen.coloured or float(background.mean()) < _BRIGHT:
        return []
    excess = seen.colours - background[:, None, None]
    drawn = (excess[:2].max(axis=0) > _EXCESS) | (excess[2] > _GLOW)
    tint = excess.max(axis=0) - excess.min(axis=0)
    labels, _ = ndi.label(ndi.binary_closing(drawn & (tint > _NEUTRAL), iterations=2))
    found = []
    for k, place in enumerate(ndi.find_objects(labels)):
        mask = labels[place] == k + 1
        above = float(excess[(slice(None), *place)][:, mask].mean(axis=1).max())
        if _PATCH * (1 if above > _GLOW else 3) * labels.size <= mask.sum() <= _LARGEST * labels.size:
            found.append(_mark("drawn patch", seen, place, above, mask))
    return found if len(found) <= _FEW else []  # many of them are the specimen


def _glyphs(seen: Whole, bars: list[Mark]) -> list[Mark]:
    """Letters: small sharp things of one colour, as the legend of a scale bar, or white on a black rim of a colour picture."""
    found = [legend for bar in bars if (legend := _legend(seen, bar)) is not None]
    if not seen.coloured or float(np.median(seen.chroma)) < 0.1:
        return found
    labels, _ = ndi.label(seen.colours.min(axis=0) > 0.8)
    grey, height = seen.grey, labels.shape[0]
    for k, place in enumerate(ndi.find_objects(labels)):
        tall, mask = place[0].stop - place[0].start, labels[place] == k + 1
        around = _wider(place, labels.shape)
        letter = labels[around] == k + 1
        rim = grey[around][ndi.binary_dilation(letter, iterations=5) & ~ndi.binary_dilation(letter, iterations=2)]
        if 6 <= tall < 0.2 * height and mask.mean() < 0.85 and rim.size and float(np.percentile(rim, 80)) < _INK:
            found.append(_mark("text", seen, place, float(grey[place][mask].mean()), mask))
    return found


def _wider(place: Slices, shape: tuple[int, ...]) -> Slices:
    return tuple(slice(max(s.start - 6, 0), min(s.stop + 6, n)) for s, n in zip(place, shape, strict=True))  # type: ignore[return-value]


def _legend(seen: Whole, bar: Mark) -> Mark | None:
    """Letters of the colour of a scale bar, just above or below it."""
    x0, y0, x1, y1 = (int(v / seen.factor) for v in bar.box)
    reach = max(12, (x1 - x0) // 3)
    strip = (slice(max(y0 - reach, 0), min(y1 + reach, seen.grey.shape[0])), slice(x0, x1))
    colour = np.median(seen.colours[:, y0:y1, x0:x1].reshape(3, -1), axis=1).astype(np.float32)
    alike = np.abs(seen.colours[(slice(None), *strip)] - colour[:, None, None]).max(axis=0) < 0.6 * bar.contrast
    alike[y0 - strip[0].start - 3 : y1 - strip[0].start + 3] = False
    labels, _ = ndi.label(alike, np.ones((3, 3)))
    small = [p for p in ndi.find_objects(labels) if 3 <= p[0].stop - p[0].start <= reach and p[1].stop - p[1].start <= reach]
    if len(small) < _LETTERS:
        return None
    rows, cols = (slice(min(p[k].start for p in small), max(p[k].stop for p in small)) for k in (0, 1))
    place = tuple(slice(s.start + r.start, s.start + r.stop) for s, r in zip(strip, (rows, cols), strict=True))
    return _mark("text", seen, place, bar.contrast)  # type: ignore[arg-type]


def _dark_things(seen: Whole) -> list[Mark]:
    """Things on a bright, stained slide that take away all colours alike: pointers that reach the border, and debris."""
    background = np.median(seen.colours, axis=(1, 2))
    if not seen.coloured or float(background.mean()) < _BRIGHT or float(np.percentile(seen.chroma, 98)) < _TINTED:
        return []
    size = max(1.0, 0.002 * seen.grey.shape[1])
    through = np.stack([ndi.gaussian_filter(p / b, size) for p, b in zip(seen.colours, background, strict=True)])
    grey = through.mean(axis=0)
    labels, _ = ndi.label((grey < _SHADE) & (through.max(axis=0) - through.min(axis=0) < _NEUTRAL))
    found = []
    for k, place in enumerate(ndi.find_objects(labels)):
        mask = labels[place] == k + 1
        if mask.sum() >= _PATCH * grey.size:
            mark = _dark_thing(seen, mask, place, float(grey[place][mask].mean()))
            found += [mark] if mark is not None else []
    return found


def _dark_thing(seen: Whole, mask: np.ndarray, place: Slices, through: float) -> Mark | None:
    rows, cols = np.nonzero(mask)
    spread = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(np.stack([rows, cols]))), 1e-6))
    at_rim = [s.start == 0 or s.stop == n for s, n in zip(place, seen.grey.shape, strict=True)]
    long = 4 * spread[1] > _POINTER * max(seen.grey.shape) and spread[1] > 3 * spread[0]
    if long and (any(at_rim) or 4 * spread[1] > 1.5 * _POINTER * max(seen.grey.shape)):
        return _mark("pointer", seen, place, 1 - through, mask)
    return _mark("debris", seen, place, 1 - through, mask) if through < _BLACK and not all(at_rim) else None
