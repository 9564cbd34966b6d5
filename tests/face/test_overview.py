import builtins
import sys

import holoviews as hv
import ipywidgets
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import micro_nb as mnb
from micro_nb.errors import AxesError, RegionError, UnitsError, WriteError
from micro_nb.face.overview import Overview, overview
from micro_nb.render.frame import Frame
from micro_nb.render.points import PointIndex


@pytest.fixture
def img(rng):
    return mnb.open_image(rng.integers(0, 999, (300, 400)).astype(np.uint16), pixel_size=0.5)


def found(n=3, labels=None):
    table = pd.DataFrame({"label": range(1, n + 1), "layer": "object", "name": "nucleus", "score": 1.0,
                          "centroid_y_px": np.arange(n) * 20.0, "centroid_x_px": np.arange(n) * 30.0})  # fmt: skip
    return mnb.Objects(table, labels=labels)


def test_an_overview_is_a_picture_and_text(img):
    bundle = overview(img)._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}


def test_objects_of_several_names_have_a_colour_each(img):
    labels = xr.DataArray(np.zeros((2, 300, 400), "i4"), dims=("layer", "y", "x"), coords={"layer": ["object", "nucleus"]})
    for k in range(4):
        labels[0, 10:50, 60 * k + 10 : 60 * k + 50] = k + 1
    labels[1, 20:30, 20:30] = 1
    table = pd.DataFrame({"label": [1, 2, 3, 4, 1], "layer": ["object"] * 4 + ["nucleus"], "score": 1.0,
                          "name": ["white cell", "red cell", "red cell", "platelet", "nucleus"]})  # fmt: skip
    view = overview(img, mnb.Objects(table, labels=labels))
    assert [key.text for key in view.layers.keys] == ["2 red cells", "1 white cell", "1 platelet", "1 nucleus"]
    assert len({key.color for key in view.layers.keys}) == 4
    drawn = [set(np.unique(layer.read(Frame.of_region(view.region, width=400, height=300)))) for layer in view.layers.labels]
    assert drawn == [{0, 2, 3}, {0, 1}, {0, 4}, {0, 1}]


def test_objects_labels_tables_positions_and_quality_can_be_laid_on_top(img):
    labels = xr.DataArray(np.zeros((2, 300, 400), "i4"), dims=("layer", "y", "x"), coords={"layer": ["nucleus", "cell"]})
    labels[:, 10:50, 10:50] = 1
    quality = xr.DataArray(np.random.default_rng(0).random((2, 2)), dims=("row", "col"), name="focus")
    view = overview(img, found(labels=labels), quality=quality)
    assert [key.text for key in view.layers.keys] == ["nucleus", "cell"]
    assert len({key.color for key in view.layers.keys}) == 2
    assert view.png != overview(img).png


def test_centroids_in_um_are_placed_by_the_pixel_size(img):
    um = pd.DataFrame({"centroid_y_um": [50.0], "centroid_x_um": [100.0]})
    px = pd.DataFrame({"centroid_y_px": [100.0], "centroid_x_px": [200.0]})
    assert overview(img, um).png == overview(img, px).png
    with pytest.raises(UnitsError, match="pixel size"):
        overview(mnb.open_image(np.zeros((9, 9))), um)


def test_the_quality_of_an_image_is_laid_on_top_with_its_tile_size(img):
    layer = overview(img, quality=mnb.quality(img, tile=64)).layers.values
    assert layer.name == "focus"
    assert layer.tile_px == 64
    assert layer.values.shape == (5, 7)


def test_what_does_not_fit_is_refused(img):
    with pytest.raises(AxesError, match="plane is y 300 x 400"):
        overview(img, labels=np.zeros((30, 40), int))
    with pytest.raises(AxesError, match="centroid_y_px"):
        overview(img, pd.DataFrame({"area": [1]}))
    with pytest.raises(AxesError, match="holds no labels"):
        overview(img, labels="nuclei")
    with pytest.raises(RegionError):
        overview(img, region=mnb.Region(1000, 1000, 1100, 1100))
    with pytest.raises(TypeError, match="colour"):
        overview(img, colour="red")


def test_a_zoom_is_another_overview_with_the_same_layers(img):
    view = overview(img, found())
    near = view.zoom(mnb.Region(0, 0, 50, 50, unit="um"))
    assert near.region.box == (0, 0, 100, 100)
    assert near.layers is view.layers
    assert isinstance(near, Overview)


def test_saving_is_whole_or_absent(img, tmp_path):
    path = overview(img).save(tmp_path / "x.png")
    assert path.read_bytes() == overview(img).png
    with pytest.raises(WriteError, match="png"):
        overview(img).save(tmp_path / "x.jpg")
    with pytest.raises(WriteError):
        overview(img).save(tmp_path / "no" / "x.png")
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]


def test_a_static_overview_imports_no_plotting_library(img, monkeypatch):
    real = builtins.__import__
    heavy = {"holoviews", "datashader", "bokeh", "matplotlib", "torch"}

    def watch(name, *args, **kwargs):
        assert name.split(".")[0] not in heavy, name
        return real(name, *args, **kwargs)

    for name in [m for m in sys.modules if m.startswith(("micro_nb.face.overview", "micro_nb.face.layers"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", watch)
    from micro_nb.face.overview import overview as fresh

    assert fresh(img).png


def test_the_view_is_also_an_element_for_plots(img, rng):
    element = overview(img, rng.uniform(0, 300, (50_000, 2)), region=mnb.Region(0, 0, 100, 200)).hv
    picture = element.get(0)
    assert picture.bounds.lbrt() == (0.0, 0.0, 100.0, 50.0)
    assert picture.kdims[0].unit == "µm"
    assert len(element) == 2
    assert isinstance(overview(img).hv, hv.RGB)


def test_overviews_work_within_interact(img):
    shown = []
    widget = ipywidgets.interactive(
        lambda wide: shown.append(overview(img, region=mnb.Region(0, 0, wide, wide)).png), wide=(50, 200)
    )
    widget.update()
    widget.children[0].value = 60
    assert len(set(shown)) == 2


def test_indexed_points_are_the_same_points(rng):
    y, x = rng.uniform(0, 5000, (2, 30_000))
    index = PointIndex.build(y, x, (5000, 4000))
    inside = (x + 0.5 < 4000) & (y + 0.5 < 5000)
    assert len(index) == inside.sum()
    frame = Frame(1000, 1500, 1400, 1700, (400, 200))
    near_y, near_x = index.within(frame)
    seen = (near_y >= 1000) & (near_y < 1400) & (near_x >= 1500) & (near_x < 1700)
    true = (y + 0.5 >= 1000) & (y + 0.5 < 1400) & (x + 0.5 >= 1500) & (x + 0.5 < 1700)
    assert abs(int(seen.sum()) - int(true.sum())) <= 1  # float32 at the very edge
    assert index.count_within(frame) == near_y.size < 0.02 * len(index)


def test_a_density_counts_every_point_once(rng):
    y, x = rng.uniform(0, 4000, (2, 30_000))
    index = PointIndex.build(y, x, (4000, 4000))
    frame = Frame(0, 0, 4000, 4000, (500, 500))
    assert index.is_coarse(frame)
    assert np.isclose(index.density(frame).sum(), len(index), rtol=1e-3)
