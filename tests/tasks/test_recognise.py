"""What kind of picture it is: said where words and likeness agree, from wide to narrow; not said far from what was shown."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import micro_nb as mnb
from micro_nb.models.pictures import normalise, three_channels
from micro_nb.tasks.recognise import recognise
from micro_nb.tasks.shown import Shown

FLAT = {"modality": (10.0, 0.0), "stain": (10.0, 0.0), "specimen": (10.0, 0.0)}


def witnesses(**places):
    """Pictures at angles of a plane, in degrees, each with what it shows."""
    concepts = ("fluorescence", "brightfield", "comet assay")
    turns = np.radians([angle for angle, _ in places.values()])
    present = np.array([[c in shows for c in concepts] for _, shows in places.values()])
    eye = np.eye(2, dtype=np.float32)
    return Shown(np.zeros(2, np.float32), eye, np.column_stack([np.cos(turns), np.sin(turns)]), concepts, present, FLAT)


def looking(angle):
    return np.array([[np.cos(np.radians(angle)), np.sin(np.radians(angle))]] * 3)


def test_likeness_vouches_for_what_the_nearest_picture_shows():
    some = witnesses(glow=(0, {"fluorescence"}), stained=(90, {"brightfield"}))
    near = some.vouched(looking(5), "modality")
    assert near["fluorescence"] > 0.99
    assert near["brightfield"] < 0.01
    between = some.vouched(looking(45), "modality")
    assert between["fluorescence"] == pytest.approx(0.5)


def test_a_picture_of_which_it_is_not_known_speaks_against():
    some = witnesses(comet=(40, {"fluorescence", "comet assay"}), nuclei=(0, {"fluorescence"}))
    assert some.vouched(looking(5), "specimen")["comet assay"] < 0.2
    assert some.vouched(looking(21), "specimen")["comet assay"] < 0.6
    assert some.vouched(looking(38), "specimen")["comet assay"] > 0.99  # the same field: nothing is known of the other


def test_a_model_that_names_no_pictures_is_believed_by_its_words_alone():
    assert Shown.of(SimpleNamespace(calibration={})) is None
    assert Shown.of(SimpleNamespace(calibration={"recognition": {"shown": "no such model", "lines": {}}})) is None


@pytest.mark.parametrize("seed", [0, 1])
def test_generated_nuclei_are_fluorescence_and_no_comet_assay(seed):
    model = mnb.load_model()
    pixels = mnb.samples.fluorescence((512, 512), seed=seed).image.read(0)
    small = torch.from_numpy(three_channels(normalise(pixels)))[None]
    with torch.inference_mode():
        seen = model.thumb.look(model.processor.thumbnail(small))
        image = model.joint.images(seen, None)[0].numpy()
    found = recognise(image, model, seen[0].numpy())
    assert found["modality"]["name"] == "fluorescence"
    assert "specimen" not in found
