"""Stained nuclei and the gaps between them: what haematoxylin says of an object."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import hed2rgb
from skimage.draw import disk

from micro_nb.data import samples
from micro_nb.data.image import MicroImage
from micro_nb.data.open import open_image
from micro_nb.tasks.load import load_model
from micro_nb.tasks.look import looking
from micro_nb.tasks.look import seen as seen_module
from micro_nb.tasks.look.familiar import Stain, stain_of
from micro_nb.tasks.look.haematoxylin import DENSER, HaematoxylinSource, haematoxylin_above
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
    found = haematoxylin_above(*tissue, 5, 24.0, stain_of(tissue[0]))
    assert found is not None
    assert (found[:3] > 5 * DENSER).all()
    assert (found[3:] < DENSER).all()


def test_what_is_far_redder_than_most_nuclei_is_no_nucleus_however_dark_it_is() -> None:
    stains, labels = np.zeros((400, 400, 3)), np.zeros((400, 400), np.int32)
    stains[..., :2] = 0.03, 0.05
    centres = [(y, x) for y in range(50, 400, 100) for x in range(50, 400, 100)]
    for k, at in enumerate(centres, start=1):
        place = disk(at, 12)
        stains[place], labels[place] = ((0.3, 0.05, 0) if k <= 12 else (0.06, 0.5, 0)), k
    image = open_image((hed2rgb(stains) * 255).astype(np.uint8), axes="yxc")
    found = haematoxylin_above(image, labels, 16, 24.0, stain_of(image))
    assert found is not None
    assert (found[:12] > DENSER).all()
    assert (found[12:] <= 0).all()
    few = haematoxylin_above(image, np.where(labels > 9, labels - 9, 0), 7, 24.0, stain_of(image))
    assert few is not None
    assert (few > DENSER).all()  # of three nuclei it is not known how red nuclei are here


def test_a_grey_picture_has_no_haematoxylin(tissue: tuple[MicroImage, np.ndarray]) -> None:
    image, labels = tissue
    grey = open_image(np.asarray(image.read(0))[1])
    assert haematoxylin_above(grey, labels, 5, 24.0, stain_of(grey)) is None


def test_what_looks_like_a_nucleus_and_is_not_stained_is_debris_and_other_kinds_are_not() -> None:
    vocabulary = Vocabulary.of(load_model())
    looks = vocabulary.vectors[[vocabulary.place["nucleus"], vocabulary.place["nucleus"], vocabulary.place["red blood cell"]]]
    stain = np.array([5 * DENSER, -DENSER, -DENSER], np.float32)
    assert vocabulary.debris(looks, np.ones(3), stain).tolist() == [False, True, False]
    assert not vocabulary.debris(looks, np.ones(3)).any()


def test_haematoxylin_is_a_grey_picture_that_can_be_looked_at(tissue: tuple[MicroImage, np.ndarray]) -> None:
    image, labels = tissue
    grey = MicroImage(HaematoxylinSource(image))
    assert grey.plane_shape == image.plane_shape
    assert grey.content_id != image.content_id
    part = grey.read(0, (slice(20, 60), slice(20, 60)))
    assert part[labels[20:60, 20:60] == 1].mean() > part[labels[20:60, 20:60] == 0].mean() + 5 * DENSER


@pytest.mark.parametrize(("kept", "looked_at"), [(8, "colours"), (4, "haematoxylin")])
def test_where_colours_mislead_the_haematoxylin_alone_is_looked_at(
    kept: int, looked_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = samples.histology(shape=(400, 400), seed=2)
    stained = np.arange(40) % 10 < kept  # of what the first look finds

    def measured(plane: MicroImage, labels: np.ndarray, count: int, diameter_px: float, stain: Stain) -> np.ndarray:
        return np.where(np.resize(stained, count), 1.0, -1.0).astype(np.float32)

    monkeypatch.setattr(seen_module, "haematoxylin_above", measured)
    seen = looking._looked(load_model(), scene.image, None, None)
    assert seen.looked_at == looked_at
    assert len(seen.layers["object"]) > 20
    assert seen.to_dict()["looked_at"] == looked_at


def test_what_was_shown_in_grey_alone_is_not_found_in_a_coloured_picture() -> None:
    plain, coloured = Vocabulary.of(load_model()), Vocabulary.of(load_model(), coloured=True)
    carbide = plain.vectors[[plain.place["carbide particle"]]]
    assert plain.names(carbide, "object")[0] == ["carbide particle"]
    assert coloured.names(carbide, "object")[0] != ["carbide particle"]
    assert plain.matching(carbide, carbide[0], "carbide particle")[0].all()
    assert not coloured.matching(carbide, carbide[0], "carbide particle")[0].any()
