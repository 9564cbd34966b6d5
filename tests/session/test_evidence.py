"""Evidence is re-measured, compared and turned into code that runs."""

import json

import numpy as np
import pytest
from PIL import Image
from scenes import discs, on_the_floor  # noqa: F401

import micro_nb as mnb
from micro_nb.errors import EvidenceError
from micro_nb.session.evidence import Evidence
from micro_nb.session.registry import Measurement, describe, forget, get, run, tool

CORE = ("counting", "sizing", "facts", "pixels", "quality", "comparing", "appearance")
"""Modules of tools that every picture can be asked for; the others have tests of their own."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "discs.png"
    Image.fromarray(discs().read()).save(path)
    return mnb.open_image(path, pixel_size=0.5)


@pytest.mark.parametrize(
    "question", ["how many nuclei in the left half?", "mean area", "where is the largest?", "max grey value"]
)
def test_evidence_is_recomputed_from_the_file_alone(saved, question):
    for evidence in mnb.Session(saved).ask(question).evidence:
        verdict, again = Evidence.from_dict(json.loads(json.dumps(evidence.to_dict()))).recompute()
        assert verdict == "identical"
        assert again.id == evidence.id


def test_code_runs_as_it_is_and_prints_the_measurement(saved, capsys):
    evidence = mnb.Session(saved).ask("how many nuclei above 60 µm² in the right half?").evidence[0]
    exec(compile(evidence.code(), "evidence", "exec"), {})
    assert f"value={evidence.value!r}" in capsys.readouterr().out


def test_an_array_in_memory_must_be_given_again_and_be_the_same():
    img = discs()
    evidence = mnb.Session(img).ask("how many nuclei?").evidence[0]
    assert evidence.recompute(img)[0] == "identical"
    with pytest.raises(EvidenceError, match="pass it again"):
        evidence.recompute()
    with pytest.raises(EvidenceError, match="not on"):
        evidence.recompute(mnb.open_image(np.zeros((64, 64), "uint8")))


def test_a_difference_is_called_one(saved):
    evidence = mnb.Session(saved).ask("how many nuclei?").evidence[0]
    changed = Evidence.from_dict(evidence.to_dict() | {"value": 99})
    assert changed.recompute(saved)[0] == "differs"
    assert changed.id != evidence.id


def test_tools_describe_themselves_as_json_schema():
    schemas = {s["name"]: s for s in describe()}
    assert {"count", "coverage", "density", "intensity", "locate", "quality", "appearance", "image_size"} <= set(schemas)
    assert json.loads(json.dumps(schemas)) == schemas
    assert schemas["locate"]["parameters"]["properties"]["order"] == {"enum": ["max", "min"]}
    assert all(s["description"] for s in schemas.values())


def test_wrong_arguments_and_names_are_refused():
    img = discs()
    with pytest.raises(EvidenceError, match="no tool is called 'cuont'"):
        get("cuont")
    with pytest.raises(EvidenceError, match="takes no argument minimum"):
        run("count", img, minimum=3)
    with pytest.raises(EvidenceError, match="takes no argument region"):
        run("bit_depth", img, region=mnb.Region(0, 0, 5, 5))
    with pytest.raises(EvidenceError, match="none was given"):
        run("count")


def test_other_packages_add_tools_and_cannot_overwrite_others():
    @tool("test_corner", unit="grey value", quantity="grey value of the first pixel")
    def corner(img, *, plus: float = 0.0) -> Measurement:
        """The first pixel."""
        return Measurement("corner", float(img.read()[0, 0]) + plus, "grey value")

    try:
        assert run("test_corner", discs(), plus=1.0)[0].unit == "grey value"
        with pytest.raises(EvidenceError, match="already registered"):
            tool("count")(corner)
    finally:
        forget("test_corner")


def test_a_measurement_that_is_not_finite_is_no_fact():
    @tool("test_nothing", needs_image=False)
    def nothing(img) -> Measurement:
        """Nothing."""
        return Measurement("nothing", float("nan"))

    try:
        with pytest.raises(EvidenceError, match="finite"):
            run("test_nothing")
    finally:
        forget("test_nothing")


def test_halves_add_up_to_the_whole_for_any_size():
    for width in (63, 64):
        img = mnb.open_image(np.arange(50 * width, dtype="uint16").reshape(50, width))
        parts = [mnb.Region.part(p, img.plane_shape) for p in ("left half", "right half")]
        n = [run("intensity", img, region=p)[1].value for p in parts]
        assert sum(n) == 50 * width


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "uint32"])
def test_grey_statistics_agree_with_numpy(dtype, rng):
    pixels = (rng.normal(100, 20, (120, 70))).clip(0, 255).astype(dtype)
    img = mnb.open_image(pixels)
    for statistic, expected in (("mean", pixels.mean()), ("min", pixels.min()), ("max", pixels.max()), ("std", pixels.std())):
        assert run("intensity", img, statistic=statistic)[0].value == pytest.approx(float(expected), rel=1e-6)
    assert run("intensity", img, statistic="median")[0].value == pytest.approx(float(np.median(pixels)), abs=0.51)


RGB = mnb.samples.load("immunohistochemistry")
QUESTIONS = [
    "how many nuclei are in the left half?",
    "how many nuclei above 300 px²?",
    "what fraction is covered by nuclei?",
    "and the rest?",
    "nuclei per area?",
    "what share of the nuclei touches the border?",
    "mean area of the nuclei",
    "median diameter in px",
    "where is the largest nucleus?",
    "diameter of the second largest nucleus",
    "how many times larger is it than the typical one?",
    "are the nuclei darker or brighter than the background?",
    "are there more nuclei left or right?",
    "which quadrant has most nuclei?",
    "what is this?",
    "what fraction of the image is brown?",
    "mean grey value",
    "is anything saturated?",
    "is the exposure ok?",
    "how large is the image?",
    "area of the image",
    "bit depth?",
    "how many channels?",
    "how many z slices?",
    "file format?",
    "pyramid levels?",
    "how is the quality?",
    "is it in focus?",
    "how noisy is it?",
    "what shape are the nuclei?",
    "dynamic range?",
]


@pytest.fixture(scope="module")
def talk():
    chat = mnb.Session(RGB)
    for question in QUESTIONS:
        chat.ask(question)
    return chat


def test_every_tool_speaks_of_a_colour_picture_and_measures_the_same_again(talk):
    assert {t.question for t in talk.turns if t.answer.declined} == set()
    needing = {"pixel_size", "metadata"}  # what this file does not record
    needing |= {"kinds", "recognised", "compare_kinds"}  # what needs a model
    needing |= {"signal_colour", "stains_by_colour"}  # tested with what is to be seen
    tools = {s["name"] for s in describe()}
    core = {name for name in tools if get(name).function.__module__.rsplit(".", 1)[1] in CORE}
    assert core - {e.function for e in talk.evidence} <= needing
    for evidence in talk.evidence:
        assert evidence.recompute(RGB)[0] == "identical", evidence.quantity


def test_what_a_tool_found_never_overwrites_what_it_was_given(talk):
    for evidence in talk.evidence:
        assert evidence.arguments == {
            k: evidence.parameters[k] for k in get(evidence.function).arguments if k in evidence.parameters
        }
        assert not {k for k in evidence.parameters if k.startswith("found_")} & set(get(evidence.function).arguments)


@pytest.mark.parametrize("uri", [img.uri for img in (RGB, mnb.samples.fluorescence((256, 320), seed=4).image) if img.uri])
def test_samples_are_measured_again_from_their_address_alone(uri, capsys):
    evidence = mnb.Session(mnb.open_image(uri)).ask("how many nuclei in the left half?").evidence[0]
    assert evidence.recompute()[0] == "identical"
    exec(compile(evidence.code(), "evidence", "exec"), {})
    assert f"value={evidence.value!r}" in capsys.readouterr().out
