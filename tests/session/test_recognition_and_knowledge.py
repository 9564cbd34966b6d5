"""What is recognised, chosen, described and coloured; what is explained, advised and worked out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import micro_nb as mnb
from micro_nb.errors import EvidenceError, LanguageError, UnitsError
from micro_nb.session.knowledge import all_notes, look_up, work_out
from micro_nb.session.knowledge.arithmetic import calculate, names_used
from micro_nb.session.knowledge.formulas import formulas
from micro_nb.session.knowledge.notes import PHRASES, digest_of, phrases_of_notes
from micro_nb.session.language import parse
from micro_nb.session.measures.evaluation import evaluate
from micro_nb.session.measures.registry import get
from micro_nb.session.measures.results import Result
from micro_nb.session.measures.scene import Scene
from micro_nb.session.measures.selecting import by_look
from micro_nb.session.measures.talking import _written
from micro_nb.session.words.prose import plain, sentence

NOTHING = Scene()


def asked(expression: str, scene: Scene = NOTHING) -> Result:
    return evaluate(parse(expression), scene)


def said(expression: str, scene: Scene = NOTHING) -> str:
    return plain(sentence(asked(expression, scene)))


@pytest.fixture(scope="module")
def blood() -> Scene:
    return Scene({"smear": mnb.samples.blood(shape=(700, 700)).image}, "smear", "micro_d1")


@pytest.fixture(scope="module")
def shapes() -> Scene:
    """Ten blue rods and four brown discs on white; all lie apart."""
    y, x = np.mgrid[:300, :300]
    picture = np.full((300, 300, 3), 245, np.uint8)
    for k in range(10):
        picture[15 + 28 * k : 24 + 28 * k, 20:65] = (40, 50, 170)
    for k in range(4):
        picture[(y - 40 - 60 * k) ** 2 + (x - 200) ** 2 <= 14**2] = (150, 90, 40)
    return Scene({"shapes": mnb.open_image(picture, axes="yxc")}, "shapes", "floor")


# Recognising


def test_a_generated_smear_is_recognised_with_its_probability(blood):
    result = asked('recognise("specimen")', blood)
    assert result.value == "blood smear"
    assert 0.5 < result.main.found["probability"] <= 1
    assert asked('recognise("modality")', blood).value == "brightfield"


def test_what_is_not_recognised_is_declined_and_not_guessed(blood):
    found = asked('recognise("organism")', blood).found
    assert found.declined
    assert found.remedy


def test_without_a_model_the_measured_look_is_told(shapes):
    assert "consistent with stained brightfield" in said('recognise("modality")', shapes)


def test_the_magnification_follows_from_the_pixel_size_and_is_not_said_to_be_recorded(blood):
    result = asked('recognise("magnification")', blood)
    assert result.value == 63
    assert "do not record" in plain(sentence(result))


# Choosing


def test_rods_and_cocci_are_told_apart_by_a_measured_shape(shapes):
    result = asked('classify("object", into=["rod", "coccus"])', shapes)
    assert result.value == "rod"
    assert result.measured[1].value == pytest.approx(100 * 10 / 14, abs=0.1)
    assert asked('classify(obj("object", having="aspect_ratio < 2"), into=["rods", "cocci"])', shapes).value == "cocci"


def test_isolated_or_clustered_is_decided_by_how_many_touch(shapes):
    assert asked('classify("object", into=["clustered", "isolated"])', shapes).value == "isolated"


def test_kinds_that_the_model_names_are_counted_against_each_other(blood):
    assert asked('classify("cell", into=["white blood cell", "red blood cell"])', blood).value == "red blood cell"


def test_words_that_were_not_learned_are_admitted(blood, shapes):
    with pytest.raises(EvidenceError, match="not learned the look of falciparum or vivax"):
        asked('classify("cell", into=["falciparum", "vivax"])', blood)
    with pytest.raises(EvidenceError, match="without a trained model"):
        asked('classify("image", into=["yeast", "worm"])', shapes)


def test_without_choices_the_commonest_kind_is_named(blood):
    assert asked('classify("cell")', blood).value == "red blood cell"


# Shapes, colours, captions


def test_shape_says_a_word_with_its_figures(shapes):
    result = asked('shape("object")', shapes)
    assert result.value in ("needle-shaped", "elongated")
    assert result.main.found["shapes"]["round"] == 4
    assert "times as long as wide" in plain(sentence(result))


def test_colour_shares_are_those_that_were_painted(shapes):
    assert asked('color("share", of="blue")', shapes).value == pytest.approx(100 * 10 * 9 * 45 / 300**2, abs=0.05)
    assert asked('color("share", of="brown", where="left")', shapes).value == 0
    assert asked("color()", shapes).value == "white"


def test_the_colour_of_objects_and_of_the_background(shapes):
    assert asked('color(obj("object", having="aspect_ratio < 2"))', shapes).value in ("brown", "orange")
    assert asked('color("background")', shapes).value == "white"


def test_a_colour_stands_for_a_stain_or_a_channel(shapes):
    assert "hematoxylin" in said('color("blue")', shapes)
    with pytest.raises(EvidenceError, match="hardly anything green"):
        asked('color("green")', shapes)
    stack = mnb.open_image(np.random.default_rng(0).integers(0, 255, (2, 64, 64), np.uint8), axes="cyx")
    assert "channels" in said("color()", Scene({"two": stack}, "two", "floor"))


def test_a_grey_picture_has_no_colours():
    grey = Scene({"g": mnb.open_image(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8))}, "g", "floor")
    with pytest.raises(EvidenceError, match="grey picture"):
        asked('color("share", of="brown")', grey)


def test_a_caption_is_two_or_three_sentences_of_measured_facts(blood):
    text = said('describe("image")', blood)
    assert "blood smear" in text
    assert "red blood cells" in text
    assert "µm across" in text
    assert text.count(". ") in (1, 2)


def test_search_without_an_index_says_what_to_do(blood):
    for expression in ('similar("image")', 'find("mitotic spindle")'):
        found = asked(expression, blood).found
        assert found.declined
        assert "Index.build" in str(found.remedy)


# Notes


def test_every_note_can_be_said_with_its_numbers_as_facts():
    for note in all_notes():
        for text in note.texts.values():
            result = Result(parse('explain("x")'), get("explain"), NOTHING, _written([(note, text)], 1.0))
            assert plain(sentence(result)).endswith(".)")


def test_every_note_is_found_by_its_own_phrases():
    found = [look_up(note.asked[0], advice=note.area == "advice")[0][1].key == note.key for note in all_notes()]
    assert np.mean(found) > 0.95


def test_what_a_note_measures_is_a_measurement_and_a_verdict_has_both_texts():
    for note in all_notes():
        assert not note.measure or get(parse(note.measure).name)
        assert not note.good or ({"yes", "no"} <= set(note.texts) and note.measure)


@pytest.mark.parametrize(
    ("expression", "key"),
    [
        ('explain("bleed-through")', "bleed through"),
        ('explain("what numerical aperture means")', "numerical aperture"),
        ('advise("how to avoid saturation")', "avoid saturation"),
        ('advise("when to passage the cells")', "passage here"),
    ],
)
def test_a_topic_is_found_by_meaning(expression, key):
    assert key in asked(expression).measured[0].quantity


def test_the_vectors_of_notes_that_are_shipped_are_those_of_the_notes_and_the_reader():
    from safetensors import safe_open

    with safe_open(PHRASES, "numpy") as kept:
        assert kept.metadata()["of"] == digest_of(phrases_of_notes()), "run recipes/reader/phrases.py"


def test_what_no_note_covers_is_declined():
    assert asked('explain("why salt crystals are cubes")').found.declined


def test_two_that_are_compared_are_both_explained():
    text = said('explain("deconvolution versus binning")')
    assert "Deconvolution" in text
    assert "Binning" in text


def test_numbers_in_a_note_are_facts_with_their_source():
    result = asked('explain("cover glass")')
    assert any(m.value == 0.17 and m.unit == "mm" and m.found["source"] for m in result.measured)
    assert "0.17 mm" in plain(sentence(result))


def test_advice_says_what_the_open_image_shows_and_judges_by_it(shapes):
    few = asked('advise("when to passage the cells")', shapes)
    assert few.value is False
    assert "not yet" in plain(sentence(few))
    assert "cover" in plain(sentence(few))
    assert asked('advise("when to passage the cells")').value != few.value


# Formulas


@pytest.mark.parametrize(
    ("expression", "value", "unit"),
    [
        ('formula("resolution", na=1.4, wavelength="520 nm")', 185.714, "nm"),
        ('formula("resolution", na=1.4, wavelength="0.52 um", criterion="rayleigh")', 226.571, "nm"),
        ('formula("axial_resolution", na=0.5, wavelength="500 nm")', 4000, "nm"),
        ('formula("nyquist", na=0.75, wavelength="550 nm")', 0.183333, "um"),
        ('formula("depth_of_field", na=0.75, wavelength="550 nm")', 0.977778, "um"),
        ('formula("pixel size", camera_pixel="6.5 um", magnification=20)', 0.325, "um"),
        ('formula("pixel size", length="100 um", pixels=412)', 0.242718, "um"),
        ('formula("pixel size", value="6.5 um", value2=20)', 0.325, "um"),
        ('formula("field_of_view", field_number=22, magnification=40)', 0.55, "mm"),
        ('formula("haemocytometer", count=184, squares=4, dilution="1:10")', 4.6e6, "per ml"),
        ('formula("counting chamber", count=187, squares=4, dilution=2)', 935_000, "per ml"),
        ('formula("cfu", count=150, volume="100 uL", dilution=0.0001)', 1.5e7, "per ml"),
        ('formula("dilution", stock="1 mM", final="5 uM", volume="3 ml")', 0.015, "ml"),
        ('formula("z-prime", mean_pos=812, sd_pos=40, mean_neg=95, sd_neg=22)', 0.740586, ""),
        ('formula("sample size", difference=5, sd=10)', 64, "count"),
        ('formula("sample size", effect=1.2)', 12, "count"),
        ('formula("sample size", effect="20 %", cv="35 %", power="90 %")', 66, "count"),
        ('formula("sample size", sd="3 nm", margin="1 nm", confidence="95 %")', 35, "count"),
        ('formula("power", n=64, difference=5, sd=10)', 80.1460, "%"),
        ('formula("standard error", sd="12 um", n=9)', 4, "um"),
        ('formula("margin of error", count=12, n=80)', 15, "%"),
        ('formula("counting error", n=64)', 12.5, "%"),
        ('formula("snr", averages=4)', 2, "times"),
        ('formula("dynamic range", full_well=30000, read_noise="1.6 e")', 14.19459, "bit"),
        ('formula("exposure", time="500 ms", counts=3000, target=12000)', 2000, "ms"),
        ('formula("data size", width=2048, height=2048, bit_depth=16, fps=32, time="20 min")', 322.1225, "GB"),
        ('formula("unit conversion", value="350 nm", to="angstrom")', 3500, "angstrom"),
        ('formula("rcf to rpm", rcf=300, radius="17 cm")', 1256.37, "rpm"),
    ],
)
def test_formulas_give_the_textbook_numbers(expression, value, unit):
    result = asked(expression)
    assert result.value == pytest.approx(value, rel=1e-4)
    assert result.unit == unit
    assert plain(sentence(result))


def test_a_default_that_was_taken_is_said():
    assert "green light" in said('formula("resolution", na=0.65)')
    assert "green light" not in said('formula("resolution", na=0.65, wavelength="red")')


def test_what_is_missing_is_named():
    with pytest.raises(EvidenceError, match="numerical aperture"):
        asked('formula("nyquist", wavelength="550 nm")')


def test_units_of_another_dimension_and_impossible_numbers_are_refused():
    with pytest.raises(UnitsError, match="not nm"):
        asked('formula("resolution", na=1.4, wavelength="3 ml")')
    with pytest.raises(EvidenceError, match="refractive index"):
        asked('formula("axial resolution", na=1.4, n=1.33)')
    with pytest.raises(EvidenceError):
        asked('formula("standard error", sd=3, n=0)')


def test_a_formula_that_does_not_exist_is_declined():
    with pytest.raises(EvidenceError):
        asked('formula("banana", ripeness=3)')


def test_a_measured_count_goes_into_a_formula_and_stays_a_fact(shapes):
    result = asked('formula("counting error", n=count("object"))', shapes)
    assert result.value == pytest.approx(100 / 14**0.5)
    assert any(m.quantity == "number of objects" and m.value == 14 for m in result.measured)


def test_every_formula_reads_only_its_own_parameters():
    for formula in formulas():
        known = {p.name for p in formula.takes}
        for text in (formula.is_, *(r["is"] for r in formula.also), *formula.valid, *map(str, formula.default.values())):
            assert not text or names_used(text) <= known, (formula.names[0], text)
        assert set(formula.default) | set(formula.taken) <= known


def test_arithmetic_reads_nothing_but_arithmetic():
    for text in ("__import__('os')", "a.b", "[1]", "print(1)", "lambda: 1", "'x' * 3", "sqrt(x=1)"):
        with pytest.raises(LanguageError):
            calculate(text, {"a": 1.0})
    assert calculate("2 ** 3 + sqrt(a)", {"a": 16.0}) == 12


def test_arithmetic_that_would_never_end_is_refused():
    with pytest.raises(EvidenceError):
        calculate("9.0 ** a ** a", {"a": 99.0})


def test_results_hold_the_expression_that_made_them():
    worked = work_out("resolution", {"na": 1.4})
    assert worked.results[0].found["formula"] == "criterion * wavelength / na"
    assert worked.inputs["wavelength"].value == 520


# By what words mean


@pytest.mark.parametrize(
    ("kind", "words", "named"),
    [
        ("red blood cell", "a crescent with pointed tips, what is that?", "sickle cell"),
        ("red blood cell", "each has one tapering tail", "teardrop"),
        ("red blood cell", "the centre looks like a mouth", "stomatocyte"),
        ("red blood cell", "what kind of cells are these", ""),
    ],
)
def test_a_kind_is_named_by_its_look(kind, words, named):
    assert by_look(kind, words) == named


def test_an_unknown_word_for_a_look_is_taken_for_the_one_that_means_it(shapes):
    huge, large = (asked(f'count(obj("object", having=\'is "{word}"\'))', shapes).value for word in ("huge", "large"))
    assert huge == large
    assert asked('count(obj("object", having=\'is "huge"\'))', shapes).main.found["words_taken"]["huge"] in (
        "big",
        "large",
        "giant",
    )


def test_dark_things_of_a_bright_picture_are_dark_though_none_stands_out(shapes):
    alone = replace(shapes, kept={})
    assert asked('count(obj("object", having=\'is "dark"\'))', alone).value > 0


def test_a_choice_is_decided_by_what_is_measured_where_words_say_that():
    scene = Scene({"a": mnb.samples.fluorescence((300, 300), seed=1).image}, "a", "micro_d1")
    assert asked('classify("image", into=["single channel", "multi channel"])', scene).value == "single channel"


def test_a_note_is_found_by_the_question_beside_a_topic_that_says_little():
    scene = Scene(told={"question": "which preprocessing before thresholding?"})
    assert asked('advise("controls for thresholding")', scene).value == "preprocessing"
