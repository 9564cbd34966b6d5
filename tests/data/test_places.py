"""Where an image was taken: the stage's place as the file says it, and fields of a plate by well and number."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tifffile
import zarr
from conftest import SHARED
from test_library_sources import RGB, write_czi, write_dicom

import micro_nb as mnb
from micro_nb.data.sources.microscopes import _czi_stage
from micro_nb.errors import ImageNotFoundError, UnknownFormatError

FORMATS = SHARED / "formats"


def sample(name):
    path = FORMATS / name
    return mnb.open_image(path) if path.exists() else pytest.skip(f"{name} is not here")


def write_planes(path, unit, *, at=((10.5, -2.0, 3.0), (11.5, -2.0, 4.0))):
    """An OME-TIFF of a stack whose planes say where the stage stood."""
    planes = {f"Position{axis}": [p[k] for p in at] for k, axis in enumerate("XYZ")}
    planes |= {f"Position{axis}Unit": [unit] * len(at) for axis in "XYZ"}
    tifffile.imwrite(path, np.zeros((len(at), 16, 16), "uint8"), ome=True, metadata={"axes": "ZYX", "Plane": planes})
    return path


@pytest.mark.parametrize(("unit", "um"), [("µm", 1.0), ("mm", 1000.0), ("nm", 0.001)])
def test_the_first_plane_of_an_ome_tiff_says_where_the_stage_stood(tmp_path, unit, um):
    stage = dict(mnb.open_image(write_planes(tmp_path / "a.ome.tif", unit)).metadata["stage"])
    assert stage.pop("unit") == "um"
    assert stage == pytest.approx({"x": 10.5 * um, "y": -2.0 * um, "z": 3.0 * um})


def test_a_place_in_a_unit_that_is_no_length_keeps_its_unit(tmp_path):
    found = mnb.open_image(write_planes(tmp_path / "a.ome.tif", "reference frame")).metadata["stage"]
    assert found == {"x": 10.5, "y": -2.0, "z": 3.0, "unit": "reference frame"}


def test_an_image_without_a_place_claims_none(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((16, 16), "uint8"), ome=True)
    assert "stage" not in mnb.open_image(tmp_path / "a.ome.tif").metadata
    assert "stage" not in mnb.open_image(write_czi(tmp_path / "a.czi")).metadata


def test_czi_and_its_ome_tiff_of_the_same_field_agree():
    czi, ome = (sample(f"s_1_t_1_c_1_z_1.{suffix}").metadata["stage"] for suffix in ("czi", "ome.tiff"))
    assert [czi[a] for a in "xyz"] == [ome[a] for a in "xyz"] == [43427.982, 42720.296, 9801.29]
    assert czi["unit"] == "um"


def test_a_scene_of_a_czi_stands_in_its_middle():
    scenes = [{"@Index": str(k), "CenterPosition": f"{10 * k}.5,-{k}"} for k in range(12)]
    meta = {"Information": {"Image": {"Dimensions": {"S": {"Scenes": {"Scene": scenes}}}}}}
    assert _czi_stage(meta, 11, None) == {"x": 110.5, "y": -11.0, "unit": "um"}


def test_scenes_of_a_czi_are_counted_in_their_order(tmp_path):
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(tmp_path / "a.czi")) as file:
        for k in range(12):
            file.write(data=np.full((16, 16, 1), k, "uint8"), plane={"C": 0}, scene=k, location=(20 * k, 0))
        file.write_metadata("a")
    assert [int(mnb.open_image(tmp_path / "a.czi", series=k).read().max()) for k in (0, 2, 10, 11)] == [0, 2, 10, 11]


def test_the_first_frame_of_an_nd2_says_where_the_stage_stood():
    stage = dict(sample("cluster.nd2").metadata["stage"])
    assert stage.pop("unit") == "um"
    assert stage == pytest.approx({"x": -26056.9512, "y": -4155.4627, "z": 3912.3375})


def test_a_dicom_slide_says_where_its_first_pixel_lies(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    corner = pydicom.Dataset()
    corner.XOffsetInSlideCoordinateSystem, corner.YOffsetInSlideCoordinateSystem = 20.5, 40.25
    write_dicom(tmp_path / "a.dcm", RGB, TotalPixelMatrixOriginSequence=[corner])
    assert mnb.open_image(tmp_path / "a.dcm").metadata["stage"] == {"x": 20500.0, "y": 40250.0, "unit": "um"}


@pytest.fixture(params=["0.4", "0.5"])
def plate(tmp_path, request):
    """A plate of three wells with two fields each, written by ome-zarr-py; a field's pixels say where it lies."""
    writer, format = pytest.importorskip("ome_zarr.writer"), pytest.importorskip("ome_zarr.format")
    fmt = {"0.4": format.FormatV04, "0.5": format.FormatV05}[request.param]()
    root = zarr.open_group(tmp_path / "plate.ome.zarr", mode="w", zarr_format=2 if request.param == "0.4" else 3)
    wells = ["A/1", "B/3", "B/12"]
    writer.write_plate_metadata(root, ["A", "B"], ["1", "3", "12"], wells, field_count=2, fmt=fmt)
    for k, name in enumerate(wells):
        well = root.require_group(name)
        writer.write_well_metadata(well, ["0", "1"], fmt=fmt)
        for field in range(2):
            pixels = np.full((2, 32, 32), 10 * k + field, "uint8")
            writer.write_image(pixels, well.require_group(str(field)), axes="cyx", fmt=fmt)
    return tmp_path / "plate.ome.zarr"


@pytest.mark.parametrize("well", ["B/3", "B3", "b03", "B 3"])
def test_a_field_of_a_plate_opens_by_its_well(plate, well):
    img = mnb.open_image(plate, well=well, field=1)
    assert img.sizes == {"c": 2, "y": 32, "x": 32}
    assert set(np.unique(img.read())) == {11}
    assert (img.metadata["well"], img.metadata["field"]) == ("B/3", 1)
    assert set(np.unique(mnb.open_image(plate, well="B12").read())) == {20}


def test_a_plate_says_which_wells_and_fields_there_are(plate):
    with pytest.raises(UnknownFormatError, match=r"3 wells \(A/1, B/3, B/12\).*well='A/1', field=0"):
        mnb.open_image(plate)
    with pytest.raises(ImageNotFoundError, match=r"no well 'C4'; the plate has 3 wells: A/1, B/3, B/12"):
        mnb.open_image(plate, well="C4")
    with pytest.raises(ImageNotFoundError, match=r"no field 2; the file holds 2: 0, 1"):
        mnb.open_image(plate, well="A1", field=2)
    with pytest.raises(UnknownFormatError, match=r"no OME-Zarr plate is there"):
        mnb.open_image(plate / "A" / "1", well="A1")
    with pytest.raises(UnknownFormatError, match="by its path"):
        mnb.open_image(np.zeros((4, 4)), well="A1")


def test_a_field_is_opened_again_by_its_address(plate, tmp_path):
    import pickle

    from micro_nb.data.address import address_of, open_address

    img = mnb.open_image(plate, well="B3", field=1).isel(c=1)
    np.testing.assert_array_equal(open_address(address_of(img)).read(), img.read())
    shutil.make_archive(str(tmp_path / "zipped.ome.zarr"), "zip", plate)
    zipped = mnb.open_image(tmp_path / "zipped.ome.zarr.zip", well="B3", field=1)
    np.testing.assert_array_equal(zipped.read(), mnb.open_image(plate, well="B3", field=1).read())
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(zipped.source)).read(0, (slice(0, 1),) * 3), zipped.read()[:1, :1, :1]
    )


@pytest.mark.parametrize("factor", [2, 4])
def test_labels_coarser_than_their_image_lie_where_it_does(tmp_path, factor):
    """Written by ome-zarr-py: each label covers ``factor`` pixels of the image in y and x."""
    writer = pytest.importorskip("ome_zarr.writer")
    root, size = zarr.open_group(tmp_path / "a.ome.zarr", mode="w"), {"y": 0.5, "x": 0.5}
    pixels, labels = np.zeros((64, 64), "uint16"), np.zeros((64 // factor, 64 // factor), "uint32")
    pixels[16:32, 32:48], labels[16 // factor : 32 // factor, 32 // factor : 48 // factor] = 900, 7
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "yx"]
    scale = lambda k: [[{"type": "scale", "scale": [0.5 * k, 0.5 * k]}]]  # noqa: E731
    writer.write_multiscale([pixels], root, axes=axes, coordinate_transformations=scale(1))
    writer.write_multiscale_labels([labels], root, name="cells", axes=axes, coordinate_transformations=scale(factor))
    img = mnb.open_image(tmp_path / "a.ome.zarr")
    found = img.labels["cells"]
    assert img.pixel_size == size
    assert found.pixel_size == dict.fromkeys("yx", 0.5 * factor)
    assert found.sizes == {"y": 64 // factor, "x": 64 // factor}
    row = mnb.measure(img, found).iloc[0]
    assert (row["label"], row["area_um2"], row["mean_intensity_channel 0"]) == (7, 64.0, 900.0)
    assert (row["bbox_y0_px"], row["bbox_x0_px"], row["bbox_y1_px"], row["bbox_x1_px"]) == (16, 32, 32, 48)
    part = img.isel(y=slice(16, 32), x=slice(32, 48))
    assert set(np.unique(part.labels["cells"].read())) == {7}
