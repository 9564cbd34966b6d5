from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import micro_nb as mnb
from micro_nb.errors import CorruptImageError, ImageNotFoundError, UnknownFormatError, WriteError
from micro_nb.tiles.objects import Objects
from micro_nb.tiles.polygons import Cutout, fill, paint, rings
from micro_nb.tiles.where import where


@pytest.fixture
def cells(rng) -> Objects:
    """Cells with a hole, two parts and a nested nucleus, with everything an Objects can carry."""
    planes = np.zeros((2, 40, 50), np.int32)
    planes[0, 2:12, 3:20] = 1
    planes[0, 5:8, 8:12] = 0
    planes[0, 20:39, 30:50] = 2
    planes[0, 30:33, 2:6] = planes[0, 35:38, 2:6] = 7
    planes[1, 24:30, 35:41] = 1
    labels = xr.DataArray(planes, dims=("layer", "y", "x"), coords={"layer": ["cell", "nucleus"]}, name="labels")
    img = mnb.open_image(rng.integers(0, 255, (40, 50)).astype("uint8"), pixel_size={"y": 0.5, "x": 0.25})
    found = Objects.from_labels(img, labels)
    table = found.table.assign(score=[0.5, 1.0, 0.25, 1 / 3], note=["a", "b, c", 'quote "q"', ""])
    presence = pd.DataFrame(
        {"name": ["cell", "mitosis"], "status": ["present", "absent"], "present": [True, False], "p_value": [0.0, 0.4]}
    )
    return Objects(table, labels, presence, img.pixel_size, "sampled:abc", {"function": "test", "nested": {"a": [1, 2.5]}})


def same_table(a: pd.DataFrame, b: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(a.reset_index(drop=True), b.reset_index(drop=True), check_exact=True)


@pytest.mark.parametrize("name", ["o.csv", "o.parquet", "o.geojson", "o.json", "o.zarr"])
def test_a_table_returns_from_every_format_exactly(cells, tmp_path, name):
    back = Objects.load(cells.save(tmp_path / name))
    same_table(back.table, cells.table)


@pytest.mark.parametrize("name", ["o.geojson", "o.json", "o.zarr"])
def test_labels_layers_and_making_return_from_formats_with_pixels(cells, tmp_path, name):
    back = Objects.load(cells.save(tmp_path / name))
    assert back.labels.dims == ("layer", "y", "x")
    assert list(back.labels.coords["layer"].values) == ["cell", "nucleus"]
    np.testing.assert_array_equal(back.labels.values, cells.labels.values)
    assert (dict(back.pixel_size), back.image_id) == (dict(cells.pixel_size), cells.image_id)
    assert dict(back.made_by) == dict(cells.made_by)


def test_zarr_keeps_presence_and_lazy_labels_and_opens_as_an_image(cells, tmp_path):
    path = cells.save(tmp_path / "o.zarr")
    same_table(Objects.load(path).presence, cells.presence)
    assert mnb.open_image(path).plane_shape == (40, 50)


def test_objects_can_live_in_the_store_of_their_image(cells, tmp_path):
    img = mnb.open_image(np.zeros((40, 50), "uint8"), pixel_size={"y": 0.5, "x": 0.25})
    mnb.save_image(img, tmp_path / "i.ome.zarr")
    cells.save(tmp_path / "i.ome.zarr", name="cells")
    back = Objects.load(tmp_path / "i.ome.zarr", name="cells")
    same_table(back.table, cells.table)
    np.testing.assert_array_equal(back.labels.values, cells.labels.values)
    assert "cells" in mnb.open_image(tmp_path / "i.ome.zarr").labels
    with pytest.raises(CorruptImageError, match="there are cells"):
        Objects.load(tmp_path / "i.ome.zarr", name="nuclei")


def test_plane_labels_stay_a_plane(tmp_path):
    labels = np.zeros((9, 9), np.int32)
    labels[2:5, 2:5] = 3
    found = Objects.from_labels(mnb.open_image(labels.astype("uint8")), xr.DataArray(labels, dims=("y", "x")))
    for name in ("o.geojson", "o.json", "o.zarr"):
        back = Objects.load(found.save(tmp_path / name))
        np.testing.assert_array_equal(back.labels.values, labels)


@pytest.mark.parametrize("name", ["o.csv", "o.parquet", "o.zarr", "o.geojson", "o.json"])
def test_no_objects_are_kept_as_no_objects(tmp_path, name):
    img = mnb.open_image(np.zeros((9, 9), "uint8"))
    found = Objects.from_labels(img, xr.DataArray(np.zeros((9, 9), np.int32), dims=("y", "x")))
    back = Objects.load(found.save(tmp_path / name))
    assert len(back) == 0
    assert list(back.table.columns) == list(found.table.columns)


def test_geojson_is_what_qupath_reads(cells, tmp_path):
    document = json.loads(cells.save(tmp_path / "o.geojson").read_text())
    first = document["features"][0]
    assert first["geometry"]["type"] == "Polygon"
    assert len(first["geometry"]["coordinates"]) == 2  # outline and hole
    assert first["properties"]["objectType"] == "detection"
    assert first["properties"]["classification"]["name"] == "object" or first["properties"]["classification"]["name"]
    assert first["properties"]["measurements"]["area_um2"] == cells.table["area_um2"][0]
    xy = np.array(first["geometry"]["coordinates"][0])
    assert xy.min(0).tolist() == [3.0, 2.0]
    assert xy.max(0).tolist() == [20.0, 12.0]  # pixel edges, from the corner of the image
    assert {f["geometry"]["type"] for f in document["features"]} == {"Polygon", "MultiPolygon"}


def test_geojson_of_others_is_read(tmp_path):
    square = [[[10, 10], [20, 10], [20, 20], [10, 20], [10, 10]]]
    told = {"objectType": "annotation", "classification": {"name": "Tumor"}, "measurements": [{"name": "Area", "value": 100.0}]}
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": square}, "properties": told}
    (tmp_path / "q.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    back = Objects.load(tmp_path / "q.geojson")
    assert back.table[["label", "name", "Area"]].values.tolist() == [[1, "Tumor", 100.0]]


RING = [[10, 10], [20, 10], [20, 20], [10, 20], [10, 10]]
AREA = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [RING]},
        "properties": {"objectType": "annotation", "classification": {"name": "Tumor", "colorRGB": -3670016}}}  # fmt: skip
POINT = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [5, 5]}, "properties": {}}
LINE = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": [[1, 1], [9, 9]]}, "properties": {}}


@pytest.mark.parametrize("document", [
    {"type": "FeatureCollection", "features": [AREA]}, [AREA], AREA,
    {"type": "FeatureCollection", "features": [POINT, AREA, LINE]},
], ids=["collection", "list", "one feature", "among points and lines"])  # fmt: skip
def test_areas_of_any_geojson_keep_their_place_and_outline(document, tmp_path):
    (tmp_path / "q.geojson").write_text(json.dumps(document))
    back = Objects.load(tmp_path / "q.geojson")
    row = back.table.iloc[0]
    assert (len(back), row["name"], row["area_px2"]) == (1, "Tumor", 100)
    assert (row["bbox_y0_px"], row["bbox_x1_px"], row["centroid_y_px"]) == (10, 20, 14.5)
    assert ("left_out" in back.made_by) == (isinstance(document, dict) and len(document.get("features", [])) > 1)
    again = json.loads(back.save(tmp_path / "r.geojson").read_text())["features"][0]
    assert sorted(again["geometry"]["coordinates"][0]) == sorted(RING)
    assert Objects.load(tmp_path / "r.geojson").table["area_px2"].tolist() == [100]


@pytest.mark.parametrize("name", ["o.csv", "o.geojson", "o.json", "o.zarr"])
def test_large_labels_come_back(name, tmp_path):
    labels = np.zeros((40, 40), "u8")
    labels[2:9, 2:9], labels[20:30, 20:30] = 2**33, 2**63 + 5
    found = Objects.from_labels(mnb.open_image(np.ones((40, 40), "u2")), xr.DataArray(labels, dims=("y", "x")))
    assert Objects.load(found.save(tmp_path / name)).table["label"].tolist() == [2**33, 2**63 + 5]


def test_coco_of_others_with_polygons_is_read(tmp_path):
    document = {
        "images": [{"id": 5, "width": 30, "height": 30}], "categories": [{"id": 9, "name": "cell"}],
        "annotations": [{"id": 1, "image_id": 5, "category_id": 9, "bbox": [10, 5, 10, 10], "area": 100, "iscrowd": 0,
                         "segmentation": [[10, 5, 20, 5, 20, 15, 10, 15]]}],
    }  # fmt: skip
    (tmp_path / "c.json").write_text(json.dumps(document))
    back = Objects.load(tmp_path / "c.json")
    assert int((back.labels == 1).sum()) == 100
    assert back.table["name"].tolist() == ["cell"]


@pytest.mark.parametrize("told", [{}, {"category_id": 9}, {"score": 0.5}])
def test_coco_with_compressed_masks_and_little_else_is_read(told, tmp_path):
    mask = pytest.importorskip("pycocotools.mask")
    shapes = np.zeros((2, 30, 41), np.uint8)
    shapes[0, 3:9, 5:20], shapes[1, 10:25, 1:4], shapes[1, 12:14, 30:33] = 1, 1, 1
    encoded = [mask.encode(np.asfortranarray(m)) for m in shapes]
    annotations = [{"image_id": 1, "segmentation": {"size": e["size"], "counts": e["counts"].decode()}} | told for e in encoded]
    document = {"images": [{"id": 1, "width": 41, "height": 30}], "annotations": annotations}
    (tmp_path / "c.json").write_text(json.dumps(document))
    back = Objects.load(tmp_path / "c.json")
    np.testing.assert_array_equal(back.labels.values.reshape(30, 41), shapes[0] + 2 * shapes[1])
    assert back.table.iloc[1][["bbox_y0_px", "bbox_x0_px", "bbox_y1_px", "bbox_x1_px"]].tolist() == [10, 1, 25, 33]
    assert set(back.table["name"]) == {"object"}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 2), st.integers(1, 24), st.integers(1, 24))
def test_outlines_hold_every_pixel_of_any_shape(seed, smooth, height, width):
    mask = np.random.default_rng(seed).random((height, width)) < 0.2 + 0.3 * smooth
    if mask.any():
        cutout = Cutout(mask, (3, 2))
        before, after = np.zeros((2, 30, 30), int)
        paint(before, cutout, 1)
        paint(after, fill(rings(cutout)), 1)
        np.testing.assert_array_equal(before, after)


def test_an_existing_file_is_kept_unless_told(cells, tmp_path):
    path = cells.save(tmp_path / "o.csv")
    with pytest.raises(WriteError, match="already exists"):
        cells.save(path)
    cells.save(path, overwrite=True)


def test_a_failing_write_leaves_nothing(cells, tmp_path):
    with pytest.raises(WriteError):
        cells.save(tmp_path / "no such folder" / "o.csv")
    with pytest.raises(WriteError, match="no labels"):
        Objects(cells.table).save(tmp_path / "o.zarr")
    with pytest.raises(ValueError, match="COCO needs masks"):
        Objects(cells.table).save(tmp_path / "o.json")
    assert list(tmp_path.iterdir()) == []


def test_wrong_files_are_named_with_what_was_found(tmp_path):
    with pytest.raises(ImageNotFoundError, match="nothing is there"):
        Objects.load(tmp_path / "o.csv")
    with pytest.raises(UnknownFormatError, match=r"\.xls"):
        Objects.load(tmp_path / "o.xls")
    for name, text in (("a.csv", "x,y\n1,2\n"), ("a.json", "{}"), ("a.geojson", "[1]"), ("b.json", "not json")):
        (tmp_path / name).write_text(text)
        with pytest.raises(CorruptImageError, match=name):
            Objects.load(tmp_path / name)


def test_conditions_choose_rows(cells):
    table = cells.table
    assert cells.filter("area_um2 > 10 and solidity > 0.9").table.equals(table[(table.area_um2 > 10) & (table.solidity > 0.9)])
    assert (
        where(table, "0.3 < score <= 0.5 or not touches_border").tolist()
        == (table.score.between(0.3, 0.5) | ~table.touches_border).tolist()
    )
    assert where(table, "`mean_intensity_channel 0` - 1 < abs(-3) * 1000").all()
    assert where(table, "layer in ['nucleus'] and name != 'x'").sum() == 1


@pytest.mark.parametrize(
    "bad",
    ["__import__('os')", "area_um2.values", "score > 0.5 and open('x')", "[r for r in (1,)]", "lambda: 1", "score", "score +",
     "nope > 1", "name > 3", "score > 'a'", "name + 1 > 2", "@x", "score ** 9 ** 9 > 1", "x" * 2000, "abs(score, 2) > 1",
     "'a' in score", "1 > 0"],
)  # fmt: skip
def test_anything_else_in_a_condition_is_refused(cells, bad):
    with pytest.raises(ValueError, match=r"condition|column"):
        cells.filter(bad)


def test_objects_show_themselves_as_text_and_safe_html(cells):
    evil = Objects(cells.table.assign(name="<script>x</script>"), pixel_size={"y": 1, "x": 1})
    bundle = evil._repr_mimebundle_()
    assert "<script>" not in bundle["text/html"]
    assert "3 cell, 1 nucleus" in bundle["text/plain"]
