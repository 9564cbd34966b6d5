"""An index finds images, tiles and objects by text, picture and place; it is whole or absent, and says what changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import search_world as world
from PIL import Image

import micro_nb as mnb
from micro_nb.errors import CorruptImageError, ImageNotFoundError, MicroNBError, RegionError, WriteError
from micro_nb.face import cli
from micro_nb.tasks.search import concept_space, retrieve, rows, store
from micro_nb.tasks.search import query as reading
from micro_nb.tasks.search.retrieve import Index
from micro_nb.tasks.search.store import IndexMismatchError
from micro_nb.tasks.search.thumbnails import MOST_BYTES, encoded
from micro_nb.tasks.search.vectors import Rows, unit

PICTURES = {
    "few_discs": world.picture([(30, 30, 9), (90, 90, 9)]),
    "many_discs": world.picture(world.grid(16, 6), seed=1),
    "rods": world.picture(rods=[(30, 40), (60, 80), (100, 50)], seed=2),
    "mixed": world.picture([(30, 30, 9)], [(90, 80)], seed=3),
    "one_large": world.picture([(64, 64, 45)], seed=4),
}


def enter(patch):
    """The small world in place of the network and of the ontology."""
    for module, name in [
        (rows, "embed"), (reading, "embed"), (concept_space, "encode_text"), (retrieve, "encode_text"),
    ]:  # fmt: skip
        patch.setattr(module, name, getattr(world, name))
    patch.setattr(retrieve, "load_model", lambda *name: world.Model())
    patch.setattr(concept_space, "ontology", world.Ontology)


@pytest.fixture(autouse=True)
def _world(monkeypatch):
    enter(monkeypatch)


def write(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(PICTURES[name]).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder of all pictures and its index; tests that change it copy it."""
    root = tmp_path_factory.mktemp("search")
    with pytest.MonkeyPatch.context() as patch:
        enter(patch)
        Index.build(write(root / "images", *PICTURES), root / "index", model=world.Model())
    return root


@pytest.fixture
def index(built):
    return Index.open(built / "index")


def names(result):
    return [Path(p).stem for p in result["path"]]


def test_a_text_finds_what_it_names(index):
    assert set(names(index.search("rods", k=2))) == {"rods", "mixed"}
    result = index.search("discs", k=5)
    assert list(result["rank"]) == [1, 2, 3, 4, 5]
    assert (result["score"].diff().dropna() <= 0).all()
    assert result["score"].between(0, 1).all()
    assert list(result.columns[:4]) == ["rank", "score", "path", "name"]


def test_a_synonym_is_read_by_the_ontology(index):
    assert names(index.search("coins", k=3)) == names(index.search("disc", k=3))


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("two discs", "few_discs"), ("crowded discs", "many_discs"), ("many small discs", "many_discs"),
        ("one large disc", "one_large"),
        ("fewer than five discs, sparse", "few_discs"), ("elongated", "rods"), ("rods plus discs", "mixed"),
    ],
)  # fmt: skip
def test_numbers_and_shapes_are_measured(index, text, right):
    assert names(index.search(text, k=1)) == [right]


def test_what_is_taken_off_goes_down(index):
    assert "mixed" not in names(index.search("rods minus discs", k=1))
    assert names(index.search("rods without discs", k=1)) == ["rods"]


def test_a_condition_keeps_rows_that_meet_it(index):
    assert set(names(index.search("discs", k=9, where="n_objects > 2"))) == {"many_discs", "rods"}
    assert index.search("discs", where="n_rod == 99").empty
    with pytest.raises(ValueError, match="there is no column 'nonsense'"):
        index.search("discs", where="nonsense > 1")
    with pytest.raises(ValueError, match="not allowed"):
        index.search("discs", where="__import__('os').system('true') == 0")


def test_an_image_finds_itself(index, built):
    path = built / "images" / "rods.png"
    for query in (path, str(path), mnb.open_image(path), PICTURES["rods"]):
        result = index.search(query, k=1)
        assert names(result) == ["rods"]
        assert result["score"].iloc[0] == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("query", ["", "  ", "?!"])
def test_a_query_without_words_is_refused(index, query):
    with pytest.raises(ValueError, match="holds no words"):
        index.search(query)


def test_k_must_be_positive(index):
    with pytest.raises(ValueError, match="k=0"):
        index.search("discs", k=0)


def test_measurements_of_an_image_are_columns(index):
    row = index.table.set_index("name").loc["few_discs.png"]
    assert (row.n_objects, row.n_disc, row.n_rod) == (2, 2, 0)
    assert (row.specimen, row.specimen_probability, row.stain) == ("smear", 0.9, "")
    assert np.isnan(row.stain_probability)
    assert {"median_diameter_px", "area_percent", "mean_intensity", "edge_width_px", "gray_percent", "concepts"} <= set(row.index)


def test_objects_of_one_image_are_found_by_text_crop_and_place(tmp_path):
    img = mnb.open_image(PICTURES["mixed"])
    index = Index.build(img, tmp_path / "objects", of="objects")
    assert len(index) == 2
    found = index.search("rods", k=1).iloc[0]
    assert found["name"] == "rod"
    assert found["x1"] - found["x0"] > found["y1"] - found["y0"]
    assert index.search(img.sel(region=mnb.Region(20, 20, 42, 42)), k=1)["name"].tolist() == ["disc"]
    assert index.search(mnb.Region(80, 50, 100, 110), k=1)["name"].tolist() == ["rod"]
    assert index.search("disc", where="elongation > 1.6")["name"].tolist() == ["rod"]
    with pytest.raises(RegionError, match="no objects of the index"):
        index.search(mnb.Region(0, 0, 3, 3))


def test_the_score_of_a_search_is_not_that_of_an_object(tmp_path):
    index = Index.build(PICTURES["mixed"], tmp_path / "objects", of="objects")
    found = index.search("round", k=3)
    assert found.columns.is_unique
    assert found["score"].is_monotonic_decreasing
    assert found["object_score"].tolist() == index.table.loc[found.index, "score"].tolist()
    assert f"1. {found['score'].iloc[0]:.3f}" in index.show(found).text


def test_a_result_says_what_was_asked_be_it_a_text_an_image_or_a_place(tmp_path):
    index = Index.build(PICTURES["mixed"], tmp_path / "objects", of="objects")
    img = mnb.open_image(PICTURES["mixed"])
    queries = ("round", img, PICTURES["mixed"], mnb.Region(10, 10, 50, 50))
    said = [index.search(query, k=1).attrs["query"] for query in queries]
    assert said == ["round", img.name, "an array", "y 10..50, x 10..50 px"]


def test_tiles_of_one_image_are_found_by_what_lies_in_them(tmp_path):
    index = Index.build(PICTURES["mixed"], tmp_path / "tiles", of="tiles")
    assert len(index) == 4
    assert index.table["n_objects"].sum() == 2
    found = index.search("rod", k=1).iloc[0]
    assert (found["y0"], found["x0"], found["n_rod"]) == (64, 64, 1)
    assert index.search(mnb.Region(0, 0, 64, 64), k=1)[["y0", "x0"]].to_numpy().tolist() == [[0, 0]]


def test_a_place_needs_one_image(index):
    with pytest.raises(RegionError, match=r"img\.sel"):
        index.search(mnb.Region(0, 0, 9, 9))


def test_append_adds_what_is_new_and_leaves_the_rest_byte_for_byte(tmp_path):
    images = write(tmp_path / "images", "rods", "mixed")
    index = Index.build(images, tmp_path / "index")
    old = {p: p.read_bytes() for p in (tmp_path / "index" / "part-0000").rglob("*") if p.is_file()}
    assert index.append(images) == 0
    write(images, "few_discs")
    Image.fromarray(PICTURES["rods"]).save(images / "rods_again.png")
    assert index.append(images) == 1
    assert all(p.read_bytes() == data for p, data in old.items())
    for known in (index, Index.open(tmp_path / "index")):
        assert len(known) == 3
        assert names(known.search("two discs", k=1)) == ["few_discs"]
        assert known.verify().empty


def test_an_index_that_changed_meanwhile_is_not_written(tmp_path):
    images = write(tmp_path / "images", "rods")
    first, second = Index.build(images, tmp_path / "index"), Index.open(tmp_path / "index")
    write(images, "mixed")
    second.append(images)
    write(images, "few_discs")
    with pytest.raises(WriteError, match="changed since it was opened"):
        first.append(images)
    assert len(Index.open(tmp_path / "index")) == 2


def test_verify_says_what_differs(tmp_path):
    images = write(tmp_path / "images", "rods", "mixed", "few_discs")
    index = Index.build(images, tmp_path / "index")
    assert index.verify().empty
    (images / "rods.png").unlink()
    Image.fromarray(PICTURES["one_large"]).save(images / "mixed.png")
    vectors = tmp_path / "index" / "part-0000" / "vectors.npy"
    data = bytearray(vectors.read_bytes())
    data[-1] ^= 1
    vectors.write_bytes(data)
    problems = index.verify().set_index("path")["problem"]
    assert "content id differs" in problems[str(images / "mixed.png")]
    assert "nothing is there" in problems[str(images / "rods.png")]
    assert "checksum differs" in problems[str(vectors)]
    assert len(problems) == 3


def test_an_index_of_other_weights_is_refused(built):
    index = Index.open(built / "index", model=world.Model("b" * 64))
    with pytest.raises(IndexMismatchError, match=r"other weights.*build it anew"):
        index.search("discs")
    with pytest.raises(IndexMismatchError):
        index.append(PICTURES["rods"])


def test_an_index_of_another_version_is_refused(tmp_path):
    Index.build(PICTURES["rods"], tmp_path / "index")
    manifest = tmp_path / "index" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(IndexMismatchError, match="build it anew"):
        Index.open(tmp_path / "index")


def test_nothing_is_left_where_building_fails(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.np, "save", full)
    with pytest.raises(WriteError, match="No space left"):
        Index.build(PICTURES["rods"], tmp_path / "index")
    assert list(tmp_path.iterdir()) == []


def test_an_append_that_fails_leaves_the_index_as_it_was(tmp_path, monkeypatch):
    index = Index.build([PICTURES["rods"]], tmp_path / "index")
    before, replace = sorted(p.name for p in (tmp_path / "index").iterdir()), os.replace

    def full(source, target):
        if Path(target).name == "manifest.json":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(WriteError, match="No space left"):
        index.append([PICTURES["mixed"]])
    monkeypatch.undo()
    assert len(Index.open(tmp_path / "index")) == 1
    assert set(before) <= {p.name for p in (tmp_path / "index").iterdir()}


def test_other_folders_and_indices_are_not_overwritten(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    with pytest.raises(WriteError, match="is no index"):
        Index.build(PICTURES["rods"], tmp_path / "mine", overwrite=True)
    Index.build(PICTURES["rods"], tmp_path / "index")
    with pytest.raises(WriteError, match="overwrite=True"):
        Index.build(PICTURES["mixed"], tmp_path / "index")
    assert len(Index.build([PICTURES["mixed"], PICTURES["rods"]], tmp_path / "index", overwrite=True)) == 2


def test_what_cannot_be_read_is_passed_over_in_a_folder_and_raised_where_it_was_named(tmp_path):
    images = write(tmp_path / "images", "rods")
    (images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.warns(UserWarning, match="1 of 2 files were passed over"):
        index = Index.build(images, tmp_path / "index")
    assert names(index.skipped) == ["broken"]
    with pytest.raises(MicroNBError):
        Index.build([images / "broken.png"], tmp_path / "other")
    with pytest.raises(ImageNotFoundError, match="nothing to index"):
        Index.build([], tmp_path / "other")


def test_an_index_among_the_images_and_links_in_circles_add_nothing(tmp_path):
    images = write(tmp_path / "images", "rods", "mixed")
    (images / "manifest.json").write_text("{}")  # anybody's, and no index
    (images / "around").symlink_to(images, target_is_directory=True)
    index = Index.build(images, images / "index")
    assert index.append(images) == 0
    assert sorted(names(index.sources)) == ["mixed", "rods"]


def test_wrong_words_are_refused(tmp_path):
    with pytest.raises(ValueError, match="of='cells' is not one of"):
        Index.build(PICTURES["rods"], tmp_path / "index", of="cells")
    with pytest.raises(ImageNotFoundError, match="holds no index"):
        Index.open(tmp_path)


def test_a_spoilt_file_is_named(tmp_path):
    Index.build(PICTURES["rods"], tmp_path / "index")
    (tmp_path / "index" / "part-0000" / "vectors.npy").write_bytes(b"no array")
    with pytest.raises(CorruptImageError, match=r"vectors\.npy"):
        Index.open(tmp_path / "index")


@pytest.mark.parametrize(("spoilt", "said"), [("[]", "lists 0 images"), ("[{", "cannot be read"), (None, "cannot be read")])
def test_a_spoilt_list_of_images_is_named(tmp_path, spoilt, said):
    Index.build(PICTURES["rods"], tmp_path / "index")
    path = tmp_path / "index" / "part-0000" / "sources.json"
    path.unlink() if spoilt is None else path.write_text(spoilt)
    with pytest.raises(CorruptImageError, match=rf"sources\.json: {said}"):
        Index.open(tmp_path / "index")


def test_the_table_is_the_same_from_csv_and_parquet(tmp_path, monkeypatch):
    one = Index.build(PICTURES["mixed"], tmp_path / "parquet", of="objects")
    monkeypatch.setattr(store, "find_spec", lambda name: None)
    other = Index.build(PICTURES["mixed"], tmp_path / "csv", of="objects")
    assert (tmp_path / "csv" / "part-0000" / "table.csv").is_file()
    pd.testing.assert_frame_equal(Index.open(tmp_path / "csv").table, Index.open(tmp_path / "parquet").table)
    pd.testing.assert_frame_equal(one.table, other.table)


def test_no_pickle_and_small_vectors_are_written(built):
    array = np.load(built / "index" / "part-0000" / "vectors.npy", allow_pickle=False)
    assert array.dtype == np.float16
    suffixes = {p.suffix for p in (built / "index").rglob("*") if p.is_file()}
    assert suffixes <= {".json", ".npy", ".parquet", ".csv", ".jpg"}


def test_a_result_is_shown_with_thumbnails(index):
    shown = index.show(index.search("<script>alert(1)</script> discs", k=3))._repr_mimebundle_()
    assert shown["text/html"].count("data:image/jpeg;base64,") == 3
    assert "<script>alert" not in shown["text/html"]
    assert shown["image/png"][:4] == b"\x89PNG"
    assert shown["text/plain"].count("\n") == 3
    assert index._repr_mimebundle_()["text/plain"].startswith("Index of 5 images")


def test_thumbnails_are_small_and_cut_from_the_image_where_none_is_kept(tmp_path, rng):
    assert len(encoded(rng.integers(0, 255, (160, 160, 3), dtype=np.uint8))) <= MOST_BYTES
    images = write(tmp_path / "images", "mixed")
    Index.build(images / "mixed.png", tmp_path / "index", of="objects")
    for kept in (tmp_path / "index").rglob("*.jpg"):
        kept.unlink()
    assert Index.open(tmp_path / "index").thumbnail(0)[:2] == b"\xff\xd8"
    (images / "mixed.png").unlink()
    assert Index.open(tmp_path / "index").thumbnail(0) is None


def test_a_large_index_grades_the_nearest_rows_only(tmp_path, monkeypatch):
    index = Index.build(PICTURES["many_discs"], tmp_path / "index", of="objects")
    index.append([PICTURES["mixed"]])
    assert len(index.search("rod", k=99)) == len(index) == 51
    monkeypatch.setattr(retrieve, "_GRADED", 10)
    found = index.search("rod", k=99)
    assert len(found) == 10
    assert found["name"].iloc[0] == "rod"


def test_the_nearest_are_those_with_the_largest_cosines(rng):
    vectors = unit(rng.normal(size=(3000, 8))).astype(np.float16)
    known, query, some = Rows([vectors[:1000], vectors[1000:]]), vectors[7].astype(np.float32), np.arange(5, 3000, 2)
    cosines = vectors[some].astype(np.float32) @ query
    np.testing.assert_allclose(known.cosines(query, some), cosines, atol=1e-6)
    nearest = known.nearest(query, some, 50)
    assert set(nearest) == set(some[np.argsort(-cosines)[:50]])
    assert known.nearest(query, some[:50], 50).tolist() == some[:50].tolist()


def run(command, *argv):
    return cli.main([command, *map(str, argv)])


def test_the_command_line_indexes_appends_searches_and_verifies(tmp_path, capsys):
    images = write(tmp_path / "images", "rods", "mixed")
    run("index", images, "-o", tmp_path / "index")
    assert "2 images" in capsys.readouterr().out
    write(images, "few_discs")
    run("index", images, "-o", tmp_path / "index", "--append", "--json")
    assert json.loads(capsys.readouterr().out)["images_added"] == 1
    run("search", tmp_path / "index", "two discs", "-k", 1)
    assert "few_discs.png" in capsys.readouterr().out
    run("search", tmp_path / "index", "rods", "-k", 2, "--where", "n_rod > 1", "--json", "-o", tmp_path / "found.png")
    found = json.loads(capsys.readouterr().out)
    assert [Path(r["path"]).stem for r in found["results"]] == ["rods"]
    assert (tmp_path / "found.png").read_bytes()[:4] == b"\x89PNG"
    run("search", tmp_path / "index", "--verify")
    assert "all is well" in capsys.readouterr().out
    (images / "rods.png").unlink()
    assert run("search", tmp_path / "index", "--verify") == 1
    assert "1 differs" in capsys.readouterr().err
    assert run("search", tmp_path / "index") == 1
    assert "say what to look for" in capsys.readouterr().err


def test_a_known_diameter_reaches_the_look(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(rows, "embed", lambda img, model=None, **known: asked.append(known) or world.embed(img))
    index = Index.build(write(tmp_path / "a", "rods"), tmp_path / "index", model=world.Model(), diameter_px=31.0)
    index.append(write(tmp_path / "b", "mixed"))
    assert asked == [{"diameter_px": 31.0}, {"diameter_px": None}]
