"""Tiles that are out of focus or saturated are named and left out, and an answer keeps to its budget."""

import numpy as np
import pytest
from scenes import discs, on_the_floor  # noqa: F401
from scipy.ndimage import gaussian_filter
from test_spatial import dots

import micro_nb as mnb


def half_blurred():
    """Sharp discs on the left; the right half is blurred and one tile of it saturated."""
    at = [(y, x) for y in range(40, 1000, 60) for x in range(40, 1000, 60)]
    picture = dots(at, shape=(1024, 1024), radius=11).read().astype(float)
    picture[:, 512:] = gaussian_filter(picture[:, 512:], 6)
    return mnb.open_image(picture.round().astype("uint8"))


def test_blurred_tiles_are_left_out_and_the_count_is_given_with_and_without():
    chat = mnb.Session(half_blurred(), log=False)
    answer = chat.ask("How many objects without the blurry parts?")
    facts = {e.quantity: e.value for e in answer.evidence}
    assert facts["number of objects in fit tiles"] < facts["number of objects"]
    assert "right" in facts["where"]
    assert facts["why"] == "out of focus"
    assert 20 < facts["area left out"] < 60
    assert "right" in chat.ask("where is it out of focus?").text


def test_nothing_is_left_out_of_a_sharp_image():
    answer = mnb.Session(discs(), log=False).ask("count the nuclei, leave out blurry areas")
    assert answer.value == 8
    assert next(e for e in answer.evidence if e.quantity == "tiles left out").value == 0


def test_a_budget_gives_an_interval_first_and_all_objects_in_the_end():
    scene = mnb.samples.fluorescence((1280, 1280), seed=3)
    chat = mnb.Session(scene.image, log=False)
    first = chat.ask("how many nuclei?", budget=0.01)
    low, high = first.evidence[0].interval
    assert "estimated from" in first.text
    assert low <= first.value <= high
    verdict, _ = first.evidence[0].recompute(scene.image)
    assert verdict == "identical"
    seen = [first.evidence[0].parameters["tiles_drawn"]]
    while "estimated from" in (answer := chat.ask("how many nuclei?", budget=0.01)).text:
        seen.append(answer.evidence[0].parameters["tiles_drawn"])
    assert seen == sorted(set(seen))
    assert answer.value == chat.ask("how many nuclei?").value
    assert answer.value == pytest.approx(first.value, rel=0.35)


def test_small_images_are_looked_at_whole_whatever_the_budget():
    answer = mnb.Session(discs(), log=False).ask("how many nuclei?", budget=0.001)
    assert answer.value == 8
    assert answer.evidence[0].interval is None


def test_saturated_tiles_are_named():
    picture = (
        dots([(y, x) for y in range(40, 1000, 60) for x in range(40, 1000, 60)], shape=(1024, 1024), radius=11).read().copy()
    )
    picture[600:900, 100:400] = np.where(picture[600:900, 100:400] > 100, 255, picture[600:900, 100:400])
    answer = mnb.Session(mnb.open_image(picture), log=False).ask("how many objects, excluding saturated areas?")
    facts = {e.quantity: e.value for e in answer.evidence}
    assert "saturated" in facts["why"]
    assert facts["number of objects in fit tiles"] < facts["number of objects"]
