"""Damaged files give pixels or an error of ours that names the file: never another exception, a hang or runaway memory.

CZI and HDF5 are not damaged here: their libraries, written in C and C++, may end the process.
"""

from __future__ import annotations

import random
import resource
import sys
import time

import imagecodecs
import numpy as np
import pytest
import tifffile
from conftest import SHARED
from PIL import Image
from test_library_sources import write_dicom, write_lif, write_mrc

from micro_nb import open_image
from micro_nb.errors import MicroNBError

SECONDS_EACH = 0.2
PLANE = np.random.default_rng(0).integers(0, 200, (40, 33), "uint8")
RGB = np.dstack([PLANE] * 3)
STACK = np.stack([PLANE] * 3)

MADE = {
    "plain.tif": lambda p: tifffile.imwrite(p, PLANE),
    "lzw.tif": lambda p: tifffile.imwrite(p, PLANE, compression="lzw", tile=(16, 16)),
    "imagej.tif": lambda p: tifffile.imwrite(p, STACK, imagej=True, metadata={"axes": "CYX", "unit": "um"}),
    "stack.ome.tif": lambda p: tifffile.imwrite(p, STACK, ome=True, compression="zlib", metadata={"axes": "ZYX"}),
    "jpeg.tif": lambda p: tifffile.imwrite(p, RGB, photometric="rgb", compression="jpeg", tile=(16, 16)),
    "jpeg2000.tif": lambda p: tifffile.imwrite(p, RGB, photometric="rgb", compression="jpeg2000", tile=(16, 16)),
    "float.tif": lambda p: tifffile.imwrite(p, PLANE.astype("float32"), compression="zstd", predictor=True),
    "big.tif": lambda p: tifffile.imwrite(p, PLANE, bigtiff=True),
    "a.png": lambda p: Image.fromarray(RGB).save(p),
    "a.jpg": lambda p: Image.fromarray(RGB).save(p),
    "a.bmp": lambda p: Image.fromarray(RGB).save(p),
    "a.gif": lambda p: Image.fromarray(PLANE).save(p),
    "a.webp": lambda p: Image.fromarray(RGB).save(p),
    "a.npy": lambda p: np.save(p, PLANE),
    "a.jp2": lambda p: p.write_bytes(imagecodecs.jpeg2k_encode(PLANE, level=0)),
    "a.jxl": lambda p: p.write_bytes(imagecodecs.jpegxl_encode(RGB)),
    "a.lif": write_lif,
    "a.mrc": write_mrc,
    "a.dcm": write_dicom,
}
SUFFIXES = (".tif", ".tiff", ".svs", ".zip", ".nd2", ".dcm")
REAL = [p for p in sorted((SHARED / "formats").glob("*.*")) if p.suffix in SUFFIXES and p.is_file()]


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Bytes with one kind of damage, most often where the header is."""
    out, kind = bytearray(data), rng.choice(("head", "head", "head", "tail", "flip", "cut", "zeros"))
    if kind == "cut":
        return bytes(out[: rng.randrange(len(out))])
    if kind == "zeros":
        start = rng.randrange(len(out))
        out[start : start + 200] = bytes(len(out[start : start + 200]))
        return bytes(out)
    low, high = {"head": (0, min(600, len(out))), "tail": (max(0, len(out) - 600), len(out))}.get(kind, (0, len(out)))
    for _ in range(rng.randint(1, 8)):
        out[rng.randrange(low, high)] = rng.randrange(256)
    return bytes(out)


def look(path) -> None:
    img = open_image(path)
    corner = (slice(0, 1),) * (len(img.shape) - 2) + (slice(0, 256), slice(0, 256))
    pixels = img.read(0, corner)
    assert pixels.shape[-2:] == tuple(min(n, 256) for n in img.plane_shape)
    assert img.content_id
    assert repr(img)


def survive(data: bytes, path, seed: int) -> int:
    rng, end, n = random.Random(seed), time.monotonic() + SECONDS_EACH, 0
    while time.monotonic() < end:
        path.write_bytes(damaged(data, rng))
        try:
            look(path)
        except MicroNBError as error:
            if path.name not in str(error):
                raise AssertionError(f"seed {seed}, case {n}: the error does not name the file: {error}") from error
        except Exception as error:
            raise AssertionError(f"seed {seed}, case {n}: {type(error).__name__}: {error}") from error
        n += 1
    return n


@pytest.fixture(autouse=True)
def _no_runaway_memory():
    before = _peak_bytes()
    yield
    assert _peak_bytes() - before < 1 << 30


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@pytest.mark.parametrize("name", list(MADE))
def test_damaged_files_are_survived(name, tmp_path):
    MADE[name](tmp_path / name)
    look(tmp_path / name)
    assert survive((tmp_path / name).read_bytes(), tmp_path / ("bad " + name), seed=len(name)) > 0


@pytest.mark.parametrize("source", [p for p in REAL if p.stat().st_size < 1_300_000], ids=lambda p: p.name)
def test_damaged_real_files_are_survived(source, tmp_path):
    assert survive(source.read_bytes(), tmp_path / ("bad " + source.name), seed=len(source.name)) > 0
