# ruff: noqa: D103
"""Boxes and points become masks of blood cells."""

from __future__ import annotations

import numpy as np
import pytest
from weak import contrast, dark_nuclei, masks_from_boxes, masks_from_points

MIDDLES = np.array([(60, 60), (60, 150), (150, 60), (150, 150), (105, 235)])
"""Of cells, y and x; two touch none, and the last is very pale."""


@pytest.fixture(scope="module")
def smear() -> tuple[np.ndarray, np.ndarray]:
    """Red discs with pallor on shaded glass, and which pixel is of which cell."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:220, :280]
    image = np.array([225.0, 222.0, 218.0]) * (1 - 0.06 * x / 280)[..., None]
    truth = np.zeros(y.shape, np.int32)
    for k, (cy, cx) in enumerate(MIDDLES, start=1):
        r = np.hypot(y - cy, x - cx)
        depth = np.clip((24 - r) / 3, 0, 1) * (0.35 + 0.65 * np.clip((r - 4) / 10, 0, 1)) * (0.35 if k == 5 else 1)
        image -= depth[..., None] * np.array([25.0, 80.0, 60.0])
        truth[r < 23] = k
    return (image + rng.normal(0, 2, image.shape)).clip(0, 255).astype(np.uint8), truth


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def boxes(which, slack: int) -> np.ndarray:
    return np.array([(x - 23 - slack, y - 23 - slack, x + 24 + slack, y + 24 + slack) for y, x in MIDDLES[which]])


def test_contrast_is_nothing_on_shaded_glass_and_full_in_the_rim_of_a_cell(smear):
    image, truth = smear
    seen = contrast(image)
    assert np.median(seen[truth == 0]) == 0
    assert np.median(seen[truth == 1]) > 0.8


@pytest.mark.parametrize("slack", [0, 4])
def test_loose_boxes_give_the_outlines_of_their_cells(smear, slack):
    image, truth = smear
    labels = masks_from_boxes(image, boxes(slice(0, 4), slack))
    assert min(iou(labels == k, truth == k) for k in range(1, 5)) > 0.85


def test_what_is_small_and_soft_reaches_nearly_to_the_sides_of_its_box(smear):
    y, x = np.mgrid[:220, :280]
    away = np.hypot(y - 105, x - 105)[..., None]
    image = (smear[0] - 90 * np.exp(-((away / 6) ** 2)) * (away < 15)).clip(0, 255).astype(np.uint8)
    rows, cols = np.nonzero(masks_from_boxes(image, np.array([(92, 92, 119, 119)])) == 1)
    assert min(np.ptp(rows), np.ptp(cols)) + 1 >= 0.85 * 27


def test_a_cell_without_a_box_is_not_known_even_where_it_is_pale(smear):
    image, truth = smear
    labels = masks_from_boxes(image, boxes(slice(0, 3), 2))
    assert (labels[truth == 4] == -1).mean() > 0.9
    assert (labels[truth == 5] == -1).mean() > 0.8
    assert (labels[110:190, 20:30] == 0).all()


def test_a_pale_cell_gets_its_whole_outline_from_its_box(smear):
    image, truth = smear
    labels = masks_from_boxes(image, boxes(slice(4, 5), 2))
    assert iou(labels == 1, truth == 5) > 0.8


def test_a_point_gives_its_cell_and_the_others_are_not_known(smear):
    image, truth = smear
    labels = masks_from_points(image, MIDDLES[[0, 2], ::-1] + 3)
    assert iou(labels == 1, truth == 1) > 0.85
    assert iou(labels == 2, truth == 3) > 0.85
    assert (labels[truth == 4] == -1).mean() > 0.9


def test_two_points_in_one_cell_say_nothing_sure(smear):
    image, truth = smear
    labels = masks_from_points(image, np.array([(60, 56), (60, 64)]))
    assert set(np.unique(labels[truth == 1])) <= {-1, 0}


def test_no_box_and_no_point_leaves_all_cells_unknown(smear):
    image, truth = smear
    for labels in (masks_from_boxes(image, np.zeros((0, 4), int)), masks_from_points(image, np.zeros((0, 2), int))):
        assert labels.max() <= 0
        assert (labels[truth == 1] == -1).mean() > 0.9


def test_the_dark_part_of_a_white_cell_is_its_nucleus():
    y, x = np.mgrid[:60, :60]
    r = np.hypot(y - 30, x - 30)
    image = np.where((r < 12)[..., None], [90, 40, 140], np.where((r < 25)[..., None], [200, 160, 200], [225, 220, 215]))
    nuclei = dark_nuclei(image.astype(np.uint8), (r < 25).astype(np.int32))
    assert iou(nuclei == 1, r < 12) > 0.85
