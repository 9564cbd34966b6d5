"""The turns of a session, written into the log as they are said, and read again."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from ... import __version__
from ...data.address import address_of
from ...data.image import MicroImage
from ...data.persons import without_persons
from ...errors import LogError
from ...settings import settings
from ..album import Album
from ..answer import Answer, Turn, calls_from
from ..language import Call
from .database import default_path, is_damaged, opened, set_aside

_WITH_ALBUM = 2  # the schema's version from which on a session may have several images
_BY_USE = "SELECT session FROM turn GROUP BY session ORDER BY max(serial)"
Choice = bool | str | os.PathLike[str] | None


class Talk(Protocol):
    """What is logged of a session."""

    id: str
    turns: list[Turn]
    images: Album

    @property
    def about(self) -> str | None:
        """The name of the image that is spoken of."""

    @property
    def img(self) -> MicroImage | None:
        """That image."""

    @property
    def eyes(self) -> Any:
        """The eyes that were asked for, by name or as an object."""

    @property
    def looks_with(self) -> str:
        """The name of those that look."""


class LogWarning(UserWarning):
    """A conversation goes on without being logged."""


@dataclass(frozen=True)
class LoggedTurn:
    """One exchange as it stands in the log; ``image`` is the hash of its image, ``calls`` what it was read as (nothing
    in logs of older versions)."""

    asked: str
    question: str
    calls: tuple[Call, ...]
    answer: Answer
    image: str | None


@dataclass(frozen=True)
class LoggedSession:
    """A conversation as it stands in the log.

    Attributes
    ----------
    id, started, version : its name, when it began (UTC), and the micro_nb that held it.
    eyes : what it looked with.
    turns : those that hold, oldest first.
    images : hash -> ``content_id``, ``name``, ``address``, ``facts`` of every image the turns are about.
    album : name -> hash of the images as they were last, in the order they came.
    about : name of the one that was spoken of last.
    groups : conditions, each with the names of its images.
    """

    id: str
    started: str
    version: str
    eyes: str
    turns: tuple[LoggedTurn, ...]
    images: Mapping[str, Mapping[str, Any]]
    album: Mapping[str, str]
    about: str | None = None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def image(self) -> Mapping[str, Any] | None:
        """The image the last turn was about."""
        named = [turn.image for turn in self.turns if turn.image]
        return self.images[named[-1]] if named else None


class Writer:
    """Writes one session into a log, and never stops a conversation: what fails is a warning.

    Parameters
    ----------
    path : the file; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path, self._written, self._warned = path, [], False  # type: tuple[Path | None, list[tuple[int, Turn]], bool]
        self._file: tuple[int, int] | None = None

    @classmethod
    def of(cls, choice: Choice) -> Writer:
        """True or a file logs, False does not, None does what ``settings.log`` says."""
        choice = settings.log if choice is None else choice
        return cls(default_path() if choice is True else Path(choice) if choice else None)

    def known(self, turns: list[Turn], serials: list[int]) -> None:
        """Turns that stand in the log already."""
        self._written, self._file = list(zip(serials, turns, strict=True)), self._identity()

    def keep(self, session: Talk) -> None:
        """Writes the turns that are new and marks those that were taken back, in one transaction."""
        if self.path is None:
            return
        try:
            self._keep(session, self.path)
        except (LogError, OSError) as error:
            self._failed(session, error)

    def _keep(self, session: Talk, path: Path) -> None:
        if self._file != self._identity():  # the file was removed or replaced: all of it is written again
            self._written = []
        still = len([1 for (_, a), b in zip(self._written, session.turns, strict=False) if a is b])
        gone, new = self._written[still:], session.turns[still:]
        with opened(path, write=True) as connection:
            connection.execute("INSERT OR IGNORE INTO session VALUES (?, ?, ?, ?)", _session_row(session))
            for position, (name, img) in enumerate(session.images.items()):
                row = (session.id, name, position, _put(connection, "image", described(img)), name == session.about)
                connection.execute("INSERT OR REPLACE INTO album VALUES (?, ?, ?, ?, ?)", row)
            for serial, _ in gone:
                connection.execute("UPDATE turn SET undone = ? WHERE serial = ?", (_now(), serial))
            added = [(_insert(connection, session, turn), turn) for turn in new]
        self._written, self._file = self._written[:still] + added, self._identity()

    def _failed(self, session: Talk, error: LogError | OSError) -> None:
        aside = ""
        if isinstance(error, LogError) and is_damaged(error) and self.path == default_path():
            try:
                aside = f" It was moved to {set_aside(self.path)}, and a new log begins."
                self._keep(session, self.path)
            except (LogError, OSError) as again:
                error = again
        if not self._warned:
            self._warned = not aside
            warnings.warn(f"the conversation goes on without a log: {error}.{aside}", LogWarning, stacklevel=4)

    def _identity(self) -> tuple[int, int] | None:
        try:
            at = os.stat(self.path) if self.path is not None else None
        except OSError:
            return None
        return (at.st_dev, at.st_ino) if at is not None else None


def new_id() -> str:
    """A name for a session that sorts by time: ``20260314-1592-653589``."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def sessions(path: Path | None = None) -> list[LoggedSession]:
    """All logged conversations, oldest first.

    Raises
    ------
    LogError : there is no log, or it cannot be read.
    """
    with opened(path or default_path()) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM session ORDER BY started, id")]
        return [_read(connection, name) for name in ids]


def load(name: str, path: Path | None = None) -> LoggedSession:
    """One conversation, by its id, the beginning of it, or ``"last"``, the one that was asked something last.

    Raises
    ------
    LogError : none is called so, or several are.
    """
    with opened(path or default_path()) as connection:
        ids = [row[0] for row in connection.execute(_BY_USE)]
        found = ids[-1:] if name == "last" else [i for i in ids if i == name] or [i for i in ids if i.startswith(name)]
        if len(found) != 1:
            known = ", ".join(ids[-5:]) or "none"
            raise LogError(f"{'no' if not found else 'more than one'} session is called {name!r}; the last are: {known}")
        return _read(connection, found[0])


def serials(name: str, path: Path) -> list[int]:
    """Row numbers of the turns that hold."""
    with opened(path) as connection:
        rows = connection.execute("SELECT serial FROM turn WHERE session = ? AND undone IS NULL ORDER BY serial", (name,))
        return [row[0] for row in rows]


def damage(path: Path | None = None) -> list[str]:
    """What is wrong with the log's bytes: SQLite's own checks, dangling references, and contents that do not match their hash."""
    with opened(path or default_path()) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        found += [
            f"{row[0]}: row {row[1]} refers to a missing {row[2]}" for row in connection.execute("PRAGMA foreign_key_check")
        ]
        for table in ("image", "evidence", "answer"):
            rows = connection.execute(f"SELECT hash, body FROM {table}")
            found += [f"{table} {key[:12]}: its content was changed" for key, body in rows if _hash(body) != key]
        return found


def described(img: MicroImage) -> dict[str, Any]:
    """What the log keeps of an image: never pixels, never names of persons."""
    return {"content_id": img.content_id, "name": img.name, "address": address_of(img), "facts": _facts(img)}


def _facts(img: MicroImage) -> dict[str, Any]:
    size = dict(img.pixel_size) if img.pixel_size else None
    return {
        "sizes": img.sizes, "dtype": str(img.dtype), "pixel_size": size, "pixel_size_source": img.pixel_size_source,
        "channels": [c.name for c in img.channels], "format": img.source.format, "metadata": without_persons(img.metadata),
    }  # fmt: skip


def _session_row(session: Talk) -> tuple[str, str, str, str]:
    eyes = session.eyes if isinstance(session.eyes, str) else session.looks_with
    groups = {"groups": session.images.groups} if session.images.groups else {}
    return session.id, _now(), __version__, _json({"eyes": eyes, **groups})


def _insert(connection: sqlite3.Connection, session: Talk, turn: Turn) -> int:
    image = turn.answer.image or session.img
    body = turn.answer.to_dict()
    body["evidence"] = [_put(connection, "evidence", e) for e in body["evidence"]]
    answer = _put(connection, "answer", body)
    about = _put(connection, "image", described(image)) if image is not None else None
    row = (session.id, _now(), turn.question, _json({"calls": [str(c) for c in turn.calls]}), answer, about)
    into = "INSERT INTO turn (session, asked, question, query, answer, image) VALUES (?, ?, ?, ?, ?, ?)"
    return int(connection.execute(into, row).lastrowid or 0)


def _put(connection: sqlite3.Connection, table: str, content: Mapping[str, Any]) -> str:
    """Stores content under its hash; equal content is stored once."""
    body = _json(content)
    connection.execute(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", (_hash(body), body))
    return _hash(body)


def _read(connection: sqlite3.Connection, name: str) -> LoggedSession:
    started, version, body = connection.execute("SELECT started, micro_nb, body FROM session WHERE id = ?", (name,)).fetchone()
    rows = connection.execute(
        "SELECT asked, question, query, answer, image FROM turn WHERE session = ? AND undone IS NULL ORDER BY serial",
        (name,),
    ).fetchall()
    turns = tuple(
        LoggedTurn(asked, question, calls_from(json.loads(query).get("calls")), _answer(connection, answer), image)
        for asked, question, query, answer, image in rows
    )
    rows = _album(connection, name)
    album, about = {title: key for title, key, _ in rows}, next((title for title, _, current in rows if current), None)
    images = {key: _get(connection, "image", key) for key in {*album.values(), *(t.image for t in turns)} if key}
    told = json.loads(body)
    groups = {group: tuple(names) for group, names in told.get("groups", {}).items()}
    return LoggedSession(name, started, version, told["eyes"], turns, images, album, about, groups)


def _album(connection: sqlite3.Connection, name: str) -> list[tuple[str, str, int]]:
    if connection.execute("PRAGMA user_version").fetchone()[0] < _WITH_ALBUM:  # nobody has written since
        return []
    query = "SELECT name, image, spoken_of FROM album WHERE session = ? ORDER BY position"
    return connection.execute(query, (name,)).fetchall()


def _answer(connection: sqlite3.Connection, key: str) -> Answer:
    body = _get(connection, "answer", key)
    return Answer.from_dict(body | {"evidence": [_get(connection, "evidence", e) for e in body["evidence"]]})


def _get(connection: sqlite3.Connection, table: str, key: str) -> dict[str, Any]:
    row = connection.execute(f"SELECT body FROM {table} WHERE hash = ?", (key,)).fetchone()
    if row is None:
        raise LogError(f"the log lacks the {table} {key[:12]}; it is damaged: run micro-nb sessions verify")
    return json.loads(row[0])  # type: ignore[no-any-return]


def _json(content: Any) -> str:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)


def _hash(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
