"""What tifffile, zarr and ome-zarr-py write is read as it was meant: pixels, size, names and units, whatever the storage."""

from __future__ import annotations

import itertools
import tempfile
import uuid
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import micro_nb as mnb
from micro_nb.data.axes import to_um

FOLDER = Path(tempfile.mkdtemp(prefix="micro-nb-written-"))
many = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
UNITS = ("nm", "µm", "mm", "cm", "Å", "m", "pm", "in")
ORDERS = ("YX", "ZYX", "TYX", "CYX", "TCYX", "CZYX", "TZYX", "ZCYX", "TCZYX", "TZCYX", "CTZYX")
WHOLE = ("u1", "u2", "u4", "i1", "i2", "i4")


@st.composite
def arrays(draw, order: str, dtypes, least: int = 1):
    """Values over the whole range of the dtype, few or many; sizes that no tile divides."""
    shape = tuple(draw(st.integers(least, 70)) if a in "YX" else draw(st.integers(2, 3)) for a in order)
    dtype, rng = np.dtype(draw(st.sampled_from(dtypes))), np.random.default_rng(draw(st.integers(0, 99)))
    if dtype.kind == "f":
        return rng.normal(0, 1e4, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def canonical(order: str, pixels: np.ndarray) -> np.ndarray:
    return pixels.transpose([order.index(a) for a in "TCZYX" if a in order])


def same(img, order: str, pixels: np.ndarray) -> None:
    """Singletons are dropped but y and x; every pixel and any box of them is the same, bit for bit."""
    right = canonical(order, pixels)
    kept = [n for a, n in zip([a for a in "TCZYX" if a in order], right.shape, strict=True) if n > 1 or a in "YX"]
    right = right.reshape(kept)
    got = img.read()
    assert got.shape == right.shape
    assert got.dtype == right.dtype.newbyteorder("=")
    assert got.tobytes() == np.ascontiguousarray(right, got.dtype).tobytes()
    corner = tuple(slice(n // 3, n // 3 + max(1, n // 2)) for n in right.shape)
    np.testing.assert_array_equal(img.read(0, corner), right[corner])


def path(suffix: str) -> Path:
    return FOLDER / f"{uuid.uuid4().hex}{suffix}"


@many
@given(st.data())
def test_tiff_of_any_storage(data):
    draw = data.draw
    pixels = draw(arrays("YX", (*WHOLE, "f2", "f4", "f8", "u8", "i8"), least=2))
    codec = draw(st.sampled_from([None, "lzw", "zlib", "zstd", "lzma", "packbits"]))
    options = {"byteorder": draw(st.sampled_from("<>")), "bigtiff": draw(st.booleans()), "compression": codec}
    if codec in ("lzw", "zlib", "zstd") and pixels.dtype.itemsize <= 4:
        options["predictor"] = draw(st.booleans())
    options |= draw(st.sampled_from([{}, {"rowsperstrip": 7}, {"tile": (16, 16)}, {"tile": (32, 16)}]))
    file = path(".tif")
    tifffile.imwrite(file, pixels, metadata=None, photometric="minisblack", **options)
    same(mnb.open_image(file), "YX", pixels)


@many
@given(st.data())
def test_ome_tiff_of_any_axes_and_units(data):
    draw = data.draw
    order = draw(st.sampled_from(ORDERS))
    pixels = draw(arrays(order, (*WHOLE, "f4"), least=2))
    sizes = {a: draw(st.floats(0.001, 900).map(lambda v: round(v, 6))) for a in "ZYX" if a in order}
    units = {a: draw(st.sampled_from(UNITS)) for a in sizes}
    names = [
        draw(st.text("abc µλ-0", min_size=1, max_size=8)) for _ in range(pixels.shape[order.index("C")] if "C" in order else 1)
    ]
    said = {"axes": order, "Channel": {"Name": names}, "Name": "image"}
    said |= {f"PhysicalSize{a}": v for a, v in sizes.items()} | {f"PhysicalSize{a}Unit": units[a] for a in sizes}
    file = path(".ome.tif")
    tifffile.imwrite(
        file, pixels, ome=True, photometric="minisblack", metadata=said, byteorder=draw(st.sampled_from("<>")),
        compression=draw(st.sampled_from([None, "zlib", "lzw"])), **draw(st.sampled_from([{}, {"tile": (16, 16)}])),
    )  # fmt: skip
    img = mnb.open_image(file)
    same(img, order, pixels)
    assert dict(img.pixel_size) == pytest.approx({a.lower(): to_um(sizes[a], units[a]) for a in sizes})
    if "C" in order:
        assert [c.name.strip() for c in img.channels] == [n.strip() for n in names]


@many
@given(st.data())
def test_imagej_tiff_of_any_axes_and_units(data):
    draw = data.draw
    order = draw(st.sampled_from(["YX", "ZYX", "TYX", "CYX", "TCYX", "ZCYX", "TZYX", "TZCYX"]))
    pixels = draw(arrays(order, ("u1", "u2", "f4"), least=2))
    per, step, unit, zunit = (
        draw(st.integers(1, 40)),
        draw(st.floats(0.01, 90)),
        *(draw(st.sampled_from(["nm", "um", "mm"])) for _ in "xz"),
    )
    said = {"axes": order, "unit": unit, "spacing": step, "zunit": zunit, "finterval": 2.5}
    file = path(".tif")
    tifffile.imwrite(file, pixels, imagej=True, resolution=(per, 2 * per), metadata=said)
    img = mnb.open_image(file)
    same(img, order, pixels)
    right = {"z": to_um(step, zunit), "y": to_um(1 / (2 * per), unit), "x": to_um(1 / per, unit)}
    assert dict(img.pixel_size) == pytest.approx(
        {a: v for a, v in right.items() if a in img.axes or a != "z" or a in img.pixel_size}
    )
    assert img.metadata["interval_s"] == 2.5


@many
@given(st.data())
def test_planes_that_follow_each_other_are_as_many_as_are_there(data):
    n, gone = data.draw(st.integers(2, 6)), data.draw(st.integers(1, 3))
    pixels = data.draw(arrays("YX", ("u2",), least=4))
    stack, kept = np.stack([pixels + k for k in range(n)]), max(1, n - gone)
    file, cut = path(".ome.tif"), path(".ome.tif")
    tifffile.imwrite(file, stack, ome=True, photometric="minisblack", metadata={"axes": "ZYX"}, compression="zlib")
    with tifffile.TiffFile(file) as tif:
        xml = tif.ome_metadata
    with tifffile.TiffWriter(cut) as tif:
        for k in range(kept):
            tif.write(stack[k], description=xml if k == 0 else None, metadata=None, contiguous=False, compression="zlib")
    img = mnb.open_image(cut)
    same(img, "ZYX", stack[:kept])
    assert f"{n} planes" in " ".join(img.info.cautions)


@many
@given(st.data())
def test_planes_with_places_keep_them_where_others_are_missing(data):
    n = data.draw(st.integers(2, 6))
    there = sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=1, max_size=n)))
    pixels = data.draw(arrays("YX", ("u2",), least=4))
    places = "".join(f'<TiffData IFD="{k}" FirstZ="{z}" PlaneCount="1"/>' for k, z in enumerate(there))
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" Type="uint16" '
        f'DimensionOrder="XYZCT" SizeX="{pixels.shape[1]}" SizeY="{pixels.shape[0]}" SizeZ="{n}" SizeC="1" SizeT="1">'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{places}</Pixels></Image></OME>'
    )
    file = path(".ome.tif")
    with tifffile.TiffWriter(file) as tif:
        for k, z in enumerate(there):
            tif.write(pixels + z, description=xml if k == 0 else None, metadata=None, contiguous=False)
    img = mnb.open_image(file)
    assert img.metadata.get("missing_planes", 0) == n - len(there)
    for z in there:
        np.testing.assert_array_equal(img.isel(z=z).read(), pixels + z)


V3_CODECS = [
    None,
    zarr.codecs.GzipCodec(),
    zarr.codecs.ZstdCodec(),
    zarr.codecs.BloscCodec(),
    zarr.codecs.BloscCodec(shuffle="bitshuffle"),
]


@many
@given(st.data())
def test_zarr_arrays_of_any_storage(data):
    import numcodecs

    draw = data.draw
    order = draw(st.sampled_from(["YX", "ZYX", "CYX", "TCZYX", "XY", "YXC", "ZXY"]))
    pixels = draw(arrays(order, (*WHOLE, "f4", "f8", "u8", "i8", "f2")))
    version = draw(st.sampled_from([2, 3]))
    options = {
        "shape": pixels.shape,
        "chunks": tuple(draw(st.integers(1, n)) if n < 8 else draw(st.integers(4, n)) for n in pixels.shape),
    }
    dtype = pixels.dtype
    if version == 2:
        options |= {"order": draw(st.sampled_from("CF")), "filters": draw(st.sampled_from([None, "delta"]))}
        dtype = dtype.newbyteorder(draw(st.sampled_from("<>")))
        whole = dtype.kind in "iu" and dtype.itemsize < 8
        options["filters"] = [numcodecs.Delta(dtype=dtype)] if options["filters"] and whole else None
        options["compressors"] = draw(
            st.sampled_from([None, numcodecs.Zlib(), numcodecs.Blosc(), numcodecs.Zstd(), numcodecs.LZ4()])
        )
    else:
        options["compressors"] = draw(st.sampled_from(V3_CODECS))
        options["serializer"] = zarr.codecs.BytesCodec(endian=draw(st.sampled_from(["little", "big"])))
        if draw(st.booleans()):
            options["filters"] = [zarr.codecs.TransposeCodec(order=draw(st.permutations(range(pixels.ndim))))]
        if draw(st.booleans()):
            options["shards"] = tuple(c * draw(st.integers(1, 2)) for c in options["chunks"])
    file = path(".zarr")
    array = zarr.create_array(file, dtype=dtype, zarr_format=version, fill_value=draw(st.sampled_from([0, 1])), **options)
    if draw(st.booleans()):
        array[...] = pixels
    else:  # the rest is the fill value
        array[:1] = pixels[:1]
        pixels = np.asarray(zarr.open_array(file, mode="r")[...])
    same(mnb.open_image(file, axes=order.lower()), order, np.asarray(pixels))


@many
@given(st.data())
def test_what_ome_zarr_py_writes(data):
    writer = pytest.importorskip("ome_zarr.writer")
    formats = pytest.importorskip("ome_zarr.format")
    draw = data.draw
    order = draw(st.sampled_from(["YX", "ZYX", "CYX", "TCYX", "CZYX", "TCZYX"]))
    pixels = draw(arrays(order, ("u1", "u2", "f4"), least=8))
    fmt = draw(st.sampled_from([formats.FormatV04(), formats.FormatV05()]))
    units = {a: draw(st.sampled_from(["nanometer", "micrometer", "millimeter", "angstrom"])) for a in "ZYX" if a in order}
    scale = {a: draw(st.floats(0.01, 90)) for a in order if a in "ZYX"}
    axes = [
        {"name": a.lower(), "type": {"T": "time", "C": "channel"}.get(a, "space"), **({"unit": units[a]} if a in units else {})}
        for a in order
    ]
    file = path(".ome.zarr")
    group = zarr.open_group(file, mode="w", zarr_format=fmt.zarr_format)
    transforms = [[{"type": "scale", "scale": [scale.get(a, 1.0) for a in order]}]]
    writer.write_multiscale([pixels], group, axes=axes, fmt=fmt, coordinate_transformations=transforms, name="n")
    img = mnb.open_image(file)
    same(img, order, pixels)
    assert dict(img.pixel_size) == pytest.approx({a.lower(): to_um(scale[a], units[a]) for a in units})
    assert img.metadata["name"] == "n"


@pytest.mark.parametrize(("level", "shift"), list(itertools.product((0, 1), (0.0, 7.0))))
def test_what_is_saved_again_means_the_same(level, shift):
    pixels = np.arange(64 * 48, dtype="f4").reshape(64, 48) + shift
    img = mnb.open_image(pixels, pixel_size={"y": 0.5, "x": 0.25})
    again = mnb.open_image(mnb.save_image(img, path(".ome.zarr"), levels=2, chunk=16))
    assert again.pixel_size == img.pixel_size
    assert again.levels[level].shape == (64 >> level, 48 >> level)
