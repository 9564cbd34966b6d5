"""PNG, JPEG, BMP and GIF keep the contract of a source."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from source_contract import Case, SourceContract

from micro_nb import open_image
from micro_nb.data.location import Location
from micro_nb.data.sources.pictures import open_picture
from micro_nb.errors import AxesError, CorruptImageError, ImageNotFoundError, UnsafeImageError


def _rgb(*shape):
    return np.random.default_rng(3).integers(0, 255, (*shape, 3), "uint8")


class TestPicture(SourceContract):
    @pytest.fixture(params=["png", "bmp", "jpg"])
    def case(self, request, tmp_path):
        path, pixels = tmp_path / f"a.{request.param}", _rgb(37, 29)
        Image.fromarray(pixels).save(path)
        expected = np.moveaxis(np.asarray(Image.open(path)), -1, 0)

        def change():
            Image.fromarray(255 - pixels).save(path)

        return Case(lambda: open_picture(Location.of(path)), expected, "cyx", change=change, channels=("red", "green", "blue"))


def test_grey_and_bilevel_pictures_are_planes(tmp_path):
    grey = _rgb(20, 30)[..., 0]
    Image.fromarray(grey).save(tmp_path / "a.png")
    np.testing.assert_array_equal(open_image(tmp_path / "a.png").read(), grey)
    Image.fromarray(grey > 99).save(tmp_path / "b.png")
    img = open_image(tmp_path / "b.png")
    assert img.dtype == np.uint8
    np.testing.assert_array_equal(img.read(), grey > 99)


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (20, 30, 4), (20, 30, 2)])
def test_sixteen_bits_stay_sixteen(tmp_path, shape):
    pixels = np.random.default_rng(0).integers(0, 65535, shape).astype("uint16")
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    img = open_image(tmp_path / "a.png")
    assert img.dtype == np.uint16
    expected = pixels if pixels.ndim == 2 else pixels[..., 0] if shape[-1] == 2 else np.moveaxis(pixels[..., :3], -1, 0)
    np.testing.assert_array_equal(img.read(), expected)


def test_alpha_is_left_out_and_said(tmp_path):
    rgba = np.random.default_rng(0).integers(0, 255, (20, 30, 4), "uint8")
    Image.fromarray(rgba).save(tmp_path / "a.png")
    img = open_image(tmp_path / "a.png")
    np.testing.assert_array_equal(img.read(), np.moveaxis(rgba[..., :3], -1, 0))
    assert "alpha" in img.metadata


def test_palettes_become_colours_unless_they_are_grey(tmp_path):
    Image.fromarray(_rgb(20, 30)).quantize(16).save(tmp_path / "a.png")
    img = open_image(tmp_path / "a.png")
    assert img.rgb
    np.testing.assert_array_equal(img.read(), np.moveaxis(np.asarray(Image.open(tmp_path / "a.png").convert("RGB")), -1, 0))
    Image.fromarray(_rgb(20, 30)[..., 0]).save(tmp_path / "b.gif")
    assert open_image(tmp_path / "b.gif").sizes == {"y": 20, "x": 30}


def test_the_camera_orientation_is_applied_and_said(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(_rgb(20, 30)).save(tmp_path / "a.jpg", exif=exif)
    img = open_image(tmp_path / "a.jpg")
    assert img.sizes == {"c": 3, "y": 30, "x": 20}
    assert img.read().shape == (3, 30, 20)
    assert "orientation 6" in img.metadata["orientation"]


def test_the_first_frame_of_an_animation_is_shown(tmp_path):
    frames = [Image.fromarray(_rgb(20, 30)[..., 0] + k) for k in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    img = open_image(tmp_path / "a.gif")
    assert "first of 3" in img.metadata["frames"]
    assert img.read().shape[-2:] == (20, 30)


def test_dots_per_inch_are_no_pixel_size(tmp_path):
    Image.fromarray(_rgb(20, 30)).save(tmp_path / "a.png", dpi=(300, 300))
    assert open_image(tmp_path / "a.png").pixel_size is None


def test_a_picture_too_large_to_decode_at_once_is_refused(tmp_path, monkeypatch):
    Image.fromarray(_rgb(20, 30)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    with pytest.raises(UnsafeImageError, match=r"a\.png.*600 pixels.*tiled TIFF"):
        open_image(tmp_path / "a.png")


def test_a_truncated_picture_is_named(tmp_path):
    Image.fromarray(_rgb(200, 300)).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:5000])
    with pytest.raises(CorruptImageError, match=r"a\.png"):
        open_image(tmp_path / "a.png").read()


def test_axes_and_series_must_fit(tmp_path):
    Image.fromarray(_rgb(20, 30)).save(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png", axes="xyc").sizes == {"c": 3, "y": 30, "x": 20}
    with pytest.raises(AxesError):
        open_image(tmp_path / "a.png", axes="yxz")
    with pytest.raises(ImageNotFoundError, match="series=1"):
        open_image(tmp_path / "a.png", series=1)


def test_a_remote_picture_reads_the_same(tmp_path, http_root):
    pixels = _rgb(20, 30)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(open_image(http_root(tmp_path) + "/a.png").read(), np.moveaxis(pixels, -1, 0))
