"""The shipped reader: everyday questions, follow-ups, and questions that an earlier reader answered falsely."""

import pytest

from micro_nb.session import understand
from micro_nb.session.language import parse, same_form
from micro_nb.session.reader.understanding import settled


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("Which gene is expressed here?", "gene"),
        ("what cell line is this", "cell line"),
        ("how many cells are in G1?", "cell cycle"),
    ],
)
def test_what_no_pixels_tell_is_declined_as_such(question, reason):
    assert offered(question)[0] == (f'decline("{reason}")',)


def test_numbers_that_were_said_are_kept_and_a_yes_or_no_is_answered_as_one():
    (call,) = offered("count nuclei between 80 and 140 µm²")[0]
    assert "80 um2" in call
    assert "140 um2" in call
    assert offered("are the cells confluent?")[0] == ('check(coverage("cell"), "is", "confluent")',)


def offered(question, *before):
    """The readings that are offered, as text."""
    got = understand(question, before=[[b] for b in before])
    return [tuple(str(c) for c in calls) for calls in (got.calls, *got.alternatives)]


@pytest.mark.parametrize(
    ("question", "meant"),
    [
        ("How many nuclei are there?", 'count("nucleus")'),
        ("n nuclei pls", 'count("nucleus")'),
        ("are there any mitochondria in here", 'exists("mitochondrion")'),
        ("What's the mean area of the nuclei?", 'stat("area", "mean", "nucleus")'),
        ("how many cells in the left half", 'count(obj("cell", where="left"))'),
        ("Are there more than 100 cells?", 'check(count("cell"), ">", 100)'),
        ("what percentage of the image do the cells cover", 'coverage("cell")'),
        ("where is the largest particle?", 'locate(obj("particle", by="area"))'),
        ("is it in focus?", 'quality("focus")'),
        ("Do I have cancer?", 'decline("diagnosis")'),
        ("thanks a lot", "greet()"),
        ("what can you do?", "help()"),
    ],
)
def test_plain_questions_are_read(question, meant):
    assert offered(question)[0] == (meant,)


@pytest.mark.parametrize(
    ("question", "before", "meant"),
    [
        ("and in the right half?", 'count(obj("nucleus", where="left"))', 'count(obj("nucleus", where="right"))'),
        ("where is it?", 'stat("area", "value", obj("nucleus", by="area"))', 'locate(obj("nucleus", by="area"))'),
        ("undo that", 'count("nucleus")', "undo()"),
        ("their mean area?", 'count(obj("nucleus", where="left"))', 'stat("area", "mean", obj("nucleus", where="left"))'),
    ],
)
def test_follow_ups_take_over_what_was_meant(question, before, meant):
    assert (meant,) in offered(question, before)


@pytest.mark.parametrize(
    ("question", "meant"),
    [
        ("What percentage of nuclei are elongated?", 'share(obj("nucleus", having="is \\"elongated\\""), of="nucleus")'),
        ("How many pixels are saturated?", 'pixels("share", at=">= 255")'),
        ("Mean Feret diameter of the particles?", 'stat("feret", "mean", "particle")'),
        ("How many nuclei lie within 30 um of the centre?", 'count(obj("nucleus", where=near("center", "30 um")))'),
        ("Describe the image for a figure legend", 'describe("image")'),
        ("list the three brightest nuclei", 'table("nucleus", by="intensity", n=3)'),
    ],
)
def test_what_was_once_answered_falsely_is_among_the_readings(question, meant):
    assert (str(same_form(parse(meant))),) in offered(question)


@pytest.mark.parametrize(
    ("read", "meant"),
    [
        ('count(obj("cell", having="area > 20 um"))', 'count(obj("cell", having="diameter > 20 um"))'),
        ('count(obj("cell", having="area > 150 px"))', 'count(obj("cell", having="area > 150 px2"))'),
        ('convert(stat("area", "mean", "cell"), "px")', 'convert(stat("area", "mean", "cell"), "px2")'),
        ('convert(stat("roundness", "mean", "cell"), "um2")', 'stat("roundness", "mean", "cell")'),
        ('classify("cell", into=["central", "edge"])', 'which(count("cell"), among=["center", "border"])'),
    ],
)
def test_what_was_read_is_taken_as_it_is_meant(read, meant):
    assert str(settled(parse(read))) == str(parse(meant))


@pytest.mark.parametrize("text", ["", "   ", "asdf qwer", "?" * 500, "🙂", "<script>alert(1)</script>", "a" * 5000, "\n\n\t"])
def test_any_text_is_read_without_harm(text):
    got = understand(text)
    assert 0 <= got.confidence <= 1


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("violet cell", 'count(obj("cell", having="color == \\"violet\\""))'),
        ("dark nucleus", 'count(obj("nucleus", having="is \\"dark\\""))'),
        ("white blood cell", 'count("white blood cell")'),
    ],
)
def test_a_look_in_the_name_of_a_kind_is_a_condition(kind, form):
    assert str(settled(parse(f'count("{kind}")'))) == form
