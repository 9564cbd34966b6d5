"""What other software writes oddly: the values are right, refused with a remedy, or told as a caution of the image."""

from __future__ import annotations

import json
import struct
import zlib
from types import SimpleNamespace

import dask.array as da
import numcodecs
import numpy as np
import pytest
import tifffile
import xarray as xr
import zarr

from micro_nb import Objects, open_image, segment
from micro_nb.errors import AxesError, CorruptImageError, PlanError, WriteError
from micro_nb.session.measures.pixels import read_greys
from micro_nb.tiles.polygons import boxes, numbered

PLANE = np.arange(1200, dtype="u2").reshape(30, 40)


def test_filters_that_compute_are_decoded_as_zarr_python_does(tmp_path):
    wrapped = [numcodecs.FixedScaleOffset(offset=100, scale=1, dtype="<u2", astype="<u2")]
    z = zarr.create_array(tmp_path / "f.zarr", shape=PLANE.shape, dtype="u2", chunks=(16, 16), filters=wrapped, zarr_format=2)
    z[...] = PLANE
    np.testing.assert_array_equal(open_image(tmp_path / "f.zarr").read(), PLANE)


@pytest.mark.parametrize("said", ["0", "-0.5", "NaN", "", "none"])
def test_a_pixel_size_that_is_none_is_told(tmp_path, said):
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        f'DimensionOrder="XYZCT" Type="uint16" SizeX="40" SizeY="30" SizeZ="1" SizeC="1" SizeT="1" PhysicalSizeX="{said}" '
        f'PhysicalSizeY="{said}"><Channel ID="Channel:0:0"/><TiffData IFD="0"/></Pixels></Image></OME>'
    )
    tifffile.imwrite(tmp_path / "s.ome.tif", PLANE, description=xml.encode(), metadata=None)
    image = open_image(tmp_path / "s.ome.tif")
    assert image.pixel_size is None
    assert "PhysicalSizeX" in " ".join(image.info.cautions)
    tifffile.imwrite(tmp_path / "t.ome.tif", PLANE, description=xml[:200].encode(), metadata=None)
    assert "cut short" in " ".join(open_image(tmp_path / "t.ome.tif").info.cautions)


def test_an_imagej_header_of_other_planes_than_there_are_is_told(tmp_path):
    tifffile.imwrite(tmp_path / "i.tif", np.stack([PLANE] * 6), imagej=True, metadata={"axes": "ZYX"})
    data = (tmp_path / "i.tif").read_bytes()
    (tmp_path / "j.tif").write_bytes(data.replace(b"slices=6", b"slices=4"))
    assert "declares 6 images and 4 planes" in " ".join(open_image(tmp_path / "j.tif").info.cautions)
    assert not open_image(tmp_path / "i.tif").info.cautions


def test_a_picture_of_few_bits_keeps_its_numbers(tmp_path):
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head, rows = struct.pack(">IIBBBBB", 8, 2, 4, 0, 0, 0, 0), b"\0\x01\x23\x45\x67" * 2
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "p.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    assert open_image(tmp_path / "p.png").read()[0].tolist() == list(range(8))


def test_files_of_complex_numbers_are_refused(tmp_path):
    np.save(tmp_path / "c.npy", PLANE.astype("c8"))
    with pytest.raises(CorruptImageError, match="complex64"):
        open_image(tmp_path / "c.npy")


def test_masked_pixels_of_dask_are_no_data():
    image = open_image(da.ma.masked_greater(da.from_array(PLANE, chunks=16), 9))
    assert np.nansum(image.read()) == 45
    assert "masked" in image.info.cautions[0]


def test_arrays_of_devices_and_layers_are_read():
    class OnDevice:
        __cuda_array_interface__ = "its address"

        def get(self):
            return PLANE

    np.testing.assert_array_equal(open_image(OnDevice()).read(), PLANE)
    layer = (PLANE, {"scale": (0.5, 0.25), "translate": (0, 0), "units": ("micrometer", "micrometer")}, "image")
    assert open_image(layer).pixel_size == {"y": 0.5, "x": 0.25}


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB"])
def test_pictures_that_are_neither_grey_nor_rgb_are_refused(mode):
    picture = SimpleNamespace(getbands=lambda: mode, mode=mode)
    with pytest.raises(AxesError, match="convert"):
        open_image(picture)


def test_digits_survive_one_value_far_away():
    x = np.tile([0, 1], 600).reshape(30, 40) + 10**9
    x[0, 0] = 0
    assert read_greys(open_image(x)).sd == pytest.approx(x.std(), rel=1e-12)


def test_labels_are_numbered_whatever_they_are():
    plane = np.zeros((8, 8), "u8")
    plane[1:3, 1:3], plane[4:6, 4:7] = 2**63 + 5, 7
    ids, numbers = numbered(plane)
    assert ids.tolist() == [7, 2**63 + 5]
    assert numbers.max() == 2
    assert boxes(plane)[2**63 + 5] == (slice(1, 3), slice(1, 3))
    assert numbered(np.ones((2, 2), int))[1].tolist() == [[1, 1], [1, 1]]
    found = Objects.from_labels(open_image(PLANE[:8, :8]), plane)
    assert sorted(found.table["label"]) == [7, 2**63 + 5]


def test_imagej_keeps_no_labels_apart_that_float32_merges(tmp_path):
    plane = np.zeros((8, 8), "u4")
    plane[1:3, 1:3] = 2**24 + 1
    with pytest.raises(WriteError, match="apart"):
        Objects.from_labels(open_image(PLANE[:8, :8]), xr.DataArray(plane, dims=("y", "x"))).save(tmp_path / "l.tif")


def _square(x: float, y: float, n: float = 10) -> list[list[float]]:
    return [[x, y], [x + n, y], [x + n, y + n], [x, y + n], [x, y]]


def _loaded(tmp_path, *features, encoding="utf-8"):
    text = json.dumps({"type": "FeatureCollection", "features": features})
    (tmp_path / "q.geojson").write_text(text, encoding=encoding)
    return Objects.load(tmp_path / "q.geojson")


def test_cells_of_qupath_bring_their_nuclei(tmp_path):
    cell = {
        "type": "Feature", "geometry": {"type": "Polygon", "coordinates": [_square(0, 0, 20)]}, "properties": {
            "classification": ["Tumor", "Positive"], "measurements": {"label": 3.5}},
        "nucleusGeometry": {"type": "Polygon", "coordinates": [_square(5, 5)]},
    }  # fmt: skip
    table = _loaded(tmp_path, cell, encoding="utf-8-sig").table
    assert table[["label", "layer", "name", "area_px2"]].values.tolist() == [
        [1, "object", "Tumor: Positive", 400.0],
        [1, "nucleus", "nucleus", 100.0],
    ]


def test_empty_outlines_are_no_area_and_endless_ones_are_refused(tmp_path):
    def feature(*rings):
        return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": rings}, "properties": None}

    assert len(_loaded(tmp_path, feature(), feature([]), feature(_square(0, 0)))) == 3
    with pytest.raises(CorruptImageError, match="finite"):
        _loaded(tmp_path, feature([[0, 0], [float("nan"), 0], [5, 5], [0, 0]]))


def test_tables_of_spreadsheets_with_semicolons_and_decimal_commas(tmp_path):
    (tmp_path / "t.csv").write_text("label;layer;name;score;area_px2\n1;object;a,b;0,5;12,25\n2;object;c;1;NA\n", "utf-8-sig")
    table = Objects.load(tmp_path / "t.csv").table
    assert table["score"].tolist() == [0.5, 1.0]
    assert table["name"].tolist() == ["a,b", "c"]
    assert table["area_px2"].tolist()[0] == 12.25
    assert np.isnan(table["area_px2"][1])


def test_an_image_without_one_finite_pixel_is_refused():
    with pytest.raises(PlanError, match="NaN"):
        segment(open_image(np.full((64, 64), np.nan, "f4")))
