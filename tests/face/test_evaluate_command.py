"""``micro-nb evaluate``: what it prints and what it writes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from micro_nb.face.cli import main
from micro_nb.face.commands import labelled
from micro_nb.learn import evaluate as module
from micro_nb.tiles.objects import Objects


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "images/a.png")
    labels = np.zeros((32, 32), np.uint16)
    labels[4:12, 4:12] = 1
    Image.fromarray(labels).save(tmp_path / "label.png")
    pd.DataFrame([{"image": "images/a.png", "label": "label.png"}]).to_csv(tmp_path / "index.csv", index=False)

    def parse(img, prompts):
        import xarray as xr

        table = pd.DataFrame({"label": [1], "layer": ["object"], "name": [prompts[0]], "score": [1.0]})
        return Objects(table, xr.DataArray(labels.astype(np.int32), dims=("y", "x")))

    monkeypatch.setattr(module, "parser", lambda model, given: (parse, "stand-in"))
    return tmp_path


def run(folder, *more, code=0):
    assert main(["evaluate", str(folder), "--prompts", "disc", *more]) == code


def test_figures_are_printed_as_text_or_json(folder, capsys):
    run(folder)
    assert "AP at IoU 0.5" in capsys.readouterr().out
    run(folder, "--json")
    assert json.loads(capsys.readouterr().out)["figures"]["ap50"]["value"] == 1.0


def test_a_page_is_written_on_request(folder, tmp_path, capsys):
    run(folder, "--out", str(tmp_path / "page.html"))
    assert "<table" in (tmp_path / "page.html").read_text()
    run(folder, "--out", str(tmp_path / "page.pdf"), code=1)
    assert ".html" in capsys.readouterr().err


def test_prompts_are_words_or_class_equals_words():
    assert labelled(None) is None
    assert labelled(["white blood cell"]) == ["white blood cell"]
    assert labelled(["WBC=leukocyte"]) == {"WBC": "leukocyte"}
    with pytest.raises(ValueError, match="either words alone"):
        labelled(["WBC=leukocyte", "nucleus"])


def test_robustness_is_a_flag(folder, capsys, monkeypatch):
    def nothing(img, prompts):
        import xarray as xr

        table = pd.DataFrame(columns=["label", "layer", "name", "score"])
        return Objects(table, xr.DataArray(np.zeros(img.plane_shape, np.int32), dims=("y", "x")))

    monkeypatch.setattr(module, "parser", lambda model, given: (nothing, "stand-in"))
    run(folder, "--robustness")
    said = capsys.readouterr().out
    assert "of worse pictures" in said
    assert "blur" in said
