"""A number is never given for another quantity, another statistic, or in a unit its quantity cannot have."""

import itertools

import pytest
from scenes import discs, on_the_floor  # noqa: F401

import micro_nb as mnb
from micro_nb.errors import EvidenceError
from micro_nb.session import dimensions
from micro_nb.session.answer import Span
from micro_nb.session.evidence import Evidence
from micro_nb.session.printing import print_number, unit_words
from micro_nb.session.prose import verify

STATISTICS = {
    "mean": "mean",
    "median": "median",
    "min": "smallest",
    "max": "largest",
    "sum": "total",
    "std": "standard deviation of the",
}
UNITS = {
    "um": "µm",
    "um2": "µm²",
    "mm": "mm",
    "mm2": "mm²",
    "nm": "nm",
    "px": "px",
    "px2": "px²",
    "%": "%",
    "grey value": "",
    "": "",
}
SIZED = [q for q, d in dimensions.QUANTITIES.items() if d in ("length", "area") and q != "height" and not q.startswith("from_")]
OBJECT = [q for q in dimensions.QUANTITIES if q not in ("count", "coverage", "height")]


def sentence(statistic, quantity, unit, *, said_statistic=None, said_quantity=None, said_unit=None):
    """A sentence about one fact, and what it needs to be verified."""
    fact = Evidence(f"{statistic} {quantity} of nuclei", 12.5, unit, function="object_statistic")
    start = f"The {said_statistic or STATISTICS[statistic]} {said_quantity or dimensions.named(quantity)} of the nuclei is "
    text = f"{start}12.5{unit_words(unit if said_unit is None else said_unit)}, over the nuclei."
    return text, [Span(len(start), len(start) + 4, 0)], [fact]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("quantity", OBJECT)
@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_sentence_verifies_only_if_the_unit_has_the_dimension_of_the_quantity(statistic, quantity, unit):
    told = sentence(statistic, quantity, unit)
    if dimensions.fits(quantity, unit):
        verify(*told)
    else:
        with pytest.raises(EvidenceError, match="cannot have the unit"):
            verify(*told)


@pytest.mark.parametrize(("quantity", "said"), [pair for pair in itertools.product(OBJECT, OBJECT) if pair[0] != pair[1]])
def test_a_sentence_that_names_another_quantity_is_refused(quantity, said):
    unit = next(u for u in UNITS if dimensions.fits(quantity, u))
    with pytest.raises(EvidenceError, match="calls"):
        verify(*sentence("mean", quantity, unit, said_quantity=dimensions.named(said)))


@pytest.mark.parametrize(("statistic", "said"), [p for p in itertools.product(STATISTICS, STATISTICS) if p[0] != p[1]])
def test_a_sentence_that_names_another_statistic_is_refused(statistic, said):
    with pytest.raises(EvidenceError, match="calls"):
        verify(*sentence(statistic, "area", "um2", said_statistic=STATISTICS[said]))


@pytest.mark.parametrize(("unit", "said"), [p for p in itertools.product(UNITS, UNITS) if UNITS[p[0]] != UNITS[p[1]]])
def test_a_sentence_that_states_another_unit_is_refused(unit, said):
    fact = Evidence("something", 12.5, unit)
    with pytest.raises(EvidenceError):
        verify(f"It is 12.5{unit_words(said)}.", [Span(6, 10, 0)], [fact])
    verify(f"It is 12.5{unit_words(unit)}.", [Span(6, 10, 0)], [fact])


def test_a_filter_uses_up_the_quantity_it_names():
    filters = [{"quantity": "area", "op": ">", "value": 60.0, "unit": "um2"}]
    fact = Evidence("mean diameter of nuclei", 8.5, "um", function="object_statistic", parameters={"filters": filters})
    text = "The mean diameter of the nuclei with an area above 60 µm² is 8.5 µm."
    spans = [Span(51, 53, 0, "parameters.filters.0.value"), Span(61, 64, 0)]
    verify(text, spans, [fact])
    wrong = text.replace("an area", "a width")
    with pytest.raises(EvidenceError):
        verify(wrong, spans, [fact])


@pytest.fixture(scope="module")
def chat():
    return mnb.Session(discs(pixel_size=0.25))


@pytest.mark.parametrize("unit", ["µm", "um2", "mm", "mm²", "nm", "px", "px2", ""])
@pytest.mark.parametrize("statistic", ["mean", "median", "smallest", "largest", "total", ""])
@pytest.mark.parametrize("quantity", [*SIZED, "size", "how large"])
def test_what_is_asked_is_what_is_answered_or_it_is_declined(chat, quantity, statistic, unit):
    within = f" in {unit}" if unit else ""
    question = (
        f"how large are the nuclei{within}?" if quantity == "how large" else f"{statistic} {quantity} of the nuclei{within}"
    )
    answer = chat.ask(question)
    asked = unit.replace("µm", "um").replace("²", "2")
    if answer.declined:
        assert asked
        assert quantity not in SIZED or asked == "px" or not dimensions.fits(quantity, asked), answer.text
        return
    main = answer.evidence[0]
    measured = dimensions.quantity_of(main.quantity)
    shown = dimensions.quantity_of(next(e.quantity for e in answer.evidence if dimensions.quantity_of(e.quantity)))
    assert shown is not None
    if quantity in SIZED:
        assert shown[1] == quantity or (quantity, main.function) == ("size", "locate")
    if measured and main.unit == answer.unit:
        assert dimensions.fits(measured[1], answer.unit)
        assert dimensions.named(measured[1]) in answer.text
    if asked and measured:
        assert answer.unit == asked or (asked == "px" and answer.unit == "px2")
        assert unit_words(answer.unit) in answer.text


@pytest.mark.parametrize("noun", ["image", "picture", "slide", "field of view", "scan", "photo"])
@pytest.mark.parametrize("ask", ["how large is the {} in mm?", "how big is this {} in mm", "what is the size of the {} in mm",
                                 "dimensions of the {} in mm", "how wide is the {} in mm", "{} size in mm"])  # fmt: skip
def test_the_size_of_the_picture_is_not_that_of_its_objects(chat, noun, ask):
    chat.ask("how many nuclei are there?")
    answer = chat.ask(ask.format(noun))
    assert (answer.value, answer.unit) == (pytest.approx(200 * 0.25e-3), "mm")
    assert answer.text.startswith("The image is 0.05 mm wide and 0.045 mm high")
    assert all(e.function == "image_size" for e in answer.evidence)


def test_numbers_from_ten_thousand_on_are_grouped():
    assert [print_number(v) for v in (9999, 10_000, 38_532, 38532.4, 1234567)] == [
        "9999",
        "10,000",
        "38,532",
        "38,532",
        "1,234,567",
    ]
    fact = Evidence("number of nuclei", 38_532, "count")
    verify("There are 38,532 nuclei.", [Span(10, 16, 0)], [fact])
    with pytest.raises(EvidenceError, match="'38532' where"):
        verify("There are 38532 nuclei.", [Span(10, 15, 0)], [fact])
