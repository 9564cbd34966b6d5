from __future__ import annotations

import numpy as np
import pytest
from conftest import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage as ndi

import micro_nb as mnb
from micro_nb.analysis.foreground import Edges, maps, shrink, uneven
from micro_nb.analysis.scale import find_recipe
from micro_nb.errors import AxesError, PlanError, WriteError

PICTURES = sorted((SHARED / "train_val" / "dsb2018" / "images").glob("*.png"))[:200:40]


def discs(shape: tuple[int, int], centres: list[tuple[float, float]], r: float) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.max([np.hypot(y - cy, x - cx) < r for cy, cx in centres], axis=0)


def crowd(shape: tuple[int, int] = (300, 340), *, seed: int = 0, r: float = 9.0) -> tuple[np.ndarray, int]:
    """Touching pairs and rows of three on a lattice, as a noisy 8-bit picture; and how many discs."""
    rng = np.random.default_rng(seed)
    centres = []
    for y in range(20, shape[0] - 20, 52):
        for x in range(20, shape[1] - 50, 64):
            n = rng.integers(1, 4)
            centres += [(y + dy, x + dx) for dy, dx in ((0, 0), (0, 1.75 * r), (0.2 * r, 3.45 * r))[:n]]
    grey = ndi.gaussian_filter(discs(shape, centres, r) * 150.0, 1.0) + 20
    return np.clip(grey + rng.normal(0, 3, shape), 0, 255).astype("uint8"), len(centres)


def test_touching_discs_are_told_apart():
    picture, n = crowd()
    assert abs(int(mnb.segment(mnb.open_image(picture)).max()) - n) <= 1


@pytest.mark.parametrize("tile", [64, 100, 128, 200, 512, 4096])
def test_labels_are_identical_whatever_the_tile(tile, monkeypatch):
    monkeypatch.setattr("micro_nb.analysis.segment._WINDOW", 128)  # many seams between decoding windows
    img = mnb.open_image(crowd()[0])
    np.testing.assert_array_equal(mnb.segment(img, tile=tile).values, mnb.segment(img, tile=97, threads=1).values)


def test_decoding_windows_do_not_cut_objects_apart(monkeypatch):
    img = mnb.open_image(crowd()[0])
    whole = mnb.segment(img).values
    monkeypatch.setattr("micro_nb.analysis.segment._WINDOW", 96)
    np.testing.assert_array_equal(mnb.segment(img).values, whole)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(20, 90), st.booleans(), st.floats(4, 20))
def test_maps_of_a_block_with_its_halo_equal_those_of_the_whole(seed, tile, flatten, diameter):
    rng = np.random.default_rng(seed)
    signal = ndi.gaussian_filter(rng.random((150, 130)), 2).astype(np.float32) * 100
    edges = Edges(1.0, 49.0, 0.66, diameter, max(0.7, 0.03 * diameter), flatten, True)
    whole = maps(signal, edges)
    y, x = (int(rng.integers(0, n - 20)) for n in signal.shape)
    rows, cols = (slice(max(0, s - edges.halo) // edges.cell * edges.cell, s + tile + edges.halo) for s in (y, x))
    part = maps(np.ascontiguousarray(signal[rows, cols]), edges, (rows.start, cols.start))
    np.testing.assert_array_equal(
        part[:, y - rows.start : y - rows.start + tile, x - cols.start : x - cols.start + tile],
        whole[:, y : y + tile, x : x + tile],
    )


@pytest.mark.parametrize("kind", ["fluorescence", "brightfield"])
def test_polarity_is_found_from_the_picture(kind):
    picture, n = crowd()
    labels = mnb.segment(mnb.open_image(picture if kind == "fluorescence" else 255 - picture))
    assert labels.attrs["kind"] == kind
    assert abs(int(labels.max()) - n) <= 2


@pytest.mark.parametrize("r", [6, 12, 45])
def test_the_diameter_of_objects_is_found(r):
    side = 12 * r
    picture = discs((side, side), [(2 * r + 3 * r * a, 2 * r + 3 * r * b) for a in range(3) for b in range(3)], r) * 180 + 20
    labels = mnb.segment(mnb.open_image(picture.astype("uint8")))
    assert int(labels.max()) == 9
    assert labels.attrs["diameter_px"] == pytest.approx(2 * r, rel=0.3)


@pytest.mark.parametrize("picture", [
    np.random.default_rng(0).normal(100, 5, (300, 300)).clip(0, 255).astype("uint8"),
    np.random.default_rng(0).poisson(3, (300, 300)).astype("uint16"),
    np.full((40, 40), 7, "uint8"),
    np.zeros((3, 3), "float32"),
])  # fmt: skip
def test_noise_and_empty_fields_hold_nothing(picture):
    labels = mnb.segment(mnb.open_image(picture))
    assert int(labels.max()) == 0
    assert labels.attrs["empty"] is True


def test_an_uneven_background_is_taken_off():
    picture, n = crowd()
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    slope = 20 * picture.astype(float) + 8000 * np.exp(-((y - 150) ** 2 + x**2) / 200**2)
    labels = mnb.segment(mnb.open_image(slope.astype("uint16")))
    assert labels.attrs["edges"]["flatten"]
    assert abs(int(labels.max()) - n) <= n * 0.1


def test_nan_and_inf_do_not_spread():
    picture = crowd()[0].astype("float32")
    picture[150:160, 150:160], picture[0, 0] = np.nan, np.inf
    whole = mnb.segment(mnb.open_image(crowd()[0].astype("float32")))
    assert abs(int(mnb.segment(mnb.open_image(picture)).max()) - int(whole.max())) <= 4


def test_the_nuclear_stain_is_chosen_by_name_and_others_by_request():
    picture, n = crowd()
    stack = np.stack([np.random.default_rng(1).integers(0, 40, picture.shape).astype("uint8"), picture])
    import xarray as xr

    img = mnb.open_image(xr.DataArray(stack, dims=("c", "y", "x"), coords={"c": ["GFP", "Hoechst 33342"]}))
    labels = mnb.segment(img)
    assert labels.attrs["channel"] == "Hoechst 33342"
    assert int(mnb.segment(img, channel="GFP").max()) != n
    with pytest.raises(AxesError, match="Cy5"):
        mnb.segment(img, channel="Cy5")


def test_written_labels_are_those_in_memory_and_open_lazily_with_their_making(tmp_path):
    img = mnb.open_image(crowd()[0], pixel_size=0.5)
    inside, written = mnb.segment(img), mnb.segment(img, out=tmp_path / "l.zarr")
    np.testing.assert_array_equal(written.values, inside.values)
    assert written.attrs == inside.attrs
    np.testing.assert_array_equal(written.coords["y"], inside.coords["y"])
    assert mnb.open_image(tmp_path / "l.zarr").pixel_size["x"] == 0.5
    with pytest.raises(WriteError, match="already exists"):
        mnb.segment(img, out=tmp_path / "l.zarr")


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def stop(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("micro_nb.analysis.segment.split", stop)
    with pytest.raises(KeyboardInterrupt):
        mnb.segment(mnb.open_image(crowd()[0]), out=tmp_path / "l.zarr")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_segmented_is_refused_with_a_remedy():
    huge = mnb.open_image(np.broadcast_to(np.zeros((), "uint8"), (40000, 40000)))
    with pytest.raises(PlanError, match=r"5\.96 GiB|6\.0 GiB.*out="):
        mnb.segment(huge)
    stack = mnb.open_image(np.zeros((4, 20, 20), "uint8"), axes="zyx")
    with pytest.raises(AxesError, match="project"):
        mnb.segment(stack)
    assert int(mnb.segment(stack, project="max").max()) == 0
    with pytest.raises(AxesError, match="'cells' is not one of fluorescence"):
        mnb.segment(stack.isel(z=0), kind="cells")
    with pytest.raises(AxesError, match="colour picture"):
        mnb.segment(stack.isel(z=0), kind="blood")


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 7))
def test_block_means_cover_the_rims(h, w, factor):
    plane = np.random.default_rng(0).random((h, w)).astype(np.float32)
    small = shrink(plane, factor)
    assert small.shape == (-(-h // factor), -(-w // factor))
    assert small[0, 0] == pytest.approx(plane[:factor, :factor].mean(), rel=1e-5) or min(h, w) < factor


def test_a_flat_background_is_recovered_exactly():
    assert np.allclose(uneven(np.full((60, 60), 3.0, np.float32), 4), 3.0)


@pytest.mark.parametrize("path", PICTURES, ids=lambda p: p.stem)
def test_real_pictures_keep_their_objects_whatever_the_tile(path):
    pixels = np.asarray(Image.open(path))
    img = mnb.open_image(pixels[..., :3] if pixels.ndim == 3 else pixels, axes="yxc" if pixels.ndim == 3 else None)
    labels = mnb.segment(img)
    assert find_recipe(img).kind in ("fluorescence", "histology", "brightfield")
    np.testing.assert_array_equal(labels.values, mnb.segment(img, tile=77).values)


def test_stains_and_smears_are_recognised_by_colour():
    from skimage import data

    tissue = mnb.segment(mnb.open_image(data.immunohistochemistry(), axes="yxc"))
    assert tissue.attrs["kind"] == "ihc"
    assert 200 < int(tissue.max()) < 500
    cells = discs((300, 300), [(40 + 50 * a, 40 + 50 * b) for a in range(5) for b in range(5)], 18)
    pale = discs((300, 300), [(40 + 50 * a, 40 + 50 * b) for a in range(5) for b in range(5)], 6)
    smear = np.where(cells[..., None], [205, 160, 165], [225, 222, 215]) + np.where(pale[..., None], [14, 45, 35], 0)
    found = mnb.segment(mnb.open_image(smear.astype("uint8"), axes="yxc"))
    assert found.attrs["kind"] == "blood"
    assert int(found.max()) == 25  # pale middles stay part of their cells
    assert int((found.values > 0).sum()) == pytest.approx(cells.sum(), rel=0.05)


@pytest.mark.parametrize("base", [0, 1e6, 1e9])
def test_large_values_do_not_hide_what_stands_out(base):
    scene = mnb.samples.fluorescence((256, 256), seed=2)
    plain = mnb.segment(mnb.open_image(scene.image.read().astype("f8")))
    shifted = mnb.segment(mnb.open_image(scene.image.read().astype("f8") + base))
    assert abs(int(shifted.max()) - int(plain.max())) <= 2
    assert mnb.quality(mnb.open_image(scene.image.read() + np.float64(base))).facts["snr"] == pytest.approx(
        mnb.quality(scene.image).facts["snr"], rel=0.05
    )


def test_scattered_nan_changes_little():
    scene = mnb.samples.fluorescence((256, 256), seed=2)
    pixels = scene.image.read().astype("f4") + 1000
    holes = pixels.copy()
    holes[np.random.default_rng(0).random(pixels.shape) < 0.01] = np.nan
    assert abs(int(mnb.segment(mnb.open_image(holes)).max()) - int(mnb.segment(mnb.open_image(pixels)).max())) <= 2
    q = mnb.quality(mnb.open_image(holes))
    assert q.facts["snr"] == pytest.approx(mnb.quality(mnb.open_image(pixels)).facts["snr"], rel=0.1)
    assert any("NaN" in p for p in q.facts["problems"])
    with_holes, without = (mnb.parse(mnb.open_image(p), ["nucleus"]) for p in (holes, pixels))
    assert abs(len(with_holes) - len(without)) <= 3
