"""A session: turns, what they tell, what is taken back, evidence that measures again, other packages' measurements."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scenes import discs, on_the_floor  # noqa: F401

import micro_nb as mnb
from micro_nb.errors import EvidenceError, LanguageError, UnlearnedError
from micro_nb.session.answer import Answer
from micro_nb.session.evidence import Evidence
from micro_nb.session.language import parse
from micro_nb.session.measures.evaluation import evaluate
from micro_nb.session.measures.registry import forget, measurement
from micro_nb.session.measures.selection import Selection
from micro_nb.session.reader.understanding import Understood
from micro_nb.session.words.prose import numerals


@pytest.fixture
def chat():
    return mnb.Session(discs(pixel_size=0.5), log=False)


def test_an_expression_may_be_typed_as_a_question(chat):
    answer = chat.ask('count(obj("object", where="left"))')
    assert (answer.value, answer.unit, answer.declined) == (4, "count", None)
    assert answer.calls == (parse('count(obj("object", where="left"))'),)


def test_every_numeral_of_an_answer_lies_in_a_span_that_evidence_supports(chat):
    for text in (
        'count(obj("object", having="area > 30 um2"))',
        'stat("diameter", "p90", "object")',
        'density("object", per="mm2")',
        'pattern("object", how="packing")',
    ):
        answer = chat.ask(text)
        for start, end in numerals(answer.text):
            assert any(s.start <= start and end <= s.end for s in answer.spans), answer.text
        assert all(0 <= s.index < len(answer.evidence) for s in answer.spans)


def test_what_is_told_holds_until_it_is_taken_back(chat):
    all_of_them = chat.ask('count("object")').value
    chat.ask('adjust(what="leave out area > 60 um2")')
    assert chat.ask('count("object")').value == all_of_them - 1
    chat.ask("undo()")
    chat.ask("undo()")
    assert chat.ask('count("object")').value == all_of_them


def test_a_stated_pixel_size_changes_what_follows(chat):
    before = chat.ask('stat("area", "mean", "object")').value
    chat.ask('set(pixel_size="1 um")')
    assert chat.ask('stat("area", "mean", "object")').value == pytest.approx(4 * before)
    assert chat.img.pixel_size["x"] == 1.0


def test_again_repeats_and_say_shortens(chat):
    first = chat.ask('pattern("object", how="packing")')
    assert chat.ask("again()").text == first.text
    assert chat.ask('say("one sentence")').text == first.text.split(". ")[0].rstrip(".") + "."
    assert "English" in chat.ask('say("in German")').text


def test_evidence_measures_again_and_prints_the_lines_that_do(chat):
    fact = chat.ask('count(obj("object", where="left"))').evidence[0]
    verdict, again = fact.recompute(chat.img)
    assert (verdict, again.value) == ("identical", 4)
    assert "mnb.Session(img, eyes='floor', log=False).measure(" in fact.code()
    copied = Evidence.from_dict(json.loads(json.dumps(fact.to_dict())))
    assert copied.id == fact.id
    with pytest.raises(EvidenceError, match="array in memory"):
        fact.recompute()
    with pytest.raises(EvidenceError, match="pass the very image"):
        fact.recompute(mnb.open_image(np.zeros((50, 50), "uint8")))


def test_the_code_of_a_fact_holds_what_was_told_before_and_where_this_is(chat):
    chat.ask('set(ignore="border")')
    part = mnb.Region(0, 0, 100, 60)
    for text in ('count("object")', 'count(obj("object", where="this"))'):
        answer = chat.ask(text, region=part)
        line = answer.evidence[0].line()
        assert "having=['not border']" in line
        names = {"mnb": mnb, "img": chat.img}
        exec(line, names)
        assert names["answer"].value == answer.value


def test_answers_survive_json(chat):
    answer = chat.ask('locate(obj("object", by="area"))')
    again = Answer.from_dict(json.loads(json.dumps(answer.to_dict())))
    assert (again.text, again.value, again.calls) == (answer.text, answer.value, answer.calls)


def test_answers_show_text_html_and_a_picture(chat):
    shown = chat.ask('count("object")')._repr_mimebundle_()
    assert {"text/plain", "text/html", "image/png"} <= set(shown)
    assert "count(&quot;object&quot;)" in shown["text/html"]


def test_questions_without_an_image_are_answered_or_declined():
    chat = mnb.Session(log=False)
    assert chat.ask('calc("*", 12, 7)').value == 84
    assert "no image" in chat.ask('count("nucleus")').declined


def test_given_objects_are_taken_as_they_are():
    img = discs(pixel_size=0.5)
    found = mnb.Session(img, log=False).ask('count("object")') and mnb.Session(img, log=False)
    found.ask('count(obj("object", where="left"))')
    own = found.annotate()
    assert mnb.Session(img, objects=own, log=False).ask('count("object")').value == 4


def test_a_measurement_of_another_package_is_an_equal(chat):
    @measurement(
        "heft",
        unit="um2",
        says="Together the {objects} weigh {0}.",
        examples={"how heavy are the objects together?": 'heft("object")'},
    )
    def heft(objects: Selection) -> float:
        """Sum of the areas."""
        return float(objects.values("area")[0].sum())

    try:
        answer = chat.ask('heft(obj("object", where="left"))')
        assert answer.text.startswith("Together the objects in the left half weigh ")
        assert answer.unit == "um2"
        assert answer.evidence[0].recompute(chat.img)[0] == "identical"
        assert chat.ask("How heavy are the objects together?").calls[0].name == "heft"
        assert (
            chat.measure('compare(heft(obj("object", where="left")), heft(obj("object", where="right")), how="greater")').value
            is False
        )
        assert chat.measure('heft("object", where="left")').value == answer.value
        rows = chat.measure('each(heft("object"), per="half")').table.iloc[:, 0]
        assert rows["left"] == answer.value != rows["right"]
        with pytest.raises(LanguageError):
            chat.measure('heft("object", wrong=1)')
    finally:
        forget("heft")


def test_a_session_holds_its_turns(chat):
    chat.ask('count("object")')
    chat.ask("greet()")
    assert len(chat) == 2
    assert [q for q, _ in chat.history] == ['count("object")', "greet()"]
    assert "I count 8 objects" in chat.to_markdown()


def test_thanks_and_goodbyes_are_answered_as_such(chat):
    assert [chat.ask(q).text.split()[0].rstrip(";.!") for q in ("hello", "thanks a lot", "bye")] == ["Hello", "You", "Goodbye"]


def test_a_session_is_opened_without_torch():
    lines = "import sys, micro_nb; micro_nb.Session; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_camera_pixel_and_a_magnification_are_a_pixel_size(chat):
    said = chat.ask('set(magnification=20, camera_pixel="6.5 um")').text
    assert "0.325" in said
    assert chat.img.pixel_size["x"] == pytest.approx(0.325)


def test_of_a_kind_that_was_not_learned_the_next_likely_reading_is_taken_with_a_doubt(monkeypatch):
    read = Understood((parse('count("glork")'),), 0.8, ((parse('count("nucleus")'),), (parse("kinds()"),)), (0.1, 0.01))
    monkeypatch.setattr("micro_nb.session.session.understand", lambda question, before=(): read)
    chat = mnb.Session(mnb.samples.fluorescence((256, 256), seed=3).image, log=False, eyes="micro_d1")
    assert chat.ask("how many glorks?").text.startswith(
        "I have not learned to recognise glorks; if I understand you rightly: I count"
    )
    read = replace(read, odds=(0.01, 0.001))
    assert chat.ask("how many glorks?").declined


def test_a_stack_is_measured_where_a_viewer_shows_it_first_and_says_so():
    stack = mnb.open_image(np.stack([np.full((40, 50), 10 * z, "uint8") for z in range(5)]), axes="zyx")
    chat = mnb.Session(stack, log=False)
    answer = chat.ask('pixels("mean")')
    assert (answer.value, str(answer.calls[0])) == (20, 'pixels("mean", where=z(3))')
    assert answer.text.startswith("In the middle slice: ")
    assert chat.ask('which(pixels("mean"), among="slices")').value == "5"
    assert chat.ask('pixels("mean", where=z(1))').text == "The mean grey value in slice 1 is 0."


def test_what_is_not_told_apart_is_answered_for_the_wider_kind():
    chat = mnb.Session(mnb.samples.fluorescence((200, 200), seed=1).image, log=False)

    def unlearned(call, scene):
        if "neutrophil" in str(call):
            raise UnlearnedError("not learned", "neutrophil", "nucleus")
        return evaluate(call, scene)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("micro_nb.session.session.evaluate_shown", unlearned)
        answer = chat.ask('count("neutrophil")')
    assert answer.text.startswith("I have not learned to tell neutrophils from other nuclei: I count ")
    assert str(answer.calls[0]) == 'count("nucleus")'


def test_of_several_that_are_so_one_is_that_which_is_most_so():
    chat = mnb.Session(discs(), log=False)
    round_ = 'obj("object", having=\'is "round"\')'
    one, several = (chat.measure(f'stat("roundness", "{s}", {round_})') for s in ("value", "max"))
    assert one.text.startswith(f"Of {chat.measure(f'count({round_})').value} such, that which is most so: ")
    assert one.value == pytest.approx(several.value)


def test_what_is_pointed_at_is_what_comes_nearest_where_none_is_quite_so():
    chat = mnb.Session(discs(), log=False)
    pointed = chat.measure('locate(obj("object", having=\'is "giant" and is "isolated" and is "elongated"\'))')
    assert pointed.text.startswith("None is plainly so; what comes nearest: ")
    assert isinstance(pointed.value, tuple)
    assert chat.measure('count(obj("object", having=\'is "giant" and is "elongated"\'))').value == 0
    assert chat.measure('stat("area", "mean", obj("object", having=\'is "elongated"\'))').declined
    assert chat.measure('locate(obj("object", having="area > 99999 px2"))').value == 0  # a number is a limit
