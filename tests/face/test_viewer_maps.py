"""Values over the picture of a viewer: sent once, read under the cursor, in the still picture with their legend."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import xarray as xr
from PIL import Image

import micro_nb as mnb
from micro_nb.errors import AxesError


@pytest.fixture
def viewer():
    made = mnb.Viewer(mnb.open_image(np.full((200, 300), 90, "uint8"), pixel_size=0.5))
    made.told = []
    made.tell = lambda kind, buffers=(), **content: made.told.append((kind, content, list(buffers)))
    return made


def picture(viewer):
    return np.asarray(Image.open(io.BytesIO(viewer.png)).convert("RGB")).astype(int)


def test_a_map_of_quality_is_named_with_its_unit_and_reaches_the_browser_once(viewer):
    viewer.add_map(mnb.quality(viewer.image, tile=64), metric="saturated_percent", opacity=0.4)
    kind, told, (grid, ramp) = viewer.told[-1]
    assert (kind, told["id"], told["tile"], told["opacity"]) == ("map", "saturated (%)", 64, 0.4)
    assert np.frombuffer(grid, "<f4").size == np.prod(told["shape"])
    assert len(ramp) == 256 * 3
    viewer.told.clear()
    viewer._received(viewer, json.loads('{"type": "hello"}'), [])
    assert [kind for kind, *_ in viewer.told].count("map") == 1


def test_any_grid_of_tiles_is_shown_and_nan_is_left_clear(viewer):
    before = picture(viewer)
    assert np.ptp(before[:, :, 0] - before[:, :, 2]) < 30, "grey"
    grid = xr.DataArray([[0.0, 1.0], [2.0, np.nan]], dims=("row", "col"), name="score", attrs={"tile": 150})
    viewer.add_map(grid, opacity=0.9)
    after = picture(viewer)
    yellow = (after[..., 0] > 180) & (after[..., 1] > 160) & (after[..., 2] < 120)
    assert yellow.sum() > 500, "the highest value, and the legend"
    viewer._received(viewer, {"type": "map", "id": "score", "opacity": 0.9, "visible": False}, [])
    assert picture(viewer).shape == before.shape, "hidden, and its legend too"
    viewer.clear_maps()
    assert viewer.told[-1][0] == "unmap"


def test_what_is_no_map_is_refused(viewer):
    with pytest.raises(AxesError, match="one value a tile"):
        viewer.add_map(np.zeros(5))
    with pytest.raises(AxesError, match="no 'nothing'; it has edge_width_px"):
        viewer.add_map(mnb.quality(viewer.image), metric="nothing")
    viewer._received(viewer, {"type": "map", "id": "none", "opacity": 1, "visible": True}, [])
    assert viewer.told[-1][0] == "notice"
