"""The model card: ``README.md`` of a weights folder, written from evaluations. What was measured is said; what was not, too."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from micro_nb.data.atomic import writing_file
from micro_nb.errors import WriteError
from micro_nb.learn.evaluation import Evaluation
from micro_nb.learn.judgements import JUDGEMENTS

FAILURES = "failures"
_SHOWN = (
    "ap50", "ap50_lenient", "ap", "pq", "box_map50", "box_map50_lenient", "box_map75", "point_recall", "relative_count_error",
    "calibration_error",
)  # fmt: skip
COLUMNS = ("data set", "modality", "labels", "images", "licence", "origin")
_FRONT = (
    "---\nlicense: {}\nlibrary_name: micro_nb\npipeline_tag: image-segmentation\ntags:\n- microscopy\n- instance-segmentation\n"
    "- image-text-retrieval\n---"
)
NOT_FOR_DIAGNOSIS = (
    "**Not for diagnosis.** This is a research tool. It is not a medical device, was not validated for any clinical use, and no "
    "decision about a patient may rest on it."
)


@dataclass(frozen=True)
class Source:
    """A data set that a model was trained on: name, modality, what is labelled, how many images, licence and origin."""

    name: str
    modality: str
    labels: str
    images: str
    licence: str
    origin: str


@dataclass(frozen=True)
class About:
    """What a card says beside figures.

    Attributes
    ----------
    title : name of the model. summary : what it is, in a paragraph.
    intended : what it is for, a sentence each. limits : where it must not be trusted, a sentence each.
    licence : of the weights, an SPDX identifier.
    facts : size, parameters, training recipe and the like, name -> value.
    """

    title: str
    summary: str
    intended: tuple[str, ...]
    limits: tuple[str, ...] = ()
    licence: str = "bsd-3-clause"
    facts: Mapping[str, str] | None = None


def write_card(
    folder: str | os.PathLike[str],
    evaluations: Sequence[Evaluation],
    *,
    about: About,
    sources: Sequence[Source],
    pictures: int = 6,
) -> Path:
    """Writes ``README.md`` of a weights folder, with small pictures of failures in ``failures/``.

    Parameters
    ----------
    folder : of the weights; must exist. evaluations : one a data set; contaminated ones are shown as such.
    about : words that no measurement gives. sources : what was trained on.
    pictures : at most so many failures, the worst of each data set first.

    Returns
    -------
    The path of the card.

    Raises
    ------
    WriteError : the folder does not exist or cannot be written to.
    ValueError : there is no evaluation.
    """
    root = Path(folder)
    if not root.is_dir():
        raise WriteError(f"{root}: no such folder; save the weights first, then write their card")
    if not evaluations:
        raise ValueError("a model card needs at least one evaluation; without figures there is nothing to say")
    worst = [f"{e.name}: {e.worst_words()}" for e in evaluations if e.worst is not None]
    notes = [f"{e.name}: {note}" for e in evaluations for note in e.notes]
    trained = ((s.name, s.modality, s.labels, s.images, s.licence, s.origin) for s in sources)
    boxes, asked, strata, worse = (_section(title, evaluations) for title in _SECTIONS)
    parts = [
        _FRONT.format(about.licence), f"# {about.title}", about.summary, NOT_FOR_DIAGNOSIS, "## Intended use",
        _bullets(about.intended), _table("", ["", ""], (about.facts or {}).items()), "## Trained on",
        _table("", COLUMNS, trained), "## Figures",
        _reading(evaluations), _figures(evaluations), boxes, asked, "## Where it is worst", _bullets(worst),
        "The lowest of several strata is low by chance as well; look at the intervals.", strata, worse,
        "## Failures", _failures(root, evaluations, pictures), "## Limits", _bullets((*about.limits, *notes)),
    ]  # fmt: skip
    path = root / "README.md"
    with writing_file(path) as partial:
        partial.write_text("\n\n".join(p for p in parts if p) + "\n")
    return path


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in dict.fromkeys(lines))


def _reading(evaluations: Sequence[Evaluation]) -> str:
    said = (
        "Values are means over images, in brackets the 95 % bootstrap interval over images, or over groups of images that belong "
        "together. AP of masks is TP / (TP + FP + FN) of each image; box mAP is COCO's."
    )
    dirty = [e.name for e in evaluations if e.contaminated]
    unchecked = [e.name for e in evaluations if not e.contamination.checked]
    if dirty:
        said += f" **(!)** marks figures on pictures that were trained on ({', '.join(dirty)}): they say nothing of new pictures."
    if unchecked:
        said += f" It was not checked whether these pictures were trained on: {', '.join(unchecked)}."
    return said


def _figures(evaluations: Sequence[Evaluation]) -> str:
    names = [n for n in _SHOWN if any(n in e.figures for e in evaluations)]
    rows = []
    for e in evaluations:
        cells = [_spread(e.figures[n].value, *e.figures[n].interval) if n in e.figures else "" for n in names]
        rows.append((_Done(_safe(e.name) + " (!)" * e.contaminated), len(e.images), *cells))
    return _table("", ["data set", "images", *(JUDGEMENTS[n].said for n in names)], rows)


def _asked(e: Evaluation) -> pd.DataFrame | None:
    if e.presence is None:
        return None
    others = e.presence.asked["dataset"].nunique() - 1
    return e.presence.figures.assign(**{"data set": f"{e.name} and {others} others" if others else e.name})


def _main(e: Evaluation) -> pd.DataFrame:
    return e.strata.rename(columns={e.main + end: "main" + end for end in ("", "_low", "_high")})


def _worse(e: Evaluation) -> pd.DataFrame | None:
    return None if e.robustness is None else e.robustness.rename(columns={"low": "figure_low", "high": "figure_high"})


_SECTIONS: dict[str, tuple[Callable[[Evaluation], pd.DataFrame | None], dict[str, str]]] = {
    "### Boxes by class": (lambda e: e.classes, {
        "class": "class", "n_true": "labelled", "labels": "labels", "ap50": "box AP at IoU 0.5", "ap50_lenient": "strays ignored",
        "recall": "recall",
    }),
    "### Is it there?": (_asked, {
        "what": "absent prompts", "auroc": "AUROC", "false_positive_rate": "false positives", "sensitivity": "sensitivity",
        "n_present": "asked present", "n_absent": "asked absent",
    }),
    "### By stratum": (_main, {"by": "by", "value": "stratum", "images": "images", "main": "main figure"}),
    "### On worse pictures": (_worse, {"kind": "made worse by", "level": "level", "figure": "main figure", "images": "images"}),
}  # fmt: skip
"""Heading -> the table of an evaluation, and its columns with their words."""


def _section(title: str, evaluations: Sequence[Evaluation]) -> str:
    of, columns = _SECTIONS[title]
    tables = [(e.name, table) for e in evaluations if (table := of(e)) is not None]
    rows = [[r.get("data set", name), *(_of(r, c) for c in columns)] for name, t in tables for r in t.to_dict("records")]
    return _table(title, ["data set", *columns.values()], rows)


def _failures(root: Path, evaluations: Sequence[Evaluation], pictures: int) -> str:
    turns = [(k, e, f) for e in evaluations for k, f in enumerate(e.failures)]
    chosen = sorted(turns, key=lambda turn: turn[0])[:pictures]
    if not chosen:
        return "No pictures of failures were kept."
    (root / FAILURES).mkdir(exist_ok=True)
    lines = ["Outlines: blue is labelled, yellow was found."]
    for k, e, failure in chosen:
        name = f"{re.sub(r'[^A-Za-z0-9_-]+', '_', e.name)}_{k}.png"
        with writing_file(root / FAILURES / name) as partial:
            partial.write_bytes(failure.png)
        lines.append(f"![{_safe(e.name)}]({FAILURES}/{name})\n\n{_safe(e.name)}, {_safe(failure.name)}: {_safe(failure.words)}")
    return "\n\n".join(lines)


class _Done(str):
    """Text that is markup already."""


def _spread(value: float, low: float, high: float) -> _Done:
    return _Done("" if value != value else f"{value:.3f} [{low:.3f}, {high:.3f}]")


def _of(row: Mapping[Any, Any], name: str) -> object:
    """A cell: the figure with its interval, where it has one."""
    if f"{name}_low" in row:
        return _spread(row[name], row[f"{name}_low"], row[f"{name}_high"])
    return f"{row[name]:.3g}" if isinstance(row[name], float) else row[name]


def _safe(text: object) -> str:
    """Text of a file as one cell: no markup of its own."""
    return str(text) if isinstance(text, _Done) else re.sub(r"([|<>\[\]`*_])", r"\\\1", " ".join(str(text).split()))


def _table(above: str, head: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A table below some words; empty where it has no rows."""
    cells = [[_safe(cell) for cell in row] for row in rows]
    lines = ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *cells)]
    return "\n\n".join(p for p in (above, "\n".join(lines)) if p) if cells else ""
