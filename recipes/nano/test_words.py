# ruff: noqa: D103
"""The joint space is aligned, and training pictures vouch for what is said of an image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from words.align import Aligner, Aligning
from words.facts import known
from words.features import STRAY, strays_of, views
from words.shown import Picture, shown, write

from micro_nb.learn.scenes import generated
from micro_nb.models.micro_d1 import MicroD1Config, MicroD1Model
from micro_nb.tasks.load import prepared
from micro_nb.tasks.shown import FILE


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def pictures(rng, apart):
    """Two kinds, from four sources each."""
    made = []
    for kind, at in (("fluorescence", apart), ("brightfield", -apart)):
        for k in range(4):
            middle, facts = np.append(at, rng.normal(size=7)), known({kind}, ("stain", "specimen"))
            made += [Picture(middle + 0.1 * rng.normal(size=8), facts, f"{kind}{k}{i}", f"{kind}{k}") for i in range(4)]
    return made


def test_likeness_that_misleads_between_sources_is_hardly_believed(rng):
    slope, intercept = shown(pictures(rng, 0.0)).lines["modality"]
    assert 0.2 * slope + intercept < 2


def test_what_was_shown_is_written_whole_and_without_pickle(rng, tmp_path):
    (tmp_path / "calibration.json").write_text("{}")
    found = shown(pictures(rng, 0.0))
    write(found, tmp_path)
    with np.load(tmp_path / FILE, allow_pickle=False) as arrays:
        assert arrays["pictures"].shape == (32, found.axes.shape[0])
        assert set(arrays["concepts"]) >= {"fluorescence", "brightfield"}


def test_alignment_lowers_its_loss_and_leaves_the_eyes_alone():
    torch.manual_seed(0)
    model = prepared(MicroD1Model(MicroD1Config()))
    eyes = {k: v.clone() for k, v in model.tile.state_dict().items()}
    scenes = list(generated({"blood": 1, "fluorescence": 1}, edge=192))
    seen = views(scenes, model, copies=0)
    for view, present in zip(seen, ({"blood smear", "red blood cell"}, {"fluorescence", "nucleus"}), strict=True):
        object.__setattr__(view, "facts", known(present, ()))
    losses = Aligner(model, seen, Aligning(steps=6, warmup=1, images=4, objects=4, sentences=4)).run()
    assert len(losses) == 6
    assert sum(losses[-2:]) < sum(losses[:2])
    assert all(torch.equal(v, model.tile.state_dict()[k]) for k, v in eyes.items())
    assert not any(p.requires_grad for p in model.parameters())


def test_what_is_found_outside_labels_is_a_stray():
    found = np.zeros((8, 8), np.int32)
    found[:3, :3], found[5:, 5:] = 1, 2
    labels = np.zeros_like(found)
    labels[5:, 5:] = 7
    assert set(np.unique(strays_of(found, labels == 0))) == {0, 1}


def test_a_stray_is_none_of_what_is_labelled_wherever_it_is_and_the_rest_is_not_known():
    aligner = Aligner(prepared(MicroD1Model(MicroD1Config())), [])
    smear = replace(known(("blood smear", "red blood cell"), ()), labelled=frozenset(("platelet",)))
    truth, certain = aligner.name_truth([STRAY], aligner.denied(smear)[None])
    assert not truth.any()
    assert [c for c, k in aligner.place.items() if certain[0, k]] == ["platelet"]
