"""Stained nuclei and the gaps between them: what haematoxylin says of an object."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import hed2rgb
from skimage.draw import disk

from micro_nb.data.image import MicroImage
from micro_nb.data.open import open_image
from micro_nb.tasks.haematoxylin import DENSER, haematoxylin_above
from micro_nb.tasks.load import load_model
from micro_nb.tasks.names import Vocabulary

NUCLEI, GAPS = [(40, 40), (40, 130), (1100, 60)], [(130, 60), (1022, 130)]


@pytest.fixture(scope="module")
def tissue() -> tuple[MicroImage, np.ndarray]:
    """Pink tissue with purple nuclei and white gaps, larger than what is looked at together; labels in that order."""
    stains, labels = np.zeros((1200, 180, 3)), np.zeros((1200, 180), np.int32)
    stains[..., :2] = 0.03, 0.1
    for k, at in enumerate(NUCLEI + GAPS, start=1):
        place = disk(at, 12)
        stains[place], labels[place] = ((0.3, 0.02, 0) if k <= len(NUCLEI) else (0, 0, 0)), k
    pixels = (hed2rgb(stains) * 255).astype(np.uint8)
    return open_image(pixels, axes="yxc"), labels


def test_nuclei_are_denser_than_what_is_around_them_and_gaps_are_not(tissue: tuple[MicroImage, np.ndarray]) -> None:
    found = haematoxylin_above(*tissue, 5, 24.0)
    assert found is not None
    assert (found[:3] > 5 * DENSER).all()
    assert (found[3:] < DENSER).all()


def test_a_grey_picture_has_no_haematoxylin(tissue: tuple[MicroImage, np.ndarray]) -> None:
    image, labels = tissue
    assert haematoxylin_above(open_image(np.asarray(image.read(0))[1]), labels, 5, 24.0) is None


def test_what_looks_like_a_nucleus_and_is_not_stained_is_debris_and_other_kinds_are_not() -> None:
    vocabulary = Vocabulary.of(load_model())
    looks = vocabulary.vectors[[vocabulary.place["nucleus"], vocabulary.place["nucleus"], vocabulary.place["red blood cell"]]]
    stain = np.array([5 * DENSER, -DENSER, -DENSER], np.float32)
    assert vocabulary.debris(looks, np.ones(3), stain).tolist() == [False, True, False]
    assert not vocabulary.debris(looks, np.ones(3)).any()
