"""Tools about objects share how objects are chosen: what is measured of them is a function of the choice."""

from typing import Literal

import pytest
from scenes import discs

from micro_nb.errors import EvidenceError
from micro_nb.session.registry import Measurement, facts, forget, get, run
from micro_nb.session.tools.chosen import select
from micro_nb.session.tools.object_tool import SHARED, object_tool


@pytest.fixture
def largest():
    @object_tool("largest_of_test", quantity="the largest", takes=("filters", "target"), all_for="which is the largest")
    def function(chosen, *, by: Literal["area", "diameter"] = "area") -> Measurement:
        """The largest value of a quantity."""
        return Measurement(f"largest {by} of {chosen.target}", float(chosen.values(by)[0].max()))

    yield function
    forget("largest_of_test")


def test_the_tool_takes_its_own_and_the_shared_arguments(largest):
    tool = get("largest_of_test")
    assert list(tool.arguments) == ["by", "filters", "target"]
    assert not tool.takes_region
    schema = tool.schema()
    assert schema["description"] == "The largest value of a quantity."
    assert schema["parameters"]["properties"]["by"] == {"enum": ["area", "diameter"]}
    assert schema["parameters"]["properties"]["target"] == {"type": "string"}
    assert schema["parameters"]["required"] == []
    assert tuple(get("count").arguments) == tuple(name for name in SHARED if name != "region")


def test_a_tool_and_its_function_agree(largest):
    img = discs()
    small = [{"quantity": "area", "op": "<", "value": 300}]
    (measured,) = run("largest_of_test", img, filters=small, target="discs", by="diameter")
    assert measured == largest(select(img, filters=small, target="discs"), by="diameter")
    assert measured.quantity == "largest diameter of discs"
    with pytest.raises(EvidenceError, match="takes no argument channel"):
        run("largest_of_test", img, channel="DAPI")


def test_a_sample_is_refused_where_all_objects_are_needed(largest, monkeypatch):
    for name, value in (("WHOLE_PIXELS", 1000), ("TILE", 64), ("TILES", 5)):
        monkeypatch.setattr(f"micro_nb.session.tools.found.{name}", value)
    with pytest.raises(EvidenceError, match="cannot tell which is the largest"):
        run("largest_of_test", discs())


def test_another_choice_differs_in_what_was_changed_alone():
    img = discs()
    few = select(img, filters=[{"quantity": "area", "op": "max", "value": 2}], target="discs")
    assert len(few) == 2
    everything = few.instead(filters=())
    assert len(everything) == 8
    assert everything.target == "discs"
    assert few.labels < everything.labels


def test_facts_share_how_they_were_found():
    rows = facts({"seed": 0}, ("spread", "random"), ("mean", 2.0, "um", (1.0, 3.0)))
    assert rows == (
        Measurement("spread", "random", found={"seed": 0}),
        Measurement("mean", 2.0, "um", (1.0, 3.0), {"seed": 0}),
    )
