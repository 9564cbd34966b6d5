"""MicroImage: selections, projections, lazy arrays and trees give what NumPy gives, at every level."""

from __future__ import annotations

from dataclasses import replace

import dask.array
import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from micro_nb import MicroImage, Region, open_image
from micro_nb.data.source import Channel, ImageInfo, Level
from micro_nb.data.sources.arrays import ArraySource
from micro_nb.errors import AxesError, RegionError, UnitsError

quick = settings(max_examples=60, deadline=None)
FULL = np.random.default_rng(5).integers(0, 60000, (2, 3, 4, 32, 24)).astype("uint16")  # t c z y x


def pyramid() -> MicroImage:
    """Levels of scale 1, 2 and 4 that hold every 1st, 2nd, 4th pixel."""
    arrays = tuple(FULL[..., ::k, ::k] for k in (1, 2, 4))
    levels = tuple(
        Level(a.shape, (1, 1, 1, 8, 8), (1.0, 1.0, 1.0, k, k), (0.0,) * 5) for a, k in zip(arrays, (1.0, 2.0, 4.0), strict=True)
    )
    info = ImageInfo(
        axes=("t", "c", "z", "y", "x"), dtype=FULL.dtype, levels=levels, pixel_size={"z": 2.0, "y": 0.5, "x": 0.25},
        pixel_size_source="test", channels=(Channel("DAPI", "#0000ff"), Channel("GFP"), Channel("gfp")), facts={"na": 0.8},
    )  # fmt: skip
    return MicroImage(ArraySource(arrays, info))


def spans(n):
    return st.tuples(st.integers(0, n - 1), st.integers(1, n)).map(lambda e: slice(e[0], min(e[0] + e[1], n)))


selections = st.fixed_dictionaries(
    {},
    optional={
        "t": st.one_of(st.integers(-2, 1), spans(2)), "z": st.one_of(st.integers(-4, 3), spans(4)),
        "c": st.one_of(st.integers(-3, 2), spans(3), st.lists(st.integers(0, 2), min_size=1, max_size=4)),
        "y": spans(32), "x": spans(24),
    },
)  # fmt: skip


def as_numpy(array, picks, scale=1):
    """The same selection by NumPy, in level-0 pixels; rows and columns are those whose pixels touch it."""
    out = array
    for axis in reversed(range(5)):
        pick = picks.get("tczyx"[axis], slice(None))
        if isinstance(pick, slice) and axis > 2 and pick.start is not None:
            pick = slice(pick.start // scale, max(-(-pick.stop // scale), pick.start // scale + 1))
        out = out[(slice(None),) * axis + (pick,)]
    lead = tuple(n for n in out.shape[:-2] if n > 1)
    return out.reshape(lead + out.shape[-2:])


@quick
@given(selections)
def test_a_selection_is_numpys_selection_at_every_level(picks):
    img = pyramid().isel(**picks)
    for k, scale in enumerate((1, 2, 4)):
        expected = as_numpy(FULL[..., ::scale, ::scale], picks, scale)
        assert img.info.levels[k].shape == expected.shape
        np.testing.assert_array_equal(img.read(k), expected)


@quick
@given(selections, spans(5), spans(5))
def test_a_selection_of_a_selection_composes(picks, rows, cols):
    img = pyramid().isel(**picks)
    rows, cols = slice(rows.start, min(rows.stop, img.sizes["y"])), slice(cols.start, min(cols.stop, img.sizes["x"]))
    if rows.start < rows.stop and cols.start < cols.stop:
        np.testing.assert_array_equal(img.isel(y=rows, x=cols).read(), img.read()[..., rows, cols])


@quick
@given(spans(32), spans(24))
def test_a_crop_knows_where_each_level_begins(rows, cols):
    for level in pyramid().isel(y=rows, x=cols).info.levels:
        for start, stop, n, scale, move in zip(
            (rows.start, cols.start),
            (rows.stop, cols.stop),
            level.shape[-2:],
            level.scale[-2:],
            level.translation[-2:],
            strict=True,
        ):
            assert -scale < move <= 0
            assert move + n * scale >= min(stop - start, n * scale + move)
            assert (start + move) % scale == pytest.approx(0)


@pytest.mark.parametrize("how", ["max", "mean"])
def test_projections_are_numpys(how):
    img = pyramid().sel(c="DAPI", t=1).plane(project=how)
    expected = getattr(FULL[1, 0].astype(float), how)(0)
    assert img.axes == ("y", "x")
    np.testing.assert_allclose(img.read(), expected, rtol=1e-6)
    np.testing.assert_allclose(img.read(0, (slice(3, 9), slice(2, 5))), expected[3:9, 2:5], rtol=1e-6)
    both = pyramid().sel(c=0, project=how)
    np.testing.assert_allclose(both.read(1), getattr(FULL[:, 0, :, ::2, ::2].astype(float), how)((0, 1)), rtol=1e-6)


indexers = st.tuples(
    *(
        st.one_of(
            st.integers(-n, n - 1),
            st.builds(slice, st.integers(-n, n), st.integers(-n, n), st.sampled_from([None, 1, 2, 3, -1, -2])),
            st.lists(st.integers(-n, n - 1), min_size=1, max_size=5),
        )
        for n in FULL.shape
    )
)


@quick
@given(indexers)
def test_a_lazy_array_indexes_as_numpy_does(index):
    emptied = [isinstance(i, slice) and (i.step or 1) < 0 and not range(n)[i] for i, n in zip(index, FULL.shape, strict=True)]
    assume(not any(emptied))  # xarray itself fails on an empty slice that runs backwards
    got = pyramid().data.isel(dict(zip("tczyx", index, strict=True)))
    expected = FULL
    for axis in reversed(range(5)):
        expected = expected[(slice(None),) * axis + (index[axis],)]
    assert got.shape == expected.shape
    np.testing.assert_array_equal(got.values, expected)


def test_nothing_is_read_until_values_are_asked_for():
    class Sealed(ArraySource):
        def read(self, level, index):
            raise AssertionError("pixels were read")

    base = pyramid().source
    img = MicroImage(Sealed(base.arrays, base.info))
    lazy = img.sel(c="DAPI", t=0, region="left half").data[0, ::2]
    assert lazy.shape == (16, 12)
    assert repr(lazy)
    assert img.to_datatree()["s2"]["image"].shape == (2, 3, 4, 8, 6)
    with pytest.raises(AssertionError, match="pixels were read"):
        lazy.compute()


def test_coordinates_are_pixel_centres_in_um_and_channel_names():
    data = pyramid().levels[1]
    np.testing.assert_allclose(data["y"].values[:3], [0.25, 1.25, 2.25])
    assert data["y"].attrs["units"] == "micrometer"
    assert list(data["c"].values) == ["DAPI", "GFP", "gfp"]


def test_a_tree_gives_the_image_back():
    img = pyramid()
    tree = img.to_datatree()
    assert set(tree.children) == {"s0", "s1", "s2"}
    back = MicroImage.from_datatree(tree)
    assert back.info.to_dict() == img.info.to_dict()
    assert dict(back.metadata) == {"na": 0.8}
    assert back.pixel_size_source == "test"
    for k in range(3):
        np.testing.assert_array_equal(back.read(k), img.read(k))
    with pytest.raises(AxesError, match="not made by"):
        MicroImage.from_datatree(xr.DataTree())


def test_an_array_keeps_what_its_coordinates_say():
    img = open_image(pyramid().data)
    assert img.pixel_size == pytest.approx({"z": 2.0, "y": 0.5, "x": 0.25})
    assert img.pixel_size_source == "array coordinates"
    assert [c.name for c in img.channels] == ["DAPI", "GFP", "gfp"]
    np.testing.assert_array_equal(img.read(), FULL)


def test_reversed_or_uneven_coordinates_are_no_pixel_size():
    data = pyramid().data
    assert open_image(data[..., ::-1, :]).pixel_size is None
    assert open_image(data[..., [0, 1, 3], :]).pixel_size is None


def test_the_accessor_opens_and_selects():
    data = pyramid().data
    assert data.micro.pixel_size == pytest.approx({"z": 2.0, "y": 0.5, "x": 0.25})
    assert data.micro.image.sizes == {"t": 2, "c": 3, "z": 4, "y": 32, "x": 24}
    np.testing.assert_array_equal(data.micro.sel(region=Region(0, 0, 4, 3, unit="um")).values, FULL[..., :8, :12])
    assert data.micro.sel(region="right half").shape[-1] == 12


def test_dask_arrays_stay_lazy():
    lazy = dask.array.from_array(FULL, chunks=(1, 1, 1, 16, 24))
    np.testing.assert_array_equal(open_image(lazy, axes="tczyx").isel(t=1, c=0, z=2).read(), FULL[1, 0, 2])


def test_foreign_byte_order_is_made_native():
    img = open_image(FULL[0, 0, 0].astype(">u2"))
    assert img.read().dtype.isnative
    np.testing.assert_array_equal(img.read(), FULL[0, 0, 0])


def test_what_is_not_there_is_refused_by_name():
    img = pyramid()
    with pytest.raises(AxesError, match="'RFP' is not one of DAPI, GFP, gfp"):
        img.sel(c="RFP")
    assert img.sel(c="GFP").channels[0].name == "GFP"
    assert [c.name for c in img.sel(c=["gfp", "DAPI"]).channels] == ["gfp", "DAPI"]
    with pytest.raises(AxesError, match="2 times"):
        img.sel(c="Gfp")
    with pytest.raises(AxesError, match="has no axis 'z'"):
        img.isel(z=0).isel(z=1)
    with pytest.raises(AxesError, match=r"t=7 is outside 0\.\.1"):
        img.isel(t=7)
    with pytest.raises(RegionError, match="selects nothing"):
        img.isel(y=slice(5, 5))
    with pytest.raises(RegionError, match="lies outside"):
        img.sel(region=Region(900, 900, 950, 950))
    with pytest.raises(AxesError, match="lists are for channels"):
        img.isel(z=[0, 1])
    with pytest.raises(TypeError, match="channel"):
        img.sel(channel=0)


def test_what_works_on_planes_refuses_stacks_and_says_how():
    with pytest.raises(AxesError, match=r"t \(2\) and z \(4\).*img\.sel\(t=0\).*project='max'"):
        pyramid().plane()
    with pytest.raises(AxesError, match="'max' or 'mean'"):
        pyramid().plane(project="sum")


def test_stated_sizes_and_axes_replace_what_is_known():
    img = open_image(pyramid(), pixel_size={"y": 1.0, "x": 2.0})
    assert img.pixel_size == {"y": 1.0, "x": 2.0}
    assert img.pixel_size_source == "argument"
    for bad in (0, -1, float("nan"), {"y": 1.0}, {"q": 1.0, "y": 1.0, "x": 1.0}):
        with pytest.raises(UnitsError):
            open_image(pyramid(), pixel_size=bad)
    with pytest.raises(AxesError, match=r"shape \(3, 4, 5\) has 3 dimensions"):
        open_image(np.zeros((3, 4, 5)))
    with pytest.raises(AxesError, match="empty"):
        open_image(np.zeros((0, 5)))
    with pytest.raises(AxesError, match="complex"):
        open_image(np.zeros((5, 5), complex))


def test_a_size_without_y_and_x_and_facts_that_say_nothing_are_left_out():
    info = pyramid().info
    half = replace(info, pixel_size={"z": 1.0, "y": 0.5}, facts={"na": 0.0, "name": "", "cautions": [], "stage": None})
    assert (half.pixel_size, half.pixel_size_source, dict(half.facts)) == (None, None, {"na": 0.0})


def test_the_content_id_follows_pixels_and_selection():
    img = pyramid()
    assert img.content_id == pyramid().content_id
    assert img.isel(t=0).content_id != img.isel(t=1).content_id
    assert img.isel(t=0).content_id == img.isel(t=-2).content_id
    assert img.verify().startswith("full:")


def test_labels_follow_the_selection():
    base = pyramid().isel(t=0, c=0, z=0)
    labels = ArraySource.of(np.arange(32 * 24).reshape(32, 24).astype("uint32"))

    class Labelled(ArraySource):
        def labels(self):
            return {"nuclei": labels}

    source = base.source.base
    img = MicroImage(Labelled(source.arrays, source.info)).isel(t=0, c=0, z=0, y=slice(4, 9))
    np.testing.assert_array_equal(img.labels["nuclei"].read(), np.arange(32 * 24).reshape(32, 24)[4:9])
