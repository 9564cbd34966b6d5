"""``BlindReview``: people judge segmentations, pictures or answers without knowing which method made them.

The browser and the log hold codes and never a method's name; :attr:`BlindReview.table` is where the blinding ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import os
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import traitlets
from PIL import Image

from ..data.image import MicroImage
from ..data.open import open_image
from ..errors import LogError, MissingExtraError
from ..render.figure import compose
from ..render.frame import Frame
from ..render.look import Look
from ..render.overview import place_of
from ..render.png import encode_png
from .layers import layers_of
from .live import Live, web
from .overview import Overview

SCALE = ("unusable", "poor", "fair", "good", "excellent")
SIDES = ("left", "equal", "right")
_WIDTH, _TALLEST = 640, 0.9


@dataclass(frozen=True)
class Shown:
    """What is judged at once: ``things`` from left to right, and their ``code``; raters do not see whose ``methods``."""

    code: str
    case: Hashable
    methods: tuple[str, ...]
    things: tuple[Any, ...]


class BlindReview(Live):
    """A rating, or a comparison side by side, of what several methods made of the same cases, in random order and without names.

    Every judgement is on the disk before the next item is shown. The same rater goes on where the log ends, also after the kernel
    was killed; the last judgement of an item counts.

    Parameters
    ----------
    items : method -> what it made of each case: a sequence, or a mapping from names of cases, the same for all methods. An
        image, ``(image, objects or labels)``, an :class:`Overview` and PNG bytes are shown as pictures, text and answers as text.
    raters : their names.
    question : what they are asked.
    scale : the grades, worst first.
    compare : two methods side by side, "which is better?", in place of grades; every pair of methods on every case.
    log : a file that grows by a line a judgement.
    seed : of the order, which differs from rater to rater.
    height : of the panel in screen pixels.

    Raises
    ------
    ValueError : methods without the same cases, fewer than two methods to compare, or no raters.
    LogError : the log belongs to another review.

    Examples
    --------
    >>> import tempfile
    >>> log = tempfile.mkdtemp() + "/review.jsonl"
    >>> review = BlindReview({"old": ["12 nuclei"], "new": ["14 nuclei"]}, ["Ada", "Ben"], log=log)
    >>> for rater in review.raters:
    ...     for shown in review.waiting(rater):
    ...         review.judge(rater, shown.code, "good")
    >>> review.table["method"].tolist()
    ['new', 'old', 'new', 'old']
    """

    _esm = traitlets.Unicode(web("parts.js", "review.js")).tag(sync=True)
    _css = traitlets.Unicode(web("chat.css", "review.css")).tag(sync=True)
    _height = traitlets.Int(560).tag(sync=True)

    def __init__(
        self, items: Mapping[str, Any], raters: Sequence[str], *, question: str | None = None, scale: Sequence[str] = SCALE,
        compare: bool = False, log: str | os.PathLike[str] = "blind_review.jsonl", seed: int = 0, height: int = 560,
    ) -> None:  # fmt: skip
        super().__init__(_height=int(height))
        self.raters, self.compare = tuple(dict.fromkeys(map(str, raters))), compare
        self.choices = SIDES if compare else tuple(map(str, scale))
        self.question = question or ("Which is better?" if compare else "How good is it?")
        self._things, self._seed = _by_case(items), seed
        self._log, self._at = Path(log), ("", "")
        if not self.raters or len(self.choices) < 2 or len(items) < 1 + compare:
            had = f"{len(self.raters)} raters, {len(self.choices)} grades and {len(items)} methods"
            raise ValueError(f"with {had} there is nothing to judge")
        self._orders = {rater: self._order(rater) for rater in self.raters}
        codes = sorted(self._orders[self.raters[0]])
        self._plan = {"question": self.question, "choices": list(self.choices), "compare": compare, "seed": seed, "codes": codes}
        self._n, self._judged = len(codes), {(told["rater"], told["code"]): told for told in self._read()}

    def waiting(self, rater: str) -> list[Shown]:
        """What a rater has not judged yet, in the rater's own order."""
        return [shown for code, shown in self._orders[rater].items() if (rater, code) not in self._judged]

    def judge(self, rater: str, code: str, choice: str, *, note: str = "", seconds: float | None = None) -> None:
        """Keeps a judgement, at once and on the disk.

        Raises
        ------
        ValueError : no such rater, item or choice.
        """
        self._find(rater, code)
        if choice not in self.choices:
            raise ValueError(f"{choice!r} is not one of {', '.join(self.choices)}")
        judgement = {"rater": rater, "code": code, "choice": choice, "note": note[:2000], "seconds": seconds,
                     "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}  # fmt: skip
        self._append(judgement)
        self._judged[rater, code] = judgement

    @property
    def table(self) -> pd.DataFrame:
        """Every judgement with what it was about: here the blinding ends."""
        rows = []
        for (rater, code), told in sorted(self._judged.items()):
            shown = self._find(rater, code)
            row = {"rater": rater, "case": shown.case}
            if self.compare:
                side = {"left": shown.methods[0], "right": shown.methods[1], "equal": "equal"}[told["choice"]]
                row |= {"methods": " / ".join(sorted(shown.methods)), "preferred": side, "left": shown.methods[0]}
            else:
                row |= {"method": shown.methods[0], "choice": told["choice"], "score": self.choices.index(told["choice"]) + 1}
            rows.append(row | {key: told[key] for key in ("seconds", "note", "time")})
        table = pd.DataFrame(rows)
        by = ["rater", "case", "methods" if self.compare else "method"]
        return table.sort_values(by, key=lambda column: column.map(str), ignore_index=True) if len(table) else table

    def agreement(self) -> pd.DataFrame:
        """How far raters agree beyond chance: Cohen's kappa of each two, Fleiss' kappa, Krippendorff's alpha.

        Grades are ordered: Cohen's kappa is weighted by squares and alpha is ordinal; preferences and Fleiss' kappa are nominal.
        A value is NaN where it is not defined, as when all judged alike.

        Raises
        ------
        MissingExtraError : the libraries are not installed.

        References
        ----------
        Cohen, Psychol. Bull. 70 (1968) 213-220. Fleiss, Psychol. Bull. 76 (1971) 378-382. Krippendorff, Content Analysis (2004).
        """
        try:
            import krippendorff
            from sklearn.metrics import cohen_kappa_score
            from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa
        except ImportError:
            raise MissingExtraError("agreement needs more libraries; try pip install 'micro-nb[review]'") from None
        grid, grades = self._grid(), list(range(len(self.choices)))
        weights = None if self.compare else "quadratic"
        level: Literal["nominal", "ordinal"] = "nominal" if self.compare else "ordinal"
        cohen = (f"Cohen's kappa{', quadratic weights' if weights else ''}", "scikit-learn",
                 lambda v: cohen_kappa_score(v[:, 0], v[:, 1], labels=grades, weights=weights))  # fmt: skip
        fleiss = ("Fleiss' kappa", "statsmodels", lambda v: fleiss_kappa(aggregate_raters(v.astype(int), n_cat=len(grades))[0]))
        alpha = (f"Krippendorff's alpha, {level}", "krippendorff",
                 lambda v: krippendorff.alpha(v.T, level_of_measurement=level, value_domain=grades))  # fmt: skip
        pairs, rows = list(itertools.combinations(grid.columns, 2)), []
        for (measure, library, value), groups in ((cohen, pairs), (fleiss, [grid.columns]), (alpha, [grid.columns])):
            for raters in groups if pairs else ():
                values = grid[list(raters)].dropna(thresh=2 if library == "krippendorff" else len(raters)).to_numpy()
                found = float(value(values)) if len(np.unique(values[np.isfinite(values)])) > 1 else np.nan
                rows.append((measure, ", ".join(raters), len(values), found, f"{library} {version(library)}"))
        return pd.DataFrame(rows, columns=["measure", "raters", "items", "value", "by"])

    def handlers(self) -> Mapping[str, Callable[[Mapping[str, Any]], Any]]:
        return {"hello": self._hello, "start": lambda m: self._next(str(m["rater"])), "judge": self._judge, "back": self._back}

    def _hello(self, message: Mapping[str, Any]) -> None:
        self.tell("begin", raters=self.raters, question=self.question, choices=self.choices, still=self._name)

    def _judge(self, message: Mapping[str, Any]) -> None:
        rater, code, choice, note = (str(message[key]) for key in ("rater", "code", "choice", "note"))
        self.judge(rater, code, choice, note=note, seconds=round(float(message["seconds"]), 1))
        self._next(rater)

    def _back(self, message: Mapping[str, Any]) -> None:
        """The item that was judged last."""
        rater = str(message["rater"])
        before = [code for who, code in self._judged if who == rater and (rater, code) != self._at]
        if before:
            self._show(rater, self._find(rater, before[-1]))

    def _next(self, rater: str) -> None:
        waiting = self.waiting(rater)
        if waiting:
            self._show(rater, waiting[0])
        else:
            self._at = ("", "")
            self.tell("finished", n=self._n)
        self.settle()

    def _show(self, rater: str, shown: Shown) -> None:
        self._at = rater, shown.code
        made, before = [_visible(thing) for thing in shown.things], self._judged.get(self._at, {})
        self.tell(
            "item", [m for m in made if isinstance(m, bytes)], texts=[m if isinstance(m, str) else None for m in made],
            code=shown.code, done=self._n - len(self.waiting(rater)), n=self._n, chosen=before.get("choice"),
            note=before.get("note", ""),
        )  # fmt: skip

    def still(self) -> dict[str, Any]:
        """The item that was seen last, and how far everyone is; it stays blind."""
        rater, code = self._at
        shown = self._find(rater, code) if code else next(iter(self._orders[self.raters[0]].values()))
        pictures = [np.asarray(Image.open(io.BytesIO(m))) for m in map(_visible, shown.things) if isinstance(m, bytes)]
        alike = len({picture.shape for picture in pictures}) == 1
        return {"text/plain": repr(self), **({"image/png": encode_png(np.hstack(pictures))} if alike else {})}

    def __repr__(self) -> str:
        done = ", ".join(f"{rater} {self._n - len(self.waiting(rater))} of {self._n}" for rater in self.raters)
        return f"<BlindReview: {self.question} {' / '.join(self.choices)}; judged by {done}>"

    def _order(self, rater: str) -> dict[str, Shown]:
        """Everything by its code, in the order of a rater, and with the sides as this rater sees them."""
        chance, found = np.random.default_rng(list(hashlib.sha256(f"{self._seed}|{rater}".encode()).digest())), []
        for case, things in self._things.items():
            for methods in itertools.combinations(sorted(things), 1 + self.compare):
                code = hashlib.sha256(repr((self._seed, str(case), methods)).encode()).hexdigest()[:16]
                sides = tuple(methods[k] for k in chance.permutation(len(methods)))
                found.append(Shown(code, case, sides, tuple(things[m] for m in sides)))
        return {found[k].code: found[k] for k in chance.permutation(len(found))}

    def _find(self, rater: str, code: str) -> Shown:
        if code not in self._orders.get(rater, ()):
            raise ValueError(f"{rater!r} is not one of the raters {', '.join(self.raters)}, or no item has the code {code!r}")
        return self._orders[rater][code]

    def _grid(self) -> pd.DataFrame:
        """A row an item, a column a rater who judged anything; the place in the scale, or which of the two was preferred."""
        places = dict[str, dict[str, float]]()
        for (rater, code), told in self._judged.items():
            shown, place = self._find(rater, code), self.choices.index(told["choice"])
            flipped = self.compare and shown.methods != tuple(sorted(shown.methods))
            places.setdefault(rater, {})[code] = len(SIDES) - 1 - place if flipped else place
        return pd.DataFrame({rater: places[rater] for rater in self.raters if rater in places})

    def _read(self) -> Iterator[dict[str, Any]]:
        """The judgements of the log; what was cut off by a crash is left out."""
        lines = self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []
        told = []
        for line in lines:
            with contextlib.suppress(json.JSONDecodeError):
                told.append(json.loads(line))
        if told and told[0] != self._plan:
            raise LogError(f"{self._log}: belongs to another review (other items, question, grades or seed); choose another log")
        yield from (judgement for judgement in told[1:] if judgement["rater"] in self.raters)

    def _append(self, judgement: Mapping[str, Any]) -> None:
        lines = [judgement] if self._log.exists() else [self._plan, judgement]
        with self._log.open("a", encoding="utf-8") as file:
            file.writelines("\n" + json.dumps(line, ensure_ascii=False) for line in lines)  # so that what was cut off ends here
            file.flush()
            os.fsync(file.fileno())


def _by_case(items: Mapping[str, Any]) -> dict[Hashable, dict[str, Any]]:
    """Case -> method -> thing."""
    made = {str(m): dict(given) if isinstance(given, Mapping) else dict(enumerate(given, 1)) for m, given in items.items()}
    cases = [set(each) for each in made.values()]
    if any(each != cases[0] for each in cases) or not (cases and cases[0]):
        sizes = ", ".join(f"{m}: {len(each)}" for m, each in made.items())
        raise ValueError(f"all methods need the same cases, at least one; there are {sizes or 'none'}")
    return {case: {m: each[case] for m, each in made.items()} for case in next(iter(made.values()))}


def _visible(thing: Any) -> bytes | str:
    """A picture without names of files, layers or channels; or text."""
    if isinstance(thing, bytes | str):
        return thing
    if hasattr(thing, "text") and hasattr(thing, "evidence"):
        return str(thing.text)
    if not isinstance(thing, Overview):
        image, over = thing if isinstance(thing, tuple) else (thing, None)
        image = image if isinstance(image, MicroImage) else open_image(image)
        table_or_labels = {"objects" if hasattr(over, "table") or isinstance(over, pd.DataFrame) else "labels": over}
        thing = Overview(image, place_of(image, None), layers_of(image, **table_or_labels))
    frame = Frame.of_region(thing.region, width=_WIDTH, height=int(_WIDTH * _TALLEST))
    picture = Look.of(thing.image, thing.channels).draw(frame)
    thing.layers.paint(picture, frame)
    return encode_png(compose(picture, frame, pixel_size=thing.image.pixel_size, values=thing.layers.values))
