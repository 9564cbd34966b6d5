"""``parse``: looks once, selects by words, and does not depend on how it is tiled."""

import json

import numpy as np
import pandas as pd
import pytest
import skimage.data
import torch
from conftest import SHARED
from scipy import ndimage as ndi
from scipy.spatial import cKDTree

import micro_nb as mnb
from micro_nb.errors import PlanError, WriteError
from micro_nb.models.micro_d1 import MicroD1Config, MicroD1Model
from micro_nb.tasks.load import WEIGHTS, prepared
from micro_nb.tasks.look import cache, looking, measured, network
from micro_nb.tasks.look.decode import Decoding, objects_of, outlined
from micro_nb.tasks.look.network import TileMaps
from micro_nb.tasks.look.scale import Scale
from micro_nb.tasks.names import Vocabulary
from micro_nb.tasks.presence import judge
from micro_nb.tiles.plan import TileGrid

trained = pytest.mark.skipif(not (WEIGHTS / "nano" / "config.json").is_file(), reason="needs the weights of nano")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MICRO_NB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(looking, "_CACHE", cache.SeenCache())


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    config = MicroD1Config(decoder_widths=(16, 16, 8), embed_dim=16, text_width=16, heads=2, text_buckets=256)
    return prepared(MicroD1Model(config), calibration={"object_concepts": ["nucleus", "platelet"]})


@pytest.fixture(scope="module")
def scene():
    return mnb.samples.fluorescence((384, 384), seed=2)


def discs(shape, centres, radius):
    """Geometry maps of touching discs, as a perfect network would give them."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    far = np.stack([np.hypot(y - cy, x - cx) for cy, cx in centres])
    nearest = far.argmin(0)
    inside = far.min(0) <= radius
    offsets = [np.where(inside, np.array(centres)[nearest, k] - at, 0) for k, at in enumerate((y, x))]
    unseen = np.zeros(shape)
    return np.stack([inside, np.where(inside, 1 - far.min(0) / radius, 0), *offsets, unseen, unseen]).astype(np.float32)


def test_touching_discs_are_told_apart_by_their_votes():
    centres = [(20, 20), (20, 33), (33, 26), (60, 60)]
    labels = objects_of(discs((80, 80), centres, 7), Decoding())
    assert labels.max() == 4
    assert len({labels[c] for c in centres}) == 4


@pytest.mark.parametrize("seen", [9.5, 10.6])
@pytest.mark.parametrize("bright", [True, False])
def test_an_object_ends_where_the_brightness_changes(seen, bright):
    y, x = np.mgrid[:60, :60]
    truth, maps = np.hypot(y - 30, x - 30) <= 10, discs((60, 60), [(30, 30)], seen)
    grey = np.random.default_rng(0).normal(np.where(truth == bright, 0.7, 0.2), 0.05).astype(np.float32)
    labels = objects_of(maps, Decoding())
    assert ((outlined(labels, grey, Decoding()) > 0) != truth).sum() < 5 < ((labels > 0) != truth).sum()


def test_objects_that_touch_go_on_touching():
    y, x = np.mgrid[:60, :60]
    labels = np.where(np.hypot(y - 30, x - 20) <= 12, 1, 0) + np.where((np.hypot(y - 30, x - 40) <= 12) & (x >= 32), 2, 0)
    labels = np.where((labels == 3) | ((labels == 1) & (x >= 31)), 2, labels).astype(np.int32)
    grey = np.where((labels > 0) & (np.abs(x - 30.5) > 1), 0.8, 0.1).astype(np.float32)  # dark along where they meet
    moved = outlined(labels, grey, Decoding())
    assert ((moved[:, 30] == 1) & (moved[:, 31] == 2)).any()


def test_where_the_brightness_says_nothing_an_object_ends_where_it_was_seen():
    maps = discs((60, 60), [(30, 30)], 10)
    grey = np.random.default_rng(0).normal(0.5, 0.05, (60, 60)).astype(np.float32)
    labels = objects_of(maps, Decoding())
    assert (outlined(labels, grey, Decoding()) == labels).all()


def test_an_empty_map_holds_no_objects():
    assert not objects_of(np.zeros((6, 16, 16), np.float32), Decoding()).any()


def test_windows_agree_with_the_plane_seen_whole(untrained, monkeypatch):
    img = mnb.open_image(np.random.default_rng(0).integers(0, 255, (600, 700)).astype("uint8"))
    whole = TileMaps(untrained, img, 2, (0, 255)).look(TileGrid((300, 350), tile=350)[0]).geometry
    monkeypatch.setattr(network, "WINDOW", 160)
    maps = TileMaps(untrained, img, 2, (0, 255))
    parts = np.zeros_like(whole)
    for tile in maps.grid:
        parts[(slice(None), *tile.core)] = maps.look(tile).geometry[(slice(None), *tile.within_read)]
    assert np.abs(parts - whole).mean() < 0.01 * np.abs(whole).mean()


def test_objects_do_not_depend_on_tile(untrained, scene):
    a, b = (mnb.parse(scene.image, "nucleus", model=untrained, tile=t, diameter_px=24) for t in (256, 1024))
    assert np.array_equal(a.labels, b.labels)
    pd.testing.assert_frame_equal(a.table, b.table, rtol=1e-6)


def test_a_further_prompt_does_not_look_again(untrained, scene, monkeypatch):
    mnb.parse(scene.image, "nucleus", model=untrained)
    monkeypatch.setattr(network, "run", lambda *a: pytest.fail("looked again"))
    mnb.parse(scene.image, ["platelet", "nucleus"], model=untrained)
    looking._CACHE.clear()
    mnb.parse(scene.image, "platelet", model=untrained)  # from the folder


def test_a_further_prompt_measures_nothing_again_and_finds_what_measuring_the_chosen_objects_finds(untrained, scene, monkeypatch):
    img = mnb.open_image(np.asarray(scene.image.read(0)), pixel_size=0.4)
    mnb.parse(img, model=untrained)
    mnb.parse(img, ["platelet", "nucleus"], model=untrained)  # may ask for a layer of which nothing was listed
    with monkeypatch.context() as patch:
        patch.setattr(measured, "measure", lambda *a, **k: pytest.fail("measured again"))
        found = mnb.parse(img, "nucleus", model=untrained)
        looking._CACHE.clear()
        again = mnb.parse(img, "nucleus", model=untrained)  # from the folder
    alone = mnb.measure(img, found.labels, tile=1024).assign(name=found.table["name"], score=found.table["score"])
    pd.testing.assert_frame_equal(found.table, alone, check_exact=True)
    pd.testing.assert_frame_equal(found.table, again.table, check_exact=True)
    assert np.array_equal(found.labels, again.labels)


def test_missing_grey_values_are_told_where_a_chosen_object_has_some(untrained, scene):
    pixels = np.asarray(scene.image.read(0)).astype("float32")
    pixels[100:140, 100:260] = np.nan
    img = mnb.open_image(pixels)
    found = mnb.parse(img, "nucleus", model=untrained)
    alone = mnb.measure(img, found.labels, tile=1024).assign(name=found.table["name"], score=found.table["score"])
    pd.testing.assert_frame_equal(found.table, alone, check_exact=True)


def test_labels_are_drawn_when_they_are_looked_at_and_then_kept(untrained, scene, monkeypatch):
    labels = mnb.parse(scene.image, model=untrained).labels
    part = labels.isel(y=slice(100, 200), x=slice(50, 90)).values
    whole = labels.values
    assert np.array_equal(part, whole[:, 100:200, 50:90])
    monkeypatch.setattr(measured.Drawn, "__getitem__", lambda *a: pytest.fail("drawn again"))
    assert np.shares_memory(labels.values, whole)


def test_a_damaged_cache_entry_is_looked_at_anew(untrained, scene, tmp_path):
    first = mnb.parse(scene.image, model=untrained)
    looking._CACHE.clear()
    for path in (tmp_path / "cache").rglob("arrays.npz"):
        path.write_bytes(b"not a zip")
    again = mnb.parse(scene.image, model=untrained)
    assert np.array_equal(first.labels, again.labels)


def test_labels_hold_the_chosen_objects_alone(untrained, scene):
    found = mnb.parse(scene.image, "nucleus", model=untrained)
    for layer in found.labels["layer"].values:
        present = set(np.unique(found.labels.sel(layer=layer))) - {0}
        assert present == set(found.table.loc[found.table["layer"] == layer, "label"])


def test_objects_are_written_to_disk_whole_and_nothing_is_overwritten(untrained, scene, tmp_path):
    out = tmp_path / "objects.zarr"
    found = mnb.parse(scene.image, model=untrained, out=out)
    assert len(mnb.Objects.load(out)) == len(found)
    with pytest.raises(WriteError, match="already exists"):
        mnb.parse(scene.image, model=untrained, out=out)
    assert [p.name for p in tmp_path.iterdir() if p.name != "cache"] == ["objects.zarr"]


@pytest.mark.parametrize(("prompts", "tile"), [([], 1024), (["nucleus", " "], 1024), ("nucleus", 0)])
def test_empty_prompts_and_tiles_are_refused(untrained, scene, prompts, tile):
    with pytest.raises(PlanError):
        mnb.parse(scene.image, prompts, model=untrained, tile=tile)


def test_how_it_was_looked_at_is_json(untrained, scene):
    made_by = mnb.parse(scene.image, "nucleus", model=untrained).made_by
    assert json.loads(json.dumps(dict(made_by)))["scale"]["pitch"] >= 1
    assert Scale(**json.loads(json.dumps(made_by["scale"]))).to_dict() == made_by["scale"]


def test_presence_is_judged_against_the_null_and_unknown_things_are_not_judged():
    calibration = {"presence": {"null": [float(k) for k in range(99)]}}
    assert judge("x", 200.0, 3, trained=True, calibration=calibration).status == "present"
    assert judge("x", 200.0, 0, trained=True, calibration=calibration).status == "absent"
    low = judge("x", 10.0, 3, trained=True, calibration=calibration)
    assert (low.status, low.present, low.p_value) == ("absent", False, 0.9)
    assert judge("dog", 200.0, 3, trained=False, calibration=calibration).status == "not trained on this"


def test_status_and_p_value_never_disagree():
    calibration = {"presence": {"null": [float(k) for k in range(99)]}}
    seen = [judge("x", score, count, trained=True, calibration=calibration) for score in (0.0, 50.0, 200.0) for count in (0, 3)]
    assert all((p.status == "present") == p.present == (p.p_value <= 0.05) for p in seen)
    assert [p.p_value for p in seen[::2]] == sorted((p.p_value for p in seen[::2]), reverse=True)  # order is kept


@trained
def test_nuclei_of_a_generated_field_are_found_and_platelets_are_not():
    scene = mnb.samples.fluorescence((512, 512), seed=4)
    found = mnb.parse(scene.image, ["nuclei", "platelets", "dog"])
    status = dict(zip(found.presence["name"], found.presence["status"], strict=True))
    assert status == {"nuclei": "present", "platelets": "absent", "dog": "not trained on this"}
    assert abs(len(found) / scene.count() - 1) < 0.25


@trained
def test_what_training_never_showed_is_given_no_name():
    coins = mnb.parse(mnb.open_image(skimage.data.coins(), axes="yx"))
    assert (coins.table["name"] == "object").mean() > 0.9
    assert set(mnb.parse(mnb.samples.fluorescence((384, 384), seed=4).image).table["name"]) == {"nucleus"}


SMEAR = SHARED / "train_val" / "chula_rbc_disease" / "images" / "thalassemia_Thalassemia_1.jpg"


@trained
@pytest.mark.skipif(not SMEAR.exists(), reason="the data are not beside the checkout")
def test_a_smear_of_the_colours_of_tissue_keeps_its_white_cells():
    found = mnb.parse(SMEAR, ["white blood cell"])
    assert any(abs(y - 405) < 9 and abs(x - 563) < 9 for y, x in found.table[["centroid_y_px", "centroid_x_px"]].to_numpy())


@trained
def test_names_belong_to_the_modalities_they_were_shown_in():
    vocabulary = Vocabulary.of(mnb.load_model())
    assert "nucleus" not in vocabulary.out_of_place("fluorescence", coloured=False)
    assert "carbide particle" in vocabulary.out_of_place("fluorescence", coloured=False)
    assert "mitochondrion" not in vocabulary.out_of_place("transmission electron microscopy", coloured=False)
    assert vocabulary.out_of_place(None, coloured=True) == frozenset()
    assert vocabulary.out_of_place(None, coloured=False) >= {"nucleus", "red blood cell"}


@trained
def test_a_few_objects_that_look_like_things_of_other_pictures_are_not_believed():
    image = mnb.samples.fluorescence((700, 700), seed=7).image
    assert not mnb.parse(image, "red blood cell").table.size
    assert len(mnb.parse(image)) == len(mnb.parse(image, "nucleus"))


@trained
def test_the_map_of_an_explanation_lies_on_the_image():
    scene = mnb.samples.fluorescence((512, 512), seed=4)
    seen = mnb.explain(scene.image, "nucleus")
    assert 0 <= float(seen.map.min()) <= float(seen.map.max()) <= 1
    assert seen.map.shape[0] * seen.step >= 512
    assert seen.png().startswith(b"\x89PNG")


@trained
def test_objects_lie_where_they_are_at_any_scale():
    small = mnb.samples.fluorescence((256, 256), seed=3)
    pixels = np.asarray(small.image.read(), np.float32)
    pixels = ndi.zoom(pixels, 4, order=1, mode="nearest", grid_mode=True).astype(np.uint16)
    found = mnb.parse(mnb.open_image(pixels), "nucleus").table[["centroid_y_px", "centroid_x_px"]].to_numpy()
    true = 4 * np.array(small.table[["centroid_y_px", "centroid_x_px"]]) + 1.5  # middles of pixels that became four by four
    away, nearest = cKDTree(found).query(true)
    off = (found[nearest] - true)[away < 12]
    assert len(off) >= 10
    assert np.abs(np.median(off, axis=0)).max() < 0.8  # of a pitch of about 6; half of a network pixel is 1.5
