"""A taxonomy is read from CSV or dict, sums upward, backs off, and says what is wrong with it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micro_nb.tasks.taxonomy import Taxonomy


@st.composite
def trees(draw):
    """Taxonomies of up to three ranks and up to 12 leaves."""
    counter = iter(range(10_000))

    def level(depth: int) -> dict:
        n = draw(st.integers(2 if depth == 0 else 1, 3))
        return {f"n{next(counter)}": level(depth + 1) if depth < 2 and draw(st.booleans()) else None for _ in range(n)}

    return Taxonomy.from_dict(level(0))


def leaf_shares(tree, seed, n=3):
    return np.random.default_rng(seed).dirichlet(np.full(len(tree.leaves) + 1, 0.3), n)[:, :-1]  # what is left: none


@given(trees(), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_a_name_has_the_sum_of_its_leaves(tree, seed):
    leaves = leaf_shares(tree, seed)
    p = tree.upward(leaves)
    for k, name in enumerate(tree.names):
        held = [j for j, path in enumerate(tree.paths) if name in path]
        np.testing.assert_allclose(p[:, k], leaves[:, held].sum(1), atol=1e-12)


@given(trees(), st.integers(0, 2**31), st.floats(0.01, 1), st.floats(0.01, 1))
@settings(max_examples=40, deadline=None)
def test_more_confidence_asked_never_gives_a_finer_name(tree, seed, a, b):
    routes = {name: path[: k + 1] for path in tree.paths for k, name in enumerate(path)} | {None: ()}
    low, high = sorted((a, b))
    for row in tree.upward(leaf_shares(tree, seed)):
        p = dict(zip(tree.names, row, strict=True))
        bold, careful = tree.back_off(p, low), tree.back_off(p, high)
        assert routes[bold][: len(routes[careful])] == routes[careful]
        assert careful is None or p[careful] >= high


@given(trees(), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_the_order_of_rows_does_not_matter(tree, random):
    shuffled = list(range(len(tree.paths)))
    random.shuffle(shuffled)
    other = Taxonomy(tree.ranks, tuple(tree.paths[k] for k in shuffled))
    leaves = leaf_shares(tree, 1)
    one = dict(zip(tree.names, tree.upward(leaves).T, strict=True))
    two = dict(zip(other.names, other.upward(leaves[:, shuffled]).T, strict=True))
    assert all(np.array_equal(one[name], two[name]) for name in tree.names)


def test_blood_cells_are_built_in():
    blood = Taxonomy.read("blood")
    assert blood.ranks == ("lineage", "cell", "subtype")
    assert len(blood.children["red blood cell"]) == 12
    assert len(blood.children["white blood cell"]) == 5
    assert blood.rank["platelet"] == "cell"
    assert "platelet" in blood.leaves
    assert blood.prompt("teardrop") == "teardrop cell"
    assert blood.prompt("spherocyte") == "spherocyte"


def test_csv_and_dict_say_the_same(tmp_path):
    path = tmp_path / "steel.csv"
    path.write_text("\ufeffphase, form\nferrite,\npearlite, lamellar\npearlite,spheroidite\n\n", encoding="utf-8")
    tree = {"ferrite": None, "pearlite": ["lamellar", "spheroidite"]}
    assert Taxonomy.read(path) == Taxonomy.from_dict(tree, ranks=("phase", "form"))
    assert Taxonomy.from_csv(path, ranks=["phase", "form"]) == Taxonomy.read(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs a header"),
        ("a,a\nx,y\n", "needs a header"),
        ("prompt\nx\n", "needs a header"),
        ("a,b\nx,y\n,z\n", "row 3 skips a rank"),
        ("a,b\nx,y\nx,y\n", "duplicate label"),
        ("a,b\nx,y\nz,Y\n", "duplicate label 'Y'"),
        ("a,b\nx,\nx,y\n", "once with and once without"),
        ("a,b\nx,y\n", "at least two labels"),
        ("a\nx,y,z\nw\n", "row 2 has 3 cells"),
        ("a\nnone of these\nx\n", "cannot be a label"),
    ],
)
def test_a_faulty_csv_is_refused_in_words(tmp_path, text, message):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        Taxonomy.read(path)


def test_unknown_columns_and_files_are_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("lineage,cell\nx,y\nx,z\n")
    with pytest.raises(ValueError, match=r"no columns \['organ'\]; it has \['lineage', 'cell'\]"):
        Taxonomy.from_csv(path, ranks=["organ", "cell"])
    with pytest.raises(FileNotFoundError, match=r"built in are \['blood'\]"):
        Taxonomy.read("plants")
    with pytest.raises(TypeError, match="got int"):
        Taxonomy.read(3)


@pytest.mark.parametrize(
    "tree", [{"a": "b", "c": None}, {"a": 3, "b": None}, {"a": ["x", "x"], "b": None}, {"": None, "b": None}, {}]
)
def test_a_faulty_dict_is_refused(tree):
    with pytest.raises(ValueError, match=r"got|holds|duplicate"):
        Taxonomy.read(tree)


def test_part_of_a_taxonomy_can_be_kept():
    blood = Taxonomy.read("blood")
    few = blood.keep(["white blood cell", "burr cell", "platelet"])
    assert few.leaves == ("white blood cell", "burr cell", "platelet")
    assert "neutrophil" not in few.names
    with pytest.raises(ValueError, match="'white blood cell' holds 'neutrophil'"):
        blood.keep(["white blood cell", "neutrophil"])
    with pytest.raises(ValueError, match="does not hold"):
        blood.keep(["erythrocyte", "platelet"])
