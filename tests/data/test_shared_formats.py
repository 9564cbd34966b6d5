"""Real microscopy files, where they lie beside the checkout: shape, dtype, metadata and pixels as independent readers say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import tifffile
from conftest import SHARED

from micro_nb import open_image
from micro_nb.errors import AxesError, UnknownFormatError

FORMATS = SHARED / "formats"


@dataclass(frozen=True)
class Real:
    name: str
    sizes: dict[str, int]
    dtype: str
    format: str
    pixel_size: dict[str, float] | None = None
    levels: int = 1
    channels: tuple[str, ...] | None = None
    facts: tuple[tuple[str, object], ...] = ()
    axes: str | None = None


FILES = [
    Real("BBBC022_IXMtest_A02_s9.tif", {"c": 3, "y": 395, "x": 695}, "uint16", "ImageJ TIFF",
         channels=("IXMtest_A02_s9_c1.tif", "IXMtest_A02_s9_c2.tif", "IXMtest_A02_s9_c3.tif")),
    Real("CMU-1-Small-Region.svs", {"c": 3, "y": 2967, "x": 2220}, "uint8", "Aperio SVS", {"y": 0.499, "x": 0.499},
         channels=("red", "green", "blue"), facts=(("magnification", 20.0), ("acquired", "12/29/09 09:59:15"))),
    Real("TCGA-CR-7395-01A-01-TS1.svs", {"c": 3, "y": 3567, "x": 4443}, "uint8", "Aperio SVS", levels=2),
    Real("multi-channel-z-series.ome.tif", {"c": 3, "z": 5, "y": 167, "x": 439}, "int8", "OME-TIFF"),
    Real("s_1_t_1_c_1_z_1.ome.tiff", {"y": 325, "x": 475}, "uint16", "OME-TIFF",
         {"y": 1.0833333333333333, "x": 1.0833333333333333}, channels=("Bright",),
         facts=(("objective", "Plan-Apochromat 20x/0.8 M27"), ("na", 0.8), ("magnification", 20.0), ("immersion", "Air"),
                ("acquired", "2019-06-27T18:33:40.619"))),
    Real("viv-multi-channel.ome.tif", {"c": 3, "y": 167, "x": 439}, "int8", "OME-TIFF"),
    Real("multifile_ome_tiff/multifile-Z1.ome.tiff", {"y": 24, "x": 18}, "uint8", "TIFF"),
    Real("imagej_test_still_stack.tif", {"c": 3, "y": 300, "x": 300}, "uint16", "ImageJ TIFF", {"y": 0.325, "x": 0.325}),
    Real("cancer_cell_migration_crop.tif", {"t": 48, "y": 130, "x": 130}, "uint16", "TIFF", axes="tyx"),
    Real("maize_clsm.tif", {"y": 640, "x": 639}, "uint8", "ImageJ TIFF"),
    Real("arabidopsis-embryo.tif", {"z": 106, "y": 112, "x": 109}, "uint8", "ImageJ TIFF"),
    Real("drosophila_histone_gfp_T10.ome.tif", {"t": 10, "y": 264, "x": 542}, "uint8", "OME-TIFF", channels=("GFP-histone",)),
]  # fmt: skip
FOUND = [real for real in FILES if (FORMATS / real.name).exists()]


@pytest.mark.parametrize("real", FOUND, ids=lambda real: real.name)
def test_a_real_tiff_says_what_it_holds(real):
    img = open_image(FORMATS / real.name, axes=real.axes)
    assert img.sizes == real.sizes
    assert img.dtype == real.dtype
    assert img.source.format == real.format
    assert (dict(img.pixel_size) if img.pixel_size else None) == (pytest.approx(real.pixel_size) if real.pixel_size else None)
    assert len(img.levels) == real.levels
    assert real.channels is None or tuple(c.name for c in img.channels) == real.channels
    assert dict(real.facts).items() <= dict(img.metadata).items()


@pytest.mark.parametrize("real", FOUND, ids=lambda real: real.name)
def test_a_real_tiff_has_the_pixels_that_tifffile_reads(real):
    img = open_image(FORMATS / real.name, axes=real.axes)
    with tifffile.TiffFile(FORMATS / real.name) as tif:
        expected = tif.series[0].levels[-1].asarray()  # a whole JPEG 2000 slide takes seconds; its coarse level does not
    np.testing.assert_array_equal(img.read(len(img.levels) - 1), np.moveaxis(expected, -1, 0) if img.rgb else expected)


@pytest.mark.parametrize("path", sorted(FORMATS.glob("cancer_cell_migration_crop.tif")), ids=lambda p: p.name)
def test_a_real_stack_without_axes_says_how_to_state_them(path):
    with pytest.raises(AxesError, match=r"\(48, 130, 130\).*axes='zyx'.*axes='tyx'"):
        open_image(path)


OTHERS = [
    Real("s_1_t_1_c_1_z_1.czi", {"y": 325, "x": 475}, "uint16", "Zeiss CZI", {"y": 1.0833333333333333, "x": 1.0833333333333333},
         channels=("Bright",), facts=(("objective", "Plan-Apochromat 20x/0.8 M27"), ("na", 0.8), ("magnification", 20.0),
                                      ("immersion", "Air"), ("acquired", "2019-06-27T18:33:40.6193715Z"))),
    Real("cluster.nd2", {"t": 3, "c": 2, "z": 10, "y": 31, "x": 38}, "uint16", "Nikon ND2",
         {"z": 0.5, "y": 0.16780898323268245, "x": 0.16780898323268245}, channels=("5-FAM/pH 9.0", "FM 4-64/2% CHAPS"),
         facts=(("objective", "Plan Apo λ 60x"), ("na", 0.95), ("magnification", 60.0))),
    Real("sm_image.dcm", {"c": 3, "y": 50, "x": 50}, "uint8", "DICOM", {"y": 0.499, "x": 0.499},
         channels=("red", "green", "blue")),
    Real("sm_image_jpegls.dcm", {"c": 3, "y": 50, "x": 50}, "uint8", "DICOM", {"y": 0.499, "x": 0.499}),
    Real("seg_image_sm_numbers.dcm", {"c": 20, "y": 50, "x": 50}, "uint8", "DICOM", {"y": 0.499, "x": 0.499}),
]  # fmt: skip
LIBRARY = {"czi": "pylibCZIrw", "nd2": "nd2", "dcm": "pydicom"}


@pytest.mark.parametrize("real", [r for r in OTHERS if (FORMATS / r.name).exists()], ids=lambda real: real.name)
def test_a_real_file_of_another_format_says_what_it_holds(real):
    pytest.importorskip(LIBRARY[real.name.rsplit(".", 1)[-1]])
    test_a_real_tiff_says_what_it_holds(real)


@pytest.mark.parametrize("path", sorted(FORMATS.glob("s_1_t_1_c_1_z_1.czi")), ids=lambda p: p.name)
def test_a_real_czi_has_the_pixels_of_its_ome_tiff(path):
    pytest.importorskip("pylibCZIrw")
    np.testing.assert_array_equal(open_image(path).read(), open_image(path.with_suffix(".ome.tiff")).read())


@pytest.mark.parametrize("path", sorted(FORMATS.glob("cluster.nd2")), ids=lambda p: p.name)
def test_a_real_nd2_has_the_pixels_that_nd2_reads(path):
    expected = pytest.importorskip("nd2").imread(path)  # t z c y x
    img = open_image(path)
    np.testing.assert_array_equal(img.read(), expected.swapaxes(1, 2))
    assert [c.emission_nm for c in img.channels] == [525, 700]
    assert img.channels[0].color == "#78e90f"


@pytest.mark.parametrize("path", sorted(FORMATS.glob("sm_image*.dcm")), ids=lambda p: p.name)
def test_a_real_dicom_slide_has_its_tiles_in_their_places(path):
    frames = pytest.importorskip("pydicom").dcmread(path).pixel_array  # 25 tiles of 10 x 10
    whole = frames.reshape(5, 5, 10, 10, 3).swapaxes(1, 2).reshape(50, 50, 3)
    np.testing.assert_array_equal(open_image(path).read(), np.moveaxis(whole, -1, 0))


@pytest.mark.parametrize("path", sorted(FORMATS.glob("sm_annotations.dcm")), ids=lambda p: p.name)
def test_a_dicom_file_without_pixels_says_so(path):
    pytest.importorskip("pydicom")
    with pytest.raises(UnknownFormatError, match="holds no pixels"):
        open_image(path)
