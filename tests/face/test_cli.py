"""The command line: what it prints, what it writes, and how it fails."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

import micro_nb as mnb
from micro_nb.face import commands
from micro_nb.face.cli import app, main

COMMANDS = (
    "info", "overview", "convert", "quality", "parse", "segment", "ask", "index", "search", "train", "evaluate", "report", "demo",
    "lab", "chat", "mcp", "sessions", "deidentify",
)  # fmt: skip


@pytest.fixture
def cells(tmp_path):
    """A plane of bright discs with a pixel size."""
    y, x = np.mgrid[:256, :320]
    pixels = np.random.default_rng(0).normal(200, 8, (256, 320))
    for cy in range(30, 256, 60):
        for cx in range(30, 320, 60):
            pixels += 900 * ((y - cy) ** 2 + (x - cx) ** 2 < 14**2)
    path = tmp_path / "cells.ome.tif"
    sized = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, pixels.astype("uint16"), ome=True, metadata=sized)
    return path


@pytest.fixture
def stack(tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", np.arange(3 * 40 * 50, dtype="uint16").reshape(3, 40, 50), photometric="minisblack")
    return tmp_path / "stack.tif"


def test_info_says_what_the_file_holds(cells, capsys):
    assert main(["info", str(cells)]) == 0
    text = capsys.readouterr().out
    assert "320 × 256 px" in text
    assert "0.5 µm" in text
    assert "OME-TIFF" in text


def test_info_as_json_is_json(cells, capsys):
    assert main(["info", str(cells), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["sizes"] == {"y": 256, "x": 320}
    assert found["pixel_size"] == {"y": 0.5, "x": 0.5}
    assert found["content_id"].startswith("sampled:")


def test_a_stated_pixel_size_and_axes_are_used(stack, capsys):
    assert main(["info", str(stack), "--axes", "tyx", "--pixel-size", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["axes"], found["pixel_size_source"]) == ("tyx", "argument")


def test_an_unknown_axis_names_the_option_that_states_it(stack, capsys):
    assert main(["info", str(stack)]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "--axes zyx" in err
    assert "Traceback" not in err
    assert err.count("\n") == 1


def test_a_stack_names_the_options_that_choose_a_plane(stack, tmp_path, capsys):
    base = ["overview", str(stack), "--axes", "zyx", "-o", str(tmp_path / "a.png")]
    assert main(base) == 1
    assert "-z" in capsys.readouterr().err
    assert main([*base, "-z", "1"]) == 0
    assert main([*base, "--project", "max"]) == 0


def test_overview_writes_a_picture(cells, tmp_path, capsys):
    out = tmp_path / "look.png"
    assert main(["overview", str(cells), "-o", str(out), "--width", "400", "--region", "left half"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert 300 < Image.open(out).width <= 400


def test_convert_writes_a_pyramid_once(cells, tmp_path, capsys):
    out = tmp_path / "cells.ome.zarr"
    assert main(["convert", str(cells), str(out), "--chunk", "64", "-q"]) == 0
    np.testing.assert_array_equal(mnb.open_image(out).read(), mnb.open_image(cells).read())
    assert zarr.open_group(out, mode="r")
    assert main(["convert", str(cells), str(out)]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert main(["convert", str(cells), str(out), "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(out)
    assert main(["convert", str(cells), str(tmp_path / "cells.tif")]) == 1
    assert not (tmp_path / "cells.tif").exists()


def test_quality_gives_a_verdict_a_table_and_a_map(cells, tmp_path, capsys):
    table, png = tmp_path / "q.csv", tmp_path / "q.png"
    assert main(["quality", str(cells), "--json", "--table", str(table), "-o", str(png)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"]
    assert len(found["table"]) == len(table.read_text().splitlines()) - 1
    assert png.read_bytes().startswith(b"\x89PNG")
    assert main(["quality", str(cells)]) == 0
    assert capsys.readouterr().out.strip() == found["verdict"]


def test_segment_writes_a_row_an_object_and_its_labels(cells, tmp_path, capsys):
    table, store = tmp_path / "cells.csv", tmp_path / "labels.ome.zarr"
    assert main(["segment", str(cells), "-o", str(table), "--labels", str(store)]) == 0
    assert capsys.readouterr().out.startswith("20 objects")
    assert len(table.read_text().splitlines()) == 21
    labels = mnb.open_image(store).labels["objects"].read()
    assert len(np.unique(labels)) == 21
    assert main(["segment", str(cells), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 20


def test_ask_answers_from_measurements(cells, capsys):
    assert main(["ask", str(cells), 'pixels("mean")', 'image("pixel_size")']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in lines[1::2]] == ['[pixels("mean")]', '[image("pixel_size")]']
    assert "0.5" in lines[2]
    assert main(["ask", str(cells), 'count("nucleus")', "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["text"]
    assert answer["evidence"] or answer["declined"]


def test_report_reads_parameters_as_values_and_names_a_bad_one(tmp_path, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(mnb, "report", lambda *args, **kwargs: calls.append((args, kwargs)) or args[1], raising=False)
    values = ["-p", "n=21", "-p", "name=b.tif", "-p", "on=true", "-p", "sizes=[1, 2.5]"]
    assert main(["report", "a.ipynb", "-o", "b.html", *values]) == 0
    assert capsys.readouterr().out.strip() == "b.html"
    assert calls[0] == (
        ("a.ipynb", "b.html"),
        {"parameters": {"n": 21, "name": "b.tif", "on": True, "sizes": [1, 2.5]}, "template": "page", "timeout": None},
    )
    assert main(["report", "a.ipynb", "-p", "n"]) == 1
    assert "name=value" in capsys.readouterr().err


def test_report_of_no_notebook_is_one_line(tmp_path, capsys):
    (tmp_path / "a.ipynb").write_text("not a notebook")
    assert main(["report", str(tmp_path / "a.ipynb"), "-o", str(tmp_path / "a.html")]) == 1
    err = capsys.readouterr().err
    assert "a.ipynb" in err
    assert "Traceback" not in err
    assert not (tmp_path / "a.html").exists()


def test_demo_explains_where_it_looked(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(commands, "QUICKSTART", "not there.ipynb")
    assert main(["demo", "-o", str(tmp_path / "a.html")]) == 1
    assert "run this in a checkout" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"micro-nb {command}" in text
    assert "--debug" in text


def test_no_command_shows_the_help_and_wrong_usage_is_two(capsys):
    assert main([]) == 0
    assert "examples:" in capsys.readouterr().out
    assert main(["frobnicate"]) == 2
    assert main(["info"]) == 2
    assert main(["--version"]) == 0
    assert mnb.__version__ in capsys.readouterr().out


def test_every_command_is_there_and_each_option_is_explained():
    assert {name for name in app if not name.startswith("-")} == set(COMMANDS)
    for name in COMMANDS:
        command = app[name]
        for one in [command[n] for n in command if not n.startswith("-")] or [command]:
            for argument in one.assemble_argument_collection(parse_docstring=True):
                assert argument.parameter.help or argument.name == "*" or not argument.parse, f"{name}: {argument.name}"


def test_debug_shows_the_traceback(capsys):
    assert main(["info", "nowhere.tif", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
    assert main(["info", "nowhere.tif"]) == 1
    assert capsys.readouterr().err.startswith("error: nowhere.tif: nothing is there")


def test_a_surprise_is_one_line_too(cells, monkeypatch, capsys):
    def fail(*args, **options):
        raise KeyError("x")

    monkeypatch.setattr(mnb, "open_image", fail)
    assert main(["info", str(cells)]) == 1
    assert capsys.readouterr().err == "error: KeyError: 'x' (--debug shows where)\n"


def test_ctrl_c_is_one_line(cells, monkeypatch, capsys):
    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(mnb, "open_image", interrupt)
    assert main(["info", str(cells)]) == 130
    err = capsys.readouterr().err
    assert "stopped" in err
    assert "Traceback" not in err


def test_a_process_ends_with_the_code_and_help_loads_nothing_heavy(tmp_path):
    run = [sys.executable, "-m", "micro_nb.face.cli"]
    missing = subprocess.run([*run, "info", str(tmp_path / "a.tif")], capture_output=True, text=True, check=False)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.startswith("error: ")
    code = (
        "import sys; from micro_nb.face.cli import main; main(['--help']); print({'numpy', 'torch', 'xarray'} & set(sys.modules))"
    )
    light = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert light.stdout.splitlines()[-1] == "set()"


def test_a_closed_pipe_is_quiet(cells):
    command = f"{sys.executable} -m micro_nb.face.cli info {cells} | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stderr == ""
