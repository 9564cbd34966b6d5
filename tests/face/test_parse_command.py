"""``micro-nb parse``: what is said of each prompt, and where the objects go."""

import json

import pandas as pd

from micro_nb.face.cli import main

SCENE = "sample:fluorescence?shape=256,256&seed=3"


def test_each_prompt_gets_an_answer_and_what_was_not_read_is_said(tmp_path, capsys):
    out = tmp_path / "nuclei.csv"
    assert main(["parse", SCENE, "HeLa nuclei", "large nuclei", "nuclei and cells", "dog", "-o", str(out)]) == 0
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines() if ": " in line)
    count = len(pd.read_csv(out))
    assert lines["HeLa nuclei"].startswith("present (p = ")
    assert lines["HeLa nuclei"].endswith(f", {count} objects")
    assert lines["large nuclei"] == (
        f"not trained on this, {count} objects: all of nucleus, as 'large' was not read; filter them by their measurements"
    )
    assert lines["nuclei and cells"].endswith("it names several things (nuclei, cells): give each as a prompt of its own")
    assert lines["dog"] == "not trained on this, 0 objects"


def test_json_holds_presence_and_objects(tmp_path, capsys):
    assert main(["parse", SCENE, "nuclei", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["presence"][0]["read_as"] == "nucleus"
    assert told["presence"][0]["count"] == len(told["objects"]) > 0
