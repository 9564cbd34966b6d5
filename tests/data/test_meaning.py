"""Values mean what the file says: whose metadata they are, in which unit, and what was applied to them or left as it is."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
import xarray as xr
import zarr
from PIL import Image

import micro_nb as mnb
from micro_nb.data.axes import is_length_unit, to_um
from micro_nb.errors import AxesError

NS = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
RNG = np.random.default_rng(1)
PLANE = RNG.integers(0, 60000, (30, 40), dtype="u2")
STACK = RNG.integers(0, 60000, (3, 30, 40), dtype="u2")


def ome(*images: str, encoding: str = "UTF-8") -> str:
    return f'<?xml version="1.0" encoding="{encoding}"?><OME xmlns="{NS}" UUID="urn:uuid:here">{"".join(images)}</OME>'


def described(k: int, shape, size: float, data: str, channel: str, unit: str = "µm") -> str:
    units = "".join(f'PhysicalSize{a}="{size}" PhysicalSize{a}Unit="{unit}" ' for a in "XY")
    return (
        f'<Image ID="Image:{k}" Name="image {k}"><Pixels ID="Pixels:{k}" DimensionOrder="XYZCT" Type="uint16" SizeX="{shape[1]}" '
        f'SizeY="{shape[0]}" SizeZ="1" SizeC="1" SizeT="1" {units}><Channel ID="Channel:{k}:0" Name="{channel}" '
        f'SamplesPerPixel="1"/>{data}</Pixels></Image>'
    )


def write_ome(path, pages, xml: str, encoding: str = "utf-8"):
    with tifffile.TiffWriter(path) as tif:
        for k, page in enumerate(pages):
            tif.write(page, description=xml.encode(encoding) if k == 0 else None, metadata=None, contiguous=False)
    return path


ELSEWHERE = '<TiffData IFD="0" PlaneCount="1"><UUID FileName="other.ome.tif">urn:uuid:other</UUID></TiffData>'


@pytest.mark.parametrize(
    "first", [ELSEWHERE, "<MetadataOnly/>", ""], ids=["in a missing file", "metadata only", "no word of data"]
)
def test_an_image_is_described_by_its_own_element_wherever_it_stands(tmp_path, first):
    xml = ome(described(0, (80, 90), 0.5, first, "a"), described(1, PLANE.shape, 0.1, '<TiffData IFD="0" PlaneCount="1"/>', "b"))
    img = mnb.open_image(write_ome(tmp_path / "m.ome.tif", [PLANE], xml))
    assert (img.pixel_size["x"], img.channels[0].name) == (0.1, "b")


def test_images_listed_in_another_order_than_their_pages_keep_their_own_size(tmp_path):
    xml = ome(*(described(k, PLANE.shape, size, f'<TiffData IFD="{page}"/>', name) for k, size, page, name in
                ((0, 0.5, 1, "second page"), (1, 0.1, 0, "first page"))))  # fmt: skip
    path = write_ome(tmp_path / "m.ome.tif", [PLANE, PLANE + 1], xml)
    for series in (0, 1):
        img = mnb.open_image(path, series=series)
        page = "first page" if np.array_equal(img.read(), PLANE) else "second page"
        assert img.channels[0].name == page
        assert img.pixel_size["x"] == (0.1 if page == "first page" else 0.5)


def test_sizes_of_before_a_crop_give_way_to_the_pages(tmp_path):
    xml = ome(described(0, (90, 100), 0.5, '<TiffData IFD="0" PlaneCount="1"/>', "DAPI"))
    img = mnb.open_image(write_ome(tmp_path / "w.ome.tif", [PLANE], xml))
    np.testing.assert_array_equal(img.read(), PLANE)
    assert (img.pixel_size["x"], img.channels[0].name) == (0.5, "DAPI")
    assert "100 x 90" in " ".join(img.info.cautions)


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-16", "UTF-8"])
def test_a_declared_encoding_does_not_spoil_a_unit(tmp_path, encoding):
    xml = ome(described(0, PLANE.shape, 0.25, '<TiffData IFD="0"/>', "a"), encoding=encoding)
    stored = "latin-1" if encoding == "ISO-8859-1" else "utf-8"
    img = mnb.open_image(write_ome(tmp_path / "e.ome.tif", [PLANE], xml, stored))
    assert img.pixel_size["x"] == 0.25


def imagej(path, data=STACK, **metadata):
    tifffile.imwrite(path, data, imagej=True, resolution=(4.0, 4.0), metadata={"axes": "ZYX"[-data.ndim :], **metadata})
    return mnb.open_image(path)


def test_every_axis_has_its_own_unit(tmp_path):
    assert imagej(tmp_path / "a.tif", unit="micron", spacing=300, zunit="nm").pixel_size["z"] == pytest.approx(0.3)
    assert imagej(tmp_path / "b.tif", unit="micron", yunit="nm").pixel_size == pytest.approx({"y": 0.00025, "x": 0.25})
    assert imagej(tmp_path / "c.tif", unit="micron", spacing=2, zunit="furlong").pixel_size == {"y": 0.25, "x": 0.25}


@pytest.mark.parametrize(("unit", "um"), [("Angstrom", 1e-4), ("nm", 1e-3), ("\\u00B5m", 1.0), ("mm", 1e3), ("metres", 1e6)])
def test_lengths_are_read_in_any_unit_and_a_negative_step_has_a_size(tmp_path, unit, um):
    img = imagej(tmp_path / "a.tif", unit=unit, spacing=-0.5)
    assert img.pixel_size == pytest.approx({"z": 0.5 * um, "y": 0.25 * um, "x": 0.25 * um})


@pytest.mark.parametrize("unit", ["cm", "inch", "furlong"])
def test_a_scale_that_is_not_used_is_told(tmp_path, unit):
    img = imagej(tmp_path / "a.tif", unit=unit)
    assert img.pixel_size is None
    assert unit in img.info.cautions[0]


def test_capital_prefixes_are_not_small_ones():
    assert not is_length_unit("Mm")
    assert to_um(2, "Ångström") == to_um(2, "Å")


def test_a_decimal_comma_is_a_decimal_point(tmp_path):
    text = "Aperio Image Library v11.2.1 \n64x64 (64x64) JPEG/RGB Q=30|AppMag = 20|MPP = {}|Left = 1"
    for said, size in (("0,2520", 0.252), ("0.2520", 0.252), ("none", None)):
        tifffile.imwrite(
            tmp_path / "s.svs",
            np.zeros((64, 64, 3), "u1"),
            photometric="rgb",
            tile=(64, 64),
            description=text.format(said),
            metadata=None,
        )
        img = mnb.open_image(tmp_path / "s.svs")
        assert (img.pixel_size and img.pixel_size["x"]) == size
        assert bool(img.info.cautions) == (size is None)


TURNS = {
    2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.T, 6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].T, 8: np.rot90,
}  # fmt: skip


@pytest.mark.parametrize("orientation", TURNS)
def test_orientation_is_applied_to_tiff_as_to_pictures_and_said(tmp_path, orientation):
    tifffile.imwrite(tmp_path / "o.tif", PLANE, extratags=[(274, "H", 1, orientation, True)], tile=(16, 16))
    img, right = mnb.open_image(tmp_path / "o.tif"), TURNS[orientation](PLANE)
    np.testing.assert_array_equal(img.read(), right)
    np.testing.assert_array_equal(img.read(0, (slice(3, 11), slice(5, 30))), right[3:11, 5:30])
    assert f"orientation {orientation}" in img.info.cautions[0]
    picture = Image.fromarray((PLANE >> 8).astype("u1"))
    exif = picture.getexif()
    exif[274] = orientation
    picture.save(tmp_path / "o.png", exif=exif)
    np.testing.assert_array_equal(mnb.open_image(tmp_path / "o.png").read(), right >> 8)


def test_a_turned_image_keeps_the_size_of_each_axis(tmp_path):
    tifffile.imwrite(tmp_path / "o.tif", PLANE, imagej=True, resolution=(4.0, 2.0), metadata={"unit": "um"},
                     extratags=[(274, "H", 1, 6, True)])  # fmt: skip
    assert mnb.open_image(tmp_path / "o.tif").pixel_size == {"y": 0.25, "x": 0.5}


def test_signed_values_of_imagej_are_signed(tmp_path):
    img = imagej(tmp_path / "s.tif", np.full((30, 40), 32668, "u2"), cf=0, c0=-32768.0, c1=1.0)
    assert img.dtype == np.int16
    assert (img.read() == -100).all()


def test_a_calibration_that_is_not_applied_is_told(tmp_path):
    img = imagej(tmp_path / "s.tif", PLANE, cf=0, c0=5.0, c1=0.1, vunit="OD")
    np.testing.assert_array_equal(img.read(), PLANE)
    assert "c1=0.1" in img.info.cautions[0]


def test_what_is_to_be_known_of_values_is_repeated_by_quality(tmp_path):
    img = imagej(tmp_path / "s.tif", PLANE, cf=0, c0=5.0, c1=0.1)
    assert "calibration" in mnb.quality(img).verdict


def test_values_that_mean_no_data_are_told(tmp_path):
    tifffile.imwrite(tmp_path / "n.tif", PLANE, extratags=[(42113, "s", 0, "7", True)])
    assert "value 7 hold no data" in mnb.open_image(tmp_path / "n.tif").info.cautions[0]
    array = xr.DataArray(PLANE, dims=("y", "x"), attrs={"scale_factor": 0.5, "add_offset": 0})
    assert mnb.open_image(array).info.cautions == ("values are as stored; scale_factor=0.5 is not applied",)


def test_masked_pixels_are_no_data():
    values = np.full((20, 20), 10)
    values[:, 10:] = 10**6
    img = mnb.open_image(np.ma.masked_greater(values, 100))
    assert np.isnan(img.read()).mean() == 0.5
    assert "200 masked pixels" in img.info.cautions[0]
    table = mnb.measure(img, np.ones((20, 20), int))
    assert (table["mean_intensity_channel 0"][0], table["nan_px_channel 0"][0]) == (10, 200)


@pytest.mark.parametrize("colour", [True, False])
def test_an_indexed_picture_gives_its_indices_on_demand(tmp_path, colour):
    labels = RNG.integers(0, 3, (20, 30), dtype="u1")
    picture = Image.fromarray(labels).convert("P")
    picture.putdata(labels.ravel().tolist())
    picture.putpalette([0, 0, 0, *((255, 0, 0, 0, 255, 0) if colour else (128, 128, 128, 255, 255, 255))])
    picture.save(tmp_path / "l.png")
    assert "axes='yx' gives the indices" in mnb.open_image(tmp_path / "l.png").info.cautions[0]
    np.testing.assert_array_equal(mnb.open_image(tmp_path / "l.png", axes="yx").read(), labels)


def ngff(path, data, axes: str, transforms=None, top=None, unit="micrometer"):
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", data=data, chunks=(16,) * data.ndim)
    described = [{"name": a, "type": "channel" if a == "c" else "space", **({"unit": unit} if a in "zyx" else {})} for a in axes]
    own = transforms or [{"type": "scale", "scale": [1.0 if a == "c" else 0.5 for a in axes]}]
    entry = {"version": "0.4", "axes": described, "datasets": [{"path": "0", "coordinateTransformations": own}]}
    group.attrs["multiscales"] = [entry | ({"coordinateTransformations": top} if top else {})]
    return path


@pytest.mark.parametrize("kind", [
    {"type": "identity"}, {"type": "affine", "affine": [[1, 0, 0, 10], [0, 1, 0, 20]]}, {"type": "rotation", "rotation": [0, 1]},
    {"type": "mapAxis", "mapAxis": {"x": "y"}}, {"type": "sequence", "transformations": [{"type": "scale", "scale": [2, 2]}]},
], ids=lambda kind: kind["type"])  # fmt: skip
def test_the_place_of_an_image_among_others_is_a_note_not_a_fault(tmp_path, kind):
    img = mnb.open_image(
        ngff(tmp_path / "a.zarr", PLANE, "yx", top=[kind | {"input": {"name": "yx"}, "output": {"name": "global"}}])
    )
    np.testing.assert_array_equal(img.read(), PLANE)
    assert img.pixel_size == {"y": 0.5, "x": 0.5}
    assert bool(img.info.cautions) == (kind["type"] != "identity")


@pytest.mark.parametrize("scale", [[-1, 1], [0, 1], [1], "wide", [None, 1]])
def test_a_scale_that_is_none_costs_the_pixel_size_not_the_image(tmp_path, scale):
    path = ngff(tmp_path / "a.zarr", PLANE, "yx", transforms=[{"type": "scale", "scale": scale}])
    img = mnb.open_image(path)
    np.testing.assert_array_equal(img.read(), PLANE)
    assert img.pixel_size is None
    assert "not used" in img.info.cautions[0]
    assert mnb.open_image(path, pixel_size=2).pixel_size["x"] == 2


def test_stated_axes_come_before_any_check_of_those_in_the_file(tmp_path):
    path = ngff(tmp_path / "a.zarr", STACK, "qyx")
    with pytest.raises(AxesError, match=r"axes=\.\.\."):
        mnb.open_image(path)
    img = mnb.open_image(path, axes="zyx")
    assert img.sizes == {"z": 3, "y": 30, "x": 40}
    assert img.pixel_size["x"] == 0.5


@pytest.mark.parametrize("axes", [None, ["z", "y", "x"]])
def test_axes_that_do_not_fit_the_array_give_way_to_it(tmp_path, axes):
    path = ngff(tmp_path / "a.zarr", PLANE, "yx")
    attrs = json.loads((path / ".zattrs").read_text())
    attrs["multiscales"][0]["axes"] = axes
    (path / ".zattrs").write_text(json.dumps(attrs))
    img = mnb.open_image(path)
    np.testing.assert_array_equal(img.read(), PLANE)
    assert bool(img.info.cautions) == (axes is not None)


def test_more_named_channels_than_there_are_name_none(tmp_path):
    path = ngff(tmp_path / "a.zarr", STACK, "cyx")
    attrs = json.loads((path / ".zattrs").read_text())
    attrs["omero"] = {"channels": [{"label": n} for n in "abcd"]}
    (path / ".zattrs").write_text(json.dumps(attrs))
    img = mnb.open_image(path)
    assert [c.name for c in img.channels] == ["channel 0", "channel 1", "channel 2"]
    assert "4 channels" in img.info.cautions[0]


def test_a_label_image_that_is_listed_and_missing_is_left_out_with_a_word(tmp_path):
    mnb.save_image(PLANE, tmp_path / "a.ome.zarr", labels={"cells": (PLANE > 9).astype("u1")})
    listing = tmp_path / "a.ome.zarr/labels/zarr.json"
    document = json.loads(listing.read_text())
    document["attributes"]["ome"]["labels"].append("gone")
    listing.write_text(json.dumps(document))
    img = mnb.open_image(tmp_path / "a.ome.zarr")
    with pytest.warns(UserWarning, match=r"'gone' is left out"):
        assert list(img.labels) == ["cells"]
    assert mnb.save_image(img, tmp_path / "b.ome.zarr")


def test_chunks_that_the_fast_codecs_cannot_read_are_read_by_the_plain_ones(tmp_path):
    for k, (shape, chunks) in enumerate((((30, 40), (16, 16)), ((32, 32), (32, 32)))):
        data = RNG.integers(0, 99, shape).astype("f4")
        array = zarr.create_array(tmp_path / f"{k}.zarr", shape=shape, chunks=chunks, dtype="f4", order="F", zarr_format=2)
        array[...] = data
        np.testing.assert_array_equal(mnb.open_image(tmp_path / f"{k}.zarr").read(), data)


def test_a_fault_of_the_fast_codecs_is_not_told_as_damage(tmp_path, monkeypatch):
    from zarrs.pipeline import ZarrsCodecPipeline

    zarr.create_array(tmp_path / "a.zarr", data=PLANE, chunks=(16, 16))
    img = mnb.open_image(tmp_path / "a.zarr")

    def fails(*args, **kwargs):
        raise ValueError("not supported here")

    monkeypatch.setattr(ZarrsCodecPipeline, "read", fails)
    np.testing.assert_array_equal(img.read(), PLANE)


def test_coarse_levels_and_projections_leave_nan_out_and_say_so(tmp_path):
    ratio = RNG.normal(10, 1, (2, 600, 600)).astype("f4")
    ratio[0][RNG.random(ratio[0].shape) < 0.01] = np.nan
    img = mnb.open_image(mnb.save_image(ratio[0], tmp_path / "n.ome.zarr", chunk=64))
    assert np.isnan(img.read(len(img.levels) - 1)).mean() == 0
    for how in ("max", "mean"):
        flat = mnb.open_image(ratio, axes="zyx").sel(project=how)
        right = np.nanmax(ratio, axis=0) if how == "max" else np.nanmean(ratio.astype(float), axis=0).astype("f4")
        np.testing.assert_array_equal(flat.read(), right)
        assert "not NaN" in flat.info.cautions[0]


class Neighbour:
    """Something with a few attributes, as another library's object has them."""

    def __init__(self, **attributes):
        self.__dict__.update(attributes)


GREY, RGB = np.zeros((30, 40), "u2"), np.zeros((30, 40, 3), "u1")
NEIGHBOURS = {
    "five named dimensions": (xr.DataArray(GREY[None, None, None], dims=list("TCZYX")), {"y": 30, "x": 40}, False),
    "samples": (xr.DataArray(RGB, dims=list("YXS")), {"c": 3, "y": 30, "x": 40}, True),
    "samples beside a channel": (xr.DataArray(RGB[None, None, None], dims=list("TCZYXS")), {"c": 3, "y": 30, "x": 40}, True),
    "long names": (xr.DataArray(RGB[:, :, None], dims=["y", "x", "z", "channels"]), {"c": 3, "y": 30, "x": 40}, False),
    "zarr": (zarr.array(GREY), {"y": 30, "x": 40}, False),
    "rgb bytes": (RGB, {"c": 3, "y": 30, "x": 40}, True),
    "rgba bytes": (np.zeros((30, 40, 4), "u1"), {"c": 3, "y": 30, "x": 40}, True),
    "a reader of images": (
        Neighbour(xarray_dask_data=xr.DataArray(GREY[None], dims=list("CYX")),
                  physical_pixel_sizes=Neighbour(Z=None, Y=0.5, X=0.5)),
        {"y": 30, "x": 40}, False,
    ),
    "a layer": (
        Neighbour(data=GREY, dtype=GREY.dtype, scale=(0.5, 0.5), translate=(0, 0), ndim=2, multiscale=False, rgb=False,
                  units=("micrometer",) * 2, axis_labels=("-2", "-1")),
        {"y": 30, "x": 40}, False,
    ),
    "levels": ([GREY, GREY[::2, ::2]], {"y": 30, "x": 40}, False),
    "a tree of levels": (
        xr.DataTree.from_dict({f"scale{k}": xr.Dataset({"image": (("c", "y", "x"), np.zeros((2, 30 >> k, 40 >> k), "u2"))})
                               for k in (0, 1)}),
        {"c": 2, "y": 30, "x": 40}, False,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("array", "sizes", "rgb"), NEIGHBOURS.values(), ids=NEIGHBOURS)
def test_arrays_of_neighbours_open(array, sizes, rgb):
    img = mnb.open_image(array)
    assert img.sizes == sizes
    assert img.rgb is rgb
    assert img.read().shape == tuple(sizes.values())
    assert not isinstance(array, Neighbour) or img.pixel_size == {"y": 0.5, "x": 0.5}


def test_a_layer_without_pixels_is_no_image():
    with pytest.raises(AxesError, match="is no image"):
        mnb.open_image(Neighbour(data=np.zeros((5, 2)), scale=(1, 1), translate=(0, 0)))


def test_tensors_open():
    torch = pytest.importorskip("torch")
    assert mnb.open_image(torch.zeros(30, 40)).sizes == {"y": 30, "x": 40}


@pytest.mark.parametrize("shape", [(3, 30, 40), (4, 30, 40), (3, 3, 3), (5, 30, 40), (30, 40, 2)])
def test_what_could_mean_several_things_still_asks(shape):
    with pytest.raises(AxesError, match="axes="):
        mnb.open_image(np.zeros(shape, "u1"))
    with pytest.raises(AxesError, match="axes="):
        mnb.open_image(np.zeros((30, 40, 3), "u2"))


def test_an_array_without_a_shape_says_what_to_do():
    dask = pytest.importorskip("dask.array")
    array = dask.from_array(PLANE, chunks=16)
    with pytest.raises(AxesError, match="compute_chunk_sizes"):
        mnb.open_image(array[array[:, 0] > 9])


ONE = '<Channel ID="Channel:0:0" Name="one" SamplesPerPixel="3"/><Channel ID="Channel:0:1" Name="two" SamplesPerPixel="1"/>'


@pytest.mark.parametrize("wrong", [
    lambda xml: xml.replace('<Channel ID="Channel:0:0" Name="a" SamplesPerPixel="1"/>', ONE),
    lambda xml: xml.replace("XYZCT", "odd"),
    lambda xml: xml[:-30], lambda xml: xml.replace('SizeC="1"', 'SizeC="none"'), lambda xml: xml.replace('SizeX="40"', ""),
], ids=["unequal samples", "no order", "cut", "no number of channels", "no width"])  # fmt: skip
def test_metadata_that_cannot_be_cost_no_pixels(tmp_path, wrong):
    xml = wrong(ome(described(0, PLANE.shape, 0.5, '<TiffData IFD="0"/>', "a")))
    img = mnb.open_image(write_ome(tmp_path / "x.ome.tif", [PLANE], xml))
    np.testing.assert_array_equal(img.read(), PLANE)
    assert mnb.open_image(tmp_path / "x.ome.tif", pixel_size=3).pixel_size["x"] == 3


def test_the_instrument_is_the_one_the_image_names(tmp_path):
    instruments = "".join(f'<Instrument ID="I:{k}"><Microscope Model="{n}"/></Instrument>' for k, n in enumerate("AB"))
    xml = ome(
        instruments,
        described(0, PLANE.shape, 0.5, '<TiffData IFD="0"/>', "a").replace("<Pixels", '<InstrumentRef ID="I:0"/><Pixels'),
    )
    assert mnb.open_image(write_ome(tmp_path / "x.ome.tif", [PLANE], xml)).metadata["microscope"] == "A"


@pytest.mark.parametrize(("space", "said"), [("cielab", "CIELab"), ("ycbcr", "YCbCr"), ("separated", "CMYK")])
def test_colours_of_other_spaces_are_not_taken_for_light(tmp_path, space, said):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30, 4 if space == "separated" else 3), "u1"), photometric=space)
    img = mnb.open_image(tmp_path / "a.tif")
    assert not img.rgb
    assert said in img.info.cautions[0]


def test_coordinates_that_run_backwards_are_told():
    array = xr.DataArray(PLANE, dims=("y", "x"), coords={"y": np.arange(30)[::-1] * 0.5})
    assert "run backwards" in mnb.open_image(array).info.cautions[0]


def test_a_dataset_of_one_variable_is_an_image_and_of_several_asks():
    assert mnb.open_image(xr.Dataset({"image": (("y", "x"), PLANE)})).sizes == {"y": 30, "x": 40}
    with pytest.raises(AxesError, match="image, mask"):
        mnb.open_image(xr.Dataset({"image": (("y", "x"), PLANE), "mask": (("y", "x"), PLANE)}))
