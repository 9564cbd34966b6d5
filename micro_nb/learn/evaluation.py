"""``Evaluation``: what :func:`micro_nb.evaluate` found, as tables, figures with intervals, pictures and JSON."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..analysis.statistics import Estimate
from ..data.image import MicroImage
from ..render.charts import curve_chart, interval_chart
from ..render.composite import parse_color
from ..render.outlined import outlined
from .asked import Presence
from .judgements import JUDGEMENTS
from .judging import Compared

MARK = " (!) trained on"
TRUE, FOUND = parse_color("#4dd8ff"), parse_color("#ffe14d")
_CHANGES = {
    "blur": "blur, sigma in px", "noise": "noise, of the range", "brightness": "brightness, times", "scale": "size, times",
}  # fmt: skip


@dataclass(frozen=True)
class Contamination:
    """Whether pictures of the evaluation were trained on.

    Attributes
    ----------
    checked : whether there was a list to check against. source : which, or why there was none.
    images : names of the pictures that are on it; the figures are marked where there are any.
    """

    checked: bool
    source: str
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """One of the worst images: its name, the figure it is ranked by, what happened in words, and a PNG."""

    name: str
    score: float
    words: str
    png: bytes

    @classmethod
    def of(cls, img: MicroImage, name: str, score: float, compared: Compared, row: Mapping[str, Any]) -> Failure:
        """Of an image and its row: what is labelled in blue, what was found in yellow."""
        said = f"{row['n_found']} found where {row['n_true']} are labelled"
        if "f1" in row:
            said += f"; precision {row['precision']:.2f}, recall {row['recall']:.2f}"
        true, layers = compared.truth.masks, () if compared.layers is None else compared.layers
        labels = [*([] if true is None else [(true, TRUE)]), *((layer, FOUND) for layer in layers)]
        pairs = [(b, color) for b, color in ((compared.truth.boxes, TRUE), (compared.boxes, FOUND)) if b is not None]
        boxes = [(b.boxes[np.isin(b.names.astype(str), list(compared.classes))], color) for b, color in pairs]
        return cls(name, score, said, outlined(img, labels=labels, boxes=boxes))


@dataclass(frozen=True)
class Evaluation:
    """Figures of one model on one labelled folder.

    Attributes
    ----------
    name : of the folder. by : what was evaluated. prompts : what was asked for; None for everything.
    images : a row an image: its strata, counts and figures. main : the figure by which strata and images are compared.
    figures : name -> value with its bootstrap interval over images (or groups of images).
    strata : a row a stratum with the same figures. worst : the one with the lowest main figure, or None.
    classes : a row a class of boxes, or None.
    presence : whether it knows what is not there, or None. robustness : the main figure on worse pictures, or None.
    contamination : whether pictures were trained on; where they were, every figure is marked.
    failures : pictures of the worst images. notes : what to mind, in sentences.
    """

    name: str
    by: str
    prompts: tuple[str, ...] | None
    images: pd.DataFrame
    main: str
    figures: Mapping[str, Estimate]
    strata: pd.DataFrame
    worst: Mapping[str, Any] | None
    contamination: Contamination
    classes: pd.DataFrame | None = None
    presence: Presence | None = None
    robustness: pd.DataFrame | None = None
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def contaminated(self) -> bool:
        """Whether any picture was trained on."""
        return bool(self.contamination.images)

    @property
    def megapixels_per_second(self) -> float:
        """Pixels parsed a second, reading included."""
        return float(self.images["megapixels"].sum() / self.images["seconds"].sum())

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pictures as JSON values; nan is None, and each figure says whether it is contaminated."""
        figures = {
            name: {"title": JUDGEMENTS[name].said, **asdict(f), "contaminated": self.contaminated}
            for name, f in self.figures.items()
        }
        plain: dict[str, Any] = json_values({
            "name": self.name, "by": self.by, "prompts": self.prompts, "n_images": len(self.images), "main": self.main,
            "figures": figures, "worst": self.worst, "strata": self.strata, "classes": self.classes,
            "presence": self.presence.figures if self.presence else None, "robustness": self.robustness,
            "contamination": asdict(self.contamination), "megapixels_per_second": self.megapixels_per_second,
            "notes": self.notes, "images": self.images,
        })  # fmt: skip
        return plain

    def chart(self) -> bytes:
        """The main figure over all images and over every stratum, with intervals, as PNG; the worst stratum in red."""
        overall = self.figures[self.main]
        ends = [self.main + end for end in ("", "_low", "_high")]
        rows: Any = [(f"all {len(self.images)} images", overall.value, *overall.interval)]
        rows += [(_stratum(row), *(float(row[end]) for end in ends)) for row in self.strata.to_dict("records")]
        marked = None if self.worst is None else _stratum(self.worst)
        return interval_chart(f"{self.name}: {self._title(self.main)}", rows, marked=marked)

    def robustness_chart(self) -> bytes | None:
        """The main figure on worse pictures, as PNG; None where that was not asked for."""
        if self.robustness is None:
            return None
        parts = self.robustness.groupby("kind", sort=False)[["level", "figure", "low", "high"]]
        curves: Any = {_CHANGES[str(kind)]: part.to_numpy(float).tolist() for kind, part in parts}
        return curve_chart(f"{self.name}: {self._title(self.main)} on worse pictures", curves)

    def summary(self) -> pd.DataFrame:
        """The figures as a table: figure, value, low, high, images."""
        rows = [(self._title(n), f.value, f.low, f.high, f.n) for n, f in self.figures.items()]
        return pd.DataFrame(rows, columns=["figure", "value", "low", "high", "images"])

    def _title(self, name: str) -> str:
        return JUDGEMENTS[name].said + (MARK if self.contaminated else "")

    def worst_words(self) -> str:
        """The worst stratum in a sentence; empty where there are no strata."""
        if self.worst is None:
            return ""
        w, name = self.worst, self.main
        clear = "below" if w["clear"] else "not clearly below"
        return (
            f"Worst stratum: {w['by']} = {w['value']} ({w['images']} images), {JUDGEMENTS[name].said} {w[name]:.3f} "
            f"[{w['_low']:.3f}, {w['_high']:.3f}], {clear} the {w['overall']:.3f} over all images."
        )

    def __repr__(self) -> str:
        main = self.figures[self.main]
        spread = f"{main.value:.3f} [{main.low:.3f}, {main.high:.3f}]"
        return f"<Evaluation of {self.by} on {self.name}: {self._title(self.main)} {spread}>"

    def text(self) -> str:
        """Everything that matters as plain text."""
        asked = "everything" if self.prompts is None else ", ".join(self.prompts)
        tables = [self.summary(), self.classes, self.presence.figures if self.presence else None]
        parts = [f"{self.by} on {self.name}, {len(self.images)} images, asked for {asked}"]
        parts += [_plain(t) for t in tables if t is not None]
        parts += [] if self.robustness is None else [f"{JUDGEMENTS[self.main].said} of worse pictures", _plain(self.robustness)]
        return "\n\n".join(p for p in (*parts, self.worst_words(), *self.notes) if p)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str | bytes]:
        return {"text/plain": self.text(), "text/html": self._repr_html_(), "image/png": self.chart()}

    def _repr_html_(self) -> str:
        ends = {self.main: self._title(self.main), f"{self.main}_low": "low", f"{self.main}_high": "high"}
        kept = [c for c in ("by", "value", "images", *ends) if c in self.strata]  # a page has no room for all figures
        strata = self.strata[kept].rename(columns={"value": "stratum", **ends})
        tables = [self.summary(), self.classes, strata, self.presence.figures if self.presence else None]
        shown = "".join(_html(t) for t in tables if t is not None and len(t))
        charts = "".join(_picture(p, 760) for p in (self.chart(), self.robustness_chart()) if p is not None)
        failures = "".join(
            f'<figure style="display:inline-block;margin:4px;max-width:220px">{_picture(f.png, 220)}'
            f'<figcaption style="font-size:11px">'
            f"{html.escape(f.name)}: {f.score:.2f}; {html.escape(f.words)}</figcaption></figure>"
            for f in self.failures
        )
        said = "".join(f"<p>{html.escape(s)}</p>" for s in (self.worst_words(), *self.notes) if s)
        return f"<div><p><b>{html.escape(repr(self)[1:-1])}</b></p>{charts}{shown}{said}{failures}</div>"


def json_values(value: Any) -> Any:
    """JSON values: mappings, lists, tables (as their rows), text, numbers; what is not finite becomes None."""
    if isinstance(value, pd.DataFrame):
        return json_values(value.to_dict("records"))
    if isinstance(value, Mapping):
        return {str(k): json_values(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(v) for v in value]
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


def _stratum(row: Mapping[Any, Any]) -> str:
    return f"{row['by']}: {row['value']}, n = {row['images']}"


def _plain(table: pd.DataFrame) -> str:
    return table.to_string(index=False, float_format="{:.3f}".format)


def _html(table: pd.DataFrame) -> str:
    return table.to_html(index=False, escape=True, border=0, float_format="{:.3f}".format)


def _picture(png: bytes, width: int) -> str:
    return f'<img alt="" style="max-width:{width}px" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
