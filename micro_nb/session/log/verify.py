"""Measuring again what a logged conversation said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ...data.image import MicroImage
from ...errors import LogError, MicroNBError
from ..evidence import Evidence, Verdict
from ..measures.measurement import Value
from .book import LoggedSession
from .resume import reopened

Outcome = Verdict | Literal["not checked"]


@dataclass(frozen=True)
class Check:
    """One fact, measured again.

    Attributes
    ----------
    question : the first that it answered.
    evidence : as it was logged.
    outcome : ``"identical"``, ``"within tolerance"``, ``"differs"``, or ``"not checked"``.
    value : what was measured now; None where nothing was.
    reason : why it was not checked, or what is known of the difference.
    """

    question: str
    evidence: Evidence
    outcome: Outcome
    value: Value = None
    reason: str = ""


def verify(logged: LoggedSession, *, img: MicroImage | None = None, rel_tol: float = 1e-3) -> list[Check]:
    """Every fact of a conversation, each once.

    Parameters
    ----------
    logged : what :func:`~micro_nb.session.log.book.load` gave.
    img : the image, where it was an array in memory; otherwise it is opened again where it was.
    rel_tol : relative difference still called "within tolerance".
    """
    images, lost = dict[str, MicroImage](), dict[str, str]()
    for about in logged.images.values():
        name = about["content_id"]
        try:
            images[name] = reopened(about, img if img is not None and img.content_id == name else None)
        except LogError as error:
            lost[name] = str(error)
    return [_check(question, e, images, lost, rel_tol) for question, e in _facts(logged)]


def _facts(logged: LoggedSession) -> Iterator[tuple[str, Evidence]]:
    seen: set[str] = set()
    for turn in logged.turns:
        for e in turn.answer.evidence:
            if e.id not in seen:
                seen.add(e.id)
                yield turn.question, e


def _check(question: str, e: Evidence, images: Mapping[str, MicroImage], lost: Mapping[str, str], rel_tol: float) -> Check:
    needed = [e.image_id, *(how["content_id"] for how in e.parameters.get("album", {}).values())]
    reason = next((lost.get(name, "its image is not in the log") for name in needed if name and name not in images), None)
    if reason is not None:
        return Check(question, e, "not checked", reason=reason)
    try:
        outcome, again = e.recompute(images, rel_tol=rel_tol)
    except MicroNBError as error:
        return Check(question, e, "not checked", reason=str(error))
    return Check(question, e, outcome, again.value, "" if outcome == "identical" else _changes(e, again))


def _changes(old: Evidence, new: Evidence) -> str:
    """What is not as it was."""
    changed = [f"micro_nb {old.version} -> {new.version}"] if old.version != new.version else []
    if old.weights != new.weights:
        changed.append("other weights")
    keys = sorted(k for k in {*old.environment, *new.environment} if old.environment.get(k) != new.environment.get(k))
    changed += [f"{k} {old.environment.get(k)} -> {new.environment.get(k)}" for k in keys if k != "planned_by"]
    return ", ".join(changed) or "same software, same environment"
