from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from conftest import SHARED
from PIL import Image
from training_samples import discs

from micro_nb.learn.shards import TRAVEL_PX, Sample, eight_bit, read_shards, relabelled, rim, typical_diameter, write_shards


def same(a: Sample, b: Sample) -> bool:
    facts = [(s.names, s.dataset, s.name, s.group, s.diameter_px, s.facts, list(s.labels)) for s in (a, b)]
    planes = [np.array_equal(a.image, b.image), *(np.array_equal(a.labels[k], b.labels[k]) for k in a.labels)]
    return facts[0] == facts[1] and all(planes)


def test_shards_give_back_what_was_written(tmp_path):
    samples = [discs(1), discs(2, colour=True)]
    samples[0].labels["object"][:20] = -1
    write_shards(samples, tmp_path)
    assert all(same(a.reduced(TRAVEL_PX), b) for a, b in zip(samples, read_shards(tmp_path), strict=True))


def test_objects_are_kept_no_larger_than_is_asked_for(tmp_path):
    large = discs(3, edge=200)
    large.diameter_px = 88.0
    write_shards([large], tmp_path, largest=44)
    [back] = read_shards(tmp_path)
    assert back.image.shape == (100, 100, 3)
    assert back.diameter_px == pytest.approx(44)
    assert back.labels["object"].shape == (100, 100)


def test_a_picture_that_was_a_jpeg_costs_no_more_than_the_jpeg(tmp_path, rng):
    noise = rng.integers(0, 255, (200, 200, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", quality=60)
    jpeg = file.getvalue()
    labels = {"object": np.zeros((200, 200), np.int32)}
    sample = Sample(np.asarray(Image.open(io.BytesIO(jpeg))), labels, {}, "d", "n", "g", 60.0, {}, jpeg)
    [path] = write_shards([sample], tmp_path)
    assert path.stat().st_size < len(jpeg) + 3000
    [back] = read_shards(tmp_path)
    assert np.array_equal(back.image, sample.reduced(TRAVEL_PX).image)


def test_layers_with_equal_labels_are_stored_once(tmp_path):
    write_shards([discs(1)], tmp_path)
    with np.load(tmp_path / "shard_000.npz") as packed:
        assert sum("labels" in name for name in packed.files) == 1


def test_a_folder_without_shards_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match="write_shards"):
        list(read_shards(tmp_path))


def test_shards_are_read_and_cropped_without_pandas_scikit_image_and_zarr(tmp_path):
    write_shards([discs(1)], tmp_path)
    code = f"""
import sys
for name in ("pandas", "skimage", "zarr", "xarray", "tifffile", "imagecodecs"):
    sys.modules[name] = None
from micro_nb.learn.recipe import read_data
from micro_nb.learn.crops import Crops
print(Crops(list(read_data({str(tmp_path)!r})), {{"discs": 1}}, ("object",), edge=64).batch(0, 2).pixels.shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "torch.Size([2, 3, 64, 64])", done.stderr


def test_numbers_become_consecutive_and_unknown_stays():
    assert relabelled(np.array([[0, 7, -1], [3, 7, 0]], np.int32)).tolist() == [[0, 2, -1], [1, 2, 0]]


def test_a_rim_makes_background_unknown_but_keeps_objects():
    labels = np.zeros((10, 10), np.int32)
    labels[0, 0] = 5
    out = rim(labels, 2)
    assert (out[0, 0], out[0, 5], out[5, 5]) == (5, -1, 0)


def test_specks_do_not_decide_the_typical_diameter():
    labels = np.zeros((60, 60), np.int32)
    labels[:20, :20] = 1
    labels[30, ::6] = np.arange(2, 12)
    assert typical_diameter([labels]) > 10


def test_a_sixteen_bit_picture_is_stretched_and_two_channels_are_refused(rng):
    out = eight_bit(rng.integers(100, 4000, (32, 32)).astype(np.uint16))
    assert out.shape == (32, 32, 3)
    assert (int(out.min()), int(out.max())) == (0, 255)
    with pytest.raises(ValueError, match="choose channels"):
        eight_bit(np.zeros((2, 8, 8), np.uint8))


@pytest.mark.skipif(not (SHARED / "train_val" / "bccd").is_dir(), reason="the data are not here")
def test_a_labelled_folder_becomes_samples_with_named_cells():
    from itertools import islice

    from micro_nb.learn.layout import read_folder

    sample = next(iter(islice(read_folder(SHARED / "train_val" / "bccd"), 1)))
    assert {"red blood cell", "white blood cell"} <= set(sample.names["object"].values())
    assert sample.labels["object"].min() == -1
    assert sample.jpeg is not None
