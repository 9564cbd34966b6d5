"""Tables of the log, as ordered migrations: none is edited once it was released, a change is a new one at the end."""

from __future__ import annotations

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
