"""Every variety of TIFF keeps the contract of a source."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from source_contract import Case, SourceContract

from micro_nb.data.location import Location
from micro_nb.data.sources.tiff import open_tiff


def _pixels(shape, dtype="uint16"):
    rng = np.random.default_rng(7)
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    if np.dtype(dtype).kind == "b":
        return rng.random(shape) > 0.5
    span = np.iinfo(dtype)
    return rng.integers(span.min // 2, span.max // 2, shape).astype(dtype)


# name: (shape, dtype, axes, what imwrite is told, pixel size)
FLAT = {
    "uncompressed strips": ((75, 61), "uint16", "yx", {"rowsperstrip": 4}, None),
    "one uncompressed strip": ((75, 61), "float32", "yx", {}, None),
    "deflated strips with predictor": ((75, 61), "uint16", "yx", {"compression": "zlib", "predictor": 2}, None),
    "float predictor in tiles": ((75, 61), "float32", "yx", {"compression": "zlib", "predictor": True, "tile": (32, 16)}, None),
    "lzw tiles, big endian": ((75, 61), "uint16", "yx", {"compression": "lzw", "tile": (32, 32), "byteorder": ">"}, None),
    "signed bytes": ((75, 61), "int8", "yx", {"compression": "zstd"}, None),
    "half floats": ((75, 61), "float16", "yx", {}, None),
    "BigTIFF": ((75, 61), "uint32", "yx", {"bigtiff": True, "tile": (16, 16)}, None),
    "ImageJ hyperstack": ((2, 3, 2, 40, 30), "uint16", "tzcyx", {
        "imagej": True, "resolution": (1 / 0.25, 1 / 0.5), "metadata": {"unit": "um", "spacing": 2.0, "axes": "TZCYX"},
    }, {"z": 2.0, "y": 0.5, "x": 0.25}),
    "OME stack": ((3, 4, 40, 30), "uint8", "czyx", {
        "ome": True, "compression": "zlib",
        "metadata": {"axes": "CZYX", "PhysicalSizeX": 325, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 325,
                     "PhysicalSizeYUnit": "nm", "Channel": {"Name": ["DAPI", "GFP", "RFP"]}},
    }, {"y": 0.325, "x": 0.325}),
    "OME in another order": ((2, 3, 40, 30), "uint8", "ctyx", {"ome": True, "metadata": {"axes": "CTYX"}}, None),
    "planar samples": ((4, 40, 30), "uint8", "cyx", {"planarconfig": "separate", "photometric": "minisblack"}, None),
    "contiguous samples": ((40, 30, 5), "uint16", "yxc", {"planarconfig": "contig", "photometric": "minisblack",
                                                          "compression": "zlib", "tile": (16, 16)}, None),
    "RGB strips": ((40, 30, 3), "uint8", "yxc", {"photometric": "rgb"}, None),
    "RGB with 16 bits": ((40, 30, 3), "uint16", "yxc", {"photometric": "rgb", "tile": (16, 16)}, None),
    "volume in one page": ((20, 32, 48), "uint8", "zyx", {"tile": (8, 16, 16), "volumetric": True, "compression": "zlib",
                                                         "photometric": "minisblack", "metadata": {"axes": "ZYX"}}, None),
    "bilevel": ((75, 61), "bool", "yx", {"photometric": "minisblack"}, None),
}  # fmt: skip


def _write(path, name, pixels):
    tifffile.imwrite(path, pixels, **FLAT[name][3])


WHOLE_CONTRACT = (
    "uncompressed strips",
    "lzw tiles, big endian",
    "ImageJ hyperstack",
    "OME stack",
    "planar samples",
    "volume in one page",
)


@pytest.mark.parametrize("name", [name for name in FLAT if name not in WHOLE_CONTRACT])
def test_every_storage_reads_exactly(name, tmp_path):
    shape, dtype, axes, _, pixel_size = FLAT[name]
    pixels = _pixels(shape, dtype)
    _write(tmp_path / "a.tif", name, pixels)
    source = open_tiff(Location.of(tmp_path / "a.tif"))
    expected = pixels.transpose([axes.index(a) for a in "tczyx" if a in axes])
    expected = expected.astype(np.uint8) if dtype == "bool" else expected
    assert source.info.dtype == expected.dtype
    assert source.info.pixel_size == pixel_size
    for box in ((slice(None), slice(None)), (slice(3, 37), slice(5, 6)), (slice(17, 40), slice(0, 30))):
        np.testing.assert_array_equal(source.read(0, (slice(None),) * (expected.ndim - 2) + box), expected[..., *box])


class TestFlatTiff(SourceContract):
    @pytest.fixture(params=WHOLE_CONTRACT)
    def case(self, request, tmp_path):
        shape, dtype, axes, told, pixel_size = FLAT[request.param]
        path, pixels = tmp_path / ("a.ome.tif" if told.get("ome") else "a.tif"), _pixels(shape, dtype)
        _write(path, request.param, pixels)
        order = "".join(a for a in "tczyx" if a in axes)
        expected = np.ascontiguousarray(pixels.transpose([axes.index(a) for a in order]))
        expected = expected.astype(np.uint8) if expected.dtype == bool else expected

        def change():
            pixels.flat[0] = not pixels.flat[0] if dtype == "bool" else pixels.flat[0] / 2 + 1
            _write(path, request.param, pixels)

        names = ("DAPI", "GFP", "RFP") if "Channel" in str(told) else None
        return Case(lambda: open_tiff(Location.of(path)), expected, order, pixel_size=pixel_size, change=change, channels=names)


class TestPyramidOmeTiff(SourceContract):
    @pytest.fixture(params=["yx", "cyx", "rgb"])
    def case(self, request, tmp_path):
        path = tmp_path / "p.ome.tif"
        shape = {"yx": (150, 131), "cyx": (2, 150, 131), "rgb": (150, 131, 3)}[request.param]
        full = _pixels(shape, "uint8")
        levels = [full[::k, ::k] if request.param != "cyx" else full[:, ::k, ::k] for k in (1, 2, 4)]
        rgb = {"photometric": "rgb"} if request.param == "rgb" else {"photometric": "minisblack"}
        axes = {"yx": "YX", "cyx": "CYX", "rgb": "YXS"}[request.param]

        def write():
            with tifffile.TiffWriter(path, bigtiff=True) as tif:
                how = {"tile": (32, 32), "compression": "zlib", **rgb}
                sized = {"axes": axes, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
                tif.write(levels[0], subifds=2, metadata=sized, **how)
                for level in levels[1:]:
                    tif.write(level, subfiletype=1, metadata=None, **how)

        def change():
            levels[0][(0,) * levels[0].ndim] += 1
            write()

        write()
        canonical = [np.moveaxis(v, -1, 0) if request.param == "rgb" else v for v in levels]
        return Case(
            lambda: open_tiff(Location.of(path)), canonical[0], "yx" if request.param == "yx" else "cyx",
            coarser=tuple(canonical[1:]), n_levels=3, pixel_size={"y": 0.5, "x": 0.5}, change=change,
        )  # fmt: skip


OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{own}"><Image ID="Image:0" Name="set">
<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="30" SizeY="40" SizeZ="3" SizeC="1" SizeT="1"
 PhysicalSizeX="0.2" PhysicalSizeY="0.2" PhysicalSizeZ="1">
<Channel ID="Channel:0:0" Name="GFP" EmissionWavelength="509" Color="16711935"/>{data}</Pixels></Image></OME>"""


def write_set(folder, pixels, companion):
    """Three single-plane files that make one stack."""
    data = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="z{z}.ome.tif">urn:uuid:f{z}</UUID></TiffData>'
        for z in range(len(pixels))
    )
    for z, plane in enumerate(pixels):
        own = OME.format(own=f"f{z}", data=data)
        if companion:
            own = f'<OME UUID="urn:uuid:f{z}"><BinaryOnly MetadataFile="set.companion.ome" UUID="urn:uuid:m"/></OME>'
        tifffile.imwrite(folder / f"z{z}.ome.tif", plane, description=own, metadata=None)
    if companion:
        (folder / "set.companion.ome").write_text(OME.format(own="m", data=data))


class TestMultiFileOmeTiff(SourceContract):
    @pytest.fixture(params=["embedded", "companion beside it", "companion itself"])
    def case(self, request, tmp_path):
        pixels = _pixels((3, 40, 30))
        write_set(tmp_path, pixels, request.param != "embedded")
        path = tmp_path / ("set.companion.ome" if request.param == "companion itself" else "z0.ome.tif")

        def change():
            pixels[0, 0, 0] += 1
            write_set(tmp_path, pixels, request.param != "embedded")

        return Case(
            lambda: open_tiff(Location.of(path)), pixels, "zyx", pixel_size={"z": 1.0, "y": 0.2, "x": 0.2},
            channels=("GFP",), change=change,
        )  # fmt: skip


class TestRemoteTiff(SourceContract):
    @pytest.fixture
    def case(self, tmp_path, http_root):
        pixels = _pixels((75, 61))
        _write(tmp_path / "a.tif", "lzw tiles, big endian", pixels)
        uri = http_root(tmp_path) + "/a.tif"
        return Case(lambda: open_tiff(Location.of(uri)), pixels, "yx")
