"""What was trained on is known by its content, leaks between folders are found."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from micro_nb.errors import CorruptImageError, ImageNotFoundError
from micro_nb.learn.trained_on import Content, TrainedOn, leaks, pixel_hash


@pytest.fixture
def picture(rng):
    y, x = np.mgrid[:64, :64]
    return (120 + 60 * np.sin(x / 9) * np.cos(y / 5) + 40 * (x > 40) + rng.normal(0, 5, (64, 64))).clip(0, 255).astype(np.uint8)


def save(folder, **pictures):
    folder.mkdir(parents=True, exist_ok=True)
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def test_a_picture_keeps_its_pixel_hash_under_another_name_and_compression(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png", compress_level=1)
    Image.fromarray(picture).save(tmp_path / "b.png", compress_level=9)
    Image.fromarray(np.stack([picture] * 3, -1)).save(tmp_path / "c.png")
    a, b, c = (Content(tmp_path / f"{n}.png") for n in "abc")
    assert a.pixels == b.pixels == c.pixels == pixel_hash(picture)
    assert a.file != b.file
    assert a.file == hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    assert pixel_hash(picture.T) != pixel_hash(picture)


@pytest.mark.parametrize("kind", ["file", "pixels"])
def test_a_list_may_hold_hashes_of_files_or_of_pixels(tmp_path, picture, kind):
    folder = save(tmp_path, a=picture, b=picture[::-1])
    row = ("set", "a.png", getattr(Content(folder / "a.png"), kind))
    pd.DataFrame([row], columns=["dataset", "name", "sha256"]).to_csv(folder / "trained_on.csv", index=False)
    listed = TrainedOn.of(folder)
    assert listed.holds([folder / "a.png", folder / "b.png"]).tolist() == [True, False]


def test_a_model_without_a_list_says_so_and_a_broken_list_is_refused(tmp_path):
    assert TrainedOn.of(tmp_path).table is None
    assert "no list" in TrainedOn.of(object()).source
    (tmp_path / "trained_on.csv").write_text("name\na\n")
    with pytest.raises(CorruptImageError, match="sha256"):
        TrainedOn.of(tmp_path)


def test_leaks_are_found_by_file_by_pixels_and_by_look(tmp_path, picture, rng):
    brighter = (picture.astype(float) * 0.8 + 20 + rng.normal(0, 3, picture.shape)).clip(0, 255).astype(np.uint8)
    other = rng.integers(0, 255, (8, 8)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    train = save(tmp_path / "train", a=picture)
    test = save(tmp_path / "test" / "images", same=picture, turned=np.rot90(brighter, 3)[:, ::-1], other=other).parent
    Image.fromarray(picture).save(test / "images" / "packed.png", compress_level=0)
    found = leaks(train, test)
    kinds = {path.rsplit("/", 1)[-1]: kind for path, kind in zip(found["test"], found["kind"], strict=True)}
    assert kinds == {"same.png": "same file", "packed.png": "same pixels", "turned.png": "looks the same"}
    assert leaks([train / "a.png"], [test / "images" / "other.png"]).empty
    with pytest.raises(ImageNotFoundError, match="no pictures"):
        leaks(train, tmp_path / "nowhere")


def test_pictures_without_structure_do_not_look_alike(tmp_path):
    train = save(tmp_path / "a", flat=np.full((32, 32), 10, np.uint8))
    assert leaks(train, save(tmp_path / "b", flat=np.full((32, 32), 99, np.uint8))).empty
