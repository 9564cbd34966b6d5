"""Slides: a sample of the tiles answers at once and says so; once all of it was looked at, answers are exact."""

import math

import pytest

import micro_nb as mnb
from micro_nb.session.measures import eyes
from micro_nb.tasks.load import WEIGHTS
from micro_nb.tasks.look import cache, looking, network, seen

pytestmark = pytest.mark.skipif(not (WEIGHTS / "nano" / "config.json").is_file(), reason="needs the weights of nano")


@pytest.fixture(autouse=True)
def a_slide_is_small_here(tmp_path, monkeypatch):
    monkeypatch.setenv("MICRO_NB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(looking, "_CACHE", cache.SeenCache())
    monkeypatch.setattr(cache, "_ON_DISK_PX", 1 << 16)
    for name, value in {"WHOLE_PIXELS": 1 << 18, "_TILES": 8, "_TILE": 100}.items():
        monkeypatch.setattr(eyes, name, value)
    for module in (network, seen):
        monkeypatch.setattr(module, "WINDOW", 64)


def test_a_slide_is_looked_at_by_micro_d1_in_drawn_tiles_and_then_whole():
    scene = mnb.samples.fluorescence((600, 600), seed=3)
    chat = mnb.Session(scene.image, log=False)
    assert chat.looks_with == "micro_d1"
    first = chat.ask("How many nuclei are there?")
    (fact, *_) = first.evidence
    drawn, every = fact.parameters["tiles_drawn"], fact.parameters["tiles_in_all"]
    assert fact.parameters["method"] == "Micro-D1"
    assert (drawn, every) == (8, 25)
    assert fact.interval[0] <= scene.count() <= fact.interval[1]
    assert f"counted in {drawn} of {every} tiles" in first.text
    assert fact.recompute(scene.image)[0] == "identical"
    kinds = chat.measure("kinds()")
    assert abs(kinds.evidence[1].value / first.value - 1) < 0.1  # of all tiles, not of those that were drawn
    assert "sample of its tiles" in chat.measure('locate(obj("nucleus", by="area"))').text
    together = chat.measure('count("nucleus and mitochondrion")').evidence[0]
    assert (together.value, together.interval) == (first.value, fact.interval)  # there are no others

    whole = chat.ask("How many nuclei are there?", budget=math.inf)
    assert whole.evidence[0].interval is None
    assert abs(whole.value / scene.count() - 1) < 0.1
    later = mnb.Session(scene.image, log=False)
    assert later.ask("How many nuclei are there?").value == whole.value
    assert later.measure('coverage("nucleus")').value > 1
    assert fact.recompute(scene.image)[0] == "identical"  # from the same tiles as before


def test_a_part_of_a_slide_is_judged_by_tiles_in_it():
    scene = mnb.samples.fluorescence((600, 600), seed=3)
    left = mnb.Session(scene.image, log=False).ask("How many nuclei are in the left half?").evidence[0]
    assert (left.parameters["tiles_drawn"], left.parameters["tiles_in_all"]) == (8, 15)
    assert left.interval[0] < scene.count("left half") < left.interval[1]
