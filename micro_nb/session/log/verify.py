"""A logged conversation, its images opened again: to go on with it, and to measure again what it said."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...data.address import open_address
from ...data.image import MicroImage
from ...errors import LogError, MicroNBError
from ..album import Album, Given
from ..evidence import Evidence, Verdict
from ..measures.measurement import Value
from .book import LoggedSession


class MissingImageWarning(UserWarning):
    """A conversation goes on without one of its images."""


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
    outcome: Verdict | Literal["not checked"]
    value: Value = None
    reason: str = ""


def reopened(about: Mapping[str, Any], img: MicroImage | None = None) -> MicroImage:
    """The image that the log describes.

    Raises
    ------
    LogError : it cannot be opened, or its content is another one.
    """
    try:
        img = img if img is not None else open_address(about["address"], name=about["name"])
    except MicroNBError as error:
        raise LogError(f"the image of this session cannot be opened: {error}") from error
    if img.content_id != about["content_id"]:
        raise LogError(
            f"{img.name} is not the image of this session: its content is {img.content_id[:24]}…, "
            f"the session was about {about['content_id'][:24]}…; pass img= the image, opened with the same pixel size"
        )
    return img


def album_of(logged: LoggedSession, given: Given) -> dict[str, MicroImage]:
    """The images of a conversation by name; those that were arrays in memory must be given.

    Raises
    ------
    LogError : the image that was spoken of last cannot be opened or is another one. Of other images this is a
        :class:`MissingImageWarning`, and the conversation goes on without them.
    """
    offered, images, lost = list(Album.of(given).values()), dict[str, MicroImage](), dict[str, str]()
    for title, key in logged.album.items():
        about = logged.images[key]
        fitting = [img for img in offered if img.content_id == about["content_id"]] or (offered if len(logged.album) == 1 else [])
        try:
            images[title] = reopened(about, *fitting[:1])
        except LogError as error:
            if title == logged.about:
                raise
            lost[title] = str(error)
    if lost:
        why = "; ".join(f"{title}: {reason}" for title, reason in lost.items())
        many = "these images, which are" if len(lost) > 1 else "one image, which is"
        text = f"the session goes on without {many} not there as before; give what can be found as img=. {why}"
        warnings.warn(text, MissingImageWarning, stacklevel=3)
    return images


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
    asked: dict[str, tuple[str, Evidence]] = {}
    for turn in logged.turns:
        for e in turn.answer.evidence:
            asked.setdefault(e.id, (turn.question, e))
    return [_check(question, e, images, lost, rel_tol) for question, e in asked.values()]


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
    before, now = ({"micro_nb": e.version, **e.environment, "planned_by": None} for e in (old, new))
    changed = [f"{k} {before.get(k)} -> {now.get(k)}" for k in sorted({*before, *now}) if before.get(k) != now.get(k)]
    changed += ["other weights"] if old.weights != new.weights else []
    return ", ".join(changed) or "same software, same environment"
