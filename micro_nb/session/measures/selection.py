"""The objects that an expression means: chosen by kind, place, conditions and rank, and what measurements ask of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage as ndi
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ...analysis.measure import measure, nearest
from ...analysis.statistics import Estimate
from ...data.image import MicroImage
from ...errors import EvidenceError
from ...tiles.labels import layer_array
from ...tiles.objects import Objects
from ..language import Call
from ..words.phrases import kind_phrase, objects_phrase
from ..words.tables import table
from .eyes import METHOD, WIDE, Drawn, concept_of, is_large
from .measurement import Fact, Measurement, facts
from .quantities import OF_OTHERS, box, convert, plain_quantity, values_of
from .scene import ANYWHERE, Place, Scene, at_points, pixel_box, place_words

_PART = "ask about a part of it: Session(img.sel(region=...))"
REACH_PX = 2  # objects touch where at most one background pixel lies between them
_LEAST_PIXELS = 3  # pairs of pixels that must meet, so that a single corner is no contact
_OFFSETS = [(dy, dx) for dy in range(REACH_PX + 1) for dx in range(-REACH_PX, REACH_PX + 1) if (dy, dx) > (0, 0)]


@dataclass(frozen=True)
class Selection:
    """Objects that are meant, and how they were found.

    Attributes
    ----------
    scene : what was looked at.
    call : the expression that means them.
    kind : the word for them, in the singular.
    table : a row an object.
    objects : all objects they were chosen from, with their labels.
    found : how they were found, JSON values.
    place : where they lie.
    channel : what their brightness is measured in; None for all channels.
    drawn : the tiles that were looked at where the image is too large to be looked at whole; None elsewhere.
    others : what finds objects of another kind beside them.
    """

    scene: Scene = field(repr=False)
    call: Call
    kind: str
    table: pd.DataFrame = field(repr=False)
    objects: Objects = field(repr=False)
    found: Mapping[str, Any]
    place: Place = ANYWHERE
    channel: str | None = None
    drawn: Drawn | None = field(default=None, repr=False)
    others: Callable[[str], Selection] | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def image(self) -> MicroImage:
        """The image they lie in."""
        return self.scene.image

    @property
    def many(self) -> str:
        """The word for several of them."""
        return kind_phrase(self.kind)

    def phrase(self, n: float = 2) -> str:
        """What they are in words, conditions and all: "nuclei larger than 80 µm²"."""
        return objects_phrase(self.call, n)

    @property
    def caveat(self) -> str:
        """What is worth saying once of how they were taken, with a space before it; empty where nothing is."""
        said, asked = table("talking")["caveats"], concept_of(self.kind) or self.kind
        if self.found.get("not_learned"):
            return str(said["not_learned"])
        if "look" in self.found:
            return str(said["look"])
        if asked == "cell" and self.found.get("kind") == "nucleus":
            return str(said["nuclei"])
        return str(said["untrained"]) if self.found.get("method") == METHOD and asked not in (*WIDE, "nucleus") else ""

    @property
    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """y and x of their centres, in pixels of level 0."""
        return self.table["centroid_y_px"].to_numpy(float), self.table["centroid_x_px"].to_numpy(float)

    @property
    def spots(self) -> list[str]:
        """Where in the image each lies, in words."""
        return [place_words(self.image, y, x) for y, x in zip(*self.centres, strict=True)]

    @property
    def commonest_spot(self) -> str:
        """Where most of them lie."""
        return max(sorted(set(self.spots)), key=self.spots.count)

    def boxes(self, most: int) -> tuple[Measurement, ...]:
        """The boxes of the first of them as facts, so that they can be pointed at."""
        rows = [box(row) for _, row in self.table.head(most).iterrows()]
        names = ["box"] if len(self) == 1 else [f"box, number {k}" for k in range(1, len(rows) + 1)]
        return facts(self.found, *((name, value, "px") for name, value in zip(names, rows, strict=True)))

    @property
    def own(self) -> np.ndarray:
        """Their labels, row by row."""
        return np.asarray(self.table["label"], np.uint64 if self.table["label"].dtype.kind == "u" else int)

    @cached_property
    def labels(self) -> set[int]:
        """Their labels."""
        return set(self.own.tolist())

    @property
    def whole(self) -> Selection:
        """Those that the border of the image does not cut."""
        return self.rows(~self.table["touches_border"].to_numpy(bool))

    @property
    def narrowed(self) -> bool:
        """Whether a condition or a rank chooses among them."""
        return any(self.call.get(k) is not None for k in ("having", "by"))

    def rows(self, mask: np.ndarray) -> Selection:
        """Those whose row is true."""
        return replace(self, table=self.table[mask])

    def values(self, quantity: str, unit: str = "") -> tuple[np.ndarray, str]:
        """One number an object, and its unit; see :func:`~.quantities.values_of`."""
        name, kind = plain_quantity(quantity)
        if name in OF_OTHERS and self.others is not None:
            return self.of_others(name, self.others(kind), unit)
        return values_of(self.table, quantity, img=self.image, unit=unit, channel=self.channel)

    def of_others(self, name: str, others: Selection, unit: str = "") -> tuple[np.ndarray, str]:
        """How many of others lie in each, how many per cent of it they cover, or how far the nearest is."""
        if name == "count":
            return self.held(others), ""
        if name == "coverage":
            return 100 * np.asarray(ndi.mean(others.filled(), self.label_plane(), self.own)), "%"
        others.need_some()
        near, _ = cKDTree(np.stack(others.centres, axis=1)).query(np.stack(self.centres, axis=1), k=[1, 2])
        away = np.where(near[:, 0] > 0, near[:, 0], near[:, 1])  # not the way to itself
        pixel, natural = self.scene.pixel
        away[~np.isfinite(away)] = np.nan
        return away * pixel * convert(1.0, natural, unit or natural, self.scene.pixel_um), unit or natural

    def held(self, others: Selection) -> np.ndarray:
        """How many of others have their centre in each of them."""
        self.need_all("what lies in each of them")
        inside = np.sort(at_points(self.label_plane(), *others.centres))
        first, last = (np.searchsorted(inside, self.own, side=end) for end in ("left", "right"))
        return np.asarray(last - first)

    def finite(self, quantity: str, unit: str = "") -> tuple[np.ndarray, str, Selection]:
        """The numbers that exist, their unit, and the objects that have one."""
        measured, unit = self.values(quantity, unit)
        has = np.isfinite(measured)
        if has.any():
            return measured[has], unit, self.rows(has)
        size, name = self.image.pixel_size or {"y": 1.0, "x": 1.0}, quantity.replace("_", " ")
        if len(measured) and quantity.startswith(("perimeter", "roundness")) and size["y"] != size["x"]:
            raise EvidenceError(f"the pixels of {self.image.name} are not square, so no {name} can be given")
        raise EvidenceError(f"I find no {self.many} there, so there is no {name} of them")

    def label_plane(self) -> np.ndarray:
        """The labels ``(y, x)`` of all objects they were chosen from."""
        labels, unseen = self.objects.labels, "it cannot be seen what lies in them, or which of them touch"
        if labels is None:
            raise EvidenceError(f"the outlines were not kept, so {unseen}")
        if is_large(self.image):
            raise EvidenceError(f"this image is too large for all outlines at once, so {unseen}; {_PART}")
        return np.asarray((labels.isel(layer=0) if "layer" in labels.dims else labels).values)

    def filled(self) -> np.ndarray:
        """``(y, x)``, true where one of them is."""
        self.need_all("what lies in or around each of them")
        return np.isin(self.label_plane(), self.own)

    def groups(self, among: pd.DataFrame | None = None) -> list[list[int]]:
        """Labels of the objects that touch one another, directly or through others; the largest group first.

        Parameters
        ----------
        among : rows of the objects that are looked at; left out, all that these were chosen from.
        """
        wanted = (self.objects.table if among is None else among)["label"].to_numpy()
        place = {int(label): k for k, label in enumerate(wanted)}
        pairs = [(place[a], place[b]) for a, b in touching_pairs(self.label_plane()) if a in place and b in place]
        rows, cols = np.array(pairs, int).reshape(-1, 2).T
        _, group = connected_components(coo_array((np.ones(len(rows)), (rows, cols)), shape=(len(wanted), len(wanted))))
        members = [wanted[group == k].tolist() for k in range(int(group.max(initial=-1)) + 1)]
        return sorted((m for m in members if len(m) > 1), key=lambda m: (-len(m), m[0]))

    @property
    def touching(self) -> np.ndarray:
        """Which of them touch another object."""
        return np.isin(self.own, [label for group in self.groups() for label in group])

    @property
    def number(self) -> Measurement:
        """How many there are; an estimate with its interval where only a sample was looked at."""
        name = f"number of {self.many}"
        if self.drawn is None:
            return Measurement(name, len(self), "count", found=self.found)
        total = self.drawn.sample.total(self.table)
        found = {**self.found, **self.spread(total)}
        return Measurement(name, round(total.value), "count", (round(total.low), round(total.high)), found)

    def n(self, said: str = "", many: int | None = None) -> Fact:
        """How many of them were looked at, as a fact: "number of nuclei measured"."""
        return f"number of {self.many} {said}".strip(), len(self) if many is None else many, "count"

    def spread(self, estimate: Estimate) -> dict[str, Any]:
        """What evidence says of an interval over them: how sure, how made, what it covers and what it leaves out."""
        over = "the variation between objects" if self.drawn is None else "the draw of tiles"
        covers = f"{over}; not the errors of the {'model' if self.found.get('weights') else 'untrained segmentation'}"
        return {
            "confidence_percent": round(100 * estimate.confidence), "interval_by": estimate.method, "interval_covers": covers,
        }  # fmt: skip

    @property
    def area_px(self) -> float:
        """Pixels of the box they were looked for in."""
        rows, cols = pixel_box(self.image, self.place.region)
        return float((rows.stop - rows.start) * (cols.stop - cols.start))

    def need_all(self, what: str) -> None:
        """Refuses a sample where only all objects can tell."""
        if self.drawn is not None and not self.drawn.complete:
            why = f"this image is so large that I looked at a sample of its tiles, which cannot tell {what}"
            raise EvidenceError(f"{why}; {_PART}, or have all of it looked at: ask(..., budget=math.inf)")

    def need_some(self, least: int = 1, what: str = "to measure that") -> None:
        """Refuses too few."""
        if len(self) < least:
            raise EvidenceError(f"I find {'no' if not len(self) else 'too few'} {self.many} there {what}")

    def ranked(self, measured: np.ndarray, order: str) -> np.ndarray:
        """Positions of the largest (``"max"``) or smallest values first; ties go to the smaller label, always the same one."""
        keys = np.where(np.isfinite(measured), measured, -np.inf if order == "max" else np.inf)
        return np.lexsort((self.own, -keys if order == "max" else keys))

    def as_objects(self) -> Objects:
        """The objects as a layer to draw."""
        return replace(self.objects, table=self.table.reset_index(drop=True))


def together(call: Call, parts: Sequence[Selection]) -> Selection:
    """Objects of several kinds as one set; where they overlap, the smaller kind lies on top. Of large images a table alone."""
    image = parts[0].image
    plane, tables = None if is_large(image) else np.zeros(image.plane_shape, np.int32), list[pd.DataFrame]()
    for part in sorted(parts, key=lambda p: -float(np.median(p.values("area", "px2")[0])) if len(p) else 0.0):
        numbers = np.arange(1, len(part) + 1) + sum(len(t) for t in tables)
        tables.append(part.table.assign(label=numbers))
        if plane is not None:
            _paint(plane, part, numbers)
    table = pd.concat([t for t in tables if len(t)] or tables, ignore_index=True)
    table = table.drop_duplicates(["centroid_y_px", "centroid_x_px"], keep="last", ignore_index=True)  # of a kind of a kind
    near = next(c for c in map(str, table) if c.startswith("nearest_neighbour"))
    table[near] = nearest(*(table[f"centroid_{a}_{near.rpartition('_')[2]}"].to_numpy(float) for a in "yx"))
    labels = layer_array(plane, (), pixel_size=image.pixel_size) if plane is not None else None
    return _made_of(call, parts, table, labels)


def groups_of(call: Call, members: Selection) -> Selection:
    """What touching objects form together, two or more of them."""
    members.need_all("which of all objects touch")
    group = {label: k for k, labels in enumerate(members.groups(members.table), 1) for label in labels}
    plane = np.zeros(members.image.plane_shape, np.int32)
    _paint(plane, members, np.array([group.get(label, 0) for label in members.own.tolist()], int))
    labels = layer_array(plane, (), pixel_size=members.image.pixel_size)
    return _made_of(call, [members], measure(members.image, labels, name=str(call.args[0])), labels)


def _paint(plane: np.ndarray, objects: Selection, numbers: np.ndarray) -> None:
    """Writes objects into a plane, each with its number."""
    if len(objects):
        labels, order = objects.label_plane(), np.argsort(objects.own)
        at = np.clip(np.searchsorted(objects.own[order], labels), 0, len(order) - 1)
        own = objects.own[order][at] == labels
        plane[own] = numbers[order][at][own]


def _made_of(call: Call, parts: Sequence[Selection], table: pd.DataFrame, labels: Any) -> Selection:
    """Objects that were made of others, with how these were found."""
    told = {k: v for part in reversed(parts) for k, v in part.found.items() if k not in ("kind", "presence", "p_value")}
    told |= {"made_of": {part.kind: len(part) for part in parts}, "objects_in_image": len(table)}
    objects, first = replace(parts[0].objects, table=table, labels=labels, made_by=told), parts[0]
    return Selection(first.scene, call, str(call.args[0]), table, objects, told, channel=first.channel, drawn=first.drawn)


def touching_pairs(labels: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of labels of a ``(y, x)`` label image that touch, smaller label first.

    >>> touching_pairs(np.repeat([[1, 1, 2, 2, 0, 0, 0, 3]], 4, axis=0))
    [(1, 2)]
    """
    met: Counter[tuple[int, int]] = Counter()
    height, width = labels.shape
    for dy, dx in _OFFSETS:  # the plane against itself moved by (dy, dx), cut to where both are
        left, right = max(dx, 0), width + min(dx, 0)
        here, there = labels[dy:, left:right], labels[: height - dy, left - dx : right - dx]
        meets = (here != there) & (here > 0) & (there > 0)
        pairs, counts = np.unique(np.sort([here[meets], there[meets]], axis=0), axis=1, return_counts=True)
        met.update({(int(a), int(b)): int(n) for (a, b), n in zip(pairs.T, counts, strict=True)})
    return sorted(pair for pair, n in met.items() if n >= _LEAST_PIXELS)
