"""Opening the log: its place, its tables, its journal, its migrations, and what happens where any of them fails."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ...errors import LogError

APPLICATION_ID = 0x4D4E4231
"""Stands in the header of the file (``PRAGMA application_id``), so that no other program's database is taken for a log."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE session (
        id TEXT PRIMARY KEY,
        started TEXT NOT NULL,      -- UTC, ISO 8601
        micro_nb TEXT NOT NULL,     -- version
        body TEXT NOT NULL          -- JSON: eyes, groups
    ) WITHOUT ROWID;
    CREATE TABLE image (            -- as every table of content: the key is the SHA-256 of the body
        hash TEXT PRIMARY KEY,
        body TEXT NOT NULL          -- JSON: content_id, name, address, facts
    ) WITHOUT ROWID;
    CREATE TABLE evidence (
        hash TEXT PRIMARY KEY,
        body TEXT NOT NULL          -- JSON: Evidence.to_dict()
    ) WITHOUT ROWID;
    CREATE TABLE answer (
        hash TEXT PRIMARY KEY,
        body TEXT NOT NULL          -- JSON: Answer.to_dict(), its evidence as hashes
    ) WITHOUT ROWID;
    CREATE TABLE turn (
        serial INTEGER PRIMARY KEY,
        session TEXT NOT NULL REFERENCES session(id),
        asked TEXT NOT NULL,        -- UTC, ISO 8601
        question TEXT NOT NULL,
        query TEXT NOT NULL,        -- JSON: {"calls": [expressions]}; of versions without expressions {"task": ...}
        answer TEXT NOT NULL REFERENCES answer(hash),
        image TEXT REFERENCES image(hash),
        undone TEXT                 -- when the turn was taken back; NULL for turns that hold
    );
    CREATE INDEX turn_of_session ON turn(session, serial);
    """,
    """
    CREATE TABLE album (            -- the images of a session by name, as they were last
        session TEXT NOT NULL REFERENCES session(id),
        name TEXT NOT NULL,
        position INTEGER NOT NULL,
        image TEXT NOT NULL REFERENCES image(hash),
        spoken_of INTEGER NOT NULL, -- whether the last turn left the conversation at it
        PRIMARY KEY (session, name)
    ) WITHOUT ROWID;
    """,
)
"""Tables, as ordered migrations: none is edited once it was released, a change is a new one at the end."""
_WAIT_S = 3.0
_NETWORK = ("nfs", "cifs", "smb", "afs", "9p", "lustre", "gpfs", "ceph", "beegfs", "glusterfs", "fuse.sshfs", "fuse.s3fs")
_SYNCHRONOUS = "FULL"  # a commit has reached the disk: what was shown survives kill -9, and a power cut


def data_folder() -> Path:
    """``$MICRO_NB_DATA``, else ``micro_nb`` in the user's data folder."""
    stated = os.environ.get("MICRO_NB_DATA")
    if stated:
        return Path(stated)
    home = Path.home()
    usual = {"darwin": home / "Library" / "Application Support", "win32": home / "AppData" / "Local"}
    own = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else os.environ.get("XDG_DATA_HOME")
    return Path(own or usual.get(sys.platform, home / ".local" / "share")) / "micro_nb"


def default_path() -> Path:
    """Where sessions are logged unless another file is named."""
    return data_folder() / "sessions.sqlite"


@contextmanager
def opened(path: Path, *, write: bool = False, migrations: Sequence[str] = MIGRATIONS) -> Iterator[sqlite3.Connection]:
    """A connection that lives for one piece of work, so that nothing is held between turns, across forks or between threads.

    Parameters
    ----------
    path : the file; made, with its folder, where ``write`` says so.
    write : the work is one transaction, committed when the block ends well and undone otherwise.
    migrations : scripts that bring an older log up to date, oldest first; for tests.

    Raises
    ------
    LogError : no log is there, it is damaged, it belongs to another program, or it was written by a newer version.
    """
    if write:
        _make_room(path)
    elif not path.is_file():
        raise LogError(f"{path}: there is no log here; sessions are logged once something was asked")
    try:
        connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    except sqlite3.Error as error:
        raise LogError(f"{path}: could not be opened ({error}); check the folder and its permissions") from error
    try:
        _check(connection, path, len(migrations))
        if write:
            _prepare(connection, path, migrations)
            connection.execute("BEGIN IMMEDIATE")
        yield connection
        if write:
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise LogError(f"{path}: {_cause(error)}") from error
    finally:
        connection.close()  # an open transaction is undone


def set_aside(path: Path) -> Path:
    """Renames a damaged log, and what SQLite keeps beside it, so that a new one can begin; nothing is deleted."""
    place = path.with_name(f"{path.stem}.damaged-{time.strftime('%Y%m%d-%H%M%S')}{path.suffix}")
    for end in ("", "-wal", "-shm", "-journal"):
        if path.with_name(path.name + end).exists():
            os.replace(path.with_name(path.name + end), place.with_name(place.name + end))
    return place


def is_damaged(error: LogError) -> bool:
    """Whether the bytes of the file are at fault, not its lock or its permissions."""
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def on_network(path: Path, mounts: str = "/proc/self/mounts") -> bool:
    """Whether a file lies on a network file system, where the shared memory of a write-ahead log does not work between hosts."""
    try:
        rows = [line.split()[1:3] for line in Path(mounts).read_text(errors="replace").splitlines()]
    except (OSError, IndexError):  # not Linux: SQLite itself refuses where it can tell
        return False
    place = path.absolute()
    under = [(len(at), kind) for at, kind in rows if place.is_relative_to(at.replace("\\040", " "))]
    return bool(under) and max(under)[1].startswith(_NETWORK)


def _make_room(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # questions and paths are the user's own
    except OSError as error:
        raise LogError(
            f"{path}: could not be made ({error.strerror}); set MICRO_NB_DATA to a folder that can be written"
        ) from error


def _check(connection: sqlite3.Connection, path: Path, known: int) -> None:
    owner, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if owner not in (0, APPLICATION_ID) or (owner == 0 and connection.execute("SELECT 1 FROM sqlite_schema").fetchone()):
        raise LogError(f"{path}: is a database of another program, not a log of sessions; name another file")
    if version > known:
        raise LogError(f"{path}: was written by a newer micro_nb (schema {version}, known are up to {known}); update micro_nb")


def _prepare(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    """Journal, durability, and the newest schema."""
    wanted = "DELETE" if on_network(path) else "WAL"
    try:
        granted = connection.execute(f"PRAGMA journal_mode={wanted}").fetchone()[0]
    except sqlite3.OperationalError:  # no shared memory here, or somebody else is at work: the journal stays as it is
        granted = "?"
    if wanted == "WAL" and granted not in ("wal", "?"):
        connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute(f"PRAGMA synchronous={_SYNCHRONOUS}")
    connection.execute("PRAGMA foreign_keys=ON")
    if connection.execute("PRAGMA user_version").fetchone()[0] < len(migrations):
        _migrate(connection, migrations)


def _migrate(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    """Brings the schema up to date, all of it or nothing; another process may have done so meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    done = connection.execute("PRAGMA user_version").fetchone()[0]
    for script in migrations[done:]:
        for statement in filter(str.strip, _statements(script)):
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={len(migrations)}")
    connection.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """``executescript`` would commit in between, so statements are run one by one."""
    part = ""
    for piece in script.split(";"):
        part += piece + ";"
        if sqlite3.complete_statement(part):
            yield part if piece.strip() else ""
            part = ""


def _cause(error: sqlite3.Error) -> str:
    remedy = {
        sqlite3.SQLITE_NOTADB: "it is not a log; name another file, or move it away",
        sqlite3.SQLITE_CORRUPT: "it is damaged; move it away and a new one begins",
        sqlite3.SQLITE_BUSY: "another process is writing; the next turn tries again",
        sqlite3.SQLITE_READONLY: "it may not be written; set MICRO_NB_DATA to a folder that can be",
        sqlite3.SQLITE_FULL: "the disk is full",
    }.get((getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF)
    return f"{error}" + (f": {remedy}" if remedy else "")
