import numpy as np
import xarray as xr

import micro_nb as mnb
from micro_nb.render.card import facts, image_card


def test_a_card_has_a_picture_text_and_facts():
    img = mnb.open_image(np.eye(64), pixel_size=0.25)
    bundle = img._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert "0.25 µm (argument)" in bundle["text/html"]


def test_text_from_a_file_is_never_html():
    hostile = '<img src=x onerror="alert(1)">'
    data = xr.DataArray(np.zeros((2, 8, 8), "u1"), dims=("c", "y", "x"), coords={"c": [hostile, "b"]})
    card = str(image_card(mnb.open_image(data))["text/html"])
    assert hostile not in card
    assert "&lt;img src=x" in card


def test_an_unknown_pixel_size_is_said():
    assert "not known" in facts(mnb.open_image(np.eye(8)))["pixel size"]
