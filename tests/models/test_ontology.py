"""The ontology knows the field's concepts, reads their names as people write them, and does not guess."""

import csv
import json
import string
from pathlib import Path

import numpy as np
import pytest
from conftest import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st

from micro_nb.models import wording
from micro_nb.models.ontology import Ontology, ontology
from micro_nb.models.wording import british, key, plural, squashed, tokens

TRAINED = (
    "nucleus", "red blood cell", "white blood cell", "platelet", "normal cell", "target cell", "ovalocyte", "spherocyte",
    "stomatocyte", "elliptocyte", "hypochromia", "schistocyte", "burr cell", "macrocyte", "microcyte", "teardrop",
    "adherent cell", "powder particle", "satellite", "carbide particle", "mitochondrion", "neurite",
)  # fmt: skip
FACTS = (
    "fluorescence", "histology", "brightfield", "phase contrast", "scanning electron microscopy",
    "transmission electron microscopy", "blood smear",
)  # fmt: skip
ONTO = ontology()
IDS = sorted(ONTO)


def read(text):
    return [m.id for m in ONTO.sentence_concepts(text)]


def phrase(text):
    return squashed(t.key for t in tokens(text))


# The data file


def test_every_concept_and_fact_of_the_training_is_there():
    assert [i for i in (*TRAINED, *FACTS) if i not in ONTO] == []
    assert {ONTO[i].kind for i in FACTS} == {"modality", "specimen"}


def test_every_relation_leads_to_a_concept():
    for c in ONTO.values():
        for other in (*c.parents, *c.part_of, *c.goes_with):
            assert other in set(ONTO) - {c.id}, (c.id, other)


def test_nothing_is_a_kind_or_a_part_of_itself():
    for i in IDS:
        assert i not in ONTO.ancestors(i), i
        assert i not in ONTO._wholes(i), i


def test_ids_differ_however_they_are_spelled():
    keys = [phrase(i) for i in IDS]
    assert len(set(keys)) == len(keys)


def test_a_wording_belongs_to_one_concept_unless_it_is_listed_as_ambiguous():
    listed = {phrase(word): set(ids) for word, ids in ONTO.ambiguous.items()}
    owners = {}
    for c in ONTO.values():
        for w in c.wordings():
            owners.setdefault((phrase(w.text), w.cased), set()).add(c.id)
    shared = {}
    for (text, _), ids in owners.items():
        if len(ids) > 1:
            shared.setdefault(text, set()).update(ids)
    assert shared == listed


def test_every_object_and_cell_has_a_layer_and_a_sensible_size_with_source():
    for c in ONTO.values():
        if c.kind in ("object", "cell type"):
            assert c.layer, c.id
            assert c.any_size or c.size, c.id
        if c.kind == "structure":
            assert c.layer, c.id
            assert not c.countable or c.size, c.id
        if c.size:
            assert 0.0005 < c.size.low_um < c.size.high_um <= 20000, c.id
            assert len(c.size.source) > 30, c.id


def test_only_the_widest_concepts_come_in_any_size():
    wide = {c.id for c in ONTO.values() if c.any_size}
    assert wide == {"object", "particle", "agglomerate", "droplet", "organism"}


def test_what_lies_in_a_thing_is_no_larger_than_it():
    for c in ONTO.values():
        for whole in c.part_of:
            if c.size and ONTO[whole].size and c.size.of == ONTO[whole].size.of == "diameter":
                assert c.size.low_um <= ONTO[whole].size.high_um, (c.id, whole)


def test_cased_wordings_are_capitals_that_are_listed():
    for c in ONTO.values():
        for text in c.cased:
            assert text.isupper(), (c.id, text)
            assert text in (*c.synonyms, *c.includes), (c.id, text)


def test_wordings_are_listed_once_in_american_spelling_and_one_form():
    for c in ONTO.values():
        texts = [w.text for w in c.wordings()]
        assert len(set(texts)) == len(texts), c.id
        for text in (t for t in texts if t.islower()):
            for word in tokens(text):
                assert key(british(word.text)) == word.key, (c.id, text)


def test_the_list_of_real_words_names_only_words_that_need_it():
    bare = Ontology(list(ONTO.values()), ONTO.ambiguous, ())
    assert [w for w in ONTO._words if key(w) in bare._reader.known] == []


def test_the_twelve_red_cell_types_are_red_cells_and_the_white_ones_white():
    assert all(ONTO.is_a(i, "red blood cell") for i in TRAINED[4:16])
    for i in ("neutrophil", "lymphocyte", "monocyte", "eosinophil", "basophil"):
        assert ONTO.is_a(i, "white blood cell")
        assert not ONTO.is_a(i, "red blood cell")
    assert "blood cell" in ONTO.ancestors("platelet")
    assert not ONTO.is_a("platelet", "white blood cell")


# Names


@pytest.mark.parametrize(
    ("text", "id", "how"),
    [
        ("nucleus", "nucleus", "name"), ("Nuclei", "nucleus", "name"), ("the cell nuclei", "nucleus", "synonym"),
        ("RBC", "red blood cell", "synonym"), ("rbcs", "red blood cell", "synonym"), ("WBC", "white blood cell", "synonym"),
        ("Leucocytes", "white blood cell", "synonym"), ("white-blood-cell", "white blood cell", "name"),
        ("redblood cells", "red blood cell", "name"), ("bright field", "brightfield", "name"),
        ("µCT", "X-ray micro-CT", "synonym"),
        ("H&E", "hematoxylin and eosin", "synonym"), ("haematoxylin and eosin", "hematoxylin and eosin", "name"),
        ("γ-H2AX", "gamma-H2AX", "name"), ("echinocytes", "burr cell", "synonym"), ("codocyte", "target cell", "synonym"),
        ("mitochondria", "mitochondrion", "name"), ("mitochondrial", "mitochondrion", "adjective"),
        ("E.coli", "Escherichia coli", "synonym"), ("spheroidite particles", "carbide particle", "synonym"),
        ("artery", "blood vessel", "included"), ("STEM", "scanning transmission electron microscopy", "synonym"),
        ("stem", "plant stem", "included"), ("iron deficiency anaemia", "iron deficiency anemia", "name"),
        ("Plasmodium falciparum", "malaria parasite", "included"), ("bull's-eye cell", "target cell", "synonym"),
        ("nuclues", "nucleus", "typing error"), ("mitocondria", "mitochondrion", "typing error"),
        ("erytrocites", "red blood cell", "typing error"), ("lymfocyte", "lymphocyte", "typing error"),
        ("eosonophil", "eosinophil", "typing error"), ("plateletts", "platelet", "typing error"),
        ("thalasemia", "thalassemia", "typing error"), ("redblod cells", "red blood cell", "typing error"),
        ("scaning electron microscpy", "scanning electron microscopy", "typing error"),
    ],
)  # fmt: skip
def test_a_name_is_found_as_people_write_it(text, id, how):
    match = ONTO.find(text)
    assert (match.id, match.how) == (id, how)


@pytest.mark.parametrize(
    "text",
    ["RBX", "WBX", "RPC", "SEN", "TEN", "cel", "", "  ", "?", "HE said", "he", "42", "mcrocyte", "xyzzy", "power", "action"],
)
def test_what_names_nothing_is_not_guessed(text):
    assert ONTO.find(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [("RBC", "WBC"), ("macrocyte", "microcyte"), ("SEM", "TEM"), ("hypochromic", "hyperchromic"), ("myoblast", "myeloblast")],
)
def test_near_words_of_unlike_meaning_are_kept_apart(one, other):
    found = ONTO.find(one), ONTO.find(other)
    assert not (found[0] and found[1] and found[0].id == found[1].id)


@given(st.sampled_from([c for c in ONTO.values() for _ in c.names]), st.data())
@settings(max_examples=60, deadline=None)
def test_every_name_in_any_form_finds_its_concept(concept, data):
    name = data.draw(st.sampled_from([n for n in concept.names if n not in concept.cased]))
    forms = [name.lower(), name.capitalize(), name.replace("-", " "), british(name)]
    forms += [plural(name)] if concept.countable else []
    for form in forms:
        match = ONTO.find(form)
        assert match, form
        assert concept.id in (match.id, *match.others), form


@given(st.text(alphabet=string.printable + "äµγ’", max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_text_is_read_without_error_and_its_spans_are_its_words(text):
    ONTO.find(text)
    end = 0
    for m in ONTO.sentence_concepts(text):
        assert m.text == text[m.start : m.end]
        assert m.start >= end
        end = m.end


def test_an_unknown_id_names_its_neighbours():
    with pytest.raises(KeyError, match="do you mean spherocyte"):
        ONTO["spherocytes"]


# Sentences


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("blood smear with a white blood cell", ["blood smear", "white blood cell"]),
        ("smear without white cells or platelets", ["blood smear"]),
        ("no nuclei, but many platelets", ["platelet"]),
        ("no clearly visible nuclei and many red cells", ["red blood cell"]),
        ("spherocytes, small dense red cells without pale centre", ["spherocyte", "crowded", "red blood cell"]),
        ("sickle... no, long elliptical red cells", ["elliptocyte"]),
        ("not only nuclei but also mitochondria", ["nucleus", "mitochondrion"]),
        ("anything that isn't a cell", []),
        ("red and white blood cells", ["red blood cell", "white blood cell"]),
        ("C. elegans worms in brightfield", ["C. elegans", "brightfield"]),
        ("Cells. Nuclei.", ["cell", "nucleus"]),
        ("agar plate with colonies", ["agar plate", "colony"]),
        ("a single cell with comet tail", ["comet"]),
        ("is the image in focus?", []),
        ("DNA damage foci in nuclei", ["DNA damage focus", "nucleus"]),
        ("are these rods or cocci?", ["rod-shaped bacterium", "coccus"]),
        ("dendrites of the alloy", ["metal dendrite", "alloy"]),
        ("dendrites and axons of a neuron", ["dendrite", "axon", "neuron"]),
        ("grains and grain boundaries", ["grain", "grain boundary"]),
        ("count teh nuclues and the plateletts", ["nucleus", "platelet"]),
        ("he would allow a higher score in the chapter", []),
        ("immunofluorescence, if possible", ["immunofluorescence"]),
    ],
)
def test_all_concepts_of_a_sentence_are_read_and_the_denied_ones_left_out(text, ids):
    assert read(text) == ids


@pytest.mark.skipif(not SHARED.exists(), reason="the data are not beside the checkout")
def test_captions_and_queries_of_the_collection_name_something_each():
    with open(SHARED / "train_val/captioned/index.csv", newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    queries = [json.loads(line)["query"] for line in (SHARED.parent / "questions/retrieval_dev.jsonl").read_text().splitlines()]
    texts = [row[column] for row in rows for column in ("modality", "specimen", "caption")] + queries
    assert [t for t in texts if not read(t)] == []


# Relations


def test_ancestors_come_nearest_first_and_descendants_are_their_inverse():
    assert ONTO.ancestors("neutrophil") == ("granulocyte", "white blood cell", "blood cell", "cell", "object")
    assert {"neutrophil", "lymphocyte", "blast cell"} <= set(ONTO.descendants("white blood cell"))
    for i in IDS[::9]:
        assert all(ONTO.is_a(d, i) for d in ONTO.descendants(i))


@pytest.mark.parametrize(
    ("a", "b", "relation"),
    [
        ("cell", "cell", "same"), ("burr cell", "cell", "is a"), ("cell", "burr cell", "is a"), ("nucleolus", "cell", "part of"),
        ("satellite", "powder particle", "part of"), ("hereditary spherocytosis", "spherocyte", "goes with"),
        ("DAPI", "nucleus", "goes with"), ("target cell", "spherocyte", None), ("nucleus", "carbide particle", None),
        ("powder particle", "red blood cell", None), ("neutrophil", "platelet", None),
    ],
)  # fmt: skip
def test_related_says_how_two_concepts_belong_together(a, b, relation):
    assert ONTO.related(a, b) == relation == ONTO.related(b, a)


def test_a_red_cell_is_seven_and_a_half_micrometers_and_sizes_are_inherited():
    assert ONTO.size_um("red blood cell").typical_um == pytest.approx(7.5, abs=0.1)
    assert ONTO.size_um("C. elegans") == ONTO.size_um("worm")
    assert [ONTO.size_um(i) for i in ("fluorescence", "object", "cytoplasm")] == [None] * 3
    assert [ONTO.layer(i) for i in ("neutrophil", "mitochondrion", "C. elegans", "DAPI")] == [
        "object",
        "organelle",
        "object",
        None,
    ]
    assert ONTO.size_um("microcyte").high_um <= ONTO.size_um("macrocyte").low_um


# Prompts


@pytest.mark.parametrize("part", range(4))
def test_every_prompt_without_typing_errors_reads_back_as_its_concept(part):
    rng = np.random.default_rng(part)
    for id in IDS[part::4]:
        for text in ONTO.prompts(id, rng, n=6, typos=0):
            meant = {i for m in ONTO.sentence_concepts(text) for i in (m.id, *m.others)}
            assert id in meant, (id, text)


def test_prompts_vary_and_repeat_with_the_seed():
    texts = ONTO.prompts("red blood cell", np.random.default_rng(3), n=60)
    assert texts == ONTO.prompts("red blood cell", np.random.default_rng(3), n=60)
    assert len(set(texts)) > 35
    for part in ("erythrocyte", "RBC", "a micrograph of", "red blood cell"):
        assert any(part in t for t in texts), part


def test_typing_errors_come_at_the_stated_rate_and_mostly_still_find_the_concept():
    rng = np.random.default_rng(5)
    typed = ONTO.prompts("mitochondrion", rng, n=80, typos=1.0)
    assert np.mean([any(m.how == "typing error" for m in ONTO.sentence_concepts(t)) for t in typed]) > 0.25
    assert np.mean(["mitochondrion" in read(t) for t in typed]) > 0.8


def test_a_rate_that_is_no_share_is_refused():
    with pytest.raises(ValueError, match="not 5"):
        ONTO.prompts("nucleus", np.random.default_rng(0), typos=5)


def test_reading_the_ontology_needs_no_torch():
    folder = Path(wording.__file__).parent
    for name in ("__init__", "ontology", "mentions", "phrasing", "wording"):
        assert "torch" not in (folder / f"{name}.py").read_text(encoding="utf8")
