"""Measuring objects: what a reference says, in any units, in any blocks."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from skimage.measure import label, regionprops_table

import micro_nb as mnb
from micro_nb.analysis.moments import HALO, Moments
from micro_nb.errors import AxesError

SAME = {
    "area_px2": "area", "centroid_y_px": "centroid-0", "centroid_x_px": "centroid-1", "major_axis_px": "axis_major_length",
    "minor_axis_px": "axis_minor_length", "eccentricity": "eccentricity", "perimeter_px": "perimeter",
    "bbox_y0_px": "bbox-0", "bbox_x0_px": "bbox-1", "bbox_y1_px": "bbox-2", "bbox_x1_px": "bbox-3",
    "mean_intensity_channel 0": "intensity_mean", "std_intensity_channel 0": "intensity_std",
    "min_intensity_channel 0": "intensity_min", "max_intensity_channel 0": "intensity_max",
}  # fmt: skip
PROPERTIES = (
    "label", "area", "centroid", "bbox", "axis_major_length", "axis_minor_length", "eccentricity", "orientation", "perimeter",
    "solidity", "feret_diameter_max", "intensity_mean", "intensity_std", "intensity_min", "intensity_max",
)  # fmt: skip


@pytest.fixture(scope="module")
def nuclei():
    scene = mnb.samples.fluorescence((640, 700), seed=4)
    return scene.image.read(), scene.labels.read()


@pytest.mark.parametrize(("ours", "reference"), SAME.items())
def test_measures_what_scikit_image_measures(nuclei, ours, reference):
    image, labels = nuclei
    table = mnb.measure(mnb.open_image(image), labels)
    assert np.allclose(table[ours], regionprops_table(labels, image, properties=PROPERTIES)[reference], rtol=1e-6, atol=1e-6)


def test_hull_measures_are_those_of_scikit_image_within_a_few_percent(nuclei):
    image, labels = nuclei
    table, reference = mnb.measure(mnb.open_image(image), labels), regionprops_table(labels, image, properties=PROPERTIES)
    whole = table["area_px2"] > 100
    assert np.allclose(table["solidity"][whole], reference["solidity"][whole], atol=0.03)
    assert np.allclose(table["feret_max_px"][whole], reference["feret_diameter_max"][whole], atol=1.0)


def test_the_orientation_is_that_of_scikit_image(nuclei):
    image, labels = nuclei
    table, reference = mnb.measure(mnb.open_image(image), labels), regionprops_table(labels, properties=PROPERTIES[:9])
    turned = np.degrees(reference["orientation"]) - table["orientation_deg"]
    long = table["eccentricity"] > 0.3
    assert np.abs((turned[long] + 90) % 180 - 90).max() < 1e-3


@given(tile=st.integers(7, 90), seed=st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_blocks_do_not_change_what_is_measured(tile, seed):
    rng = np.random.default_rng(seed)
    labels = label(rng.random((80, 61)) > 0.45, connectivity=1).astype("int32")
    img = mnb.open_image(rng.integers(0, 4000, labels.shape).astype("uint16"), pixel_size=0.3)
    assert_frame_equal(mnb.measure(img, labels), mnb.measure(img, labels, tile=tile), rtol=1e-9)


def test_the_pixel_size_is_carried_into_every_length():
    labels = np.zeros((50, 60), "int32")
    labels[10:30, 15:25] = 3
    px = mnb.measure(mnb.open_image(labels), labels).iloc[0]
    um = mnb.measure(mnb.open_image(labels, pixel_size=0.25), labels).iloc[0]
    assert um["label"] == 3
    assert um["area_um2"] == px["area_px2"] / 16
    for column in ("perimeter", "major_axis", "minor_axis", "feret_max", "equivalent_diameter"):
        assert um[f"{column}_um"] == pytest.approx(px[f"{column}_px"] / 4)
    assert um["centroid_y_um"] == px["centroid_y_px"] / 4


def test_anisotropic_pixels_make_a_square_oblong():
    labels = np.zeros((60, 60), "int32")
    labels[10:30, 10:30] = 1
    row = mnb.measure(mnb.open_image(labels, pixel_size={"y": 1.0, "x": 0.5}), labels).iloc[0]
    assert row["major_axis_um"] == pytest.approx(2 * row["minor_axis_um"])
    assert abs(row["orientation_deg"]) < 1e-6
    assert row["feret_max_um"] > 20


def test_neighbours_and_borders_are_found():
    labels = np.zeros((40, 100), "int32")
    labels[0:5, 0:5], labels[20:25, 20:25], labels[20:25, 50:55] = 1, 2, 3
    table = mnb.measure(mnb.open_image(labels), labels)
    assert table["touches_border"].tolist() == [True, False, False]
    assert table["nearest_neighbour_px"][2] == 30
    alone = mnb.measure(mnb.open_image(labels), np.where(labels == 2, 2, 0))
    assert np.isnan(alone["nearest_neighbour_px"][0])


def test_layers_are_named_and_lazy_labels_are_read_in_blocks(nuclei):
    image, labels = nuclei
    stack = xr.DataArray(np.stack([labels, labels > 0]), dims=("layer", "y", "x"), coords={"layer": ["nucleus", "tissue"]})
    table = mnb.measure(mnb.open_image(image), stack, tile=200)
    assert table.groupby("layer").size().to_dict() == {"nucleus": len(np.unique(labels)) - 1, "tissue": 1}


def test_labels_on_disk_are_never_read_whole(nuclei):
    class OnDisk:
        def __init__(self, labels):
            self.labels, self.shape, self.dtype, self.ndim, self.most = labels, labels.shape, labels.dtype, labels.ndim, 0

        def __getitem__(self, place):
            block = self.labels[place]
            self.most = max(self.most, block.size)
            return block

    image, labels = nuclei
    kept = OnDisk(labels)
    assert_frame_equal(mnb.measure(mnb.open_image(image), kept, tile=64), mnb.measure(mnb.open_image(image), labels))
    assert 0 < kept.most < labels.size / 4


def test_chosen_channels_alone_are_measured():
    labels = np.ones((8, 8), "uint8")
    img = mnb.open_image(np.stack([labels, labels * 5]), axes="cyx")
    assert mnb.measure(img, labels, channels="channel 1")["mean_intensity_channel 1"].tolist() == [5.0]
    assert "mean_intensity_channel 0" not in mnb.measure(img, labels, channels=[1])


def test_no_objects_make_an_empty_table_with_the_same_columns(nuclei):
    image, labels = nuclei
    none = mnb.measure(mnb.open_image(image), np.zeros_like(labels))
    assert len(none) == 0
    assert list(none.columns) == list(mnb.measure(mnb.open_image(image), labels).columns)


@pytest.mark.parametrize("labels", [np.zeros((5, 5)), np.zeros((4, 4), int), np.full((5, 5), -1), np.zeros(5, int)])
def test_labels_that_do_not_fit_are_refused(labels):
    with pytest.raises(AxesError, match="labels"):
        mnb.measure(mnb.open_image(np.zeros((5, 5))), labels)


def test_an_unknown_channel_is_refused_by_name():
    with pytest.raises(AxesError, match="'DAPI' is not one of channel 0"):
        mnb.measure(mnb.open_image(np.zeros((5, 5))), np.ones((5, 5), int), channels="DAPI")


@pytest.mark.parametrize("label", [2**22, 2**32 + 1, 2**63 - 1, 2**63 + 5])
def test_a_large_label_costs_no_more_than_a_small_one(label):
    labels = np.zeros((64, 64), "u8")
    labels[3:9, 3:9], labels[20:30, 20:30] = 7, label
    table = mnb.measure(mnb.open_image(np.ones((64, 64), "u2")), labels, tile=16)
    assert table["label"].tolist() == [7, label]
    assert table["area_px2"].tolist() == [36, 100]


@pytest.mark.parametrize("dtype", ["i8", "u8", "f8"])
@pytest.mark.parametrize("base", [10**4, 10**9, 10**12])
def test_the_spread_of_large_values_keeps_its_digits(dtype, base):
    pixels = (base + np.tile([0, 1], 1250).reshape(50, 50)).astype(dtype)
    pixels[0, 0] = 0  # what comes first must not matter
    labels = np.ones((50, 50), int)
    labels[0, 0] = 0
    for tile in (13, 2048):
        assert mnb.measure(mnb.open_image(pixels), labels, tile=tile)["std_intensity_channel 0"][0] == pytest.approx(
            0.5, rel=1e-3
        )


def test_whole_numbers_beyond_what_floats_hold_still_have_their_spread():
    pixels = 2**60 + np.tile([0, 1], 200).reshape(20, 20)
    assert mnb.measure(mnb.open_image(pixels), np.ones((20, 20), int))["std_intensity_channel 0"][0] == 0.5


def test_a_far_place_costs_no_digits_of_a_shape():
    near, far = Moments(0), Moments(0)
    labels = np.zeros((9 + 2 * HALO, 9 + 2 * HALO), int)
    labels[4:8, 3:9] = 1
    inner = (slice(HALO, -HALO),) * 2
    near.add(labels, inner, (0, 0), [])
    far.add(labels, inner, (10**8, 10**8), [])
    assert np.array_equal(near.by_label()[0], far.by_label()[0])


@pytest.mark.parametrize("size", [{"y": 1.0, "x": 0.25}, {"y": 0.1, "x": 0.4}])
def test_where_pixels_are_not_square_lengths_are_right_or_not_given(size):
    labels = np.zeros((300, 300), int)
    labels[40:50, 50:250] = 1
    row = mnb.measure(mnb.open_image(np.ones(labels.shape, "u1"), pixel_size=size), labels).iloc[0]
    assert np.isnan(row.perimeter_um)
    assert row.area_um2 == pytest.approx(2000 * size["y"] * size["x"])
    assert row.feret_max_um == pytest.approx(np.hypot(10 * size["y"], 200 * size["x"]), rel=0.02)
    assert row.solidity == pytest.approx(1, abs=0.01)


def test_nan_pixels_are_left_out_and_counted():
    pixels = np.array([[1.0, np.nan, 3.0, np.nan], [1.0, 1.0, 3.0, np.nan]], "f4")
    table = mnb.measure(mnb.open_image(pixels), np.array([[1, 1, 2, 3], [1, 1, 2, 3]]))
    assert table["mean_intensity_channel 0"].tolist()[:2] == [1, 3]
    assert table["nan_px_channel 0"].tolist() == [1, 0, 2]
    assert table.filter(like="intensity").iloc[2].isna().all()


def test_masked_labels_are_background():
    labels = np.ma.masked_equal(np.array([[1, 1], [2, 2]]), 2)
    assert mnb.measure(mnb.open_image(np.ones((2, 2), "u1")), labels)["label"].tolist() == [1]
