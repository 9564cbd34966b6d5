"""An image's address opens the same image again, with what was selected of it."""

import json

import numpy as np
import pytest

import micro_nb as mnb
from micro_nb.data.address import address_of, open_address, opening_code
from micro_nb.errors import ImageNotFoundError


@pytest.fixture
def stack(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 999, (3, 4, 40, 50)).astype("uint16")
    return mnb.open_image(mnb.save_image(mnb.open_image(pixels, axes="czyx"), tmp_path / "a.ome.zarr"))


SELECTIONS = {
    "whole": lambda img: img,
    "slice": lambda img: img.sel(z=2),
    "channels": lambda img: img.isel(c=[2, 0], y=slice(4, 30)),
    "projection": lambda img: img.sel(project="max"),
    "restated": lambda img: mnb.open_image(img, pixel_size=0.3),
    "all": lambda img: mnb.open_image(img.sel(region="left half", c=1).sel(project="mean"), pixel_size=0.3),
}


@pytest.mark.parametrize("select", SELECTIONS.values(), ids=SELECTIONS)
def test_a_selection_is_opened_again(stack, select):
    img = select(stack)
    address = json.loads(json.dumps(address_of(img)))
    assert open_address(address).content_id == img.content_id
    assert eval(opening_code(address), {"mnb": mnb}).content_id == img.content_id


def test_samples_have_addresses():
    img = mnb.open_image("sample:fluorescence?shape=64,64&seed=3").sel(c=0)
    assert open_address(address_of(img)).content_id == img.content_id


def test_an_array_in_memory_has_none():
    assert address_of(mnb.open_image(np.zeros((8, 8), "uint8"))) is None
    with pytest.raises(ImageNotFoundError, match="pass the image itself"):
        open_address(None)
