"""``classify`` names images and objects by words, by a taxonomy or by examples, and says why where it does not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joint_space import direction, embedding, encode_text, model, seen, table_of

from micro_nb.data.open import open_image
from micro_nb.tasks import subjects, zeroshot
from micro_nb.tasks.classify import classify
from micro_nb.tasks.taxonomy import Taxonomy

CELLS = ["red blood cell", "white blood cell", "platelet"]


@pytest.fixture(autouse=True, scope="module")
def _joint_space():
    """The fake space in place of the network; an image shows what its mean grey value stands for, its objects platelets."""

    def embed(img, model=None, diameter_px=None):
        shown = CELLS[int(img.data.mean()) % len(CELLS)]
        found = embedding("platelet", "platelet", image=shown, image_id=f"id of {img.name}", noise=0.1)
        found.found.table[["bbox_y1_px", "bbox_x1_px"]] = 64
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zeroshot, "encode_text", encode_text)
        patch.setattr(subjects, "embed", embed)
        yield


def grey(value):
    return open_image(np.full((64, 64), value, "uint8"))


def test_objects_are_named_by_words_and_strangers_by_none():
    e = embedding(*CELLS, "pollen tetrad", "scratch on the glass")
    table = classify(e, CELLS, model=model())
    assert table["name"].tolist() == [*CELLS, "none of these", "none of these"]
    assert table["abstained"].tolist() == [False] * 3 + [True] * 2
    assert table["rank"].tolist() == ["label"] * 3 + [None] * 2
    assert table["reason"][0] == ""
    assert "is needed (from similarities to" in table["reason"][3]
    assert table.columns.tolist() == [
        "label", "layer", "name", "rank", "probability", *(f"p:{c}" for c in CELLS), "p:none of these", "abstained", "reason",
    ]  # fmt: skip
    assert table["probability"].tolist() == pytest.approx(table.filter(like="p:").max(axis=1).tolist())


def test_what_shows_two_labels_is_undecided():
    table = classify(seen("red blood cell+platelet", noise=0.0), ["red blood cell", "platelet"], model=model())
    assert table["name"][0] is None
    assert table["abstained"][0]
    assert table["probability"][0] == pytest.approx(0.5, abs=0.1)
    assert table["reason"][0].startswith("undecided: 'platelet' (0.")
    assert table["reason"][0].endswith("0.6 is asked for")


def test_without_none_the_labels_share_everything():
    table = classify(seen("scratch", "platelet"), CELLS, model=model(), none_of_these=False)
    assert table.filter(like="p:").sum(axis=1).tolist() == pytest.approx([1, 1])
    assert "p:none of these" not in table
    assert table["name"][1] == "platelet"


def test_few_strangers_are_given_a_label(rng):
    things = rng.normal(size=(1500, 128))
    table = classify(things, [f"label {k}" for k in range(6)], model=model(), confidence=0.01)
    assert 1 - (table["name"] == "none of these").mean() == pytest.approx(0.05, abs=0.03)


def test_an_unrelated_concept_that_fits_does_not_raise_the_bar():
    """A nucleus is among the concepts that the null is made of, and its own name still fits it."""
    assert classify(seen("nucleus", "steel grain"), ["cell", "nucleus"], model=model())["name"].tolist() == [
        "nucleus",
        "none of these",
    ]


def test_a_doubtful_subtype_backs_off_to_its_cell():
    things = seen("white blood cell", "red blood cell+target cell", "platelet", noise=0.1)
    table = classify(things, taxonomy="blood", model=model())
    assert table["name"].tolist() == ["white blood cell", "target cell", "platelet"]
    assert table["rank"].tolist() == ["cell", "subtype", "cell"]
    assert table["reason"][0].startswith("no finer: ")
    assert table["reason"][1] == table["reason"][2] == ""


def test_many_subtypes_do_not_outweigh_a_class_with_few():
    tree = {"many": [f"kind {k}" for k in range(40)], "one": None}
    table = classify(seen("many+one", noise=0.0), taxonomy=tree, model=model(), none_of_these=False)
    assert table["p:many"][0] == pytest.approx(0.5, abs=0.2)


@given(st.integers(0, 2**31), st.booleans(), st.floats(1, 30), st.floats(-9, 0))
@settings(max_examples=6, deadline=None)
def test_every_rank_sums_to_what_holds_it(seed, none_of_these, scale, bias):
    things, eyes = np.random.default_rng(seed).normal(size=(4, 128)), model(scale, bias)
    table = classify(things, taxonomy="blood", model=eyes, none_of_these=none_of_these)
    blood = Taxonomy.read("blood")
    for name, inside in blood.children.items():
        if inside:
            whole = table[f"p:{name}"] if name else 1 - table.get("p:none of these", 0)
            np.testing.assert_allclose(table[[f"p:{c}" for c in inside]].sum(axis=1), whole, atol=1e-9)


@given(st.integers(0, 2**31), st.floats(0.01, 1), st.floats(0.01, 1))
@settings(max_examples=6, deadline=None)
def test_more_confidence_asked_gives_no_finer_rank(seed, a, b):
    rng = np.random.default_rng(seed)
    blood = Taxonomy.read("blood")
    things = seen(*("+".join(path) for path in (blood.paths[k] for k in rng.integers(0, 18, 6))), noise=2, seed=seed)
    bold, careful = (classify(things, taxonomy="blood", model=model(), confidence=c) for c in sorted((a, b)))
    depth = {rank: k for k, rank in enumerate(blood.ranks)}
    finer = careful["rank"].map(depth).fillna(-1) > bold["rank"].map(depth).fillna(-1)
    assert not finer.any()
    assert ((bold["name"] == "none of these") == (careful["name"] == "none of these")).all()


@given(st.permutations([*CELLS, "dust", "fibre"]), st.integers(0, 2**31))
@settings(max_examples=6, deadline=None)
def test_the_order_of_labels_changes_nothing_but_the_order_of_columns(labels, seed):
    things = np.random.default_rng(seed).normal(size=(5, 128))
    one, two = (classify(things, order, model=model(), confidence=0.2) for order in (sorted(labels), labels))
    assert one.equals(two[one.columns])


def test_the_order_of_objects_changes_nothing():
    things = seen(*CELLS, "scratch", "platelet+dust")
    one = classify(things, CELLS, model=model())
    two = classify(things[::-1], CELLS, model=model()).iloc[::-1].reset_index(drop=True)
    assert one["name"].equals(two["name"])
    np.testing.assert_allclose(one["probability"], two["probability"], rtol=1e-12)


def test_images_are_classified_each_in_a_row():
    table = classify([grey(2), grey(0)], CELLS, model=model())
    assert table["name"].tolist() == ["platelet", "red blood cell"]
    assert {"image", "id"} <= set(table.columns)
    assert table.attrs["kind"] == "image"
    assert classify(grey(1), CELLS, model=model())["name"].tolist() == ["white blood cell"]


def test_objects_chosen_from_all_keep_their_rows():
    e = embedding("platelet", "red blood cell", "platelet", "white blood cell")
    some = e.found.filter("label > 2")
    table = classify(some, CELLS, embedding=e, model=model())
    assert table.index.tolist() == some.table.index.tolist()
    assert table["name"].tolist() == ["platelet", "white blood cell"]
    assert some.table.join(table.drop(columns=["label", "layer", "name"])).notna().all().drop("rank").all()


def test_nothing_found_gives_an_empty_table():
    e = embedding("platelet")
    table = classify(replace(e, objects=e.objects[:0], found=table_of(0)), CELLS, model=model())
    assert len(table) == 0
    assert "p:platelet" in table
    assert "reason" in table


@pytest.mark.parametrize("method", ["prototype", "logistic"])
def test_nothing_found_is_no_trouble_for_examples(method):
    examples = {name: seen(*[name] * 3, seed=k) for k, name in enumerate(CELLS)}
    assert len(classify(np.empty((0, 128)), examples=examples, method=method)) == 0


@pytest.mark.parametrize("method", ["prototype", "logistic"])
def test_examples_name_vectors_without_a_model(method):
    examples = {name: seen(*[name] * 6, noise=1.0, seed=k) for k, name in enumerate(CELLS)}
    table = classify(seen(*CELLS, "scratch", noise=1.0, seed=50), examples=examples, method=method)
    assert table["name"].tolist() == [*CELLS, "none of these"]
    assert table.attrs["accuracy"] == 1.0
    assert table.attrs["validation"] == "leave-one-out"
    assert table.attrs["validated"] == 18
    assert table["typicality"][3] < 0.05 < table["typicality"][0]
    assert "examples lie as far" in table["reason"][3]
    assert np.isnan(table["probability"][3])
    assert table.filter(like="p:").sum(axis=1).tolist() == pytest.approx([1] * 4)


def test_examples_can_be_rows_of_objects():
    e = embedding(*["red blood cell", "platelet"] * 5, "red blood cell", noise=1.0)
    rows = e.found.table
    examples = {
        "red": rows[rows["label"] % 2 == 1].iloc[:4],
        "small": [e.found.filter("label == 2"), rows.iloc[3], rows.iloc[[5]]],
    }
    table = classify(e, examples=examples, confidence=0.55)
    assert table["name"][10] == "red"
    assert table.attrs["examples"] == {"red": 4, "small": 3}
    chosen = classify(e.found.filter("label == 11"), examples=examples, embedding=e, confidence=0.55)
    assert chosen["name"].tolist() == ["red"]


def test_examples_can_be_images_and_crops():
    examples = {"red": [grey(0), np.full((32, 32), 3, "uint8")], "white": [grey(1), np.full((32, 32, 3), 4, "uint8")]}
    table = classify([grey(0), grey(1)], examples=examples)
    assert table["name"].tolist() == ["red", "white"]
    assert table["image"].notna().all()
    e = embedding("platelet", noise=0.1)
    middle = classify(e, examples={"small": [grey(0)], "other": [direction("red blood cell")]})
    assert middle["name"].tolist() == ["small"]


def test_examples_of_subtypes_back_off_along_a_taxonomy():
    examples = {
        name: seen(*["red blood cell+" * (name != "platelet") + name] * 8, noise=2.5, seed=k)
        for k, name in enumerate(["burr cell", "target cell", "platelet"])
    }
    between = seen("red blood cell+burr cell+target cell", noise=0.2)
    table = classify(between, examples=examples, taxonomy="blood", none_of_these=False, confidence=0.9)
    assert table["name"][0] == "red blood cell"
    assert table["rank"][0] == "cell"
    with pytest.raises(ValueError, match=r"does not hold \['dog'\]"):
        classify(between, examples={"dog": between, "platelet": between}, taxonomy="blood")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "got none"),
        ({"labels": CELLS, "taxonomy": "blood"}, "got labels and taxonomy"),
        ({"labels": CELLS, "examples": {"a": [], "b": []}}, "got labels and examples"),
        ({"labels": ["one"]}, r"at least two labels are needed.*\['one'\]"),
        ({"labels": "cell"}, "the one text 'cell'"),
        ({"labels": ["cell", "Cell "]}, "duplicate label 'Cell'"),
        ({"labels": ["cell", ""]}, "not empty"),
        ({"labels": ["cell", "none of these"]}, "cannot be a label"),
        ({"examples": {"a": [], "b": [np.ones(128)]}}, r"classes \['a'\] have no examples"),
        ({"examples": {"a": [np.ones(128), np.ones(5)], "b": [np.ones(128)]}}, r"\[5, 128\] dimensions"),
        ({"labels": CELLS, "groups": {}}, "there are no examples"),
        ({"labels": CELLS, "confidence": 0}, "got 0"),
        ({"labels": CELLS, "confidence": 1.5}, "got 1.5"),
        ({"taxonomy": "plants"}, "built in are"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(given, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        classify(seen("platelet"), model=model(), **given)


def test_what_cannot_be_classified_is_refused_in_words():
    e, other = embedding("platelet", image_id="a"), embedding("platelet", "dust", image_id="b")
    for what, message in [
        (e.found, "give embedding=embed"), (np.zeros(128), r"give \(n, D\)"), (np.zeros((4, 4, 3)), "open_image"),
        (np.zeros((2, 128)), "row 0 of the vectors is 0"),
        (np.full((1, 128), np.nan), "finite"), (np.ones((1, 5)), "5 dimensions"), ([], "empty"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=message):
            classify(what, CELLS, model=model())
    with pytest.raises(ValueError, match="of image 'b'"):
        classify(other.found, CELLS, embedding=e, model=model())
    with pytest.raises(ValueError, match=r"not those of the embedding \(object 2 is not in it\)"):
        classify(table_of(2), CELLS, embedding=e, model=model())
    with pytest.raises(TypeError, match="got int"):
        classify(3, CELLS, model=model())
    with pytest.raises(TypeError, match="treshold"):
        classify(e, CELLS, treshold=0.5)


def test_a_known_diameter_reaches_every_look(monkeypatch):
    looked, look = [], subjects.embed
    monkeypatch.setattr(subjects, "embed", lambda img, **asked: looked.append(asked["diameter_px"]) or look(img, **asked))
    classify([grey(0)], examples={"a": [grey(0)], "b": [grey(1)]}, diameter_px=17.0)
    assert looked == [17.0] * 3
