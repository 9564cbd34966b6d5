"""OME-Zarr and bare zarr arrays: every variant keeps the contract; damaged ones are refused by name."""

from __future__ import annotations

import json
import pickle
import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import zarr
from conftest import SHARED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_contract import Case, SourceContract
from zarr.codecs import BloscCodec

import micro_nb as mnb
from micro_nb.data.location import Location
from micro_nb.data.sources.zarr import open_zarr
from micro_nb.errors import (
    AxesError,
    CorruptImageError,
    ImageNotFoundError,
    MicroNBError,
    UnknownFormatError,
    UnsafeImageError,
)

SHAPE = {"t": 2, "c": 3, "z": 1, "y": 47, "x": 61}


def put_multiscale(
    path: Path, pixels: np.ndarray, axes: str, *, version: str = "0.5", shards: bool = False, **extra
) -> list[np.ndarray]:
    """An OME-Zarr of three levels made with zarr-python alone; returns the levels' pixels."""
    v3 = version == "0.5"
    group = zarr.open_group(path, mode="w", zarr_format=3 if v3 else 2)
    levels, datasets = [pixels, pixels[..., ::2, ::2], pixels[..., ::4, ::4]], []
    for k, level in enumerate(levels):
        chunks = tuple(16 if a in "yx" else 1 for a in axes)
        kwargs = {"shards": tuple(32 if a in "yx" else 1 for a in axes)} if shards else {}
        compressor = BloscCodec() if v3 else "auto"
        array = group.create_array(str(k), shape=level.shape, dtype=level.dtype, chunks=chunks, compressors=compressor, **kwargs)
        array[...] = level
        scale = [0.5 * 2**k if a in "yx" else 1.0 for a in axes]
        datasets.append({"path": str(k), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    kinds = {"t": "time", "c": "channel"}
    entry = {
        "axes": [{"name": a, "type": kinds.get(a, "space")} | ({"unit": "micrometer"} if a in "yx" else {}) for a in axes],
        "datasets": datasets,
        "version": version,
    }
    ome = {"multiscales": [entry], **extra}
    group.attrs.update({"ome": {"version": version, **ome}} if v3 else ome)
    return levels


def source_of(path: Path, **kwargs):
    return open_zarr(Location.of(path), **kwargs)


class TestOMEZarr(SourceContract):
    @pytest.fixture(params=["0.4", "sharded", "zip with a folder", "stored xyc"])
    def case(self, request, tmp_path, rng):
        kind, path = request.param, tmp_path / "a.ome.zarr"
        axes = "tczyx" if kind == "sharded" else "xyc" if kind == "stored xyc" else "cyx"
        pixels = rng.integers(0, 60000, tuple(SHAPE[a] for a in axes)).astype("uint16")
        if kind == "stored xyc":
            group = zarr.open_group(path, mode="w")
            group.create_array("0", data=pixels, chunks=(16, 16, 3))
            scale = [{"type": "scale", "scale": [0.5, 0.5, 1.0]}]
            names = [{"name": "x", "unit": "micrometer"}, {"name": "y", "unit": "micrometer"}, {"name": "c", "type": "channel"}]
            group.attrs["ome"] = {
                "multiscales": [{"axes": names, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
            }
            levels = [pixels.transpose(2, 1, 0)]
        else:
            version = "0.4" if kind == "0.4" else "0.5"
            levels = put_multiscale(path, pixels, axes, version=version, shards=kind == "sharded")
        folder = path
        if kind.startswith("zip"):
            path = self._zip(path, within="a.ome.zarr/" if "folder" in kind else "")

        def change():
            array = zarr.open_array(folder / "0", mode="r+")
            array[(0,) * array.ndim] ^= 1
            if kind.startswith("zip"):
                self._zip(folder, within="a.ome.zarr/" if "folder" in kind else "")

        order = "".join(a for a in "tczyx" if a in axes)
        return Case(
            lambda: source_of(path), levels[0], order, coarser=tuple(levels[1:]), n_levels=len(levels),
            pixel_size={"y": 0.5, "x": 0.5}, change=change,
        )  # fmt: skip

    @staticmethod
    def _zip(folder: Path, within: str) -> Path:
        target = folder.with_suffix(".zarr.zip")
        with zipfile.ZipFile(target, "w") as archive:
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                archive.write(file, within + str(file.relative_to(folder)))
        return target


class TestBareArray(SourceContract):
    @pytest.fixture(params=[">u2 v2", "float32 v3", "bool v3", "names"])
    def case(self, request, tmp_path, rng):
        kind, path = request.param, tmp_path / "bare.zarr"
        names = ("Z", "Y", "X") if kind == "names" else None
        dtype = kind.split()[0] if names is None else "int16"
        pixels = (rng.random((5, 40, 33) if names else (40, 33)) * 2000).astype(dtype)
        zarr.create_array(
            path, data=pixels, chunks=(16,) * pixels.ndim, zarr_format=2 if "v2" in kind else 3, dimension_names=names
        )

        def change():
            array = zarr.open_array(path, mode="r+")
            array[(0,) * array.ndim] = not array[(0,) * array.ndim] if dtype == "bool" else array[(0,) * array.ndim] + 1

        axes = "zyx" if names else "yx"
        return Case(lambda: source_of(path), pixels.astype(pixels.dtype.newbyteorder("=")), axes, change=change)


SAMPLES = sorted((SHARED / "formats").glob("*.zarr*"))
EXPECTED = {
    "arabidopsis": ("zyx", (106, 112, 109), "uint8", "0.4", 3),
    "bbbc022": ("cyx", (3, 395, 695), "uint16", "0.5", 3),
    "dsb": ("yx", (512, 640), "uint8", None, 3),
}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.name)
def test_public_samples_open_as_described(path):
    axes, shape, dtype, version, levels = EXPECTED[path.name.split("_")[0]]
    img = mnb.open_image(path)
    assert ("".join(img.axes), img.shape, str(img.dtype), len(img.levels)) == (axes, shape, dtype, levels)
    assert img.source.format == f"OME-Zarr {version or ('0.4' if 'v04' in path.name else '0.5')}"
    assert img.read().any()
    assert img.pixel_size == {a: 1.0 for a in axes if a in "zyx"}
    assert "exactly 1" in img.pixel_size_source
    if "labels" in path.name:
        assert list(img.labels) == ["nuclei"]
        assert img.labels["nuclei"].shape == shape
        assert img.labels["nuclei"].read().max() > 10


def test_zip_and_folder_of_one_image_are_the_same_image():
    for folder in (p for p in SAMPLES if p.name.endswith(".zarr")):
        archive = folder.with_name(folder.name + ".zip")
        assert mnb.open_image(folder).content_id == mnb.open_image(archive).content_id
        np.testing.assert_array_equal(mnb.open_image(folder).read(), mnb.open_image(archive).read())


def multiscale(path: Path, edit=lambda entry: None, **extra) -> Path:
    """A small 0.4 image whose multiscales entry was edited as JSON."""
    put_multiscale(path, np.arange(64 * 64, dtype="uint16").reshape(64, 64), "yx", version="0.4", **extra)
    attrs = json.loads((path / ".zattrs").read_text())
    edit(attrs["multiscales"][0])
    (path / ".zattrs").write_text(json.dumps(attrs))
    return path


def test_a_scale_without_a_length_unit_is_no_pixel_size(tmp_path):
    def edit(entry):
        for axis in entry["axes"]:
            axis.pop("unit")

    assert mnb.open_image(multiscale(tmp_path / "a.zarr", edit)).pixel_size is None


def test_units_and_the_transform_of_the_whole_are_applied(tmp_path):
    def edit(entry):
        for axis in entry["axes"]:
            axis["unit"] = "nanometer"
        entry["coordinateTransformations"] = [{"type": "scale", "scale": [100.0, 200.0]}]

    assert mnb.open_image(multiscale(tmp_path / "a.zarr", edit)).pixel_size == pytest.approx({"y": 0.05, "x": 0.1})


def test_levels_without_translation_share_the_outer_edge(tmp_path):
    img = mnb.open_image(multiscale(tmp_path / "a.zarr"))
    assert [level.translation for level in img.info.levels] == [(0.0, 0.0)] * 3
    assert float(img.levels[1].x[0]) == pytest.approx(0.25)  # the centre of the first two pixels of 0.5 µm


def test_a_stated_translation_moves_the_level(tmp_path):
    def edit(entry):  # pixels that were picked, not averaged: the first centres coincide
        entry["datasets"][1]["coordinateTransformations"].append({"type": "translation", "translation": [0.0, 0.0]})

    img = mnb.open_image(multiscale(tmp_path / "a.zarr", edit))
    assert img.info.levels[1].translation == (-0.5, -0.5)
    assert float(img.levels[1].x[0]) == pytest.approx(0.0)


def test_a_scale_that_the_shapes_deny_is_replaced_by_what_they_say(tmp_path):
    def edit(entry):
        for dataset in entry["datasets"]:
            dataset["coordinateTransformations"][0]["scale"] = [0.5, 0.5]

    assert [level.scale for level in mnb.open_image(multiscale(tmp_path / "a.zarr", edit)).info.levels] == [
        (1, 1),
        (2, 2),
        (4, 4),
    ]


def test_channels_come_from_omero_and_a_wrong_count_is_mended(tmp_path):
    pixels = np.zeros((3, 32, 32), "uint16")
    omero = {"channels": [{"label": "DAPI", "color": "0000FF", "window": {"start": 10, "end": 900}, "active": False}, "nonsense"]}
    put_multiscale(tmp_path / "a.zarr", pixels, "cyx", omero=omero)
    img = mnb.open_image(tmp_path / "a.zarr")
    assert [c.name for c in img.channels] == ["DAPI", "channel 1", "channel 2"]
    assert (img.channels[0].color, img.channels[0].window) == ("#0000ff", (10.0, 900.0))
    assert img.metadata["inactive_channels"] == [0]
    assert not img.rgb


def test_three_plain_red_green_blue_bytes_are_one_colour_picture(tmp_path):
    channels = [{"label": f"Channel {i}", "color": c} for i, c in enumerate(("FF0000", "00FF00", "0000FF"))]
    put_multiscale(tmp_path / "a.zarr", np.zeros((3, 32, 32), "uint8"), "cyx", omero={"channels": channels})
    assert mnb.open_image(tmp_path / "a.zarr").rgb
    channels[0]["label"] = "mCherry"
    put_multiscale(tmp_path / "b.zarr", np.zeros((3, 32, 32), "uint8"), "cyx", omero={"channels": channels})
    assert not mnb.open_image(tmp_path / "b.zarr").rgb


def test_series_are_chosen_by_number(tmp_path):
    root = zarr.open_group(tmp_path / "many.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    for k in (0, 1):
        put_multiscale(tmp_path / "many.zarr" / str(k), np.full((32, 32), k, "uint8"), "yx", version="0.4")
    assert mnb.open_image(tmp_path / "many.zarr").read().max() == 0
    assert mnb.open_image(tmp_path / "many.zarr", series=1).read().max() == 1
    with pytest.raises(ImageNotFoundError, match=r"no series 2.*holds 2"):
        mnb.open_image(tmp_path / "many.zarr", series=2)


def test_a_plate_lists_its_wells_and_a_well_opens_by_field(tmp_path):
    plate = zarr.open_group(tmp_path / "plate.zarr", mode="w", zarr_format=2)
    plate.attrs["plate"] = {"wells": [{"path": "A/1"}, {"path": "A/2"}]}
    well = plate.create_group("A/1")
    well.attrs["well"] = {"images": [{"path": "0"}, {"path": "1"}]}
    for k in (0, 1):
        put_multiscale(tmp_path / f"plate.zarr/A/1/{k}", np.full((32, 32), k, "uint8"), "yx", version="0.4")
    with pytest.raises(UnknownFormatError, match=r"plate.zarr: a plate with 2 wells \(A/1, A/2\).*well='A/1'"):
        mnb.open_image(tmp_path / "plate.zarr")
    assert mnb.open_image(tmp_path / "plate.zarr/A/1", series=1).read().max() == 1
    assert mnb.open_image(tmp_path / "plate.zarr/A/1/0/1").shape == (16, 16)


def test_a_bare_array_of_unknown_axes_asks_for_them(tmp_path):
    zarr.create_array(tmp_path / "bare.zarr", data=np.zeros((4, 32, 30), "uint8"))
    with pytest.raises(AxesError, match=r"bare.zarr.*\(4, 32, 30\).*axes='zyx'"):
        mnb.open_image(tmp_path / "bare.zarr")
    assert mnb.open_image(tmp_path / "bare.zarr", axes="cyx").sizes == {"c": 4, "y": 32, "x": 30}
    with pytest.raises(AxesError, match="name 2 dimensions"):
        mnb.open_image(tmp_path / "bare.zarr", axes="yx")


def test_missing_chunks_are_the_fill_value_and_damaged_ones_are_named(tmp_path):
    path = tmp_path / "a.zarr"
    levels = put_multiscale(path, np.arange(64 * 64, dtype="uint16").reshape(64, 64) + 1, "yx")
    (path / "0/c/0/1").unlink()
    img = mnb.open_image(path)
    assert not img.read(0)[:16, 16:32].any()
    np.testing.assert_array_equal(img.read(0)[16:], levels[0][16:])
    chunk = path / "0/c/2/3"
    chunk.write_bytes(chunk.read_bytes()[:-7])
    with pytest.raises(CorruptImageError, match=r"a.zarr/0/c/2/3: the chunk at \[32:48, 48:64\] is truncated or damaged"):
        img.read(0)
    np.testing.assert_array_equal(img.read(0, (slice(0, 16), slice(0, 16))), levels[0][:16, :16])


def test_a_damaged_shard_is_named(tmp_path):
    put_multiscale(tmp_path / "a.zarr", np.arange(64 * 64, dtype="uint16").reshape(64, 64) + 1, "yx", shards=True)
    shard = tmp_path / "a.zarr/0/c/1/0"
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(CorruptImageError, match=r"a.zarr/0/c/1/0"):
        mnb.open_image(tmp_path / "a.zarr").read(0)


def _rewrite(path: Path, **changes) -> None:
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | changes))


BROKEN = {
    "empty metadata": lambda p: (p / ".zattrs").write_text(""),
    "cut metadata": lambda p: (p / ".zattrs").write_text((p / ".zattrs").read_text()[:90]),
    "deep metadata": lambda p: (p / ".zattrs").write_text("[" * 100_000),
    "metadata of the wrong kind": lambda p: (p / ".zattrs").write_text('{"multiscales": [{"datasets": 7}]}'),
    "multiscales is a number": lambda p: (p / ".zattrs").write_text('{"multiscales": 1}'),
    "no levels": lambda p: (p / ".zattrs").write_text('{"multiscales": [{"datasets": []}]}'),
    "a path out of the store": lambda p: (p / ".zattrs").write_text(
        '{"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "../../etc"}]}]}'
    ),
    "axes do not fit": lambda p: _rewrite(p / "0/.zarray", shape=[2, 64, 64], chunks=[1, 16, 16]),
    "no pixels": lambda p: _rewrite(p / "0/.zarray", shape=[0, 64]),
    "negative shape": lambda p: _rewrite(p / "0/.zarray", shape=[-5, 64]),
    "text pixels": lambda p: _rewrite(p / "0/.zarray", dtype="<U8", fill_value=""),
    "unknown codec": lambda p: _rewrite(p / "0/.zarray", compressor={"id": "made-up"}),
}


@pytest.mark.parametrize("break_it", BROKEN.values(), ids=BROKEN)
def test_broken_metadata_are_refused_by_name(tmp_path, break_it):
    path = multiscale(tmp_path / "broken.zarr")
    break_it(path)
    with pytest.raises((CorruptImageError, AxesError, ImageNotFoundError), match=r"broken\.zarr"):
        mnb.open_image(path)


@pytest.mark.parametrize("break_it", [
    lambda p: shutil.rmtree(p / "1"), lambda p: _rewrite(p / "1/.zarray", shape=[640, 640]),
    lambda p: _rewrite(p / "1/.zarray", dtype="<f8"),
], ids=["gone", "larger", "of another type"])  # fmt: skip
def test_a_coarse_level_that_is_none_is_left_out_with_a_word(tmp_path, break_it):
    path = multiscale(tmp_path / "a.zarr")
    levels = len(mnb.open_image(path).levels)
    break_it(path)
    img = mnb.open_image(path)
    assert len(img.levels) == levels - 1
    assert "left out" in img.info.cautions[0]


def test_promises_nobody_can_keep_are_refused(tmp_path):
    path = multiscale(tmp_path / "a.zarr")
    _rewrite(path / "0/.zarray", shape=[10**6, 10**6], chunks=[10**6, 10**6])
    with pytest.raises(UnsafeImageError, match=r"1,862\.6 GiB each"):
        mnb.open_image(path)
    path = multiscale(tmp_path / "b.zarr", lambda entry: entry.update(datasets=entry["datasets"][:1] * 1000))
    with pytest.raises(UnsafeImageError, match="1000 levels"):
        mnb.open_image(path)


@pytest.mark.parametrize("bytes_", [b"", b"PK\x03\x04 and then nothing", b"not a zip"])
def test_a_damaged_zip_is_refused_by_name(tmp_path, bytes_):
    (tmp_path / "a.ome.zarr.zip").write_bytes(bytes_)
    with pytest.raises(MicroNBError, match=r"a\.ome\.zarr\.zip"):
        mnb.open_image(tmp_path / "a.ome.zarr.zip")


def test_a_hundred_gigapixels_open_by_their_metadata_alone(tmp_path):
    group = zarr.open_group(tmp_path / "huge.ome.zarr", mode="w")
    datasets, n = [], 320_000
    for k in range(10):
        group.create_array(str(k), shape=(n >> k, n >> k), chunks=(512, 512), shards=(4096, 4096), dtype="uint16")
        scale = [{"type": "scale", "scale": [0.25 * 2**k] * 2}]
        datasets.append({"path": str(k), "coordinateTransformations": scale})
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "yx"]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    img = mnb.open_image(tmp_path / "huge.ome.zarr")
    assert img.shape == (n, n)
    assert not img.read(0, (slice(200_000, 200_100), slice(300_000, 300_100))).any()
    assert img.content_id == mnb.open_image(tmp_path / "huge.ome.zarr").content_id


def test_reading_leaves_the_settings_of_zarr_alone(tmp_path):
    before = dict(zarr.config.get("codec_pipeline"))
    multiscale(tmp_path / "a.zarr")
    mnb.open_image(tmp_path / "a.zarr").read()
    assert dict(zarr.config.get("codec_pipeline")) == before


def test_a_source_travels_to_another_process_as_its_address(tmp_path, monkeypatch):
    multiscale(tmp_path / "a.zarr")
    monkeypatch.chdir(tmp_path)
    img = mnb.open_image("a.zarr")
    sent = pickle.dumps(img.source)
    assert len(sent) < 2000
    monkeypatch.chdir("/")
    again = pickle.loads(sent)
    np.testing.assert_array_equal(again.read(0, (slice(0, 9), slice(0, 9))), img.read(0)[:9, :9])


def test_a_closed_image_says_so(tmp_path):
    source = source_of(multiscale(tmp_path / "a.zarr"))
    source.close()
    with pytest.raises(ValueError, match=r"a\.zarr: the image is closed"):
        source.read(0, (slice(0, 1), slice(0, 1)))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), version=st.sampled_from(["0.4", "0.5", "sharded"]))
def test_damage_anywhere_is_an_error_of_ours_or_harmless(pristine, data, version):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ome.zarr"
        shutil.copytree(pristine[version], path)
        files = sorted(p for p in path.rglob("*") if p.is_file())
        file = data.draw(st.sampled_from(files))
        content = bytearray(file.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        how = data.draw(st.sampled_from(["flip", "cut", "digits"]))
        if how == "flip":
            content[at] ^= data.draw(st.integers(1, 255))
        elif how == "cut":
            del content[at:]
        else:  # numbers in metadata become absurd
            content[at:at] = b"9" * data.draw(st.integers(1, 30))
        file.write_bytes(content)
        said = ""
        try:
            img = mnb.open_image(path)
            if np.prod(img.shape) * img.dtype.itemsize < 2**24:
                img.read()
        except MicroNBError as error:
            said = str(error)
        assert not said or "a.ome.zarr" in said


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pristine")
    pixels = np.arange(64 * 64, dtype="uint16").reshape(64, 64) + 1
    for name in ("0.4", "0.5", "sharded"):
        put_multiscale(folder / name, pixels, "yx", version="0.4" if name == "0.4" else "0.5", shards=name == "sharded")
    return {name: folder / name for name in ("0.4", "0.5", "sharded")}


def put_06(path: Path, pixels: np.ndarray, axes: str, *, apart: list | None = None, form=lambda name: name) -> Path:
    """NGFF 0.6: axes lie in coordinate systems, transforms go from one to another; ``form`` is how ends are named."""
    group = zarr.open_group(path, mode="w", zarr_format=3)
    names, datasets = {"t": "time", "c": "channel"}, []
    for k in (0, 1):
        group.create_array(str(k), data=pixels[..., :: 2**k, :: 2**k], chunks=(1,) * (pixels.ndim - 2) + (16, 16))
        steps = [
            {"type": "scale", "scale": [0.5 * 2**k if a in "zyx" else 1.0 for a in axes]},
            {"type": "translation", "translation": [0.25 * k if a in "yx" else 0.0 for a in axes]},
        ]
        datasets.append({"path": str(k), "coordinateTransformations": [
            {"type": "sequence", "input": form(str(k)), "output": form("physical"), "transformations": steps}]})  # fmt: skip
    listed = [{"name": a, "type": names.get(a, "space")} | ({"unit": "micrometer"} if a in "zyx" else {}) for a in axes]
    systems = [{"name": "world", "axes": listed[::-1]}, {"name": "physical", "axes": listed}]
    entry = {"name": "n", "coordinateSystems": systems, "datasets": datasets}
    entry |= {"coordinateTransformations": apart} if apart else {}
    group.attrs["ome"] = {"version": "0.6.dev3", "multiscales": [entry]}
    return path


@pytest.mark.parametrize("form", [lambda name: name, lambda name: {"name": name}], ids=["by name", "by object"])
def test_coordinate_systems_of_ngff_06_are_read(tmp_path, form):
    pixels = np.arange(3 * 64 * 48, dtype="u2").reshape(3, 64, 48)
    affine = [{"type": "affine", "input": form("physical"), "output": form("world"), "affine": [[1, 0, 0, 9]] * 3}]
    img = mnb.open_image(put_06(tmp_path / "a.zarr", pixels, "zyx", apart=affine, form=form))
    np.testing.assert_array_equal(img.read(), pixels)
    assert img.source.format == "OME-Zarr 0.6.dev3"
    assert img.pixel_size == {"z": 0.5, "y": 0.5, "x": 0.5}
    assert (img.info.levels[1].scale, img.info.levels[1].translation) == ((1, 2, 2), (0, 0, 0))
    assert "'world'" in img.info.cautions[0]


def test_ngff_06_that_is_zipped_and_saved_again_is_the_same(tmp_path):
    pixels = np.arange(64 * 48, dtype="u2").reshape(64, 48)
    folder = put_06(tmp_path / "a.ome.zarr", pixels, "yx")
    with zipfile.ZipFile(tmp_path / "a.ozx", "w") as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, file.relative_to(folder))
    img = mnb.open_image(tmp_path / "a.ozx")
    again = mnb.open_image(mnb.save_image(img, tmp_path / "b.ome.zarr"))
    np.testing.assert_array_equal(again.read(), pixels)
    assert again.pixel_size == img.pixel_size == {"y": 0.5, "x": 0.5}


def test_fields_of_a_well_say_where_they_are(tmp_path):
    plate = zarr.open_group(tmp_path / "plate.zarr", mode="w", zarr_format=2)
    plate.attrs["plate"] = {"wells": [{"path": "A/1"}, {"path": "B/2"}], "rows": [{"name": "A"}, {"name": "B"}]}
    for k, well in enumerate(("A/1", "B/2")):
        plate.create_group(well).attrs["well"] = {"images": [{"path": "0"}, {"path": "1"}]}
        for field in (0, 1):
            put_multiscale(tmp_path / f"plate.zarr/{well}/{field}", np.full((32, 32), 10 * k + field, "u1"), "yx", version="0.4")
    img = mnb.open_image(tmp_path / "plate.zarr/B/2", series=1)
    assert img.read().max() == 11
    assert (img.metadata["well"], img.metadata["field"]) == ("B/2", 1)
