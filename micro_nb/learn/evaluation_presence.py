"""Whether a model knows what is not there: prompts of each data set asked on the pictures of the others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..progress import track
from ..tiles.objects import Objects
from .evaluation_images import Parse, asked_presence
from .labelled_set import KNOWN, LabelledImage, LabelledSet, Notes, Prompts, read_set
from .metrics.intervals import Statistic, draws, interval
from .metrics.ranking import auroc, auroc_of_draws

PER_SET = 12
KINDS = {"across": "over modalities", "within": "within a modality"}
Answer = dict[str, Any]


@dataclass(frozen=True)
class Presence:
    """Answers to "is it there?".

    Attributes
    ----------
    asked : a row a question: dataset, modality, image, prompt, truth (bool), kind (``"own"``, ``"across"`` or ``"within"``: whose
        prompt it is), score (larger: more likely there), present (bool), status.
    figures : a row a kind (``"across"``: prompts of other modalities; ``"within"``: of the same one, the hard case, against
        what is there in that modality), then a row a prompt that is there in some pictures of a modality and not in others:
        AUROC, false positive rate and sensitivity with intervals, and numbers.
    """

    asked: pd.DataFrame
    figures: pd.DataFrame


def presence(
    folders: Iterable[str | os.PathLike[str] | LabelledSet], parse: Parse, *, prompts: Prompts = None, limit: int = PER_SET
) -> Presence | None:
    """Asks the prompts of every data set on pictures of all of them.

    Parameters
    ----------
    folders : labelled folders, see :func:`~micro_nb.learn.labelled_set.read_set`.
    parse : as for :func:`micro_nb.evaluate`. prompts : of folders that are not known.
    limit : pictures of each folder, evenly spaced.

    Returns
    -------
    None where ``parse`` gives no ``presence``.

    Notes
    -----
    A class of boxes is there where it is labelled, and absent where it is not, unless its labels are incomplete. What nobody
    can say (a "cell" where only nuclei are stained) is not asked. The classes of one data set are asked together, as anyone
    would; prompts of the others are asked without a right one beside them.
    """
    sets = [(f if isinstance(f, LabelledSet) else read_set(f, prompts=prompts)).few(limit) for f in folders]
    rows: list[Answer] = []
    work = [(s, item) for s in sets for item in s.images]
    for s, item in track(work, "asking what is there", unit="pictures"):
        img = item.open()
        if s.prompts:
            rows += own_answers(s, item, parse(img, s.prompts))
        rows += foreign_answers(s, item, sets, parse)
    return summarised(rows)


def own_answers(s: LabelledSet, item: LabelledImage, found: Objects) -> list[Answer]:
    """What was said of the set's own prompts, for those of which the labels of this picture tell whether they are there."""
    if found.presence is None:
        return []
    asked = s.prompts or []
    base = {"dataset": s.name, "modality": modality(s), "image": item.name}
    rows = []
    for prompt, truth in there(item, s.notes).items():
        said = _said(found, prompt, asked)
        if said is not None:
            rows.append({**base, "prompt": prompt, "truth": truth, "kind": "own" if truth else "within", **said})
    return rows


def foreign_answers(s: LabelledSet, item: LabelledImage, sets: Sequence[LabelledSet], parse: Parse) -> list[Answer]:
    """Asks the prompts of other sets, which are not there, and says what was answered."""
    mine = {*(s.prompts or ()), *s.notes.unsure, *there(item, s.notes)}
    kinds: dict[str, str] = {}
    for other in sets:
        kind = "within" if modality(other) == modality(s) else "across"
        kinds = {p: kind for p in other.prompts or () if p not in mine} | kinds
    if not kinds:
        return []
    asked = list(kinds)
    found = parse(item.open(), asked)
    base = {"dataset": s.name, "modality": modality(s), "image": item.name, "truth": False}
    rows = [({**base, "prompt": p, "kind": kinds[p]}, _said(found, p, asked)) for p in asked]
    return [{**row, **said} for row, said in rows if said is not None]


def there(item: LabelledImage, notes: Notes) -> dict[str, bool]:
    """Prompt -> whether it is there, for what the labels of this picture tell."""
    found: dict[str, bool] = {}
    if item.prompt is not None and (item.label is not None or (item.points is not None and len(item.points))):
        lab = item.masks()
        found[item.prompt] = True if lab is None else bool((lab > 0).any())
    if item.boxes is not None:
        for prompt in item.boxes.judged or ():
            held = bool((item.boxes.names == prompt).any())
            if held or prompt not in notes.incomplete:
                found[prompt] = held
    return found


def modality(s: LabelledSet) -> str:
    """What the table of known folders says, else what index.csv says, else the folder's name."""
    told = [i.facts["modality"] for i in s.images if "modality" in i.facts]
    return KNOWN[s.name].modality if s.name in KNOWN else max(told, key=told.count) if told else s.name


def _said(found: Objects, prompt: str, asked: list[str]) -> Answer | None:
    row = asked_presence(found, prompt, asked)
    if row is None:
        return None
    sure = row["score"] if "score" in row and pd.notna(row["score"]) else 1 - row["p_value"] if pd.notna(row["p_value"]) else 0.0
    present = pd.notna(row["present"]) and bool(row["present"])  # "not trained on this" says neither yes nor no
    return {"score": float(sure), "present": present, "status": str(row["status"])}


def summarised(answers: Sequence[Answer]) -> Presence | None:
    """The figures of answers, see :class:`Presence`; None where there are none."""
    if not answers:
        return None
    asked = pd.DataFrame(list(answers))
    right = asked[asked["truth"]]
    rows = []
    for kind, words in KINDS.items():
        wrong = asked[~asked["truth"] & (asked["kind"] == kind)]
        same = right[right["modality"].isin(wrong["modality"])] if kind == "within" else right
        if len(wrong):
            rows.append(_row(kind, words, same, wrong))
    for prompt, wrong in asked[~asked["truth"] & (asked["kind"] == "within")].groupby("prompt", sort=True):
        same = right[(right["prompt"] == prompt) & right["modality"].isin(wrong["modality"])]
        if len(same):
            rows.append(_row("within", str(prompt), same, wrong))
    return Presence(asked, pd.DataFrame(rows))


def _row(kind: str, what: str, right: pd.DataFrame, wrong: pd.DataFrame) -> dict[str, Any]:
    """Figures of prompts that are there against prompts that are not."""
    both = pd.concat([right, wrong])
    image, names = pd.factorize(both["dataset"].astype(str) + "/" + both["image"].astype(str))
    weights = draws(len(names))
    truth, score, said = both["truth"].to_numpy(bool), both["score"].to_numpy(float), both["present"].to_numpy(bool)
    row: dict[str, Any] = {"kind": kind, "what": what}
    for name, statistic in _statistics(truth, score, said, np.asarray(image)).items():
        found = interval(statistic, weights)
        row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
    untrained = float((wrong["status"] == "not trained on this").mean())
    return row | {"n_present": len(right), "n_absent": len(wrong), "untrained_share": untrained}


@dataclass(frozen=True)
class _Auroc:
    """Area under the curve of the questions, as a function of how often each image counts."""

    truth: np.ndarray
    score: np.ndarray
    image: np.ndarray

    def __call__(self, weights: np.ndarray) -> float:
        return auroc(self.truth, self.score, weights=weights[self.image])

    def many(self, weights: np.ndarray) -> np.ndarray:
        return auroc_of_draws(self.truth, self.score, weights[:, self.image])


@dataclass(frozen=True)
class _Share:
    """Share of some questions that were answered with yes."""

    of: np.ndarray
    said: np.ndarray
    image: np.ndarray

    def __call__(self, weights: np.ndarray) -> float:
        return float(self.many(weights[None])[0])

    def many(self, weights: np.ndarray) -> np.ndarray:
        counted = weights[:, self.image] * self.of
        total = counted.sum(1)
        share: np.ndarray = np.full(len(weights), np.nan)
        np.divide(counted @ self.said, total, out=share, where=total > 0)
        return share


def _statistics(truth: np.ndarray, score: np.ndarray, said: np.ndarray, image: np.ndarray) -> dict[str, Statistic]:
    return {
        "auroc": _Auroc(truth, score, image),
        "false_positive_rate": _Share(~truth, said, image),
        "sensitivity": _Share(truth, said, image),
    }
