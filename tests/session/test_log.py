"""Every turn stands in the log before it is shown; a log that fails never stops a conversation."""

import multiprocessing
import os
import signal
import sqlite3
import warnings

import numpy as np
import pytest
from scenes import discs, on_the_floor  # noqa: F401

import micro_nb as mnb
from micro_nb.errors import LogError
from micro_nb.session.log import book
from micro_nb.session.log.book import LogWarning, damage, load, sessions
from micro_nb.settings import settings


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.sqlite"


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error", LogWarning)
        yield


def rows(path, query):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_what_was_asked_is_read_back_as_it_was_said(path):
    chat = mnb.Session(discs(pixel_size=0.5), log=path)
    for question in (
        'count("nucleus")',
        'stat("area", "mean", "nucleus")',
        'locate(obj("nucleus", by="area"))',
        'decline("treatment")',
    ):
        chat.ask(question)
    logged = load(chat.id, path)
    assert [t.question for t in logged.turns] == [t.question for t in chat.turns]
    for said, kept in zip(chat.turns, logged.turns, strict=True):
        assert kept.answer.to_dict() == said.answer.to_dict()
        assert kept.calls == said.calls
        assert [e.id for e in kept.answer.evidence] == [e.id for e in said.answer.evidence]
    assert damage(path) == []


def test_a_log_of_a_version_without_expressions_is_still_read(path):
    from micro_nb.session.log.verify import verify

    chat = mnb.Session(discs(), log=path)
    chat.ask('count("nucleus")')
    connection = sqlite3.connect(path)
    connection.execute("""UPDATE turn SET query = '{"task": "count", "target": "nuclei"}'""")
    connection.execute("UPDATE evidence SET body = replace(body, '\"expression\"', '\"target\"')")
    connection.commit()
    connection.close()
    (turn,) = load(chat.id, path).turns
    assert (turn.calls, turn.answer.value) == ((), 8)
    check = verify(load(chat.id, path), img=chat.img)[0]
    assert check.outcome == "not checked"
    assert "earlier version" in check.reason
    assert [t.question for t in mnb.Session.resume(chat.id, img=discs(), log=path)] == ['count("nucleus")']


def test_equal_content_is_stored_once(path):
    chat = mnb.Session(discs(), log=path)
    for _ in range(5):
        chat.ask('count("nucleus")')
    assert [n for (n,) in rows(path, "SELECT count(*) FROM turn")] == [5]
    assert [n for (n,) in rows(path, "SELECT count(*) FROM answer UNION ALL SELECT count(*) FROM evidence")] == [1, 1]


def test_a_session_that_was_asked_nothing_leaves_no_trace(path):
    mnb.Session(discs(), log=path)
    assert not path.exists()


def test_the_environment_decides_unless_told(tmp_path, monkeypatch):
    monkeypatch.setenv("MICRO_NB_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(settings, "log", False)
    mnb.Session(discs()).ask('image("bit_depth")')
    assert not (tmp_path / "data").exists()
    mnb.Session(discs(), log=True).ask('image("bit_depth")')
    monkeypatch.setattr(settings, "log", True)
    mnb.Session(discs()).ask('image("bit_depth")')
    mnb.Session(discs(), log=False).ask('image("bit_depth")')
    assert len(sessions()) == 2
    assert (tmp_path / "data" / "sessions.sqlite").stat().st_mode & 0o077 == 0  # for the user's eyes only


def test_a_turn_that_was_taken_back_is_marked_and_not_read(path):
    chat = mnb.Session(discs(), log=path)
    for question in ('count("nucleus")', 'image("bit_depth")'):
        chat.ask(question)
    del chat.turns[-1]
    chat.ask('image("size")')
    assert [t.question for t in load(chat.id, path).turns] == ['count("nucleus")', 'image("size")']
    assert rows(path, "SELECT question FROM turn WHERE undone IS NOT NULL") == [('image("bit_depth")',)]


def test_an_older_log_is_brought_up_to_date_and_a_newer_one_is_left_alone(path):
    first = mnb.Session(discs(), log=path)
    first.ask('image("bit_depth")')
    connection = sqlite3.connect(path)
    connection.executescript("DROP TABLE album; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;")
    connection.close()
    assert load(first.id, path).album == {}
    mnb.Session(discs(), log=path).ask('image("bit_depth")')
    assert len(load("last", path).album) == 1
    assert rows(path, "PRAGMA user_version") == [(2,)]
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LogError, match="newer micro_nb"):
        sessions(path)
    chat = mnb.Session(discs(), log=path)
    with pytest.warns(LogWarning, match="goes on without a log"):
        assert chat.ask('image("bit_depth")').value == 8


def test_a_log_that_was_removed_is_written_anew_whole(path):
    chat = mnb.Session(discs(), log=path)
    chat.ask('image("bit_depth")')
    for file in path.parent.iterdir():
        file.unlink()
    chat.ask('count("nucleus")')
    assert len(load(chat.id, path).turns) == 2


def test_a_damaged_log_of_ones_own_is_set_aside(tmp_path, monkeypatch):
    monkeypatch.setenv("MICRO_NB_DATA", str(tmp_path))
    monkeypatch.setattr(settings, "log", True)
    place = book.default_path()
    place.write_bytes(b"SQLite format 3\0" + bytes(np.random.default_rng(0).integers(0, 256, 5000, "uint8")))
    chat = mnb.Session(discs())
    with pytest.warns(LogWarning, match="a new log begins"):
        chat.ask('image("bit_depth")')
    chat.ask('count("nucleus")')
    assert len(load("last").turns) == 2
    assert list(tmp_path.glob("sessions.damaged-*.sqlite"))


def test_a_file_that_is_no_log_is_never_touched(tmp_path):
    notes, other = tmp_path / "notes.txt", tmp_path / "other.sqlite"
    notes.write_text("my only copy, " * 100)
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = notes.read_bytes(), other.read_bytes()
    for file in (notes, other, tmp_path):
        chat = mnb.Session(discs(), log=file)
        with pytest.warns(LogWarning, match="goes on without a log"):
            assert chat.ask('image("bit_depth")').value == 8
        assert chat.ask('count("nucleus")').value == 8  # warned once, not at every turn
    assert (notes.read_bytes(), other.read_bytes()) == before


def test_a_locked_log_is_caught_up_later(path, monkeypatch):
    monkeypatch.setattr(book, "_WAIT_S", 0.05)
    chat = mnb.Session(discs(), log=path)
    chat.ask('image("bit_depth")')
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.warns(LogWarning, match="another process"):
        chat.ask('count("nucleus")')
    other.execute("COMMIT")
    other.close()
    chat.ask('image("size")')
    assert len(load(chat.id, path).turns) == 3


def test_changed_content_is_found(path):
    chat = mnb.Session(discs(), log=path)
    chat.ask('count("nucleus")')
    connection = sqlite3.connect(path)
    connection.execute("UPDATE evidence SET body = replace(body, '\"value\": 8', '\"value\": 500')")
    connection.commit()
    connection.close()
    assert any("its content was changed" in line for line in damage(path))


def test_sessions_are_found_by_the_beginning_of_their_name(path):
    first, second = mnb.Session(discs(), log=path), mnb.Session(log=path)
    for chat in (first, second):
        chat.ask('image("bit_depth")')
    assert load(second.id[:-2], path).id == second.id
    with pytest.raises(LogError, match="more than one"):
        load(first.id[:4], path)
    with pytest.raises(LogError, match="no session is called 'x'; the last are"):
        load("x", path)
    with pytest.raises(LogError, match="there is no log here"):
        sessions(path.with_name("none.sqlite"))


def test_names_of_persons_do_not_enter_the_log(path):
    from dataclasses import replace

    img = discs()
    facts = {"operator": "Jane Doe", "info": "User: Jane Doe\nexposure 20 ms", "na": 1.4}
    object.__setattr__(img.source, "described", replace(img.source.info, facts=facts))
    mnb.Session(img, log=path).ask('image("bit_depth")')
    kept = load("last", path).image["facts"]["metadata"]
    assert kept == {"operator": "[masked]", "info": "User: [masked]\nexposure 20 ms", "na": 1.4}


def _talk(path, pipe):
    """Asks on and on; says which turn is shown only after ``ask`` gave it back."""
    settings.progress = False
    chat, k = mnb.Session(discs(), eyes="floor", log=path), 0
    os.write(pipe, f"{chat.id}\n".encode())
    while True:
        chat.ask(('image("bit_depth")', 'image("size")', 'pixels("mean")')[k % 3])
        k += 1
        os.write(pipe, f"{k}\n".encode())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_no_turn_that_was_shown_is_lost_to_kill_9(path):
    warm = mnb.Session(discs(), log=False)
    warm.ask('pixels("mean")')
    random = np.random.default_rng(0)
    for _ in range(15):
        read, write = os.pipe()
        child = multiprocessing.get_context("fork").Process(target=_talk, args=(path, write), daemon=True)
        child.start()
        os.close(write)
        with os.fdopen(read) as lines:
            name = lines.readline().strip()
            assert lines.readline().strip() == "1"
            child.join(random.uniform(0, 0.05))
            os.kill(child.pid, signal.SIGKILL)
            child.join()
            shown = max([1, *map(int, (line for line in lines.read().split("\n")[:-1] if line))])
        assert len(load(name, path).turns) in (shown, shown + 1)  # the turn in the making may be there as well, whole
    assert damage(path) == []
    assert len(sessions(path)) == 15
    assert book.Writer(False).path is None
