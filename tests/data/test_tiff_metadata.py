"""What a TIFF says about itself: axes, pixel size with its source, channels, facts; and what it must not be believed about."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image
from test_tiff_source import OME, write_set

from micro_nb import open_image
from micro_nb.errors import AxesError, CorruptImageError, ImageNotFoundError, UnsafeImageError

PLANE = np.arange(64 * 48, dtype="uint8").reshape(64, 48)


def test_dots_per_inch_are_no_pixel_size(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PLANE, resolution=(72, 72), resolutionunit="inch")
    tifffile.imwrite(tmp_path / "b.tif", PLANE, resolution=(118, 118), resolutionunit="centimeter")
    tifffile.imwrite(tmp_path / "c.tif", PLANE, imagej=True, resolution=(72, 72), metadata={"unit": "inch"})
    for name in "abc":
        assert open_image(tmp_path / f"{name}.tif").pixel_size is None


def test_imagej_resolution_in_microns_is_a_pixel_size(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PLANE, imagej=True, resolution=(4, 2), metadata={"unit": "um"})
    img = open_image(tmp_path / "a.tif")
    assert img.pixel_size == {"y": 0.5, "x": 0.25}
    assert img.pixel_size_source == "ImageJ resolution in um"
    assert img.source.format == "ImageJ TIFF"


def test_a_slide_scanner_says_its_size_in_centimetres(tmp_path):
    xml = '<?xml version="1.0"?><PerkinElmer-QPI-ImageDescription><Objective>20x</Objective></PerkinElmer-QPI-ImageDescription>'
    tifffile.imwrite(
        tmp_path / "a.qptiff", PLANE, software="PerkinElmer-QPI", description=xml, metadata=None, resolution=(20000, 20000),
        resolutionunit="centimeter",
    )  # fmt: skip
    img = open_image(tmp_path / "a.qptiff")
    assert img.source.format == "PerkinElmer QPTIFF"
    assert img.pixel_size == pytest.approx({"y": 0.5, "x": 0.5})
    assert img.metadata["objective"] == "20x"


def test_svs_description_gives_size_and_magnification(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.svs", np.dstack([PLANE] * 3), photometric="rgb", tile=(16, 16), metadata=None,
        description="Aperio Image Library v11.2.1\r\n48x64 (16x16)|AppMag = 40|MPP = 0.2525|Date = 12/29/09",
    )  # fmt: skip
    img = open_image(tmp_path / "a.svs")
    assert img.pixel_size == {"y": 0.2525, "x": 0.2525}
    assert img.metadata["magnification"] == 40
    assert img.metadata["software"] == "Aperio Image Library v11.2.1"
    assert img.rgb


def test_ome_xml_gives_wavelengths_and_colours(tmp_path):
    pixels = np.zeros((3, 40, 30), "uint16")
    write_set(tmp_path, pixels, companion=False)
    channel = open_image(tmp_path / "z0.ome.tif").channels[0]
    assert (channel.name, channel.emission_nm, channel.color) == ("GFP", 509, "#00ff00")


@pytest.mark.parametrize(("unit", "size"), [("nm", 0.0025), ("furlong", None)])
def test_zeiss_sem_tag_gives_the_pixel_size_in_a_unit_of_length(tmp_path, unit, size):
    tag = f"\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 2.5 {unit}\r\n\0".encode()
    tifffile.imwrite(tmp_path / "a.tif", PLANE, extratags=[(34118, 2, len(tag), tag, True)], metadata=None)
    img = open_image(tmp_path / "a.tif")
    assert img.pixel_size == (pytest.approx({"y": size, "x": size}) if size else None)
    assert img.pixel_size_source == ("Zeiss SEM pixel size" if size else None)


def test_unknown_leading_axis_is_refused_with_the_remedy_and_then_stated(tmp_path):
    stack = np.arange(5 * 64 * 48, dtype="uint16").reshape(5, 64, 48)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    with pytest.raises(AxesError, match=r"\(5, 64, 48\).*axes='zyx'.*axes='tyx'"):
        open_image(tmp_path / "a.tif")
    img = open_image(tmp_path / "a.tif", axes="tyx")
    assert img.sizes == {"t": 5, "y": 64, "x": 48}
    np.testing.assert_array_equal(img.read(), stack)
    with pytest.raises(AxesError, match="5, 64, 48"):
        open_image(tmp_path / "a.tif", axes="yx")


def test_stated_axes_may_be_in_any_order(tmp_path):
    stack = np.arange(5 * 6 * 7, dtype="uint16").reshape(5, 6, 7)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    img = open_image(tmp_path / "a.tif", axes="yxz")
    assert img.sizes == {"z": 7, "y": 5, "x": 6}
    np.testing.assert_array_equal(img.read(), stack.transpose(2, 0, 1))


def test_pages_of_different_sizes_are_series(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        tif.write(PLANE, metadata=None)
        tif.write(PLANE[:10, :12], metadata=None)
    assert open_image(tmp_path / "a.tif").metadata["series"] == ["1: image 10x12"]
    assert open_image(tmp_path / "a.tif", series=1).sizes == {"y": 10, "x": 12}
    with pytest.raises(ImageNotFoundError, match="series=2 but the file holds 2"):
        open_image(tmp_path / "a.tif", series=2)


def test_alpha_is_left_out_and_said(tmp_path):
    rgba = np.random.default_rng(0).integers(0, 255, (40, 30, 4), "uint8")
    tifffile.imwrite(tmp_path / "a.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    img = open_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(img.read(), np.moveaxis(rgba[..., :3], -1, 0))
    assert img.rgb
    assert "alpha" in img.metadata


def test_a_plain_palette_becomes_colours_and_a_microscopes_stays_values(tmp_path):
    table = np.random.default_rng(0).integers(0, 65535, (3, 256)).astype("uint16")
    tifffile.imwrite(tmp_path / "a.tif", PLANE, colormap=table, photometric="palette")
    img = open_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(img.read(), (table >> 8).astype("uint8")[:, PLANE])
    np.testing.assert_array_equal(img.read(0, (slice(1, 2), slice(3, 9), slice(0, 5))), img.read()[1:2, 3:9, :5])
    assert img.rgb
    np.testing.assert_array_equal(open_image(tmp_path / "a.tif", axes="yx").read(), PLANE)
    tifffile.imwrite(tmp_path / "b.ome.tif", PLANE, colormap=table, photometric="palette", ome=True)
    np.testing.assert_array_equal(open_image(tmp_path / "b.ome.tif").read(), PLANE)


def test_white_is_zero_is_said_and_values_stay(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PLANE, photometric="miniswhite")
    img = open_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(img.read(), PLANE)
    assert "not inverted" in img.metadata["cautions"][0]


def test_channels_of_colour_samples_are_joined(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (2, 40, 30, 3), "uint8")
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, ome=True, photometric="rgb", metadata={"axes": "CYXS"})
    img = open_image(tmp_path / "a.ome.tif")
    joined = pixels.transpose(0, 3, 1, 2).reshape(6, 40, 30)
    np.testing.assert_array_equal(img.read(), joined)
    np.testing.assert_array_equal(img.read(0, (slice(2, 5), slice(1, 9), slice(4, 9))), joined[2:5, 1:9, 4:9])
    assert not img.rgb


def test_a_missing_file_of_a_set_is_an_error_only_where_it_is_read(tmp_path):
    pixels = np.ones((3, 40, 30), "uint16")
    write_set(tmp_path, pixels, companion=False)
    (tmp_path / "z2.ome.tif").unlink()
    img = open_image(tmp_path / "z0.ome.tif")
    assert img.sizes == {"z": 3, "y": 40, "x": 30}
    assert img.metadata["missing_planes"] == 1
    assert img.isel(z=1).read().all()
    with pytest.raises(CorruptImageError, match="plane 2 of 3 is not there"):
        img.isel(z=2).read()


def test_a_part_of_a_set_without_its_metadata_file_says_so(tmp_path):
    write_set(tmp_path, np.ones((3, 40, 30), "uint16"), companion=True)
    (tmp_path / "set.companion.ome").unlink()
    img = open_image(tmp_path / "z0.ome.tif")
    assert img.sizes == {"y": 40, "x": 30}
    assert "set.companion.ome is missing" in img.metadata["set"]


@pytest.mark.parametrize("bad", ["../z1.ome.tif", "/etc/passwd", "C:\\z1.ome.tif"])
def test_a_set_may_not_reach_outside_its_folder(tmp_path, bad):
    text = OME.format(own="f0", data=f'<TiffData IFD="0"><UUID FileName="{bad}">urn:uuid:f1</UUID></TiffData>')
    tifffile.imwrite(tmp_path / "a.ome.tif", PLANE, description=text, metadata=None)
    with pytest.raises(UnsafeImageError, match="outside its folder"):
        open_image(tmp_path / "a.ome.tif")


def test_xml_entities_are_refused(tmp_path):
    bomb = '<!DOCTYPE OME [<!ENTITY a "aaaaaaaaaa">]>' + OME.format(own="f0", data="&a;")
    tifffile.imwrite(tmp_path / "a.ome.tif", PLANE, description=bomb, metadata=None)
    with pytest.raises(UnsafeImageError, match="entities"):
        open_image(tmp_path / "a.ome.tif")


def test_a_truncated_file_names_itself_and_what_it_found(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.random.default_rng(0).integers(0, 9999, (256, 256)).astype("uint16"), metadata=None)
    path.write_bytes(path.read_bytes()[:60_000])
    with pytest.raises(CorruptImageError, match=r"a\.tif.*131072 bytes.*60000"):
        open_image(path).read()


def test_a_damaged_tile_is_named_when_it_is_read(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.random.default_rng(0).integers(0, 99, (64, 64), "uint8"), tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[0].dataoffsets[3]
    data = bytearray(path.read_bytes())
    data[offset : offset + 40] = b"\xff" * 40
    path.write_bytes(data)
    img = open_image(path)
    img.read(0, (slice(0, 32), slice(0, 32)))
    with pytest.raises(CorruptImageError, match="tile 3 cannot be decoded"):
        img.read()


def test_an_empty_and_a_mislabelled_file_are_named(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0\0\0")
    with pytest.raises(CorruptImageError, match=r"a\.tif"):
        open_image(tmp_path / "a.tif")


def _retagged(path, code, value, **how):
    tifffile.imwrite(path, PLANE, metadata=None, **how)
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[0].tags[code].overwrite(value)


def test_an_absurd_width_is_refused_without_memory(tmp_path):
    _retagged(tmp_path / "a.tif", 256, 2**31)
    with pytest.raises(CorruptImageError, match="declares"):
        open_image(tmp_path / "a.tif")
    _retagged(tmp_path / "b.tif", 256, 2**31, compression="zlib")
    with pytest.raises(UnsafeImageError, match="1 GiB"):
        open_image(tmp_path / "b.tif")
    _retagged(tmp_path / "c.tif", 256, 2**31, compression="zlib", tile=(16, 16))
    with pytest.raises(CorruptImageError, match=r"needs .* tiles"):
        open_image(tmp_path / "c.tif")


def test_a_jpeg_tile_that_grows_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.dstack([PLANE] * 3), photometric="rgb", compression="jpeg", tile=(16, 16), metadata=None)
    data = path.read_bytes()
    start = data.index(b"\xff\xc0") + 5
    path.write_bytes(data[:start] + b"\xff\xff\xff\xff" + data[start + 4 :])
    with pytest.raises(UnsafeImageError, match="bomb"):
        open_image(path).read()


def test_sparse_tiles_are_zero(tmp_path):
    path = tmp_path / "a.tif"
    tiles = iter([np.full((16, 16), 7, "uint8"), None, None, np.full((16, 16), 9, "uint8")])
    tifffile.imwrite(path, tiles, shape=(32, 32), dtype="uint8", tile=(16, 16), metadata=None)
    expected = np.zeros((32, 32), "uint8")
    expected[:16, :16], expected[16:, 16:] = 7, 9
    np.testing.assert_array_equal(open_image(path).read(), expected)


def test_a_remote_file_is_read_by_ranges(tmp_path, http_root):
    pixels = np.random.default_rng(0).integers(0, 60000, (2048, 2048)).astype("uint16")
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(256, 256), compression="zlib")
    img = open_image(http_root(tmp_path) + "/a.tif")
    np.testing.assert_array_equal(img.read(0, (slice(300, 400), slice(700, 800))), pixels[300:400, 700:800])
    asked = [line.split("bytes=")[1].split("-") for line in http_root.log if "bytes=" in line]
    assert 0 < sum(int(b) - int(a) + 1 for a, b in asked) < 600_000 < (tmp_path / "a.tif").stat().st_size


def test_s3_reads_the_same(tmp_path, s3_bucket):
    import fsspec

    tifffile.imwrite(tmp_path / "a.tif", PLANE, tile=(16, 16))
    fsspec.filesystem("s3").put(str(tmp_path / "a.tif"), f"{s3_bucket}/a.tif")
    np.testing.assert_array_equal(open_image(f"{s3_bucket}/a.tif").read(), PLANE)


def test_aperios_ycbcr_variant_of_jpeg_2000_becomes_rgb(tmp_path):
    rgb = np.zeros((64, 64, 3), "uint8")
    rgb[:32], rgb[32:, :32], rgb[32:, 32:] = (200, 60, 120), (255, 255, 255), (30, 90, 160)
    stored = np.asarray(Image.fromarray(rgb).convert("YCbCr"))
    tifffile.imwrite(
        tmp_path / "a.tif", stored, photometric="rgb", tile=(32, 32), compression=33003, compressionargs={"level": 0}
    )
    got = np.moveaxis(open_image(tmp_path / "a.tif").read(), 0, -1)
    assert np.abs(got.astype(int) - rgb).max() <= 3
