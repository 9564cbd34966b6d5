"""A logged conversation and the images it was about, found and opened again."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...data.address import open_address
from ...data.image import MicroImage
from ...errors import LogError, MicroNBError
from ..album import Album, Given
from ..answer import Answer
from .book import Choice, LoggedSession, LoggedTurn, load
from .database import default_path


class MissingImageWarning(UserWarning):
    """A conversation goes on without one of its images."""


def recalled(name: str, given: Given, log: Choice) -> tuple[LoggedSession, dict[str, MicroImage], Path]:
    """The conversation of this name, its images, and the log it stands in.

    Parameters
    ----------
    name : id, the beginning of one, or ``"last"``.
    given : images; needed where they were arrays in memory. Others are opened where they were.
    log : the file; True or None is the log in the user's data folder.

    Raises
    ------
    LogError : no such session, or the image that was spoken of last cannot be opened or is another one. Of other images this is
        a :class:`MissingImageWarning`, and the conversation goes on without them.
    """
    path = default_path() if log is None or isinstance(log, bool) else Path(log)
    logged, offered = load(name, path), list(Album.of(given).values())
    images, lost = {}, {}
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
        _say_lost(lost)
    return logged, images, path


def _say_lost(lost: Mapping[str, str]) -> None:
    """Names the images a conversation goes on without, and why."""
    why = "; ".join(f"{title}: {reason}" for title, reason in lost.items())
    many = "these images, which are" if len(lost) > 1 else "one image, which is"
    text = f"the session goes on without {many} not there as before; give what can be found as img=. {why}"
    warnings.warn(text, MissingImageWarning, stacklevel=4)


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


def answer_about(turn: LoggedTurn, logged: LoggedSession, images: Mapping[str, MicroImage]) -> Answer:
    """The answer of a turn, able to show where if its image is at hand."""
    about = logged.images[turn.image]["content_id"] if turn.image else None
    shown = next((img for img in images.values() if img.content_id == about), None)
    return replace(turn.answer, image=shown)
