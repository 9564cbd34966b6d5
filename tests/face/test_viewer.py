"""The kernel side of the viewer: tiles, requests that end once, objects, selection, drawings, the still picture."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pandas as pd
import pytest
import roifile
import xarray as xr
from PIL import Image

import micro_nb as mnb
from micro_nb.errors import AxesError, RegionError, UnknownFormatError
from micro_nb.face.viewer.drawings import Drawing, load_drawings, save_drawings
from micro_nb.face.viewer.pixels import TILE, Pixels, Spec, codes, frame_of
from micro_nb.face.viewer.requests import Request, Requests

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def img(rng):
    return mnb.open_image(rng.integers(0, 4000, (2, 700, 900)).astype(np.uint16), axes="cyx", pixel_size=0.5)


@pytest.fixture
def found(img):
    labels = xr.DataArray(np.zeros((1, 700, 900), "i4"), dims=("layer", "y", "x"), coords={"layer": ["object"]})
    for k in range(4):
        labels[0, 100:140, 100 * k + 10 : 100 * k + 50] = k + 1
    return mnb.Objects.from_labels(img, labels)


@pytest.fixture
def viewer(img, found):
    made = mnb.Viewer(img, found)
    made.told = []
    made.tell = lambda kind, buffers=(), **content: made.told.append((kind, content, list(buffers)))
    return made


def ask(viewer, kind, **content):
    """What the browser would send, as it arrives: JSON."""
    before = len(viewer.told)
    viewer._received(viewer, json.loads(json.dumps({"type": kind, **content})), [])
    return viewer.told[before:]


def wait(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def spec(viewer):
    return {"t": 0, "z": 0, "channels": [0, 1], "ranges": [c["range"] for c in viewer._channels]}


# -- tiles ------------------------------------------------------------------------------------------------------------------


def test_tiles_cover_the_plane_once_at_every_step():
    shape = (1500, 2600)
    for k in range(3):
        edge = TILE << k
        frames = [frame_of(shape, k, r, c) for r in range(-(-shape[0] // edge)) for c in range(-(-shape[1] // edge))]
        assert sum((f.y1 - f.y0) * (f.x1 - f.x0) for f in frames) == shape[0] * shape[1]
        assert max(max(f.shape) for f in frames) <= TILE
    with pytest.raises(ValueError, match="outside a plane of 1500 x 2600"):
        frame_of(shape, 0, 5, 0)


def test_a_tile_holds_the_channels_one_below_the_other_from_its_place(img):
    pixels = Pixels(img)
    ranges = tuple(pixels.channel(k)["range"] for k in (0, 1))
    picture = np.asarray(Image.open(io.BytesIO(pixels.tile(Spec(0, 0, (0, 1), ranges), 0, 1, 1))).convert("L"))
    assert picture.shape == (2 * 188, 388)
    true = codes(img.read()[1, 512:, 512:], ranges[1])
    assert np.abs(picture[188:].astype(int) - true).mean() < 6


def test_small_values_keep_their_steps():
    coded = codes(np.arange(1000, dtype=np.uint16), (0.0, 65535.0))
    assert len(np.unique(coded)) > 25
    assert np.array_equal(codes(np.arange(256, dtype=np.uint8), (0.0, 255.0)), np.arange(256))


def test_bright_objects_are_not_burnt_out_when_one_zooms_in(rng):
    pixels = rng.normal(300, 20, (4096, 4096)).astype(np.float32)
    for y, x in rng.integers(50, 4000, (60, 2)):
        pixels[y : y + 12, x : x + 12] += 9000
    image = mnb.open_image(np.clip(pixels, 0, 65535).astype(np.uint16))
    assert Pixels(image).channel(0)["window"][1] > 8500


def test_planes_and_projections_are_those_that_were_asked_for():
    stack = np.stack([np.full((40, 50), v, "uint8") for v in (10, 90, 40)])
    pixels = Pixels(mnb.open_image(stack, axes="zyx"))
    assert [pixels.values(0, z, 3, 3) for z in (0, 1, 2, -1)] == [[10], [90], [40], [90]]
    viewer = mnb.Viewer(mnb.open_image(stack, axes="zyx"))
    assert viewer.plane(z="max")._display["z"] == -1
    with pytest.raises(AxesError, match="3 in z"):
        viewer.plane(z=3)


def test_a_tile_that_is_asked_for_arrives_once(viewer):
    ask(viewer, "want", spec=spec(viewer), tiles=[[1, "", 0, 0, 0], [2, "", 1, 0, 0], [3, "objects", 0, 0, 0]])
    wait(lambda: viewer._requests.waiting == 0)
    wait(lambda: len([m for m in viewer.told if m[0] == "tile"]) == 3)
    told = {c["id"]: (c["end"], c.get("form"), len(b)) for kind, c, b in viewer.told if kind == "tile"}
    assert told == {1: ("done", None, 1), 2: ("done", None, 1), 3: ("done", "ids", 1)}


def test_a_tile_outside_the_image_fails_and_says_so(viewer):
    ask(viewer, "want", spec=spec(viewer), tiles=[[9, "", 0, 99, 0]])
    wait(lambda: any(c.get("id") == 9 for _, c, _ in viewer.told))
    assert next(c for _, c, _ in viewer.told if c.get("id") == 9)["end"] == "failed"


def test_what_is_no_request_is_refused_with_a_reason(viewer):
    assert "no plane" in ask(viewer, "want", spec=spec(viewer) | {"z": 7}, tiles=[])[0][1]["text"]
    assert "not those of this image" in ask(viewer, "want", spec=spec(viewer) | {"channels": [5, 6]}, tiles=[])[0][1]["text"]
    assert ask(viewer, "nonsense") == []


# -- requests ---------------------------------------------------------------------------------------------------------------


def test_stale_requests_end_without_being_made_and_every_request_ends_once():
    ends, gate, made = [], threading.Event(), []

    def work(k):
        def make():
            gate.wait(5)
            made.append(k)
            return {}, [b"x"]

        return make

    queue = Requests(lambda number, end, content, buffers: ends.append((number, end)))
    queue.ask([Request(k, k, work(k)) for k in range(60)])
    queue.drop(range(50))
    gate.set()
    wait(lambda: queue.waiting == 0)
    wait(lambda: len(ends) == 60)
    assert sorted(n for n, _ in ends) == list(range(60))
    assert {n for n, end in ends if end == "done"} == set(range(50, 60))
    assert len(made) <= 10 + 8, "dropped requests are not made, but for those that had begun"


def test_the_newest_requests_come_first_and_the_cache_stays_small():
    order, hold = [], threading.Event()
    queue = Requests(lambda number, end, content, buffers: order.append(number), keep_bytes=1000)
    queue.ask([Request(-k, ("block", k), lambda: (hold.wait(5), ({}, []))[1]) for k in range(1, 20)])
    queue.ask([Request(1, "a", lambda: ({}, [b"y" * 600]))])
    queue.ask([Request(2, "b", lambda: ({}, [b"y" * 600]))])
    hold.set()
    wait(lambda: queue.waiting == 0)
    wait(lambda: {1, 2} <= set(order))
    assert order.index(2) < order.index(-19)
    assert queue._bytes <= 1000


# -- objects ----------------------------------------------------------------------------------------------------------------


def test_labels_travel_as_rows_of_the_table_with_a_rim(viewer, found):
    layer = viewer._layers["objects"]
    ids = layer.shapes.ids(0, 0, 0)
    assert ids.shape == (514, 514)
    assert ids[121, 31] == 1
    assert ids[121, 231] == 3
    fewer = mnb.Viewer(viewer.image, found.filter("label != 2"))
    assert set(np.unique(fewer._layers["objects"].shapes.ids(0, 0, 0))) == {0, 1, 2, 3}


def test_a_condition_or_a_click_selects_rows(viewer):
    assert list(viewer.select(where="centroid_x_px > 150")["label"]) == [3, 4]
    ask(viewer, "pick", rows=[0], toggle=True)
    assert list(viewer.selected["label"]) == [1, 3, 4]
    ask(viewer, "pick", rows=[1])
    assert list(viewer.selected["label"]) == [2]
    assert viewer.pointed.box == (100, 110, 140, 150)
    ask(viewer, "within", shape={"kind": "box", "points": [[90, 0], [150, 160]]})
    assert list(viewer.selected["label"]) == [1, 2]
    with pytest.raises(ValueError, match="no column 'size'"):
        viewer.select(where="size > 3")
    with pytest.raises(ValueError, match="shows no objects"):
        mnb.Viewer(viewer.image).select(where="label > 1")


def test_hovering_tells_the_row(viewer):
    (_, content, _), *_ = ask(viewer, "facts", layer="objects", row=2)
    told = dict(content["facts"])
    assert told["label"] == "3"
    assert told["area"] == "400 µm²"


def test_columns_become_colours_with_a_legend(viewer):
    named = viewer.objects.table.assign(name=["cell", "cell", HOSTILE, "cell"])
    other = mnb.Viewer(viewer.image, named)
    keys = other._layers["objects"].palette.keys
    assert [(text, n) for text, _, n in keys] == [("cell", 3), (HOSTILE, 1)]
    viewer.color_by("centroid_x_px")
    assert len(np.unique(viewer._layers["objects"].palette.colors, axis=0)) == 4
    with pytest.raises(ValueError, match="no column 'colour'"):
        viewer.color_by("colour")


def test_points_travel_as_places_or_as_a_density(rng):
    image = mnb.open_image(np.zeros((3000, 3000), np.uint8))
    few = mnb.Viewer(image, rng.uniform(0, 500, (100, 2)))._layers["objects"].shapes
    told, (places, rows) = few.tile(0, 0, 0)
    assert told["form"] == "points"
    assert len(places) == 8 * len(rows) // 4
    y, x = few.places
    k = np.frombuffer(rows, "<u4")[0]
    assert np.allclose(np.frombuffer(places, "<f4")[:2], [x[k] + 0.5, y[k] + 0.5], atol=1e-3)
    many = mnb.Viewer(image, rng.uniform(0, 3000, (200_000, 2)))._layers["objects"].shapes
    assert many.tile(2, 0, 0)[0]["form"] == "density"


# -- drawings ---------------------------------------------------------------------------------------------------------------


def test_what_is_drawn_is_a_region_and_a_row(viewer):
    ask(viewer, "draw", shape={"id": "a", "kind": "box", "name": "edge", "points": [[10, 20], [30, 60]]})
    ask(viewer, "draw", shape={"id": "b", "kind": "polygon", "points": [[0, 0], [0, 10], [10, 0]]})
    ask(viewer, "draw", shape={"id": "c", "kind": "point", "points": [[5.5, 6.5]]})
    ask(viewer, "draw", shape={"id": "d", "kind": "line", "points": [[0, 0], [30, 40]]})
    assert [r.box for r in viewer.regions[:3]] == [(10, 20, 30, 60), (0, 0, 10, 10), (5, 6, 6, 7)]
    assert viewer.regions[0].name == "edge"
    table = viewer.drawings
    assert list(table["kind"]) == ["box", "polygon", "point", "line"]
    assert list(table["area_um2"]) == [200.0, 12.5, 0, 0]
    assert table["length_um"].iloc[3] == 25
    assert viewer.pointed is not None
    ask(viewer, "undraw", id="d")
    assert viewer.pointed is None
    assert len(viewer.regions) == 3


def test_what_cannot_be_drawn_is_refused(viewer):
    for shape in (
        {"kind": "star", "points": [[1, 1]]},
        {"kind": "polygon", "points": [[1, 1]]},
        {"kind": "point", "points": [["x", 1]]},
    ):
        assert ask(viewer, "draw", shape=shape)[0][0] == "notice"
    assert viewer.regions == []
    with pytest.raises(RegionError, match="of 1 points"):
        Drawing.of({"kind": "line", "points": [[0, 0]]})


@pytest.mark.parametrize("suffix", [".geojson", ".zip"])
def test_drawings_survive_files(tmp_path, suffix):
    drawn = [
        Drawing("a", "box", ((10, 20), (30, 60)), "a box"), Drawing("b", "polygon", ((0, 0), (0, 10.5), (10, 0)), HOSTILE),
        Drawing("c", "point", ((5.5, 6.5),), ""), Drawing("d", "line", ((0, 0), (30, 40), (35, 40)), "a line"),
    ]  # fmt: skip
    again = load_drawings(save_drawings(drawn, tmp_path / f"r{suffix}"))
    assert [d.kind for d in again] == [d.kind for d in drawn]
    for a, b in zip(again, drawn, strict=True):
        assert np.allclose(a.points, b.points)
    assert again[0].name == "a box"
    with pytest.raises(UnknownFormatError, match="regions are"):
        save_drawings(drawn, tmp_path / "r.txt")


def test_imagej_finds_the_kinds_it_knows(tmp_path):
    drawn = [Drawing("a", "box", ((10, 20), (30, 60)), "same"), Drawing("b", "polygon", ((0, 0), (0, 10), (10, 0)), "same")]
    path = save_drawings(drawn, tmp_path / "r.zip")
    rois = roifile.roiread(path)
    assert [r.roitype.name for r in rois] == ["RECT", "POLYGON"]
    assert (rois[0].top, rois[0].left, rois[0].bottom, rois[0].right) == (10, 20, 30, 60)
    assert zipfile.ZipFile(path).namelist() == ["same.roi", "same (2).roi"]


def test_regions_can_be_given_and_read(viewer, tmp_path):
    viewer.add_regions([mnb.Region(0, 0, 10, 10, unit="um", name="corner")])
    assert viewer.regions[0].box == (0, 0, 20, 20)
    path = viewer.save_regions(tmp_path / "r.geojson")
    assert len(viewer.clear_regions().add_regions(path).regions) == 1


# -- the rest ---------------------------------------------------------------------------------------------------------------


def test_a_viewer_says_what_it_shows_and_where(viewer):
    kinds = [m[0] for m in ask(viewer, "hello")]
    assert kinds == ["info", "layer", "drawings"]
    ask(viewer, "display", view={"y0": 10, "x0": 20, "y1": 110, "x1": 220}, channels={"1": {"visible": False, "window": [5, 50]}})
    assert viewer.view.box == (10, 20, 110, 220)
    assert viewer._channels[1]["window"] == (5, 50)
    assert "nan" in str(ask(viewer, "display", channels={"0": {"window": [float("nan"), 3]}})[0])
    (kind, content, _), *_ = ask(viewer, "probe", y=3, x=4)
    assert (kind, content["values"]) == ("values", [float(v) for v in viewer.image.read()[:, 3, 4]])


def test_channels_are_changed_by_name(viewer):
    viewer.channel("channel 1", color="#ff0000", window=(1, 2), gamma=0.5, visible=False)
    assert viewer._channels[1] | {"color": "#ff0000", "window": (1.0, 2.0), "gamma": 0.5, "visible": False} == viewer._channels[1]
    with pytest.raises(AxesError, match="channel 'DAPI' is not one of"):
        viewer.channel("DAPI")
    with pytest.raises(ValueError, match="#rrggbb"):
        viewer.channel(0, color="red")


def test_without_a_kernel_a_small_picture_stands(viewer):
    ask(viewer, "draw", shape={"id": "a", "kind": "box", "points": [[10, 20], [300, 600]]})
    viewer.select([1])
    bundle = viewer.still()
    assert set(bundle) == {"image/png", "text/plain"}
    assert len(bundle["image/png"]) < 240_000
    assert max(Image.open(io.BytesIO(viewer.png)).size) <= 1024
    data, _ = viewer._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"} <= set(data)


def test_to_look_loads_neither_models_nor_what_makes_reports():
    heavy = ("torch", "transformers", "skimage", "nbclient", "holoviews")
    code = f"import sys, micro_nb; micro_nb.Viewer; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_no_pixels_are_widget_state(viewer):
    state = viewer.get_state()
    assert len(json.dumps({k: v for k, v in state.items() if k not in ("_esm", "_css")}, default=str)) < 2000
    assert len(state["_esm"]) + len(state["_css"]) < 400_000


def test_viewers_are_linked_by_um_where_they_have_it(viewer, img):
    other = mnb.Viewer(img)
    mnb.link(viewer, other)
    assert viewer._group == other._group
    assert viewer._group.startswith("um-")
    bare = mnb.Viewer(np.zeros((9, 9), "uint8"))
    mnb.link(viewer, bare)
    assert bare._group.startswith("px-")
    with pytest.raises(TypeError, match="two viewers"):
        mnb.link(viewer)


def test_the_place_of_an_answer_is_gone_to(viewer, img, found):
    chat = mnb.Session(img.isel(c=0), objects=found, eyes="floor", log=False)
    viewer.show(chat.ask('count("object", where="left")'))
    go = [c for kind, c, _ in viewer.told if kind == "go"][-1]
    assert go["x1"] < 600
    assert len(viewer._layers["answer"].shapes) == 4


def test_a_table_and_bare_places_will_do(img):
    table = pd.DataFrame({"centroid_y_um": [10.0], "centroid_x_um": [20.0], "name": ["cell"]})
    assert mnb.Viewer(img, table)._layers["objects"].shapes.places[1][0] == 40
    with pytest.raises(AxesError, match=r"\(n, 2\) positions"):
        mnb.Viewer(img, np.zeros((3, 3)))
    with pytest.raises(TypeError, match="colour"):
        mnb.Viewer(img, colour="red")


# -- corrections ------------------------------------------------------------------------------------------------------------


def areas(viewer):
    return sorted(viewer.objects.table["area_um2"])


def test_objects_are_deleted_merged_split_added_and_renamed(viewer):
    viewer.delete([0])
    assert areas(viewer) == [400, 400, 400]
    viewer.select([0, 1])
    ask(viewer, "correct", what="merge")
    assert areas(viewer) == [400, 800]
    assert list(viewer.selected["area_um2"]) == [800]
    viewer.split([1])
    assert areas(viewer) == [200, 200, 800]
    viewer.add(mnb.Region.from_polygon([(300, 300), (300, 340), (340, 340), (340, 300)]), "mitosis")
    assert areas(viewer) == [200, 200, 400, 800]
    viewer.rename(HOSTILE)
    table = viewer.objects.table
    assert HOSTILE in set(table["name"])
    assert np.isclose(table["nearest_neighbour_um"], table["nearest_neighbour_um"]).all(), "all is measured anew"
    made_by = dict(viewer.objects.made_by)
    assert made_by["corrected_by_hand"] == {"deleted": 1, "merged": 2, "split": 1, "added": 1, "renamed": 1}


def test_every_correction_can_be_taken_back(viewer, found):
    before = found.labels.values.copy()
    viewer.merge([0, 1]).split([0]).delete([0]).add(mnb.Region(300, 300, 320, 320))
    for _ in range(4):
        viewer.undo()
    assert np.array_equal(viewer.objects.labels.values, before)
    assert np.array_equal(found.labels.values, before), "what was given is never changed"
    assert len(viewer.objects) == 4
    assert ask(viewer, "correct", what="undo")[0][0] == "notice"


def test_a_line_cuts_where_it_was_drawn(viewer):
    viewer.split([0], line=[(90, 20), (150, 20)])
    assert areas(viewer)[:2] == [100, 300]
    with pytest.raises(ValueError, match="from side to side"):
        viewer.split([1], line=[(90, 0), (95, 5)])


def test_merged_and_split_objects_are_measured_at_once_like_all_others(viewer):
    viewer.merge([0, 1])
    quick = viewer._layers["objects"].shapes.table.iloc[0]
    exact = viewer.objects.table.iloc[0]
    for column in ("area_um2", "centroid_x_px", "centroid_y_um", "bbox_x1_px", "solidity", "mean_intensity_channel 0"):
        assert np.isclose(quick[column], exact[column]), column


def test_an_object_can_be_the_first(img):
    viewer = mnb.Viewer(img)
    viewer.add(mnb.Region(10, 10, 30, 50), "nucleus")
    assert list(viewer.objects.table["name"]) == ["nucleus"]
    assert viewer.objects.table["area_um2"].iloc[0] == 200


def test_what_cannot_be_corrected_is_refused(viewer, img):
    for what, rows in (("merge", [0]), ("delete", []), ("split", [0, 1])):
        with pytest.raises(ValueError, match="selected"):
            getattr(viewer, what)(rows)
    with pytest.raises(ValueError, match="nothing to add"):
        viewer.add(mnb.Region(110, 20, 120, 30))
    with pytest.raises(ValueError, match="no outlines"):
        mnb.Viewer(img, mnb.Objects(viewer.objects.table)).delete([0])


def test_corrected_objects_go_on_into_a_session_and_files(viewer, tmp_path):
    viewer.delete([0])
    corrected = viewer.objects
    chat = mnb.Session(viewer.image.isel(c=0), objects=corrected, log=False)
    assert chat.measure('count("object")').value == 3
    for suffix in (".zarr", ".geojson", ".json", ".csv"):
        again = mnb.Objects.load(corrected.save(tmp_path / f"o{suffix}"))
        assert len(again) == 3
    labels = mnb.open_image(corrected.save(tmp_path / "o.tif"))
    assert labels.pixel_size["x"] == pytest.approx(0.5)
    assert np.array_equal(np.unique(labels.read()), [0, 2, 3, 4])
    rois = roifile.roiread(corrected.save(tmp_path / "o.zip"))
    assert [r.name for r in rois] == ["object-2 object", "object-3 object", "object-4 object"]
    assert (rois[0].left, rois[0].top) == (110, 100)
