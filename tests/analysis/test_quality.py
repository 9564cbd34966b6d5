"""Quality finds what a person would find: blur, clipping, noise, uneven light, nothing at all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import micro_nb as mnb
from micro_nb import samples
from micro_nb.analysis.background import estimate_illumination
from micro_nb.analysis.focus import best_focus, noise_sd, sharpness
from micro_nb.analysis.quality import filter_folder, quality
from micro_nb.errors import AxesError, PlanError

NUCLEI = samples.fluorescence((1024, 1024), seed=2).image.read()


def _blur_quadrant(a, sigma):
    out = a.copy()
    half = a.shape[-1] // 2
    sizes = (0,) * (a.ndim - 2) + (sigma, sigma)
    out[..., :half, :half] = ndimage.gaussian_filter(a[..., :half, :half].astype(float), sizes)
    return out


@pytest.mark.parametrize("kind", ["fluorescence", "histology", "blood", "particles"])
def test_a_blurred_quadrant_is_found_in_every_kind_of_image(kind):
    options = {"glass": False} if kind == "histology" else {"coverage": 0.8} if kind == "particles" else {}
    pixels = _blur_quadrant(getattr(samples, kind)((768, 768), seed=2, **options).image.read(), 5.0)
    img = mnb.open_image(np.moveaxis(pixels, 0, -1), axes="yxc") if pixels.ndim == 3 else mnb.open_image(pixels)
    table = quality(img, tile=128).table
    table = table[~table["empty"]]
    blurred = (table["row"] < 3) & (table["col"] < 3)
    assert not table["focus_ok"][blurred].any()
    assert table["focus_ok"][~blurred].mean() > 0.9


def test_a_good_image_is_fit_to_measure():
    q = quality(mnb.open_image(NUCLEI, pixel_size=0.325))
    assert q.ok
    assert q.verdict.startswith("Fit to measure")
    assert q.facts["in_focus_percent"] == 100
    assert q.facts["edge_width_um"] == pytest.approx(q.facts["edge_width_px"] * 0.325)


def test_saturation_is_counted_exactly_and_mapped():
    pixels = np.clip(NUCLEI, 0, 4000).astype(np.uint16)
    pixels[300:340, 600:700] = 65535
    q = quality(mnb.open_image(pixels))
    assert q.facts["exact"]
    assert q.facts["saturated_percent"] == pytest.approx(100 * 4000 / pixels.size)
    assert float(q.map.sel(metric="saturated_percent").max()) == pytest.approx(100 * 4000 / 256**2)
    assert any("saturated" in p for p in q.facts["problems"]) == (4000 / pixels.size > 0.005)


def test_a_twelve_bit_camera_saturates_at_4095():
    q = quality(mnb.open_image(np.minimum(NUCLEI, 4095)))
    assert q.facts["saturated_percent"] == pytest.approx(100 * float((NUCLEI >= 4095).mean()))


def test_empty_slide_is_empty_not_blurred():
    pixels = np.full((768, 768), 300.0)
    pixels[:256, :256] = NUCLEI[:256, :256]
    pixels += np.random.default_rng(0).normal(0, 10, pixels.shape)
    table = quality(mnb.open_image(pixels.clip(0).astype(np.uint16))).table
    assert table["empty"].tolist() == [False] + [True] * 8
    assert table["reason"].iloc[1] == "empty"


def test_uneven_light_is_ordered_by_how_uneven_it_is():
    found = [
        quality(samples.fluorescence((1024, 1024), seed=4, uneven=u, density=0.5, background=1500).image).facts[
            "background_unevenness_percent"
        ]
        for u in (0.0, 0.2, 0.4, 0.7)
    ]
    assert found == sorted(found)
    assert found[-1] > 2 * found[0]


@pytest.mark.parametrize("value", [0, 7, 255])
def test_a_constant_image_has_nothing_to_measure(value):
    q = quality(mnb.open_image(np.full((300, 200), value, np.uint8)))
    assert not q.ok
    assert q.facts["empty_percent"] == 100
    assert q.facts["edge_width_px"] is None


def test_nan_pixels_are_counted_and_do_not_spread():
    pixels = NUCLEI[:512, :512].astype(np.float32)
    pixels[10:12, 10:15] = np.nan
    q = quality(mnb.open_image(pixels))
    assert q.facts["not_finite_pixels"] == 10
    assert q.facts["in_focus_percent"] == 100


def test_channels_are_judged_apart_and_the_worst_is_told():
    both = np.stack([NUCLEI, ndimage.gaussian_filter(NUCLEI.astype(float), 6).astype(np.uint16)])
    q = quality(mnb.open_image(both, axes="cyx"))
    assert q.map.dims == ("channel", "metric", "row", "col")
    assert q.facts["channels"]["channel 0"]["problems"] == []
    assert q.facts["problems"]
    assert quality(mnb.open_image(both, axes="cyx"), channel=0).ok


def test_a_sampled_verdict_says_how_much_was_read():
    img = mnb.open_image(NUCLEI)
    q = quality(img, tile=512, sample=0.25)
    assert not q.facts["exact"]
    assert q.facts["measured_percent"] == pytest.approx(25)
    assert "25 % of the pixels" in q.verdict
    assert q.table.equals(quality(img, tile=512, sample=0.25).table)
    assert len(q.table) == 4


def test_threads_change_nothing():
    img = mnb.open_image(NUCLEI)
    assert quality(img, threads=1).table.equals(quality(img, threads=3).table)


def test_the_map_lies_where_the_tiles_lie():
    q = quality(mnb.open_image(NUCLEI[:600, :300], pixel_size=0.5))
    assert q.map.sizes == {"metric": 6, "row": 3, "col": 2}
    assert q.map.y.to_numpy().tolist() == [64.0, 192.0, 278.0]
    assert q.map.y.attrs["units"] == "micrometer"


def test_quality_shows_itself_as_picture_table_and_text():
    shown = quality(mnb.open_image(NUCLEI))._repr_mimebundle_()
    assert shown["image/png"][1:4] == b"PNG"
    assert "in focus percent" in shown["text/html"]
    assert "Fit to measure" in shown["text/plain"]


def test_a_stack_needs_a_choice_and_impossible_plans_are_refused():
    stack = mnb.open_image(np.stack([NUCLEI[:256, :256]] * 3), axes="zyx")
    with pytest.raises(AxesError, match="z"):
        quality(stack)
    assert quality(stack, project="max").facts["tiles"] == 1
    for options in ({"tile": 8}, {"sample": 0.0}, {"sample": 2.0}):
        with pytest.raises(PlanError):
            quality(mnb.open_image(NUCLEI), **options)


def test_a_folder_is_filtered_and_broken_files_are_named(tmp_path):
    mnb.save_image(NUCLEI, tmp_path / "good.ome.zarr")
    (tmp_path / "broken.tif").write_bytes(b"II*\0 nothing more")
    table = filter_folder([tmp_path / "good.ome.zarr", tmp_path / "broken.tif", tmp_path / "missing.tif"])
    assert table["ok"].tolist() == [True, False, False]
    assert "missing.tif" in table["error"].iloc[2]


@pytest.mark.parametrize("sharpest", [0, 3, 6])
def test_the_sharpest_plane_of_a_stack_is_found(sharpest):
    rng = np.random.default_rng(1)
    planes = [ndimage.gaussian_filter(NUCLEI[:400, :400].astype(float), 0.8 * abs(k - sharpest)) for k in range(7)]
    stack = np.stack([p + rng.normal(0, 15, p.shape) for p in planes]).clip(0).astype(np.uint16)
    found = best_focus(mnb.open_image(stack, axes="zyx", pixel_size={"z": 0.5, "y": 0.3, "x": 0.3}))
    assert found.index == sharpest
    assert found.table["position_um"].iloc[-1] == pytest.approx(3.0)
    with pytest.raises(AxesError, match="no axis"):
        best_focus(mnb.open_image(NUCLEI))


@given(sd=st.floats(1, 200), slope=st.floats(-1, 1), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_noise_is_measured_on_any_slope(sd, slope, seed):
    ramp = slope * np.arange(200.0)[:, None] * np.ones(200)
    assert noise_sd(ramp + np.random.default_rng(seed).normal(0, sd, ramp.shape)) == pytest.approx(sd, rel=0.06)


@given(tenths=st.integers(0, 60), seed=st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_edge_width_grows_with_blur_as_promised_also_in_noise(tenths, seed):
    sigma = tenths / 10
    step = np.zeros((128, 128))
    step[:, 64:] = 1000
    noisy = ndimage.gaussian_filter1d(step, sigma, axis=1, mode="nearest") if sigma > 0 else step
    noisy = noisy + np.random.default_rng(seed).normal(0, 10, step.shape)
    assert sharpness(noisy).edge_px == pytest.approx(2.507 * np.sqrt(1.57 + sigma**2), rel=0.1)


def test_illumination_is_found_and_evened_out_whichever_tiles_are_read():
    y, x = np.mgrid[0:800, 0:600]
    light = 1 - 0.25 * ((y / 800 - 0.5) ** 2 + (x / 600 - 0.4) ** 2) / 0.41
    flat = 1000 + 8 * np.random.default_rng(0).standard_normal(light.shape)
    flat[200:230, 300:340] += 3000
    found = estimate_illumination(mnb.open_image((flat * light).astype(np.uint16)))
    assert found.unevenness_percent == pytest.approx(100 * (1 - light.min() / light.max()), abs=3)
    whole = found.flatten(flat * light, slice(0, 800), slice(0, 600))
    assert whole[:150].std() / whole[:150].mean() < 0.02
    part = found.flatten((flat * light)[100:200, 50:90], slice(100, 200), slice(50, 90))
    assert np.array_equal(part, whole[100:200, 50:90])
