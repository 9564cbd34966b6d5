"""Measuring again what a logged conversation said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...data.image import MicroImage
from ...errors import EvidenceError, LogError, MicroNBError
from ..evidence import Evidence, Verdict
from ..registry import Measurement, Value, run
from .book import LoggedSession
from .resume import reopened

_Known = dict[str, dict[str, Measurement]]
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
    images: dict[str, MicroImage | str] = {}
    for about in logged.images.values():
        images[about["content_id"]] = _image(about, img)
    known: _Known = {}
    return [_check(question, e, images, rel_tol, known) for question, e in _facts(logged)]


def _facts(logged: LoggedSession) -> Iterator[tuple[str, Evidence]]:
    seen: set[str] = set()
    for turn in logged.turns:
        for e in turn.answer.evidence:
            if e.id not in seen:
                seen.add(e.id)
                yield turn.question, e


def _image(about: Mapping[str, Any], img: MicroImage | None) -> MicroImage | str:
    """The image, or why it is not there."""
    given = img if img is not None and img.content_id == about["content_id"] else None
    try:
        return reopened(about, given)
    except LogError as error:
        return str(error)


def _check(question: str, e: Evidence, images: dict[str, MicroImage | str], rel_tol: float, known: _Known) -> Check:
    img = images.get(e.image_id, "its image is not in the log") if e.image_id else None
    if isinstance(img, str):
        return Check(question, e, "not checked", reason=img)
    if not e.function:
        return Check(question, e, "not checked", reason="stated in the question, not measured")
    try:
        again = _again(e, img, known)
    except MicroNBError as error:
        return Check(question, e, "not checked", reason=str(error))
    outcome = e.compare(again, rel_tol=rel_tol)
    return Check(question, e, outcome, again.value, "" if outcome == "identical" else _changes(e, again))


def _again(e: Evidence, img: MicroImage | None, known: _Known) -> Evidence:
    """The fact measured now; facts of one call are measured together."""
    call = repr((e.function, e.image_id, e.region, sorted(e.arguments.items())))
    if call not in known:
        known[call] = {m.quantity: m for m in run(e.function, img, region=e.region, **e.arguments)}
    if e.quantity not in known[call]:
        raise EvidenceError(f"tool {e.function!r} no longer gives {e.quantity!r}; it gives {', '.join(known[call])}")
    return Evidence.of(known[call][e.quantity], e.function, img, region=e.region, parameters=e.arguments)


def _changes(old: Evidence, new: Evidence) -> str:
    """What is not as it was."""
    changed = [f"micro_nb {old.version} -> {new.version}"] if old.version != new.version else []
    if old.weights != new.weights:
        changed.append("other weights")
    keys = sorted(k for k in {*old.environment, *new.environment} if old.environment.get(k) != new.environment.get(k))
    changed += [f"{k} {old.environment.get(k)} -> {new.environment.get(k)}" for k in keys]
    return ", ".join(changed) or "same software, same environment"
