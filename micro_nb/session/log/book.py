"""The log: turns of sessions in an SQLite file, appended as they are said, and read again.

Images, evidence and answers are kept once, under the SHA-256 of their JSON. A turn is one transaction that has reached the disk
before it is shown, so it survives ``kill -9`` and a power cut. Nothing is held open between turns, across forks or threads.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ... import __version__
from ...data.address import address_of
from ...data.image import MicroImage
from ...data.persons import without_persons
from ...errors import LogError
from ...settings import settings
from ..answer import Answer, Turn, calls_from
from ..language import Call

APPLICATION_ID, VERSION = 0x4D4E4231, 2
"""Stand in the header of the file, so that no other program's database is taken for a log, and no newer log is written to."""
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS session (
        id TEXT PRIMARY KEY,
        started TEXT NOT NULL,      -- UTC, ISO 8601
        micro_nb TEXT NOT NULL,     -- version
        body TEXT NOT NULL          -- JSON: eyes, groups
    ) WITHOUT ROWID""",
    *(f"CREATE TABLE IF NOT EXISTS {name} (hash TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID"
      for name in ("image", "evidence", "answer")),
    """CREATE TABLE IF NOT EXISTS turn (
        serial INTEGER PRIMARY KEY,
        session TEXT NOT NULL REFERENCES session(id),
        asked TEXT NOT NULL,        -- UTC, ISO 8601
        question TEXT NOT NULL,
        query TEXT NOT NULL,        -- JSON: {"calls": [expressions]}; of versions without expressions {"task": ...}
        answer TEXT NOT NULL REFERENCES answer(hash),
        image TEXT REFERENCES image(hash),
        undone TEXT                 -- when the turn was taken back; NULL for turns that hold
    )""",
    "CREATE INDEX IF NOT EXISTS turn_of_session ON turn(session, serial)",
    """CREATE TABLE IF NOT EXISTS album (  -- since version 2: the images of a session by name, as they were last
        session TEXT NOT NULL REFERENCES session(id),
        name TEXT NOT NULL,
        position INTEGER NOT NULL,
        image TEXT NOT NULL REFERENCES image(hash),
        spoken_of INTEGER NOT NULL, -- whether the last turn left the conversation at it
        PRIMARY KEY (session, name)
    ) WITHOUT ROWID""",
)  # fmt: skip
"""Made where they are missing, so that older logs are brought up to date: a table or column is added, none is changed."""
_WAIT_S = 3.0
_DAMAGED = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
_REMEDY = {
    sqlite3.SQLITE_NOTADB: ": it is not a log; name another file, or move it away",
    sqlite3.SQLITE_CORRUPT: ": it is damaged; move it away and a new one begins",
    sqlite3.SQLITE_BUSY: ": another process is writing; the next turn tries again",
    sqlite3.SQLITE_READONLY: ": it may not be written; set MICRO_NB_DATA to a folder that can be",
    sqlite3.SQLITE_FULL: ": the disk is full",
}
Choice = bool | str | os.PathLike[str] | None


class LogWarning(UserWarning):
    """A conversation goes on without being logged."""


@dataclass(frozen=True)
class LoggedTurn:
    """One exchange as it stands in the log; ``image`` is the hash of its image, ``calls`` what it was read as (nothing
    in logs of older versions), ``serial`` its row."""

    asked: str
    question: str
    calls: tuple[Call, ...]
    answer: Answer
    image: str | None
    serial: int


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
    choice : True or a file logs, False does not, None does what ``settings.log`` says.

    Attributes
    ----------
    path : the file; None keeps nothing.
    written : the turns that were written or read, each with the row it stands in.
    """

    def __init__(self, choice: Choice) -> None:
        choice = settings.log if choice is None else choice
        self.path = default_path() if choice is True else Path(choice) if choice else None
        self.written: list[tuple[int, Turn]] = []
        self._warned = False

    def keep(
        self, name: str, turns: Sequence[Turn], images: Mapping[str, MicroImage], about: str | None, told: Mapping[str, Any]
    ) -> None:
        """Writes the turns of a session that are new and marks those that were taken back.

        Parameters
        ----------
        name : the session's id.
        images, about : its images by name, and which is spoken of.
        told : its eyes, and the conditions that its images belong to.
        """
        if self.path is None:
            return
        write = partial(self._write, self.path, name, turns, images, about, told)
        try:
            write()
        except (LogError, OSError) as error:
            own = self.path == default_path()
            damaged = isinstance(error, LogError) and getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
            aside = _set_aside(self.path) if own and damaged else None
            if aside is not None:
                with suppress(LogError, OSError):
                    write()
            if not self._warned:
                self._warned = aside is None
                more = f" It was moved to {aside}, and a new log begins." if aside is not None else ""
                warnings.warn(f"the conversation goes on without a log: {error}.{more}", LogWarning, stacklevel=4)

    def _write(
        self, path: Path, name: str, turns: Sequence[Turn], images: Mapping[str, MicroImage], about: str | None,
        told: Mapping[str, Any],
    ) -> None:  # fmt: skip
        with opened(path, write=True) as connection:
            rows = connection.execute("SELECT serial FROM turn WHERE session = ? AND undone IS NULL", (name,))
            there = {row[0] for row in rows}  # none, where the file was removed or replaced: all is written again
            written = [(serial, turn) for serial, turn in self.written if serial in there]
            still = len([1 for (_, a), b in zip(written, turns, strict=False) if a is b])
            connection.execute("INSERT OR IGNORE INTO session VALUES (?, ?, ?, ?)", (name, _now(), __version__, _json(told)))
            for position, (title, img) in enumerate(images.items()):
                row = (name, title, position, _put(connection, "image", described(img)), title == about)
                connection.execute("INSERT OR REPLACE INTO album VALUES (?, ?, ?, ?, ?)", row)
            for serial, _ in written[still:]:
                connection.execute("UPDATE turn SET undone = ? WHERE serial = ?", (_now(), serial))
            spoken_of = images[about] if about is not None else None
            added = [(_insert(connection, name, turn, turn.answer.image or spoken_of), turn) for turn in turns[still:]]
        self.written = written[:still] + added


def new_id() -> str:
    """A name for a session that sorts by time: ``20260314-1592-653589``."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def default_path() -> Path:
    """Where sessions are logged unless another file is named: in ``$MICRO_NB_DATA``, else in the user's data folder."""
    home = Path.home()
    usual = {"darwin": home / "Library" / "Application Support", "win32": home / "AppData" / "Local"}
    own = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_DATA_HOME")
    stated = os.environ.get("MICRO_NB_DATA")
    folder = Path(stated) if stated else Path(own or usual.get(sys.platform, home / ".local" / "share")) / "micro_nb"
    return folder / "sessions.sqlite"


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
        by_use = "SELECT session FROM turn GROUP BY session ORDER BY max(serial)"
        ids = [row[0] for row in connection.execute(by_use)]
        found = ids[-1:] if name == "last" else [i for i in ids if i == name] or [i for i in ids if i.startswith(name)]
        if len(found) != 1:
            known = ", ".join(ids[-5:]) or "none"
            raise LogError(f"{'no' if not found else 'more than one'} session is called {name!r}; the last are: {known}")
        return _read(connection, found[0])


def latest(content_id: str, path: Path | None = None) -> LoggedSession | None:
    """The conversation about an image that was asked something last; None where there is none, or no log."""
    by_use = """SELECT turn.session FROM turn JOIN image ON image.hash = turn.image
        WHERE turn.undone IS NULL AND json_extract(image.body, '$.content_id') = ? ORDER BY turn.serial DESC LIMIT 1"""
    with suppress(LogError), opened(path or default_path()) as connection:
        found = connection.execute(by_use, (content_id,)).fetchone()
        return _read(connection, found[0]) if found else None
    return None


def damage(path: Path | None = None) -> list[str]:
    """What is wrong with the log's bytes: SQLite's own checks, dangling references, and contents that do not match their hash."""
    with opened(path or default_path()) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        lost = connection.execute("PRAGMA foreign_key_check")
        found += [f"{row[0]}: row {row[1]} refers to a missing {row[2]}" for row in lost]
        for table in ("image", "evidence", "answer"):
            rows = connection.execute(f"SELECT hash, body FROM {table}")
            found += [f"{table} {key[:12]}: its content was changed" for key, body in rows if _hash(body) != key]
        return found


@contextmanager
def opened(path: Path, *, write: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection that lives for one piece of work.

    Parameters
    ----------
    path : the file; made, with its folder, where ``write`` says so.
    write : the work is one transaction, committed when the block ends well and undone otherwise.

    Raises
    ------
    LogError : no log is there, it is damaged, it belongs to another program, or it was written by a newer version.
    """
    if not write and not path.is_file():
        raise LogError(f"{path}: there is no log here; sessions are logged once something was asked")
    try:
        if write:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # questions and paths are the user's own
        connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise LogError(f"{path}: could not be opened ({error}); set MICRO_NB_DATA to a folder that can be written") from error
    try:
        _check(connection, path)
        if write:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("BEGIN IMMEDIATE")
            for statement in (*SCHEMA, f"PRAGMA application_id={APPLICATION_ID}", f"PRAGMA user_version={VERSION}"):
                connection.execute(statement)
        yield connection
        if write:
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
        raise LogError(f"{path}: {error}{_REMEDY.get(code, '')}") from error
    finally:
        connection.close()  # an open transaction is undone


def _check(connection: sqlite3.Connection, path: Path) -> None:
    owner, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if owner not in (0, APPLICATION_ID) or (owner == 0 and connection.execute("SELECT 1 FROM sqlite_schema").fetchone()):
        raise LogError(f"{path}: is a database of another program, not a log of sessions; name another file")
    if version > VERSION:
        raise LogError(f"{path}: was written by a newer micro_nb (schema {version}, known are up to {VERSION}); update micro_nb")


def _set_aside(path: Path) -> Path:
    """Renames a damaged log, and what SQLite keeps beside it, so that a new one can begin; nothing is deleted."""
    place = path.with_name(f"{path.stem}.damaged-{time.strftime('%Y%m%d-%H%M%S')}{path.suffix}")
    for beside in (path, *path.parent.glob(f"{path.name}-*")):
        os.replace(beside, place.with_name(place.name + beside.name.removeprefix(path.name)))
    return place


def described(img: MicroImage) -> dict[str, Any]:
    """What the log keeps of an image: never pixels, never names of persons."""
    size = dict(img.pixel_size) if img.pixel_size else None
    facts = {
        "sizes": img.sizes, "dtype": str(img.dtype), "pixel_size": size, "pixel_size_source": img.pixel_size_source,
        "channels": [c.name for c in img.channels], "format": img.source.format, "metadata": without_persons(img.metadata),
    }  # fmt: skip
    return {"content_id": img.content_id, "name": img.name, "address": address_of(img), "facts": facts}


def _insert(connection: sqlite3.Connection, name: str, turn: Turn, image: MicroImage | None) -> int:
    body = turn.answer.to_dict()
    body["evidence"] = [_put(connection, "evidence", e) for e in body["evidence"]]
    answer = _put(connection, "answer", body)
    about = _put(connection, "image", described(image)) if image is not None else None
    row = (name, _now(), turn.question, _json({"calls": [str(c) for c in turn.calls]}), answer, about)
    into = "INSERT INTO turn (session, asked, question, query, answer, image) VALUES (?, ?, ?, ?, ?, ?)"
    return int(connection.execute(into, row).lastrowid or 0)


def _put(connection: sqlite3.Connection, table: str, content: Mapping[str, Any]) -> str:
    """Stores content under its hash; equal content is stored once."""
    body = _json(content)
    connection.execute(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", (_hash(body), body))
    return _hash(body)


def _get(connection: sqlite3.Connection, table: str, key: str) -> dict[str, Any]:
    row = connection.execute(f"SELECT body FROM {table} WHERE hash = ?", (key,)).fetchone()
    if row is None:
        raise LogError(f"the log lacks the {table} {key[:12]}; it is damaged: run micro-nb sessions verify")
    return json.loads(row[0])  # type: ignore[no-any-return]


def _read(connection: sqlite3.Connection, name: str) -> LoggedSession:
    started, version, body = connection.execute("SELECT started, micro_nb, body FROM session WHERE id = ?", (name,)).fetchone()
    turns = tuple(
        LoggedTurn(asked, question, calls_from(json.loads(query).get("calls")), _answer(connection, answer), image, serial)
        for asked, question, query, answer, image, serial in connection.execute(
            "SELECT asked, question, query, answer, image, serial FROM turn WHERE session = ? AND undone IS NULL ORDER BY serial",
            (name,),
        ).fetchall()
    )
    rows: list[tuple[str, str, int]] = []
    if connection.execute("PRAGMA user_version").fetchone()[0] >= VERSION:  # nobody has written since
        query = "SELECT name, image, spoken_of FROM album WHERE session = ? ORDER BY position"
        rows = connection.execute(query, (name,)).fetchall()
    album, about = {title: key for title, key, _ in rows}, next((title for title, _, current in rows if current), None)
    images = {key: _get(connection, "image", key) for key in {*album.values(), *(t.image for t in turns)} if key}
    told = json.loads(body)
    groups = {group: tuple(names) for group, names in told.get("groups", {}).items()}
    return LoggedSession(name, started, version, told["eyes"], turns, images, album, about, groups)


def _answer(connection: sqlite3.Connection, key: str) -> Answer:
    body = _get(connection, "answer", key)
    return Answer.from_dict(body | {"evidence": [_get(connection, "evidence", e) for e in body["evidence"]]})


def _json(content: Any) -> str:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)


def _hash(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
