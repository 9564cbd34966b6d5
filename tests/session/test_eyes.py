"""Through a model a conversation knows kinds of objects, and what the model says is evidence; the floor stays a choice."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from scenes import discs

import micro_nb as mnb
from micro_nb.analysis.segment import segment
from micro_nb.errors import EvidenceError
from micro_nb.session import eyes
from micro_nb.session.evidence import Evidence
from micro_nb.session.prose import verify
from micro_nb.tiles.objects import Objects

LOOKS = {
    "modality": {"name": "scanning electron microscopy", "probability": 0.9},
    "stain": {"name": "Giemsa", "probability": 0.8},
}
HOW = {"weights": "fa4e", "scale": {"pitch": 2, "diameter_px": 15.0}, "recognised": LOOKS}


@dataclass
class Smear:
    """Sees the largest object as a white cell and the others as red cells; platelets are absent, synapses were never seen."""

    weights_id: str = "fake smear"
    small: str = "red blood cell"
    large: str = "white blood cell"
    threshold: float = 0.3

    @property
    def concepts(self):
        return (self.small, self.large, "platelet")

    def whole(self, img, channel):
        labels = segment(img, channel=channel)
        table = mnb.measure(img, labels)
        areas = table[next(c for c in table.columns if c.startswith("area_"))]
        table["name"] = np.where(areas == areas.max(), self.large, self.small)
        return Objects(table, labels, None, img.pixel_size, img.content_id, HOW)

    everything = whole

    def kind(self, img, concept, channel):
        found = self.whole(img, channel)
        table = found.table[[eyes.is_kind(n, concept) for n in found.table["name"]]].reset_index(drop=True)
        there = len(table) > 0
        row = {"name": concept, "status": "present" if there else "absent", "present": there, "p_value": 0.002 if there else 0.4}
        return replace(found, table=table, presence=pd.DataFrame([row | {"count": len(table)}]))


@pytest.fixture(scope="module")
def chat():
    return mnb.Session(discs(pixel_size=0.5), eyes=Smear())


def said(chat, question):
    answer = chat.ask(question)
    verify(answer.text, answer.spans, answer.evidence)
    assert not answer.declined, answer.text
    return answer


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("how many white blood cells?", 1),
        ("RBC count", 7),
        ("how many RBCs, at least?", 7),
        ("how many blood cells?", 8),
        ("how many cells are there?", 8),
        ("how many objects?", 8),
        ("count the platelets", 0),
        ("how many red cells in the left half?", 4),
        ("any white cells?", True),
        ("Is there a platelet?", False),
        ("is the white cell larger than the red cells?", True),
        ("are the red cells smaller than the white cell?", True),
        ("are there fewer red cells than white cells?", False),
        ("are these red blood cells?", True),
        ("are these platelets?", False),
        ("what type of cells are these?", "red blood cell"),
        ("what modality is this?", "scanning electron microscopy"),
        ("is this electron microscopy?", True),
        ("is this a fluorescence image?", False),
    ],
)
def test_kinds_are_counted_compared_and_named(chat, question, value):
    assert said(mnb.Session(chat.img, eyes=Smear()), question).value == value


def test_one_object_of_a_kind_is_located_and_measured(chat):
    where = said(chat, "where is the white blood cell?")
    assert "The only white blood cell is at the right" in where.text
    assert said(chat, "its diameter in µm?").value == pytest.approx(12.2, abs=0.5)
    assert said(chat, "compare its size with the red cells").value == "white blood cells"
    assert "right" in said(chat, "There is one white cell. Where is it?").text


def test_what_is_absent_is_said_with_its_p_value(chat):
    answer = said(chat, "are there any platelets?")
    assert answer.evidence[0].parameters["p_value"] == 0.4
    assert "0.4" in answer.text
    assert "no platelets there" in chat.ask("where is the largest platelet?").declined


def test_what_the_model_never_saw_is_declined(chat):
    answer = chat.ask("how many synapses are there?")
    assert "not trained" in answer.declined
    assert answer.value is None


def test_nuclei_are_taken_for_cells_where_nuclei_are_what_shows():
    chat = mnb.Session(discs(), eyes=Smear("fake nuclei", "nucleus", "nucleus"))
    answer = said(chat, "how many cells?")
    assert answer.value == 8
    assert "nuclei" in answer.text
    assert "nuclei" not in said(chat, "how many nuclei?").text.split(".")[1]
    assert said(chat, "are there more nuclei on the left?").value is not None


def test_a_description_names_kinds_and_modality_and_speaks_of_no_untrained_segmentation(chat):
    text = said(chat, "describe the image").text
    for part in ("7 red blood cells", "1 white blood cell", "scanning electron microscopy", "Giemsa"):
        assert part in text
    assert "segmentation" not in text


def test_evidence_says_who_looked_and_measures_the_same_again(chat):
    img = discs(pixel_size=0.5)
    seen = mnb.Session(img, eyes=Smear()).ask("how many red blood cells?").evidence[0]
    assert (seen.weights, seen.parameters["method"], seen.parameters["eyes"]) == ("fa4e", "Micro-D1", "fake smear")
    assert {"scale", "score_threshold", "p_value", "kind"} <= set(seen.parameters)
    again = Evidence.from_dict(json.loads(json.dumps(seen.to_dict())))
    assert again.recompute(img)[0] == "identical"
    assert "eyes='fake smear'" in seen.code()
    floor = mnb.Session(img, eyes="floor").ask("how many objects?").evidence[0]
    assert "eyes" not in floor.parameters
    assert floor.weights is None
    assert floor.recompute(img)[0] == "identical"


def test_the_floor_serves_where_the_model_cannot(monkeypatch):
    img = discs()
    assert eyes.resolve("floor", img) == "floor"
    assert eyes.resolve(Smear(), mnb.open_image(np.zeros((3, 40, 40), "uint8"), axes="zyx")) == "floor"
    monkeypatch.setattr(eyes, "WHOLE_PIXELS", 1000)
    assert eyes.resolve(Smear(), img) == "floor"
    monkeypatch.setattr(eyes, "_WEIGHTS", eyes._WEIGHTS / "missing")
    assert eyes.resolve("micro_d1", img) == "floor"
    assert "no kinds" in mnb.Session(img, eyes="micro_d1").ask("how many white blood cells?").declined
    with pytest.raises(EvidenceError, match="micro_d1"):
        eyes.resolve(5, img)


needs_weights = pytest.mark.skipif(not eyes._WEIGHTS.is_file(), reason="no trained weights here")


@needs_weights
def test_the_built_in_model_counts_nuclei_and_knows_what_is_not_there():
    scene = mnb.samples.fluorescence((320, 320), seed=11, density=0.3)
    chat = mnb.Session(scene.image, eyes="micro_d1")
    assert chat.looks_with == "micro_d1"
    answer = said(chat, "how many objects are there?")
    assert answer.value == pytest.approx(scene.count(), abs=4)
    assert len(answer.evidence[0].weights) == 64
    assert said(chat, "how many white blood cells?").value == 0
    assert "fluorescence" in said(chat, "what modality is this?").text
    assert answer.evidence[0].recompute(scene.image)[0] == "identical"


@needs_weights
def test_the_built_in_model_declines_what_it_never_saw():
    chat = mnb.Session(discs(), eyes="micro_d1")
    assert "not trained" in chat.ask("how many synapses?").declined
