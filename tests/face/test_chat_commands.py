"""Conversations on the command line: asked, held, listed, shown, gone on with, exported, measured again; copies made clean."""

import io
import json
import sqlite3

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from micro_nb.face.cli import main


@pytest.fixture(autouse=True)
def _own_log(tmp_path, monkeypatch):
    monkeypatch.setenv("MICRO_NB_DATA", str(tmp_path / "data"))


@pytest.fixture
def image(tmp_path):
    y, x = np.mgrid[:120, :140]
    pixels = np.random.default_rng(0).normal(20, 2, y.shape)
    for cy, cx in ((30, 30), (30, 100), (80, 40), (85, 110)):
        pixels[(y - cy) ** 2 + (x - cx) ** 2 <= 81] = 150
    tifffile.imwrite(tmp_path / "a.tif", pixels.clip(0, 255).astype("uint8"))
    return str(tmp_path / "a.tif")


def said(capsys, *argv, code=0):
    assert main([*argv]) == code, capsys.readouterr().err
    return capsys.readouterr()


def ask(capsys, image, *rest):
    return said(capsys, "ask", image, *rest, "--eyes", "floor").out


def piped(monkeypatch, text):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_ask_with_a_pixel_size_and_as_json(image, capsys):
    assert ask(capsys, image, 'count("nucleus")') == 'I count 4 nuclei.\n  [count("nucleus")]\n'
    answer = json.loads(ask(capsys, image, 'stat("area", "mean", "nucleus", unit="um2")', "--pixel-size", "0.5", "--json"))
    assert answer["unit"] == "um2"
    assert answer["evidence"]


def test_a_session_goes_on_over_several_commands(image, capsys):
    ask(capsys, image, 'count(obj("nucleus", where="left"))')
    assert "right half" in ask(capsys, image, 'count(obj("nucleus", where="right"))', "--session", "last")
    assert len(json.loads(said(capsys, "sessions", "show", "last", "--json").out)["turns"]) == 2


def test_no_log_leaves_none(image, capsys, tmp_path):
    ask(capsys, image, 'count("nucleus")', "--no-log")
    assert not (tmp_path / "data").exists()
    ask(capsys, image, 'count("nucleus")', "--log", str(tmp_path / "own.sqlite"))
    assert not (tmp_path / "data").exists()
    assert 'count("nucleus")' in said(capsys, "sessions", "show", "last", "--log", str(tmp_path / "own.sqlite")).out


def test_chat_reads_a_pipe_to_its_end(image, capsys, monkeypatch):
    piped(monkeypatch, 'count("nucleus")\n\n  count(obj("nucleus", where="left"))\nevidence\nmethods')
    out = said(capsys, "chat", image, "--eyes", "floor").out
    assert out.startswith("I count 4 nuclei.\n")
    assert "number of nuclei: " in out
    assert "Missing:" in out
    piped(monkeypatch, 'quit\ncount("nucleus")\n')
    assert said(capsys, "chat", image, "--eyes", "floor").out == ""
    piped(monkeypatch, "")
    assert said(capsys, "chat", image, "--eyes", "floor").out == ""


def test_chat_with_a_person_ends_with_ctrl_d_and_says_how_to_go_on(image, capsys, monkeypatch):
    lines = iter(['count("nucleus")', KeyboardInterrupt(), "help", EOFError()])

    def typed(prompt):
        line = next(lines)
        if isinstance(line, BaseException):
            raise line
        return line

    monkeypatch.setattr("builtins.input", typed)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    out = said(capsys, "chat", image, "--eyes", "floor").out
    assert "I count 4 nuclei." in out
    assert out.count("Ask in your own words") == 2
    assert "--session" in out.splitlines()[-1]


def test_sessions_are_listed_shown_exported_and_gone_on_with(image, capsys, tmp_path, monkeypatch):
    ask(capsys, image, 'count("nucleus")')
    ask(capsys, image, 'image("bit_depth")')
    listed = said(capsys, "sessions", "list").out.splitlines()
    assert len(listed) == 2
    assert 'count("nucleus")' in listed[0]
    name = listed[0].split()[0]
    assert '> count("nucleus")\nI count 4 nuclei.' in said(capsys, "sessions", "show", name).out
    for out in ("talk.ipynb", "talk.json"):
        assert said(capsys, "sessions", "export", name, "-o", str(tmp_path / out)).out.strip().endswith(out)
        assert (tmp_path / out).is_file()
    piped(monkeypatch, 'count(obj("nucleus", where="left"))\n')
    assert "left half" in said(capsys, "sessions", "resume", name).out
    assert [s["turns"] for s in json.loads(said(capsys, "sessions", "list", "--json").out)] == [2, 1]


def test_verify_says_identical_and_ends_with_an_error_where_it_differs(image, capsys, tmp_path):
    ask(capsys, image, 'count("nucleus")', 'stat("area", "mean", "nucleus")')
    out = said(capsys, "sessions", "verify", "last").out
    assert "the log is whole" in out
    assert " identical" in out
    assert json.loads(said(capsys, "sessions", "verify", "--json").out)["damage"] == []
    connection = sqlite3.connect(tmp_path / "data" / "sessions.sqlite")
    connection.execute("UPDATE evidence SET body = replace(body, '\"value\": 4', '\"value\": 500')")
    connection.commit()
    connection.close()
    told = said(capsys, "sessions", "verify", "last", code=1)
    assert "its content was changed" in told.out
    assert "differs: number of nuclei = 500, now 4" in told.out
    assert told.err.startswith("error: the log is damaged")


@pytest.mark.parametrize("argv", [["show", "x"], ["show"], ["list"], ["resume", "last"], ["export", "last"]])
def test_what_is_not_there_is_one_clear_line(argv, capsys):
    err = said(capsys, "sessions", *argv, code=1).err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_deidentify_says_what_was_removed(tmp_path, capsys):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Jane Doe")
    Image.fromarray(np.zeros((8, 8), "uint8")).save(tmp_path / "a.png", pnginfo=texts)
    out = said(capsys, "deidentify", str(tmp_path / "a.png"), str(tmp_path / "b.png")).out
    assert "removed: PNG tEXt" in out
    assert b"Jane" not in (tmp_path / "b.png").read_bytes()
    err = said(capsys, "deidentify", str(tmp_path / "a.png"), str(tmp_path / "b.png"), code=1).err
    assert "--overwrite" in err
