import gc
import weakref

import numpy as np
import pytest
import xarray as xr
from conftest import SHARED
from pictures import decode

import micro_nb as mnb
from micro_nb.data.source import ImageInfo, Level
from micro_nb.data.sources.arrays import ArraySource
from micro_nb.errors import AxesError
from micro_nb.render.contours import LabelLayer, outline
from micro_nb.render.heat import ValueMap
from micro_nb.render.look import Look
from micro_nb.render.overview import Layers, PointLayer, overview_png
from micro_nb.render.reduce import reduce_plane

FORMATS = SHARED / "formats"
FILES = [p for name in ("CMU-1-Small-Region.svs", "bbbc022_3channel_v05.ome.zarr", "drosophila_histone_gfp_T10.ome.tif",
                        "arabidopsis_embryo_v04.ome.zarr.zip") if (p := FORMATS / name).exists()]  # fmt: skip


class Watched(ArraySource):
    """Notes how many pixels each read asks of each level."""

    def read(self, level, index):
        index = self.check(level, index)
        reads.append((level, int(np.prod([s.stop - s.start for s in index]))))
        return super().read(level, index)


reads: list[tuple[int, int]] = []


def watched_pyramid(size, levels):
    reads.clear()
    arrays = tuple(np.zeros((size >> k, size >> k), np.uint16) for k in range(levels))
    info = ImageInfo(
        axes=("y", "x"), dtype=np.dtype("u2"),
        levels=tuple(Level(a.shape, (256, 256), (2.0**k,) * 2, (0.0, 0.0)) for k, a in enumerate(arrays)),
    )  # fmt: skip
    return mnb.MicroImage(Watched(arrays, info))


def test_level_0_of_a_pyramid_is_not_touched():
    overview_png(watched_pyramid(8192, 5))
    assert min(level for level, _ in reads) >= 3


def test_a_zoom_reads_level_0_only_where_it_looks():
    overview_png(watched_pyramid(8192, 5), region=mnb.Region(0, 0, 400, 400))
    assert sum(n for level, n in reads if level == 0) <= 500 * 500


def test_a_huge_plane_without_pyramid_is_read_in_small_blocks():
    img = watched_pyramid(4096, 1)
    overview_png(img)
    assert max(n for _, n in reads) <= 1 << 22
    count = len(reads)
    overview_png(img)
    assert len(reads) == count, "the coarse picture is kept"


def test_pixels_of_one_channel_come_through_unchanged():
    picture = np.arange(256, dtype=np.uint8).reshape(16, 16)
    rgb = np.stack([picture, picture.T, 255 - picture])
    shown = decode(overview_png(mnb.open_image(rgb.transpose(1, 2, 0), axes="yxc"), plain=True, width=16))
    assert np.array_equal(shown, rgb.transpose(1, 2, 0))


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4", "f4", "f8", "?"])
def test_every_dtype_is_drawn(dtype, rng):
    assert decode(overview_png(mnb.open_image((rng.random((60, 80)) * 2).astype(dtype)))).std() > 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 7)])
def test_odd_shapes_are_drawn(shape):
    assert decode(overview_png(mnb.open_image(np.zeros(shape, np.uint8)))).size


def test_an_image_of_nan_is_drawn():
    overview_png(mnb.open_image(np.full((40, 40), np.nan, np.float32)))


def test_the_middle_z_and_first_t_are_shown(rng):
    stack = np.zeros((2, 5, 32, 32), np.uint8)
    stack[0, 2] = rng.integers(0, 255, (32, 32))
    img = mnb.open_image(stack, axes="tzyx")
    assert Look.of(img).chosen == {"t": (0, 2), "z": (2, 5)}
    flat = mnb.open_image(stack[0, 2])
    assert np.array_equal(decode(overview_png(img, plain=True, width=64)), decode(overview_png(flat, plain=True, width=64)))


def test_channels_are_chosen_by_name_and_unknown_ones_refused(rng):
    data = xr.DataArray(rng.integers(0, 999, (2, 32, 32)), dims=("c", "y", "x"), coords={"c": ["DAPI", "GFP"]})
    img = mnb.open_image(data)
    assert Look.of(img, "gfp").shown == (1,)
    with pytest.raises(AxesError, match="DAPI, GFP"):
        overview_png(img, channels="Cy5")


def test_contrast_stays_when_zooming(rng):
    img = mnb.open_image(np.linspace(0, 1000, 400 * 400).reshape(400, 400).astype(np.uint16))
    assert Look.of(img).windows is Look.of(img).windows
    top = decode(overview_png(img, region=mnb.Region(0, 0, 40, 40), plain=True))
    assert top.max() < 40, "the dark corner stays dark"


def test_looks_do_not_keep_images_alive():
    img = mnb.open_image(np.zeros((20, 20), np.uint8))
    overview_png(img)
    gone = weakref.ref(img)
    del img
    gc.collect()
    assert gone() is None


def test_outlines_and_points_land_where_the_objects_are():
    img = mnb.open_image(np.zeros((200, 200), np.uint8))
    labels = np.zeros((200, 200), np.int32)
    labels[50:100, 120:160] = 1
    layer = LabelLayer(mnb.open_image(labels))
    shown = decode(overview_png(img, layers=Layers(labels=(layer,)), plain=True, width=200)).sum(axis=2) > 300
    rows, cols = np.nonzero(shown)
    assert (rows.min(), rows.max() + 1, cols.min(), cols.max() + 1) == (50, 100, 120, 160)
    assert not shown[55:95, 125:155].any(), "outlined, not filled"
    point = PointLayer(np.array([149.5]), np.array([39.5]))
    shown = decode(overview_png(img, layers=Layers(points=(point,)), plain=True, width=200)).sum(axis=2) > 300
    assert np.allclose(np.argwhere(shown).mean(axis=0), (150, 40), atol=1)


def test_labels_of_another_image_are_refused():
    with pytest.raises(AxesError, match="200"):
        LabelLayer(mnb.open_image(np.zeros((200, 100), int))).check((100, 200))


def test_touching_objects_have_a_line_between_them():
    labels = np.ones((6, 6), int)
    labels[:, 3:] = 2
    assert outline(labels)[:, 2:4].all()


def test_a_map_of_values_tints_by_tile_and_leaves_holes():
    img = mnb.open_image(np.full((100, 100), 90, np.uint8))
    values = ValueMap(np.array([[0.0, 1.0], [np.nan, 1.0]]), 50)
    shown = decode(overview_png(img, layers=Layers(values=values), plain=True, width=100)).astype(int)
    assert np.ptp(shown[75, 25]) == 0, "a tile without a value keeps the picture"
    assert shown[25, 75, 1] > shown[25, 25, 1]


@pytest.mark.parametrize("factor", [1, 3, 4, 16, 50])
@pytest.mark.parametrize("corner", [(0, 0), (37, 101)])
def test_reduction_is_the_mean_of_each_square(factor, corner):
    y, x = np.mgrid[:1300, :1500]
    source = mnb.open_image((3 * y + x).astype(np.uint16)).source
    rows, cols = slice(corner[0], 1237), slice(corner[1], 1411)
    reduced = reduce_plane(source, factor, rows=rows, cols=cols).pixels[0]
    top, left = (np.arange(n) * factor + start + (factor - 1) / 2 for n, start in zip(reduced.shape, corner, strict=True))
    inner = np.s_[:-1, :-1]
    assert np.allclose(reduced[inner], (3 * top[:, None] + left)[inner], atol=0.5 * factor)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_real_files_are_drawn(path):
    shown = decode(overview_png(mnb.open_image(path), width=500))
    assert shown.shape[1] <= 500
    assert shown.std() > 10
