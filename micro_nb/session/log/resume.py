"""A logged conversation and the image it was about, found and opened again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...data.address import open_address
from ...data.image import MicroImage
from ...errors import LogError, MicroNBError
from ..answer import Answer
from .book import Choice, LoggedSession, LoggedTurn, load
from .database import default_path


def recalled(name: str, img: MicroImage | None, log: Choice) -> tuple[LoggedSession, MicroImage | None, Path]:
    """The conversation of this name, its image, and the log it stands in.

    Parameters
    ----------
    name : id, the beginning of one, or ``"last"``.
    img : the image; needed where it was an array in memory. Left out, it is opened where it was.
    log : the file; True or None is the log in the user's data folder.

    Raises
    ------
    LogError : no such session, its image cannot be opened, or it is not the image the session was about.
    """
    path = default_path() if log in (None, True, False) else Path(log)  # type: ignore[arg-type]
    logged = load(name, path)
    if logged.image is None:
        return logged, img, path
    return logged, reopened(logged.image, img), path


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


def answer_about(turn: LoggedTurn, logged: LoggedSession, img: MicroImage | None) -> Answer:
    """The answer of a turn, able to show where if the turn was about ``img``."""
    about = logged.images[turn.image]["content_id"] if turn.image else None
    return replace(turn.answer, image=img if img is not None and img.content_id == about else None)
