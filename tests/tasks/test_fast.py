"""The tile network compiled by OpenVINO: the same maps and objects, used where it is faster; needs the extra ``fast``."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
import torch

import micro_nb as mnb
from micro_nb.learn.metrics.instances import Overlap
from micro_nb.models.micro_d1 import MicroD1Config, MicroD1Model
from micro_nb.tasks.load import WEIGHTS, prepared
from micro_nb.tasks.look import fast, looking
from micro_nb.tasks.look.cache import SeenCache
from micro_nb.tasks.look.seen import Look

installed = find_spec("openvino") is not None and (WEIGHTS / "nano" / "config.json").is_file()
trained = pytest.mark.skipif(not installed, reason="needs openvino and the weights of nano")


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    monkeypatch.setattr(fast, "_seconds", lambda run: float(not isinstance(run, fast.Compiled)))
    fast._faster.cache_clear()
    yield fast.faster(mnb.load_model(), fast.LEAST_PX, tmp_path)
    fast._faster.cache_clear()


@trained
def test_compiled_maps_are_those_of_the_network(compiled):
    pixels = torch.rand(1, 3, 96, 160)
    with torch.inference_mode():
        wanted = mnb.load_model().tile(pixels)
    for found, true in zip(compiled(pixels), wanted, strict=True):
        assert (found - true).abs().mean() < 1e-3 * true.abs().mean()


@trained
def test_objects_are_found_as_well_as_without(compiled):
    ap = []
    for seed in range(2):
        scene = mnb.samples.fluorescence((384, 384), seed=seed)
        truth = np.asarray(scene.labels.read(0))
        for engine in (None, compiled):
            labels = np.asarray(Look(mnb.load_model(), scene.image, fast=engine).run().layers["object"].labels)
            same = len(Overlap.of(truth, labels).matched(0.5))
            ap.append(same / (np.unique(truth).size + np.unique(labels).size - 2 - same))
    assert abs(np.mean(ap[::2]) - np.mean(ap[1::2])) <= 0.01


@trained
def test_the_slower_of_the_two_is_not_used_and_small_planes_do_not_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(fast, "_seconds", lambda run: float(isinstance(run, fast.Compiled)))
    fast._faster.cache_clear()
    assert fast.faster(mnb.load_model(), fast.LEAST_PX - 1, tmp_path) is None
    assert not any(tmp_path.iterdir())
    assert fast.faster(mnb.load_model(), fast.LEAST_PX, tmp_path) is None
    (note,) = tmp_path.rglob("*.json")
    assert set(json.loads(note.read_text())) == {"openvino", "torch"}
    fast._faster.cache_clear()


def test_what_ran_the_network_is_evidence_and_part_of_the_key(tmp_path, monkeypatch):
    monkeypatch.setenv("MICRO_NB_CACHE", str(tmp_path))
    monkeypatch.setattr(looking, "_CACHE", SeenCache())
    config = MicroD1Config(decoder_widths=(16, 16, 8), embed_dim=16, text_width=16, heads=2, text_buckets=256)
    model = prepared(MicroD1Model(config))
    img = mnb.samples.fluorescence((128, 128)).image
    assert "engine" not in looking.look_at(img, model)[1].to_dict()

    class Engine:
        name = "another"

        def __call__(self, pixels):
            return model.eyes[0](pixels)

    monkeypatch.setattr(looking, "faster", lambda *a: Engine())
    assert looking.look_at(img, model)[1].to_dict()["engine"] == "another"
    looking._CACHE.clear()
    assert looking.look_at(img, model)[1].to_dict()["engine"] == "another"  # from the folder
