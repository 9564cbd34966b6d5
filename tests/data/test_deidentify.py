"""A cleaned copy holds the same pixels and nothing of a person; what cannot be cleaned is refused."""

import hashlib
import shutil

import numpy as np
import pytest
import tifffile
from conftest import SHARED
from PIL import Image, PngImagePlugin

import micro_nb as mnb
from micro_nb.data.deidentify import deidentify
from micro_nb.data.persons import without_persons
from micro_nb.errors import WriteError

PERSONAL = (b"Jane", b"Doe", b"jane@lab", b"1970-05-17", b"Ward 7", b"S19-00001", b"secret")
PIXELS = np.random.default_rng(0).integers(0, 255, (96, 112)).astype("uint8")
COLOUR = np.random.default_rng(1).integers(0, 255, (64, 80, 3)).astype("uint8")
OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" Creator="Jane Doe">'
    '<Experimenter ID="Experimenter:0" FirstName="Jane" LastName="Doe" Email="jane@lab.org"/>'
    '<Instrument ID="Instrument:0"><Microscope Model="Ti2" SerialNumber="secret"/>'
    '<Objective ID="Objective:0" NominalMagnification="20" LensNA="0.75"/></Instrument>'
    '<Image ID="Image:0" Name="Jane Doe biopsy"><AcquisitionDate>1970-05-17T00:00:00</AcquisitionDate>'
    '<Description>Ward 7, S19-00001</Description><ExperimenterRef ID="Experimenter:0"/><ObjectiveSettings ID="Objective:0"/>'
    '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="112" SizeY="96" SizeC="2" SizeZ="1" SizeT="1" '
    'PhysicalSizeX="0.5" PhysicalSizeY="0.5"><Channel ID="Channel:0:0" Name="DAPI"/>'
    '<Channel ID="Channel:0:1" Name="by Jane Doe"/><TiffData/></Pixels></Image><StructuredAnnotations>'
    "<XMLAnnotation ID='Annotation:0'><Value><a>secret</a></Value></XMLAnnotation></StructuredAnnotations></OME>"
)


def plain(path):
    tags = [(315, "s", 0, "Jane Doe", True), (306, "s", 20, "1970:05:17 00:00:00", True), (33432, "s", 0, "Doe", True),
            (65000, "s", 0, "secret", True), (700, "B", 6, b"secret", True)]  # fmt: skip
    tifffile.imwrite(
        path, PIXELS, description="Ward 7, S19-00001", extratags=tags, tile=(32, 32), compression="zlib", metadata=None
    )


def imagej(path):
    info = {"Info": "Operator: Jane Doe\nWard 7", "unit": "um", "spacing": 2.0, "Labels": ["Jane", "b"], "note": "secret"}
    tifffile.imwrite(
        path, np.stack([PIXELS] * 2).astype("uint16"), imagej=True, resolution=(2, 2), metadata=info | {"axes": "ZYX"}
    )


def ome(path):
    tifffile.imwrite(path, np.stack([PIXELS] * 2), description=OME, metadata=None, photometric="minisblack", ome=False)


def svs(path):
    said = ("Aperio Image Library v11.2.1 \r\n112x96 [0,0 112x96] (32x32) JPEG/RGB Q=70|AppMag = 20|MPP = 0.4990|User = Jane Doe|"
            "Date = 05/17/70|Filename = S19-00001|ImageID = secret")  # fmt: skip
    with tifffile.TiffWriter(path) as out:
        big = np.tile(COLOUR, (2, 2, 1))
        out.write(big, description=said, tile=(32, 32), metadata=None, photometric="rgb", compression="jpeg", subfiletype=0)
        out.write(big[::4, ::4], description="Aperio Image Library v11.2.1 \r\n112x96 -> 40x32 - |User = Doe", metadata=None)
        out.write(
            big[::2, ::2], description=said + "|second", tile=(32, 32), metadata=None, photometric="rgb", compression="jpeg"
        )
        for name in ("label", "macro"):
            about = f"Aperio Image Library v11.2.1 \r\n{name} 80x64"
            out.write(COLOUR, description=about, metadata=None, subfiletype=1 if name == "label" else 9, compression="zlib")


def pyramid(path):
    with tifffile.TiffWriter(path, bigtiff=True, byteorder=">") as out:
        out.write(PIXELS, tile=(32, 32), subifds=1, metadata=None, software="secret", description="Jane")
        out.write(PIXELS[::2, ::2], tile=(32, 32), subfiletype=1, metadata=None, description="Doe")


def png(path):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Jane Doe")
    texts.add_itxt("Comment", "Ward 7", zip=True)
    exif = Image.Exif()
    exif[0x013B], exif[0x0112] = "Jane Doe", 6
    Image.fromarray(COLOUR).save(path, pnginfo=texts, exif=exif)
    path.write_bytes(path.read_bytes() + b"secret")


def jpeg(path):
    exif = Image.Exif()
    exif[0x013B], exif[0x0112], exif[0x8298] = "Jane Doe", 6, "Doe"
    Image.fromarray(COLOUR).save(path, exif=exif, comment=b"Ward 7, S19-00001", quality=90, restart_marker_blocks=2)
    path.write_bytes(path.read_bytes() + b"secret")


KINDS = {"a.tif": plain, "ij.tif": imagej, "a.ome.tif": ome, "a.svs": svs, "pyramid.tif": pyramid, "a.png": png, "a.jpg": jpeg}


def leaks(data):
    return [word for word in PERSONAL if word in data]


@pytest.mark.parametrize("name", KINDS)
def test_the_copy_has_the_pixels_and_no_person(name, tmp_path):
    source, out = tmp_path / name, tmp_path / ("clean." + name.split(".", 1)[1])
    KINDS[name](source)
    before = hashlib.sha256(source.read_bytes()).digest()
    assert leaks(source.read_bytes())
    done = deidentify(source, out)
    assert hashlib.sha256(source.read_bytes()).digest() == before
    assert not leaks(out.read_bytes())
    assert done.removed
    assert not leaks(repr(done.removed).encode())
    old, new = mnb.open_image(source), mnb.open_image(out)
    assert new.info.levels == old.info.levels
    for level in range(len(old.levels)):
        np.testing.assert_array_equal(new.read(level), old.read(level))
    assert (new.pixel_size, new.rgb) == (old.pixel_size, old.rgb)
    assert without_persons(dict(new.metadata)) == dict(new.metadata)


def test_a_slide_loses_its_label(tmp_path):
    svs(tmp_path / "a.svs")
    done = deidentify(tmp_path / "a.svs", tmp_path / "clean.svs")
    assert {"label picture", "macro picture", "Aperio User", "Aperio Date", "Aperio Filename"} <= set(done.removed)
    with tifffile.TiffFile(tmp_path / "clean.svs") as tif:
        assert tif.is_svs
        assert not [s.name for s in tif.series if s.name.lower() in ("label", "macro")]
    assert mnb.open_image(tmp_path / "clean.svs").metadata["magnification"] == 20


def test_ome_keeps_what_measures_and_loses_who_measured(tmp_path):
    ome(tmp_path / "a.ome.tif")
    deidentify(tmp_path / "a.ome.tif", tmp_path / "clean.ome.tif")
    img = mnb.open_image(tmp_path / "clean.ome.tif")
    assert img.pixel_size["x"] == 0.5
    assert [c.name for c in img.channels] == ["DAPI", "channel 1"]
    assert img.metadata["na"] == 0.75
    assert "acquired" not in img.metadata


@pytest.mark.parametrize("name", KINDS)
def test_every_image_can_be_made_anew_as_ome_zarr(name, tmp_path):
    KINDS[name](tmp_path / name)
    img = mnb.open_image(tmp_path / name)
    if any("Jane" in c.name for c in img.channels):
        pytest.skip("its channel is named after a person, which only OME-XML tells")
    done = deidentify(tmp_path / name, tmp_path / "clean.ome.zarr")
    stored = b"".join(p.read_bytes() for p in done.path.rglob("*") if p.is_file())
    assert not leaks(stored)
    assert name.encode() not in stored
    np.testing.assert_array_equal(mnb.open_image(done.path).read(), img.read())


def test_a_zarr_store_is_cleaned_into_another(tmp_path):
    import json

    mnb.save_image(
        mnb.open_image(PIXELS, pixel_size=0.5), tmp_path / "a.ome.zarr", labels={"cells": (PIXELS > 99).astype("uint16")}
    )
    place = tmp_path / "a.ome.zarr" / "zarr.json"
    said = json.loads(place.read_text())
    said["attributes"]["operator"] = "Jane Doe"
    said["attributes"]["ome"]["multiscales"][0]["name"] = "S19-00001"
    place.write_text(json.dumps(said))
    done = deidentify(tmp_path / "a.ome.zarr", tmp_path / "b.ome.zarr")
    assert not leaks(b"".join(p.read_bytes() for p in done.path.rglob("*") if p.is_file()))
    copy = mnb.open_image(done.path)
    assert copy.pixel_size["x"] == 0.5
    assert list(copy.labels) == ["cells"]


def test_what_cannot_be_cleaned_is_refused_and_nothing_is_written(tmp_path):
    plain(tmp_path / "a.tif")
    Image.fromarray(COLOUR).save(tmp_path / "a.bmp")
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:-400])
    shutil.copy(tmp_path / "a.tif", tmp_path / "there.tif")
    for source, out, why in (
        ("a.bmp", "b.bmp", "cannot be cleaned"), ("a.tif", "a.tif", "replace the original"),
        ("a.tif", "there.tif", "already exists"),
        ("a.png", "b.jpg", "same suffix"), ("none.tif", "b.tif", "nothing is there"), ("cut.png", "b.png", "cut short"),
        ("a.tif", "b.xyz", "ome.zarr"),
    ):  # fmt: skip
        before = sorted(p.name for p in tmp_path.iterdir())
        with pytest.raises(WriteError, match=why):
            deidentify(tmp_path / source, tmp_path / out)
        assert sorted(p.name for p in tmp_path.iterdir()) == before
    deidentify(tmp_path / "a.tif", tmp_path / "there.tif", overwrite=True)
    assert not leaks((tmp_path / "there.tif").read_bytes())


def test_a_file_of_a_set_is_refused(tmp_path):
    space = OME.split("Creator")[0].strip()
    parts = "".join(f'<TiffData IFD="0" FirstC="{c}"><UUID FileName="{f}.tif">x</UUID></TiffData>' for c, f in enumerate("ab"))
    texts = {"a": f'{space}><BinaryOnly MetadataFile="b.ome.tif" UUID="x"/></OME>', "b": OME.replace("<TiffData/>", parts)}
    for name, xml in texts.items():
        tifffile.imwrite(tmp_path / f"{name}.ome.tif", PIXELS, description=xml, metadata=None, ome=False)
        with pytest.raises(WriteError, match="one file of a set"):
            deidentify(tmp_path / f"{name}.ome.tif", tmp_path / "clean.ome.tif")


REAL = [
    p
    for p in (SHARED / "formats" / "CMU-1-Small-Region.svs", SHARED / "formats" / "multi-channel-z-series.ome.tif")
    if p.exists()
]


@pytest.mark.parametrize("path", REAL, ids=lambda p: p.name)
def test_real_files(path, tmp_path):
    done = deidentify(path, tmp_path / f"clean{''.join(path.suffixes)}")
    old, new = mnb.open_image(path), mnb.open_image(done.path)
    assert new.info.levels == old.info.levels
    assert new.pixel_size == old.pixel_size
    part = tuple(slice(0, min(n, 300)) for n in old.shape)
    np.testing.assert_array_equal(new.read(0, part), old.read(0, part))
