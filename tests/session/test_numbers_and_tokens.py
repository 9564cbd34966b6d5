"""Numbers in words and digits, word pieces, and expressions as tokens and back."""

import pytest

from micro_nb.errors import LanguageError
from micro_nb.session.language import parse, same_form
from micro_nb.session.reader.numbers import find_numbers
from micro_nb.session.reader.reading import loaded
from micro_nb.session.reader.writing import Source, calls_of, tokens_of


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("2 dozen", [24]), ("half a dozen", [6]), ("a quarter of a mm", [0.25]), ("three quarters", [0.75]),
        ("two hundred and five", [205]),
        ("one thousand two hundred", [1200]), ("1,200 cells", [1200]), ("0,5 um", [0.5]), ("1e4", [10000]), ("10^5", [100000]),
        ("3 x 10^-2", [0.03]),
        ("between 5-10 um", [5, 10]), ("the third largest", [3]), ("a third of them", [1 / 3]), ("2/3 of them", [2 / 3]),
        ("twice as many", [2]),
        ("sixty-odd", [60]), ("p90 in well B03", []), ("um2", []), ("½ of it", [0.5]), ("2k", [2000]), ("24h", [24]),
        ("one of them", []),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(text, values):
    assert [n.value for n in find_numbers(text)] == pytest.approx(values)


@pytest.mark.parametrize(
    "text",
    [
        'count("nucleus")', 'check(count("red blood cell"), ">", 40)',
        'count(obj("cell", having="area > 80 um2 and not border", where="top left"))',
        'stat("diameter", "p90", obj("c-fos cell", where=near("vessel", "20 um")))',
        'which(count("cell"), among=["left", "right"], order="min")',
        'coverage("cell", rest=True)', 'share(obj("bacterium", having=\'color == "red"\'), of="bacterium")',
        'count(obj("cell", where=z(5)))',
    ],
)  # fmt: skip
def test_tokens_write_the_expression_again(text):
    _, vocabulary = loaded()
    call, source = same_form(parse(text)), Source((40.0, 80.0, 20.0))
    assert calls_of(tokens_of([call], vocabulary, source), source) == (call,)


def test_a_share_in_words_is_written_as_a_percentage():
    _, vocabulary = loaded()
    row = vocabulary.row("more than a quarter of them?")
    call = parse('check(coverage("cell"), ">", 25, "%")')
    assert "<0%>" in tokens_of([call], vocabulary, row.source)


def test_a_number_that_nobody_said_is_not_written():
    _, vocabulary = loaded()
    with pytest.raises(LanguageError, match="was not said"):
        tokens_of([parse('check(count("cell"), ">", 4711)')], vocabulary, Source((40.0,)))


def test_what_was_said_before_can_be_pointed_at():
    _, vocabulary = loaded()
    row = vocabulary.row("and above 100?", [[parse('count(obj("cell", having="area > 83 um2"))')]])
    assert row.source.numbers[:2] == (100.0, 83.0)
    assert len(set(row.parts)) == 2
