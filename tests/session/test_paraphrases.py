"""The same wish in many wordings is understood as the same wish; what nothing measured answers is asked back."""

import tomllib
from pathlib import Path

import pytest
from scenes import on_the_floor  # noqa: F401

import micro_nb as mnb
from micro_nb.session.memory import Context
from micro_nb.session.understand import understand

DATA = tomllib.loads((Path(__file__).parent / "paraphrases.toml").read_text(encoding="utf8"))
WORDINGS = [(wish["expect"], text) for wish in DATA["wish"] for text in wish["wordings"]]


def slot(query, name):
    """A slot as it is written in the table."""
    value = getattr(query, name)
    if name in ("region", "against"):
        return value.name if value else "none"
    if name == "filters":
        return [[f.quantity, f.op, f.value, f.unit] for f in value]
    if name == "pick":
        return [value.by, value.order, value.rank] if value else "none"
    return "none" if value is None else value


def agrees(expected, found, name):
    return found in expected if name == "quantity" and isinstance(expected, list) else found == expected


@pytest.mark.parametrize("shout", [False, True])
@pytest.mark.parametrize(("expect", "text"), WORDINGS, ids=[text for _, text in WORDINGS])
def test_a_wording_means_the_wish(expect, text, shout):
    query = understand(text.upper() + "??" if shout else text, Context((100, 200)))
    assert not query.unread
    assert not query.also
    assert {k: slot(query, k) for k in expect if not agrees(expect[k], slot(query, k), k)} == {}


@pytest.fixture(scope="module")
def scene():
    return mnb.samples.fluorescence((256, 256), seed=3).image


@pytest.mark.parametrize("text", DATA["unanswerable"]["wordings"])
def test_what_nothing_measured_answers_is_declined(scene, text):
    answer = mnb.Session(scene).ask(text)
    assert answer.declined, answer.text
    assert answer.value is None
