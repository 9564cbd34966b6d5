"""Formats that other packages' libraries read: each keeps the contract of a source, and says what its file says."""

from __future__ import annotations

import struct
import sys

import imagecodecs
import numpy as np
import pytest
import tifffile
import xarray as xr
from source_contract import Case, SourceContract

import micro_nb as mnb
from micro_nb.data.formats import open_source
from micro_nb.data.location import Location
from micro_nb.errors import (
    AxesError,
    CorruptImageError,
    ImageNotFoundError,
    MissingExtraError,
    UnknownFormatError,
    UnsafeImageError,
)

RNG = np.random.default_rng(5)
STACK = RNG.integers(0, 60000, (2, 3, 4, 37, 45), dtype="u2")  # t c z y x
LUTS = ("Blue", "Green", "Red")
PLANE, RGB = STACK[0, 0, 0], RNG.integers(0, 255, (37, 45, 3), dtype="u1")


def write_czi(path, pixels=STACK):
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(path), exist_ok=True) as file:
        for t, c, z in np.ndindex(pixels.shape[:3]):
            file.write(data=np.ascontiguousarray(pixels[t, c, z])[..., None], plane={"T": t, "C": c, "Z": z})
        file.write_metadata("a", channel_names={0: "DAPI", 1: "GFP", 2: "Cy5"}, scale_x=0.25e-6, scale_y=0.5e-6, scale_z=1e-6)
    return path


def write_hdf5(path, pixels=STACK[0, 0]):
    with pytest.importorskip("h5py").File(path, "w") as file:
        array = file.create_dataset("exp/data", data=pixels, chunks=(1, 16, 16))
        for dim, label in zip(array.dims, "zyx", strict=True):
            dim.label = label
        array.attrs["element_size_um"] = [2.0, 0.5, 0.25]
    return path


def write_imaris(path, pixels=STACK):
    """Two levels, padded to whole blocks, with every text an array of letters."""
    with pytest.importorskip("h5py").File(path, "w") as file:
        letters = lambda value: np.frombuffer(str(value).encode(), "S1")  # noqa: E731
        for k, step in enumerate((1, 2)):
            for t, c in np.ndindex(pixels.shape[:2]):
                part = pixels[t, c, :, ::step, ::step]
                group = file.create_group(f"DataSet/ResolutionLevel {k}/TimePoint {t}/Channel {c}")
                padded = np.pad(part, [(0, 2), (0, 5), (0, 3)])
                group.create_dataset("Data", data=padded, chunks=(2, 16, 16), compression="gzip")
                for axis, n in zip("ZYX", part.shape, strict=True):
                    group.attrs[f"ImageSize{axis}"] = letters(n)
        image = file.create_group("DataSetInfo/Image")
        for k, (low, high) in enumerate(((10.0, 10 + 45 * 0.25), (0.0, 37 * 0.5), (-4.0, 0.0))):
            image.attrs[f"ExtMin{k}"], image.attrs[f"ExtMax{k}"] = letters(low), letters(high)
        image.attrs["Unit"] = letters("um")
        for c, name in enumerate(("DAPI", "GFP", "Cy5")):
            channel = file.create_group(f"DataSetInfo/Channel {c}")
            channel.attrs["Name"], channel.attrs["Color"] = letters(name), letters("0 1 0")
    return path


def write_mrc(path, pixels=STACK[0, 0]):
    with pytest.importorskip("mrcfile").new(path, overwrite=True) as file:
        file.set_data(pixels)
        file.set_volume()
        file.voxel_size = (2.5, 5.0, 10.0)  # x, y, z in angstrom
    return path


def write_lif(path, pixels=STACK):
    """As LAS writes it: a text of XML, then blocks of memory."""
    steps, size, dims = {"T": 60.0, "Z": 1e-6, "Y": 5e-7, "X": 2.5e-7}, pixels.dtype.itemsize, []
    bytes_of = dict(zip("TCZYX", (int(np.prod(pixels.shape[k + 1 :])) * size for k in range(5)), strict=True))
    for number, axis in ((1, "X"), (2, "Y"), (3, "Z"), (4, "T")):
        n = pixels.shape["TCZYX".index(axis)]
        dims.append(f'<DimensionDescription DimID="{number}" NumberOfElements="{n}" Origin="0" Length="{(n - 1) * steps[axis]}" '
                    f'Unit="{"s" if axis == "T" else "m"}" BytesInc="{bytes_of[axis]}" BitInc="0"/>')  # fmt: skip
    channels = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" NameOfMeasuredQuantity="" Min="0" Max="65535" Unit="" '
        f'LUTName="{name}" IsLUTInverted="0" BytesInc="{k * bytes_of["C"]}" BitInc="0"/>'
        for k, name in enumerate(LUTS)
    )  # fmt: skip
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="project" Visibility="1" UniqueID="a">'
        '<Memory Size="0" MemoryBlockID="MemBlock_0"/><Children>'
        f'<Element Name="series" Visibility="1" UniqueID="b"><Data><Image><ImageDescription><Channels>{channels}</Channels>'
        f"<Dimensions>{''.join(dims)}</Dimensions></ImageDescription></Image></Data>"
        f'<Memory Size="{pixels.nbytes}" MemoryBlockID="MemBlock_1"/></Element></Children></Element></LMSDataContainerHeader>'
    )

    def block(body: bytes) -> bytes:
        return struct.pack("<ii", 0x70, len(body)) + body

    def text(value: str) -> bytes:
        return b"*" + struct.pack("<i", len(value)) + value.encode("utf-16-le")

    memory = block(b"*" + struct.pack("<q", pixels.nbytes) + text("MemBlock_1")) + pixels.tobytes()
    path.write_bytes(block(text(xml)) + memory)
    return path


def write_dicom(path, pixels=RGB, *, uid="1.2.3", tile=16, spacing=0.0005, **more):
    pydicom = pytest.importorskip("pydicom")
    h = pydicom.dataset.FileDataset(str(path), {}, file_meta=pydicom.dataset.FileMetaDataset(), preamble=b"\0" * 128)
    h.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    h.file_meta.MediaStorageSOPClassUID = h.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
    h.file_meta.MediaStorageSOPInstanceUID = h.SOPInstanceUID = f"{uid}.{pixels.shape[0]}"
    h.SeriesInstanceUID, h.ImageType, h.Modality = uid, ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "SM"
    h.Rows = h.Columns = tile
    h.TotalPixelMatrixRows, h.TotalPixelMatrixColumns, h.SamplesPerPixel = pixels.shape
    h.PhotometricInterpretation, h.PlanarConfiguration = "RGB", 0
    h.BitsAllocated = h.BitsStored = 8
    h.HighBit, h.PixelRepresentation, h.DimensionOrganizationType = 7, 0, "TILED_FULL"
    measures, shared, optics = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    measures.PixelSpacing, optics.OpticalPathIdentifier, optics.ObjectiveLensPower = [spacing, spacing], "1", 20.0
    shared.PixelMeasuresSequence = [measures]
    h.SharedFunctionalGroupsSequence, h.OpticalPathSequence = [shared], [optics]
    down, across = (-(-n // tile) for n in pixels.shape[:2])
    whole = np.pad(pixels, [(0, down * tile - pixels.shape[0]), (0, across * tile - pixels.shape[1]), (0, 0)])
    tiles = whole.reshape(down, tile, across, tile, 3).swapaxes(1, 2)
    h.NumberOfFrames, h.PixelData = down * across, tiles.tobytes()
    for name, value in more.items():
        setattr(h, name, value)
    h.save_as(path, enforce_file_format=True)
    return path


def _case(write, path, expected, axes, **more):
    write(path)
    return Case(lambda: open_source(Location.of(path)), expected, axes, change=lambda: write(path, _changed(path)), **more)


def _changed(path):
    other = {".dcm": 255 - RGB, ".npy": PLANE[::-1], ".h5": STACK[1, 1], ".mrc": STACK[1, 1]}
    return other.get(path.suffix, STACK[:, :, ::-1])


class TestCzi(SourceContract):
    @pytest.fixture
    def case(self, tmp_path):
        return _case(
            write_czi,
            tmp_path / "a.czi",
            STACK,
            "tczyx",
            pixel_size={"z": 1.0, "y": 0.5, "x": 0.25},
            channels=("DAPI", "GFP", "Cy5"),
        )


class TestLif(SourceContract):
    @pytest.fixture
    def case(self, tmp_path):
        pytest.importorskip("liffile")
        size = {"z": 1.0, "y": 0.5, "x": 0.25}
        return _case(write_lif, tmp_path / "a.lif", STACK, "tczyx", pixel_size=size, channels=("Blue", "Green", "Red"))


class TestImaris(SourceContract):
    @pytest.fixture
    def case(self, tmp_path):
        return _case(
            write_imaris, tmp_path / "a.ims", STACK, "tczyx", pixel_size={"z": 1.0, "y": 0.5, "x": 0.25}, n_levels=2,
            coarser=(STACK[..., ::2, ::2],), channels=("DAPI", "GFP", "Cy5"),
        )  # fmt: skip


class TestHdf5(SourceContract):
    @pytest.fixture
    def case(self, tmp_path):
        return _case(write_hdf5, tmp_path / "a.h5", STACK[0, 0], "zyx", pixel_size={"z": 2.0, "y": 0.5, "x": 0.25})


class TestMrc(SourceContract):
    @pytest.fixture
    def case(self, tmp_path):
        return _case(write_mrc, tmp_path / "a.mrc", STACK[0, 0], "zyx", pixel_size={"z": 0.001, "y": 0.0005, "x": 0.00025})


class TestDicomSlide(SourceContract):
    @pytest.fixture
    def case(self, tmp_path):
        expected, size = np.moveaxis(RGB, -1, 0)[:, None].swapaxes(0, 1)[0], {"y": 0.5, "x": 0.5}
        case = _case(write_dicom, tmp_path / "a.dcm", np.moveaxis(RGB, -1, 0)[:, None], "czyx", pixel_size=size,
                     channels=("red", "green", "blue"))  # fmt: skip
        assert expected.shape == RGB.shape[-1:] + RGB.shape[:2]
        return case


class TestNpy(SourceContract):
    @pytest.fixture
    def case(self, tmp_path):
        return _case(lambda path, pixels=PLANE: np.save(path, pixels), tmp_path / "a.npy", PLANE, "yx")


class TestJpeg2000(SourceContract):
    @pytest.fixture(params=["jp2", "j2k"])
    def case(self, request, tmp_path):
        def write(path, pixels=PLANE):
            path.write_bytes(imagecodecs.jpeg2k_encode(pixels, level=0, reversible=True, codecformat=request.param))

        path = tmp_path / f"a.{request.param}"
        write(path)
        return Case(lambda: open_source(Location.of(path)), PLANE, "yx", change=lambda: write(path, PLANE[::-1].copy()))


def test_scenes_of_a_czi_are_series_at_their_own_place(tmp_path):
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(tmp_path / "a.czi")) as file:
        for k in (0, 1):
            for x in (0, 45):  # a mosaic of two
                file.write(data=np.ascontiguousarray(PLANE + k + x)[..., None], location=(1000 * k + x, -50), scene=k)
    for k in (0, 1):
        right = np.concatenate([PLANE + k, PLANE + k + 45], axis=1)
        np.testing.assert_array_equal(mnb.open_image(tmp_path / "a.czi", series=k).read(), right)
    with pytest.raises(ImageNotFoundError, match="holds 2"):
        mnb.open_image(tmp_path / "a.czi", series=2)


def test_a_large_czi_has_coarse_levels(tmp_path):
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(tmp_path / "a.czi")) as file:
        file.write(data=np.full((2100, 1500, 1), 7, "u2"))
    img = mnb.open_image(tmp_path / "a.czi")
    assert [level.shape for level in img.levels] == [(2100, 1500), (1050, 750), (525, 375)]
    assert (img.read(2) == 7).all()


def test_colour_of_a_czi_is_red_green_blue(tmp_path):
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(tmp_path / "a.czi")) as file:
        file.write(data=np.ascontiguousarray(RGB[..., ::-1]))
    img = mnb.open_image(tmp_path / "a.czi")
    assert img.rgb
    np.testing.assert_array_equal(img.read(), np.moveaxis(RGB, -1, 0))


def test_levels_of_a_dicom_slide_are_found_beside_it_and_other_series_are_not(tmp_path):
    write_dicom(tmp_path / "a.dcm")
    write_dicom(tmp_path / "b.dcm", RGB[::2, ::2], spacing=0.001)
    write_dicom(tmp_path / "c.dcm", RGB[::3, ::3], uid="1.2.9")
    write_dicom(tmp_path / "d.dcm", RGB[::4, ::4], TotalPixelMatrixRows=1 << 30)  # damaged
    for name in ("a.dcm", "b.dcm"):
        img = mnb.open_image(tmp_path / name)
        assert [level.shape for level in img.levels] == [(3, 37, 45), (3, 19, 23)]
        assert img.pixel_size["x"] == 0.5
        assert img.metadata["magnification"] == 20
        np.testing.assert_array_equal(img.read(1), np.moveaxis(RGB[::2, ::2], -1, 0))


def test_what_changes_dicom_values_is_told(tmp_path):
    write_dicom(tmp_path / "a.dcm", RescaleSlope=2.0, RescaleIntercept=-5.0)
    assert "value * 2 + -5" in mnb.open_image(tmp_path / "a.dcm").info.cautions[0]


def test_jpeg_xl_webp_and_colour_open(tmp_path):
    from PIL import Image

    (tmp_path / "a.jxl").write_bytes(imagecodecs.jpegxl_encode(RGB, lossless=True))
    (tmp_path / "b.jp2").write_bytes(imagecodecs.jpeg2k_encode(RGB, level=0, reversible=True))
    Image.fromarray(RGB).save(tmp_path / "c.webp", lossless=True)
    np.save(tmp_path / "d.npy", np.dstack([RGB, RGB[..., :1]]))
    for path in sorted(tmp_path.iterdir()):
        img = mnb.open_image(path)
        assert img.rgb, path.name
        np.testing.assert_array_equal(img.read(), np.moveaxis(RGB, -1, 0))


def test_a_jpeg_2000_that_unpacks_to_too_much_is_refused(tmp_path):
    data = bytearray(imagecodecs.jpeg2k_encode(PLANE, level=0, codecformat="j2k"))
    data[8:16] = struct.pack(">II", 1 << 20, 1 << 20)
    (tmp_path / "a.j2k").write_bytes(data)
    with pytest.raises(UnsafeImageError, match="1 GiB"):
        mnb.open_image(tmp_path / "a.j2k")


def test_a_slide_is_read_by_openslide(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("openslide")
    from micro_nb.data.sources.others import open_slide

    tifffile.imwrite(tmp_path / "a.tif", np.tile(RGB, (8, 8, 1)), tile=(64, 64), photometric="rgb", compression="deflate")
    source = open_slide(Location.of(tmp_path / "a.tif"))
    assert source.info.rgb
    box = (slice(0, 3), slice(5, 90), slice(20, 200))
    np.testing.assert_array_equal(source.read(0, box), np.moveaxis(np.tile(RGB, (8, 8, 1)), -1, 0)[box])


def test_an_hdf5_file_of_several_arrays_gives_them_by_number_and_asks_for_axes(tmp_path):
    with pytest.importorskip("h5py").File(tmp_path / "a.h5", "w") as file:
        file["a"], file["b"], file["text"], file["c"] = PLANE, STACK[0, 0], "no image", np.arange(5)
    np.testing.assert_array_equal(mnb.open_image(tmp_path / "a.h5").read(), PLANE)
    with pytest.raises(AxesError, match="axes="):
        mnb.open_image(tmp_path / "a.h5", series=1)
    np.testing.assert_array_equal(mnb.open_image(tmp_path / "a.h5", series=1, axes="zyx").read(), STACK[0, 0])
    with pytest.raises(ImageNotFoundError, match="holds 2"):
        mnb.open_image(tmp_path / "a.h5", series=2)


def test_olympus_pages_are_put_in_their_places(tmp_path, monkeypatch):
    oiffile = pytest.importorskip("oiffile")

    class File:
        def __init__(self, path):
            names = [f"s_C{c + 1:03}Z{z + 1:03}.tif" for c in range(3) for z in range(4)]
            self.series = (tifffile.TiffSequence(names[::-1], imread=self.asarray, pattern="axes"),)
            spans = {0: ("X", 44 * 0.25, 45, "um"), 1: ("Y", 36 * 0.5, 37, "um"), 3: ("Z", 3000, 4, "nm")}
            keys = ("AxisCode", "EndPosition", "MaxSize", "PixUnit")
            dyes = {"DyeName": "DAPI", "EmissionWavelength": 461}, {"DyeName": "None", "CH Name": "CH2"}, {"DyeName": "None"}
            self.mainfile = {f"Channel {k} Parameters": dye for k, dye in enumerate(dyes, 1)} | {
                f"Axis {k} Parameters Common": dict(zip(keys, span, strict=True)) | {"StartPosition": 0}
                for k, span in spans.items()
            }

        def asarray(self, name):
            return STACK[0, int(name[3:6]) - 1, int(name[7:10]) - 1]

        def close(self):
            pass

    monkeypatch.setattr(oiffile, "OifFile", File)
    (tmp_path / "a.oib").write_bytes(b"x")
    img = mnb.open_image(tmp_path / "a.oib")
    np.testing.assert_array_equal(img.read(), STACK[0])
    assert img.pixel_size == {"z": 1.0, "y": 0.5, "x": 0.25}
    assert [c.name for c in img.channels] == ["DAPI", "CH2", "channel 2"]
    assert img.channels[0].emission_nm == 461


def test_signals_of_electron_microscopy_keep_their_units(tmp_path, monkeypatch):
    module = pytest.importorskip("rsciio.digitalmicrograph")
    signal = {
        "data": PLANE,
        "metadata": {"General": {"title": "grid"}, "Acquisition_instrument": {"TEM": {"beam_energy": np.uint32(200)}}},
        "axes": [{"name": a, "scale": 2.0, "units": "nm", "index_in_array": k} for k, a in enumerate("yx")],
    }  # fmt: skip
    monkeypatch.setattr(module, "file_reader", lambda path, lazy: [signal])
    (tmp_path / "a.dm4").write_bytes(b"x")
    img = mnb.open_image(tmp_path / "a.dm4")
    np.testing.assert_array_equal(img.read(), PLANE)
    assert (img.pixel_size["x"], img.metadata["kV"], img.source.format) == (0.002, 200.0, "DM4")


def test_colour_that_a_library_cannot_read_lazily_is_read_whole_and_diffraction_has_no_pixel_size(tmp_path, monkeypatch):
    module = pytest.importorskip("rsciio.digitalmicrograph")
    colour = np.random.default_rng(0).integers(0, 255, (5, 7, 4)).astype(np.uint8)
    signal = {
        "data": colour.view([(c, "u1") for c in "RGBA"])[..., 0], "metadata": {},
        "axes": [{"name": a, "scale": 1e17, "units": "nm", "index_in_array": k} for k, a in enumerate("yx")],
    }  # fmt: skip

    def read(path, lazy):
        if lazy:
            raise ValueError("Lazy loading of RGBA images is not supported.")
        return [signal]

    monkeypatch.setattr(module, "file_reader", read)
    (tmp_path / "a.dm3").write_bytes(b"x")
    img = mnb.open_image(tmp_path / "a.dm3")
    np.testing.assert_array_equal(img.read(), colour[..., :3].transpose(2, 0, 1))
    assert img.rgb
    assert img.pixel_size is None


def test_what_no_reader_here_knows_is_asked_of_bioio(tmp_path, monkeypatch):
    bioio = pytest.importorskip("bioio")

    class Image:
        scenes, channel_names, reader = ("a", "b"), ["DAPI", "GFP", "Cy5"], PLANE
        physical_pixel_sizes = type("Sizes", (), {"Z": None, "Y": 0.5, "X": 0.5})

        def __init__(self, path):
            self.xarray_dask_data = None

        def set_scene(self, name):
            self.xarray_dask_data = xr.DataArray(STACK[:1] + (name == "b"), dims=list("TCZYX"))

    monkeypatch.setattr(bioio, "BioImage", Image)
    (tmp_path / "a.vsi").write_bytes(b"what nobody knows")
    img = mnb.open_image(tmp_path / "a.vsi", series=1)
    np.testing.assert_array_equal(img.read(), STACK[0] + 1)
    assert (img.pixel_size["x"], img.channels[1].name) == (0.5, "GFP")

    def refuses(path):
        raise ValueError("no reader")

    monkeypatch.setattr(bioio, "BioImage", refuses)
    with pytest.raises(UnknownFormatError, match="not an image format known here"):
        mnb.open_image(tmp_path / "a.vsi")


LIBRARIES = ("pylibCZIrw.czi", "nd2", "liffile", "oiffile", "pydicom", "rsciio.digitalmicrograph", "openslide", "h5py", "mrcfile")
MISSING = {
    "a.czi": b"ZISRAWFILE", "a.nd2": b"x", "a.lif": b"p", "a.oib": b"x", "a.dcm": b"\0" * 128 + b"DICM", "a.dm3": b"x",
    "a.mrxs": b"\xff\xd8\xff", "a.h5": b"\x89HDF\r\n\x1a\n", "a.mrc": b"\0" * 208 + b"MAP " + b"\0" * 900,
}  # fmt: skip


@pytest.mark.parametrize("name", MISSING)
def test_an_extra_that_is_missing_is_named_with_what_to_install(tmp_path, monkeypatch, name):
    (tmp_path / name).write_bytes(MISSING[name])
    for module in LIBRARIES:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("micro_nb.data.formats.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'micro-nb\[formats\]'"):
        mnb.open_image(tmp_path / name)


@pytest.mark.parametrize("name", MISSING)
def test_a_file_that_is_none_of_its_kind_is_one_error_of_ours(tmp_path, monkeypatch, name):
    monkeypatch.setattr("micro_nb.data.formats.find_spec", lambda name: None)
    (tmp_path / name).write_bytes(MISSING[name] + b"nothing of use" * 40)
    with pytest.raises((CorruptImageError, MissingExtraError, AxesError, UnknownFormatError), match=name[2:]):
        mnb.open_image(tmp_path / name)
