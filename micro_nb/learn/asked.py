"""Whether a model knows what is not there: prompts of each data set asked on the pictures of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..progress import track
from ..tiles.objects import Objects
from .judgements import spread
from .judging import Parse
from .labelled_set import LabelledImage, LabelledSet, Notes
from .metrics.intervals import AllDraws, draws, interval, ratio
from .metrics.ranking import auroc_of_draws

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


def presence(sets: Sequence[LabelledSet], parse: Parse, *, known: Sequence[Answer] = ()) -> Presence | None:
    """Asks the prompts of every data set on a few pictures of all of them.

    Parameters
    ----------
    known : what was answered already to a set's own prompts; see :func:`own_answers`.

    Returns
    -------
    None where ``parse`` gives no ``presence``.

    Notes
    -----
    A class of boxes is there where it is labelled, and absent where it is not, unless its labels are incomplete. What nobody
    can say (a "cell" where only nuclei are stained) is not asked. The classes of one data set are asked together, as anyone
    would; prompts of the others are asked without a right one beside them.
    """
    rows, told = list(known), {answer["dataset"] for answer in known}
    work = [(s, item) for s in sets for item in s.few(PER_SET).images]
    for s, item in track(work, "asking what is there", unit="pictures"):
        if s.prompts and s.name not in told:
            rows += own_answers(s, item, parse(item.open(), s.prompts))
        rows += foreign_answers(s, item, sets, parse)
    return summarised(rows)


def own_answers(s: LabelledSet, item: LabelledImage, found: Objects) -> list[Answer]:
    """What was said of the set's own prompts, for those of which the labels of this picture tell whether they are there."""
    asked = [(p, truth, "own" if truth else "within") for p, truth in there(item, s.notes).items()]
    return [] if found.presence is None else _answers(s, item, found, asked, s.prompts or [])


def foreign_answers(s: LabelledSet, item: LabelledImage, sets: Sequence[LabelledSet], parse: Parse) -> list[Answer]:
    """Asks the prompts of other sets, which are not there, and says what was answered."""
    mine = {*(s.prompts or ()), *s.notes.unsure, *there(item, s.notes)}
    kinds: dict[str, str] = {}
    for other in sets:
        kind = "within" if other.modality == s.modality else "across"
        kinds = {p: kind for p in other.prompts or () if p not in mine} | kinds
    asked = [(p, False, kind) for p, kind in kinds.items()]
    return _answers(s, item, parse(item.open(), list(kinds)), asked, list(kinds)) if kinds else []


def there(item: LabelledImage, notes: Notes) -> dict[str, bool]:
    """Prompt -> whether it is there, for what the labels of this picture tell."""
    found: dict[str, bool] = {}
    if item.prompt is not None and (item.label is not None or (item.points is not None and len(item.points))):
        lab = item.masks()
        found[item.prompt] = True if lab is None else bool((lab > 0).any())
    if item.boxes is not None:
        held = {p: bool((item.boxes.names == p).any()) for p in item.boxes.judged or ()}
        found |= {p: is_there for p, is_there in held.items() if is_there or p not in notes.incomplete}
    return found


def _answers(
    s: LabelledSet, item: LabelledImage, found: Objects, questions: Sequence[tuple[str, bool, str]], asked: Sequence[str]
) -> list[Answer]:
    """A row a question (prompt, truth, kind) on which something was said."""
    rows = []
    for prompt, truth, kind in questions:
        table = found.presence if found.presence is not None else pd.DataFrame(columns=["name"])
        same = table["name"] == prompt if len(table) != len(asked) else np.array([p == prompt for p in asked])
        for said in table[same].to_dict("records")[:1]:  # a row a prompt, in their order, whatever each is called there
            known = [said["score"]] if pd.notna(said.get("score")) else [1 - said["p_value"]] if pd.notna(said["p_value"]) else []
            rows.append({
                "dataset": s.name, "modality": s.modality, "image": item.name, "prompt": prompt, "truth": truth, "kind": kind,
                "score": float(*known), "status": str(said["status"]),
                "present": bool(pd.notna(said["present"]) and said["present"]),  # "not trained on this" is neither yes nor no
            })  # fmt: skip
    return rows


def summarised(answers: Sequence[Answer]) -> Presence | None:
    """The figures of answers, see :class:`Presence`; None where there are none."""
    if not answers:
        return None
    asked = pd.DataFrame(list(answers))
    right, wrong = asked[asked["truth"]], asked[~asked["truth"]]
    rows = []
    for kind, words in KINDS.items():
        other = wrong[wrong["kind"] == kind]
        same = right[right["modality"].isin(other["modality"])] if kind == "within" else right
        rows += [_row(kind, words, same, other)] if len(other) else []
    for prompt, other in wrong[wrong["kind"] == "within"].groupby("prompt", sort=True):
        same = right[(right["prompt"] == prompt) & right["modality"].isin(other["modality"])]
        rows += [_row("within", str(prompt), same, other)] if len(same) else []
    return Presence(asked, pd.DataFrame(rows))


def _row(kind: str, what: str, right: pd.DataFrame, wrong: pd.DataFrame) -> dict[str, Any]:
    """Figures of prompts that are there against prompts that are not."""
    both = pd.concat([right, wrong])
    image, names = pd.factorize(both["dataset"].astype(str) + "/" + both["image"].astype(str))
    truth, score, said = both["truth"].to_numpy(bool), both["score"].to_numpy(float), both["present"].to_numpy(bool)

    member = np.asarray(image)
    figures = {
        "auroc": AllDraws(lambda w: auroc_of_draws(truth, score, w[:, member])),
        "false_positive_rate": AllDraws(lambda w: ratio(w[:, member] @ (said & ~truth), w[:, member] @ ~truth)),
        "sensitivity": AllDraws(lambda w: ratio(w[:, member] @ (said & truth), w[:, member] @ truth)),
    }
    row: dict[str, Any] = {"kind": kind, "what": what}
    for name, figure in figures.items():
        row |= spread(name, interval(figure, draws(len(names))))
    untrained = float((wrong["status"] == "not trained on this").mean())
    return row | {"n_present": len(right), "n_absent": len(wrong), "untrained_share": untrained}
