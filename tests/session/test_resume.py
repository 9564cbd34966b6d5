"""A logged conversation goes on where it stopped, on the same pixels or not at all, and is measured again."""

import numpy as np
import pytest
import tifffile
from scenes import discs, on_the_floor  # noqa: F401

import micro_nb as mnb
from micro_nb.errors import LogError
from micro_nb.session.log.book import load
from micro_nb.session.log.verify import MissingImageWarning, verify


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "discs.tif"
    tifffile.imwrite(path, discs().read())
    return path


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.sqlite"


def test_a_follow_up_works_after_the_process_ended(saved, log):
    first = mnb.Session(mnb.open_image(saved), log=log)
    first.ask('count(obj("nucleus", where="left"))')
    again = mnb.Session.resume(first.id, log=log)
    assert [t.question for t in again] == ['count(obj("nucleus", where="left"))']
    assert again.ask('count(obj("nucleus", where="right"))').value == 8 - first.turns[0].answer.value
    assert [t.question for t in load(first.id, log).turns] == [
        'count(obj("nucleus", where="left"))',
        'count(obj("nucleus", where="right"))',
    ]


def test_the_last_session_has_a_short_name_and_answers_show_where(saved, log):
    mnb.Session(mnb.open_image(saved), log=log).ask('count("nucleus")')
    again = mnb.Session.resume(log=log)
    assert again.turns[0].answer.png


def test_selections_and_stated_pixel_sizes_come_back(tmp_path, log):
    stack = np.stack([discs().read() * 0, discs().read()])
    tifffile.imwrite(tmp_path / "z.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    chat = mnb.Session(mnb.open_image(tmp_path / "z.tif").sel(z=1), log=log)
    chat.ask('set(pixel_size="0.5 um")')
    chat.ask('stat("area", "mean", "nucleus")')
    again = mnb.Session.resume(chat.id, log=log)
    assert again.img.pixel_size["x"] == 0.5
    assert again.img.content_id == chat.img.content_id
    assert again.ask('count("nucleus")').value == 8
    assert {c.outcome for c in verify(load(chat.id, log))} == {"identical"}


def test_another_image_under_the_same_name_is_refused(saved, log):
    mnb.Session(mnb.open_image(saved), log=log).ask('count("nucleus")')
    tifffile.imwrite(saved, discs().read()[::-1])
    with pytest.raises(LogError, match="is not the image of this session"):
        mnb.Session.resume(log=log)
    saved.unlink()
    with pytest.raises(LogError, match="cannot be opened"):
        mnb.Session.resume(log=log)


def test_an_image_in_memory_is_passed_again(log):
    mnb.Session(discs(), log=log).ask('count("nucleus")')
    with pytest.raises(LogError, match="pass the image itself"):
        mnb.Session.resume(log=log)
    asked_at_once = mnb.Session(discs(), log=False).ask('count(obj("nucleus", where="left"))')
    assert mnb.Session.resume(img=discs(), log=log).ask('count(obj("nucleus", where="left"))').value == asked_at_once.value


def test_several_images_come_back_with_the_one_that_is_spoken_of(saved, tmp_path, log):
    tifffile.imwrite(tmp_path / "control.tif", np.where(np.mgrid[:180, :200][1] < 100, discs().read(), 20).astype("uint8"))
    chat = mnb.Session({"treated": mnb.open_image(saved), "control": mnb.open_image(tmp_path / "control.tif")}, log=log)
    for question in ('count("nucleus")', 'count(obj("nucleus", image="control"))', 'which(count("nucleus"), among="images")'):
        chat.ask(question)
    again = mnb.Session.resume(chat.id, log=log)
    assert list(again.images) == ["treated", "control"]
    assert again.about == chat.about
    assert again.ask('count(obj("nucleus", image="treated"))').value == 8
    assert {c.outcome for c in verify(load(chat.id, log))} <= {"identical", "not checked"}
    assert sum(c.outcome == "identical" for c in verify(load(chat.id, log))) >= 2


def test_images_that_are_gone_are_named_and_the_others_come_back(tmp_path, log):
    names = ("first", "second", "third")
    for k, name in enumerate(names):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.roll(discs().read(), 7 * k, axis=0))
    chat = mnb.Session({name: mnb.open_image(tmp_path / f"{name}.tif") for name in names}, log=log)
    for question in ('count("nucleus")', 'count(obj("nucleus", image="second"))', 'count(obj("nucleus", image="third"))'):
        chat.ask(question)
    (tmp_path / "second.tif").unlink()
    with pytest.warns(MissingImageWarning, match="without one image.*second: the image of this session cannot be opened"):
        again = mnb.Session.resume(chat.id, log=log)
    assert list(again.images) == ["first", "third"]
    assert again.about == chat.about == "first"
    assert again.ask("undo()").text == chat.turns[1].answer.text
    assert again.about == "first"
    assert again.ask('count(obj("nucleus", image="third"))').value == 8
    (tmp_path / "first.tif").unlink()
    with pytest.raises(LogError, match="cannot be opened"):
        mnb.Session.resume(chat.id, log=log)


def test_a_session_without_an_image_is_resumed(log):
    mnb.Session(log=log).ask('count("nucleus")')
    assert mnb.Session.resume(log=log).ask('count("nucleus")').declined


def test_every_fact_is_measured_again(saved, log):
    chat = mnb.Session(mnb.open_image(saved), log=log)
    for question in (
        'count("nucleus")',
        'stat("area", "mean", "nucleus")',
        'locate(obj("nucleus", by="area"))',
        'image("bit_depth")',
    ):
        chat.ask(question)
    checks = verify(load(chat.id, log))
    assert len(checks) >= 8
    assert {c.outcome for c in checks} == {"identical"}


def test_facts_whose_image_is_gone_or_changed_are_not_passed_off_as_checked(saved, log):
    chat = mnb.Session(mnb.open_image(saved), log=log)
    chat.ask('count("nucleus")')
    tifffile.imwrite(saved, discs().read() // 2)
    assert {(c.outcome, c.value) for c in verify(load(chat.id, log))} == {("not checked", None)}


def test_a_measurement_that_measures_otherwise_is_found_out(saved, log, monkeypatch):
    from micro_nb.session.measures import registry
    from micro_nb.session.measures.measurement import Measurement

    chat = mnb.Session(mnb.open_image(saved), log=log)
    chat.ask('image("bit_depth")')
    monkeypatch.setitem(
        registry._declared, "image", registry.Measure("image", lambda fact: Measurement("bits per sample", 9, "bit"))
    )
    checks = verify(load(chat.id, log))
    assert [c.outcome for c in checks if c.evidence.quantity == "bits per sample"] == ["differs"]
    assert [c.value for c in checks if c.outcome == "differs"] == [9]


def test_conditions_come_back_with_their_images(tmp_path, log):
    images = {}
    for name, shift in (("a", 0), ("b", 5), ("c", 11)):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.roll(discs().read(), shift, axis=0))
        images[name] = mnb.open_image(tmp_path / f"{name}.tif")
    chat = mnb.Session({"control": [images["a"], images["b"]], "treated": [images["c"]]}, log=log)
    asked = 'compare(count("nucleus", image="control"), count("nucleus", image="treated"))'
    said = chat.ask(asked)
    again = mnb.Session.resume(chat.id, log=log)
    assert again.ask(asked).text == said.text
    assert {c.outcome for c in verify(load(chat.id, log))} == {"identical"}


def test_what_was_told_and_taken_back_is_so_after_resuming(saved, log):
    chat = mnb.Session(mnb.open_image(saved), log=log)
    for question in ('set(ignore="border")', 'count("nucleus")', "undo()", "undo()"):
        chat.ask(question)
    assert mnb.Session.resume(chat.id, log=log)._scene.standing == chat._scene.standing == ()
    chat.ask('set(ignore="border")')
    assert mnb.Session.resume(chat.id, log=log)._scene.standing == chat._scene.standing != ()


def test_a_conversation_about_the_same_image_is_taken_up_in_place(saved, log):
    first = mnb.Session(mnb.open_image(saved), log=log)
    assert first.earlier() is None, "nothing is logged yet"
    first.ask('count("nucleus")')
    assert first.earlier() is None, "this one is under way"
    again, other = mnb.Session(mnb.open_image(saved), log=log), mnb.Session(mnb.open_image(np.zeros((40, 40), "u1")), log=log)
    again.go_on()
    assert again.id == first.id
    assert [t.question for t in again.turns] == ['count("nucleus")']
    again.ask('count(obj("nucleus", where="left"))')
    assert len(load(first.id, log).turns) == 2
    with pytest.raises(LogError, match="no earlier conversation"):
        other.go_on()
    assert mnb.Session(mnb.open_image(saved), log=False).earlier() is None
