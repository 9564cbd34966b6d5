# ruff: noqa: D103
"""Data sets become samples, and groups are never divided between training and validation."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from layout import read_folder, rim
from split import SPLITS, Split, held_back, write_split
from words.card import Source
from words.sources import read_sources

from micro_nb.errors import CorruptImageError
from micro_nb.learn.sample import Sample

DATA = Path(os.environ.get("MICRO_NB_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "train_val"
TABLE = """| data set | modality | labels | images | objects | MB | licence | origin |
|---|---|---|---:|---:|---:|---|---|
| a | SEM | masks | 8 | 10 | 1 | MIT | x/y |
| b | TEM | boxes | 9 | 11 | 2 | CC0 | z |

| file | format |
|---|---|
| c | tiff |
"""
BLANK = Sample(np.zeros((8, 8, 3), np.uint8), {}, {}, "discs", "", "", 22.0)


def test_every_fifth_group_is_held_back_and_no_group_is_divided():
    samples = [replace(BLANK, name=f"{k}.png", group=f"g{k // 2}") for k in range(40)]
    held = held_back(samples)
    assert len(held) == 4
    assert held_back(samples[::-1]) == held


def test_no_group_and_no_file_of_the_frozen_split_is_in_both_parts():
    lines = [line for line in (SPLITS / "nano.csv").read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    parts = {part: [r for r in rows if r["split"] == part] for part in ("train", "val")}
    hashes = [{r["sha256"] for r in rows} for rows in parts.values()]
    assert len(rows) == len({(r["dataset"], r["name"]) for r in rows}) == 896
    assert not hashes[0] & hashes[1]
    for name in {r["dataset"] for r in rows} - {"dsb2018"}:  # there a group's strata are divided by type
        groups = [{r["group"] for r in rows if r["dataset"] == name} for rows in parts.values()]
        assert not groups[0] & groups[1]


def test_a_split_is_read_back_as_it_was_written_and_refuses_the_unlisted(tmp_path):
    samples = [replace(BLANK, name=f"images/{k}.png", group=f"g{k}") for k in range(6)]
    (tmp_path / "discs" / "images").mkdir(parents=True)
    for s in samples:
        (tmp_path / "discs" / s.name).write_bytes(s.name.encode())
    split = Split.read(write_split(samples, tmp_path, tmp_path / "s.csv", note="two lines\nof notes"))
    assert len(split.take(samples, "val")) == 2
    assert len(split.take(samples, "train")) == 4
    with pytest.raises(ValueError, match="not in the split"):
        split.of(replace(samples[0], name="new.png"))


def test_a_rim_makes_background_unknown_but_keeps_objects():
    labels = np.zeros((10, 10), np.int32)
    labels[0, 0] = 5
    out = rim(labels, 2)
    assert (out[0, 0], out[0, 5], out[5, 5]) == (5, -1, 0)


@pytest.mark.skipif(not (DATA / "bccd").is_dir(), reason="the data are not here")
def test_a_labelled_folder_becomes_samples_with_named_cells():
    sample = next(iter(islice(read_folder(DATA / "bccd"), 1)))
    assert {"red blood cell", "white blood cell"} <= set(sample.names["object"].values())
    assert sample.labels["object"].min() == -1
    assert sample.jpeg is not None


@pytest.mark.skipif(not (DATA / "tnbc_he_nuclei").is_dir(), reason="the data are not here")
def test_the_samples_of_a_newer_data_set_say_what_part_they_are_for():
    from sets import tissue

    sample = next(tissue(DATA / "tnbc_he_nuclei"))
    assert sample.part in ("train", "val")
    assert set(sample.names["nucleus"].values()) == {"nucleus"}


def test_sources_are_read_from_the_table_of_a_readme(tmp_path):
    (tmp_path / "README.md").write_text(TABLE)
    assert read_sources(tmp_path / "README.md") == [
        Source("a", "SEM", "masks", "8", "MIT", "x/y"), Source("b", "TEM", "boxes", "9", "CC0", "z")
    ]  # fmt: skip
    assert [s.name for s in read_sources(tmp_path / "README.md", names=["b"])] == ["b"]
    with pytest.raises(CorruptImageError, match="no data set q"):
        read_sources(tmp_path / "README.md", names=["q"])


@pytest.mark.skipif(not (DATA.parent / "README.md").exists(), reason="the data are not here")
def test_the_shared_table_of_data_sets_is_understood():
    found = {s.name: s for s in read_sources(DATA.parent / "README.md")}
    assert found["dsb2018"].licence == "CC0 1.0"
    assert "bccd" in found
