"""The model card: ``README.md`` of a weights folder, written from evaluations. What was measured is said; what was not, too."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.atomic import writing_file
from ..errors import CorruptImageError, WriteError
from .asked import Presence
from .evaluation import Evaluation
from .judgements import JUDGEMENTS

FAILURES = "failures"
_SHOWN = (
    "ap50", "ap50_lenient", "ap", "pq", "box_map50", "box_map50_lenient", "box_map75", "point_recall", "relative_count_error",
    "calibration_error",
)  # fmt: skip
_COLUMNS = ("data set", "modality", "labels", "images", "licence", "origin")
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


def read_sources(readme: str | os.PathLike[str], *, names: Sequence[str] | None = None) -> list[Source]:
    """The table of data sets in a README.md: columns data set, modality, labels, images, licence, origin.

    Parameters
    ----------
    names : keep these, in the order of the table; default all.

    Raises
    ------
    CorruptImageError : there is no such table, or a name is not in it.
    """
    lines = [_cells(line) for line in Path(readme).read_text().splitlines() if line.lstrip().startswith("|")]
    head = next((k for k, cells in enumerate(lines) if set(_COLUMNS) <= set(cells)), None)
    if head is None:
        raise CorruptImageError(f"{readme}: no table with the columns {', '.join(_COLUMNS)}")
    place = [lines[head].index(c) for c in _COLUMNS]
    rows = takewhile(lambda cells: len(cells) == len(lines[head]), lines[head + 2 :])
    found = [Source(*(row[k] for k in place)) for row in rows]
    missing = set(names or ()) - {s.name for s in found}
    if missing:
        known = ", ".join(s.name for s in found)
        raise CorruptImageError(f"{readme}: no data set {', '.join(sorted(missing))}; there are {known}")
    return [s for s in found if names is None or s.name in names]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


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
    folder : of the weights; must exist.
    evaluations : one a data set; contaminated ones are shown as such.
    about : words that no measurement gives. sources : what was trained on, see :func:`read_sources`.
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
    shown = _failures(root, evaluations, pictures)
    parts = [
        _front(about), f"# {about.title}", about.summary, NOT_FOR_DIAGNOSIS, "## Intended use", _bullets(about.intended),
        _facts(about.facts), "## Trained on", _sources(sources), "## Figures", _reading(evaluations), _figures(evaluations),
        _classes(evaluations), _presence(evaluations), "## Where it is worst", _strata(evaluations), _robust(evaluations),
        "## Failures", shown, "## Limits", _bullets((*about.limits, *_notes(evaluations))),
    ]  # fmt: skip
    path = root / "README.md"
    with writing_file(path) as partial:
        partial.write_text("\n\n".join(p for p in parts if p) + "\n")
    return path


def _front(about: About) -> str:
    tags = "\n".join(f"- {t}" for t in ("microscopy", "instance-segmentation", "image-text-retrieval"))
    return f"---\nlicense: {about.licence}\nlibrary_name: micro_nb\npipeline_tag: image-segmentation\ntags:\n{tags}\n---"


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in dict.fromkeys(lines))


def _facts(facts: Mapping[str, str] | None) -> str:
    return _table(["", ""], [[_safe(k), _safe(v)] for k, v in facts.items()]) if facts else ""


def _sources(sources: Sequence[Source]) -> str:
    return _table(_COLUMNS, [[_safe(v) for v in (s.name, s.modality, s.labels, s.images, s.licence, s.origin)] for s in sources])


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
        mark = " (!)" if e.contaminated else ""
        cells = [_spread(e.figures[n].value, e.figures[n].low, e.figures[n].high) if n in e.figures else "" for n in names]
        rows.append([_safe(e.name) + mark, str(len(e.images)), *cells])
    return _table(["data set", "images", *(JUDGEMENTS[n].said for n in names)], rows)


def _classes(evaluations: Sequence[Evaluation]) -> str:
    rows = [
        [_safe(e.name), _safe(r["class"]), str(r["n_true"]), str(r["labels"]), _of(r, "ap50"), _of(r, "ap50_lenient"),
         f"{r['recall']:.3f}"]
        for e in evaluations if e.classes is not None for r in _rows(e.classes)
    ]  # fmt: skip
    head = ["data set", "class", "labelled", "labels", "box AP at IoU 0.5", "strays ignored", "recall"]
    return "### Boxes by class\n\n" + _table(head, rows) if rows else ""


def _presence(evaluations: Sequence[Evaluation]) -> str:
    rows = [
        [_safe(_asked(e.name, e.presence)), r["what"], _of(r, "auroc"), _of(r, "false_positive_rate"), _of(r, "sensitivity"),
         f"{r['n_present']} / {r['n_absent']}"]
        for e in evaluations if e.presence is not None for r in _rows(e.presence.figures)
    ]  # fmt: skip
    head = ["data set", "absent prompts", "AUROC", "false positives", "sensitivity", "asked present / absent"]
    return "### Is it there?\n\n" + _table(head, rows) if rows else ""


def _asked(name: str, presence: Presence) -> str:
    """Pictures of which folders were asked about."""
    others = presence.asked["dataset"].nunique() - 1
    return f"{name} and {others} others" if others else name


def _strata(evaluations: Sequence[Evaluation]) -> str:
    lines = [f"{e.name}: {e.worst_words()}" for e in evaluations if e.worst is not None]
    rows = [
        [_safe(e.name), _safe(r["by"]), _safe(r["value"]), str(r["images"]), _of(r, e.main)]
        for e in evaluations for r in _rows(e.strata)
    ]  # fmt: skip
    if not rows:
        return "The evaluations hold no strata."
    said = "The lowest of several strata is low by chance as well; look at the intervals."
    return "\n\n".join([_bullets(lines), said, _table(["data set", "by", "stratum", "images", "main figure"], rows)])


def _robust(evaluations: Sequence[Evaluation]) -> str:
    rows = [
        [_safe(e.name), r["kind"], f"{r['level']:g}", _spread(r["figure"], r["low"], r["high"]), str(r["images"])]
        for e in evaluations if e.robustness is not None for r in _rows(e.robustness)
    ]  # fmt: skip
    return (
        "### On worse pictures\n\n" + _table(["data set", "made worse by", "level", "main figure", "images"], rows)
        if rows
        else ""
    )


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


def _notes(evaluations: Sequence[Evaluation]) -> list[str]:
    return [f"{e.name}: {note}" for e in evaluations for note in e.notes]


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _spread(value: float, low: float, high: float) -> str:
    return "" if value != value else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _of(row: Mapping[str, Any], name: str) -> str:
    return _spread(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _safe(text: object) -> str:
    """Text of a file as one cell: no markup of its own."""
    return re.sub(r"([|<>\[\]`*_])", r"\\\1", " ".join(str(text).split()))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
