"""What is drawn or lies on a picture, rims and white cells are found where they are, and not where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

import micro_nb as mnb
from micro_nb.analysis.field_edges import dark_corners, edge_bands
from micro_nb.analysis.marks import marks
from micro_nb.analysis.white_cells import kind, nucleus
from micro_nb.analysis.whole import whole


def seen(picture):
    picture = np.asarray(picture)
    return whole(mnb.open_image(picture, axes="yxc" if picture.ndim == 3 else "yx"))


def slide():
    rng = np.random.default_rng(1)
    picture = np.empty((300, 400, 3))
    picture[:] = (190, 195, 200)
    y, x = np.mgrid[:300, :400]
    for cy, cx in rng.uniform(20, 280, (20, 2)):
        picture[(y - cy) ** 2 + (x - cx) ** 2 < 120] = (170, 100, 130)
    return (picture + rng.normal(0, 2, picture.shape)).clip(0, 255).astype("uint8")


@pytest.mark.parametrize("name", ["coins", "camera", "cell", "page", "colorwheel"])
def test_pictures_without_drawings_have_no_scale_bar(name):
    assert not [m for m in marks(seen(getattr(data, name)())) if m.kind == "scale bar"]


@pytest.mark.parametrize("thick", [1, 2, 4, 8])
def test_a_bar_is_found_whatever_its_thickness(thick):
    picture = slide()
    picture[270 : 270 + thick, 300:370] = 0
    (bar,) = [m for m in marks(seen(picture)) if m.kind == "scale bar"]
    assert abs(bar.box[0] - 300) <= 4
    assert abs(bar.box[2] - 370) <= 4


def test_a_drawn_colour_a_pointer_and_debris_are_told_apart():
    picture = slide()
    picture[30:60, 300:330] = (250, 250, 20)
    y, x = np.mgrid[:300, :400]
    picture[(np.abs(x - 250 - (y - 180) * 0.3) < 6) & (y > 180)] = (60, 62, 64)
    picture[150:172, 30:52] = (15, 15, 17)
    kinds = {m.kind for m in marks(seen(picture))}
    assert {"drawn patch", "pointer", "debris"} <= kinds


def test_a_plain_slide_has_no_marks():
    assert marks(seen(slide())) == ()


def test_a_dark_band_is_named_by_its_edge():
    picture = np.full((300, 300), 150, "uint8")
    picture[270:285] = 20
    (band,) = edge_bands(seen(picture))
    assert band.edge == "bottom"
    assert edge_bands(seen(np.full((300, 300), 150, "uint8"))) == ()


def test_corners_outside_a_lit_field_are_dark():
    y, x = np.mgrid[:300, :300]
    lit = np.where((y - 150) ** 2 + (x - 150) ** 2 < 180**2, 200, 5).astype("uint8")
    assert len(dark_corners(seen(lit)).names) == 4
    assert dark_corners(seen(np.full((300, 300), 200, "uint8"))).names == ()


def test_a_lobed_nucleus_is_a_granulocyte_and_a_round_full_one_a_lymphocyte():
    y, x = np.mgrid[:120, :120]
    background = np.array([0.8, 0.8, 0.78])
    cell = np.broadcast_to(background[:, None, None], (3, 120, 120)).copy()
    cell[:, (y - 60) ** 2 + (x - 60) ** 2 < 50**2] = np.array([0.75, 0.6, 0.72])[:, None]
    lobed, round_ = cell.copy(), cell.copy()
    for cy, cx in ((40, 40), (42, 80), (85, 60)):
        lobed[:, (y - cy) ** 2 + (x - cx) ** 2 < 14**2] = np.array([0.35, 0.2, 0.6])[:, None]
    round_[:, (y - 60) ** 2 + (x - 60) ** 2 < 46**2] = np.array([0.35, 0.2, 0.6])[:, None]
    assert kind(nucleus(lobed, background))[0].startswith("granulocyte")
    assert kind(nucleus(round_, background))[0] == "lymphocyte"
    assert nucleus(np.broadcast_to(background[:, None, None], (3, 60, 60)), background) is None
