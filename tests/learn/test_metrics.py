"""The figures of merit agree with reference implementations and with what can be counted by hand."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from micro_nb.errors import AxesError, PlanError
from micro_nb.learn.metrics import boxes, instances, intervals, ranking

torch = pytest.importorskip("torch")
torchmetrics = pytest.importorskip("torchmetrics")


def squares(rng, n=12, edge=96, shift=2):
    """True and found labels: squares, some of them moved, lost or added."""
    truth, found = np.zeros((edge, edge), int), np.zeros((edge, edge), int)
    for k in range(n):
        y, x = rng.integers(0, edge - 14, 2)
        dy, dx = rng.integers(-shift, shift + 1, 2)
        if rng.random() < 0.85:
            truth[y : y + 10, x : x + 10] = k + 1
        if rng.random() < 0.85:
            found[max(0, y + dy) : y + dy + 10, max(0, x + dx) : x + dx + 10] = 100 - k
    return truth, found


def naive_iou(truth, found):
    t, f = np.unique(truth[truth > 0]), np.unique(found[found > 0])
    return np.array([[((truth == a) & (found == b)).sum() / ((truth == a) | (found == b)).sum() for b in f] for a in t]).reshape(
        t.size, f.size
    )


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_overlaps_are_those_of_the_definition(seed):
    truth, found = squares(np.random.default_rng(seed))
    overlap = instances.Overlap.of(truth, found)
    assert np.allclose(overlap.iou.toarray(), naive_iou(truth, found))
    assert instances.score(overlap).tp == (naive_iou(truth, found) > 0.5).sum()


@pytest.mark.parametrize("seed", range(4))
def test_panoptic_quality_agrees_with_torchmetrics(seed):
    from torchmetrics.functional.detection import panoptic_quality

    truth, found = squares(np.random.default_rng(seed))
    as_pairs = [torch.as_tensor(np.stack([lab > 0, lab], -1)[None].astype(int)) for lab in (found, truth)]
    theirs = panoptic_quality(*as_pairs, things={1}, stuffs={0}, return_per_class=True)
    assert instances.score(instances.Overlap.of(truth, found)).pq == pytest.approx(float(theirs.ravel()[0]), abs=1e-6)


def test_dice_and_jaccard_agree_with_torchmetrics(rng):
    truth, found = squares(rng)
    overlap = instances.Overlap.of(truth, found)
    a, b = torch.as_tensor(found > 0).int().ravel(), torch.as_tensor(truth > 0).int().ravel()
    assert instances.dice(overlap) == pytest.approx(float(torchmetrics.functional.f1_score(a, b, "binary")), abs=1e-6)
    assert instances.jaccard(overlap) == pytest.approx(float(torchmetrics.functional.jaccard_index(a, b, "binary")), abs=1e-6)


def test_a_pair_must_overlap_by_more_than_the_threshold():
    truth, half = np.zeros((4, 8), int), np.zeros((4, 8), int)
    truth[:, :8], half[:, :4] = 1, 1
    assert instances.average_precision(truth, half) == 0
    assert instances.average_precision(truth, half, iou=0.49) == 1


def test_objects_of_two_layers_are_matched_one_to_one():
    truth = np.zeros((20, 20), int)
    truth[2:12, 2:12] = 1
    nested = np.stack([truth * 3, np.roll(truth, 1, 0) * 7])
    scored = instances.score(instances.Overlap.of(truth, nested))
    assert (scored.tp, scored.fp, scored.fn, scored.sq) == (1, 1, 0, 1.0)


def test_below_half_overlap_as_many_pairs_as_possible_are_made():
    truth = np.repeat([[1, 1, 1, 1, 2, 2]], 2, 0)
    found = np.repeat([[3, 3, 0, 4, 4, 4]], 2, 0)
    assert instances.score(instances.Overlap.of(truth, found), iou=0.1).tp == 2


def test_found_objects_where_the_truth_is_not_known_are_ignored_only_on_request():
    truth = np.zeros((20, 20), int)
    truth[:, 10:] = instances.UNKNOWN
    truth[2:8, 2:8] = 1
    found = np.where(truth == 1, 1, 0)
    found[2:8, 12:18] = 2
    overlap = instances.Overlap.of(truth, found)
    assert instances.score(overlap).ap == 0.5
    assert instances.score(overlap, ignore_unknown=True).ap == 1.0


def test_nothing_to_find_and_nothing_found_is_right():
    nothing = np.zeros((8, 8), int)
    one = nothing.copy()
    one[2:4, 2:4] = 1
    assert instances.average_precision(nothing, nothing, iou=instances.THRESHOLDS) == 1
    assert instances.average_precision(nothing, one) == 0
    assert instances.score(instances.Overlap.of(one, nothing)).pq == 0


def test_labels_of_other_shapes_are_refused():
    with pytest.raises(AxesError, match=r"\(4, 4\).*\(4, 5\)"):
        instances.Overlap.of(np.zeros((4, 4), int), np.zeros((4, 5), int))
    with pytest.raises(AxesError, match="float64"):
        instances.Overlap.of(np.zeros((4, 4)), np.zeros((4, 4), int))


NAMES = np.array(["red", "white", "plate"], object)


def smears(rng, images=8):
    """True and found boxes with misses, doubles, strays and equal scores."""
    truths, founds = [], []
    for _ in range(images):
        n = int(rng.integers(1, 12))
        y, x, size = rng.uniform(0, 200, n), rng.uniform(0, 200, n), rng.uniform(10, 40, (2, n))
        true = np.stack([y, x, y + size[0], x + size[1]], 1).round(1)
        names = NAMES[rng.integers(0, 3, n)]
        copies = np.concatenate(
            [true, true[: n // 2], rng.uniform(0, 100, (3, 2)).repeat(2, 1)[:, [0, 2, 1, 3]] + [0, 0, 30, 30]]
        )
        found = copies + rng.normal(0, 3, copies.shape)
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        called = np.concatenate([names, names[: n // 2], NAMES[rng.integers(0, 3, 3)]])
        truths.append(boxes.Boxes(true, names))
        founds.append(boxes.Boxes(found, called, rng.uniform(0, 1, len(found)).round(1)))
    return truths, founds


def coco_precisions(truths, founds, iou):
    """Per class, from pycocotools."""
    coco, cocoeval = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    number = {n: k + 1 for k, n in enumerate(NAMES)}

    def rows(sets):
        return [
            {"image_id": i, "category_id": number[n], "bbox": [b[1], b[0], b[3] - b[1], b[2] - b[0]], "iscrowd": 0,
             "area": (b[3] - b[1]) * (b[2] - b[0]), "id": 1000 * i + k + 1, "score": 0.0 if s.scores is None else s.scores[k]}
            for i, s in enumerate(sets) for k, (b, n) in enumerate(zip(s.boxes, s.names, strict=True))
        ]  # fmt: skip

    with contextlib.redirect_stdout(io.StringIO()):
        gt = coco.COCO()
        cats = [{"id": k, "name": n} for n, k in number.items()]
        gt.dataset = {"images": [{"id": i} for i in range(len(truths))], "categories": cats, "annotations": rows(truths)}
        gt.createIndex()
        run = cocoeval.COCOeval(gt, gt.loadRes(rows(founds)), "bbox")
        run.params.iouThrs, run.params.maxDets = np.array([iou]), [1000]
        run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
        run.evaluate()
        run.accumulate()
    return dict(zip(NAMES, run.eval["precision"][0, :, :, 0, 0].mean(0), strict=True))


@pytest.mark.parametrize("iou", [0.5, 0.75])
@pytest.mark.parametrize("seed", range(6))
def test_box_precision_agrees_with_pycocotools(seed, iou):
    truths, founds = smears(np.random.default_rng(seed))
    ours = {name: boxes.detections(truths, founds, name, iou=iou).average_precision() for name in NAMES}
    assert ours == pytest.approx(coco_precisions(truths, founds, iou), abs=1e-9)


def test_counting_an_image_twice_equals_having_it_twice(rng):
    truths, founds = smears(rng)
    founds = [boxes.Boxes(f.boxes, f.names, rng.uniform(0, 1, len(f.names))) for f in founds]  # no equal scores
    weights = np.array([2, 2, 1, 1, 1, 1, 1, 1])
    for name in NAMES:
        twice = boxes.detections(truths + truths[:2], founds + founds[:2], name)
        once = boxes.detections(truths, founds, name)
        assert once.average_precision(weights) == pytest.approx(twice.average_precision(), nan_ok=True)


def test_only_stray_detections_of_an_incomplete_class_are_excused():
    true = boxes.Boxes(np.array([[0, 0, 10, 10]]), np.array(["red"]))
    found = boxes.Boxes(
        np.array([[0, 0, 10, 9], [0, 3, 10, 13], [40, 40, 50, 50]]), np.array(["red"] * 3), np.array([0.97, 0.95, 0.99])
    )
    matched = boxes.detections([true], [found], "red")
    assert matched.stray.sum() == 1
    assert (matched.average_precision(), matched.average_precision(ignore_stray=True)) == pytest.approx((0.5, 1.0))


def test_a_class_that_was_not_labelled_in_an_image_is_not_judged_there():
    true = [boxes.Boxes(np.array([[0, 0, 9, 9]]), np.array(["red"])), boxes.Boxes(np.zeros((0, 4)), [], judged=["white"])]
    found = [boxes.Boxes(np.array([[0, 0, 9, 9]]), np.array(["red"]), np.array([0.5]))] * 2
    assert boxes.detections(true, found, "red").average_precision() == 1.0


def test_auroc_is_that_of_scikit_learn_with_weights(rng):
    from sklearn.metrics import roc_auc_score

    truth, scores = rng.integers(0, 2, 60), rng.uniform(0, 1, 60).round(1)
    weights = rng.integers(0, 4, 60)
    repeated = np.repeat(truth, weights), np.repeat(scores, weights)
    many = np.stack([weights, np.ones(60), np.where(truth, 0, 1)])
    assert ranking.auroc_of_draws(truth, scores, many)[:2] == pytest.approx(
        [roc_auc_score(*repeated), roc_auc_score(truth, scores)]
    )
    assert np.isnan(ranking.auroc_of_draws(truth, scores, many)[2])


@pytest.mark.parametrize("bins", [5, 15])
def test_calibration_error_agrees_with_torchmetrics(rng, bins):
    p = rng.uniform(0, 1, 500)
    y = (rng.uniform(0, 1, 500) < p**2).astype(int)
    theirs = torchmetrics.functional.calibration_error(torch.as_tensor(p), torch.as_tensor(y), "binary", n_bins=bins)
    assert ranking.calibration_error(y, p, bins=bins) == pytest.approx(float(theirs), abs=1e-6)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        ranking.calibration_error([1], [1.5])


def test_the_interval_of_a_mean_agrees_with_scipy(rng):
    values = rng.normal(0.7, 0.1, 40)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=0).confidence_interval
    ours = intervals.interval(intervals.weighted_mean(values), intervals.draws(40, resamples=4000))
    assert ours.value == pytest.approx(values.mean())
    assert ours.interval == pytest.approx(tuple(theirs), abs=0.004)


def test_images_of_one_slide_are_drawn_together_and_widen_the_interval(rng):
    slides = np.repeat(np.arange(10), 10)
    values = rng.normal(0, 1, 10)[slides] + rng.normal(0, 0.1, 100)
    mean = intervals.weighted_mean(values)
    alone, together = (intervals.interval(mean, intervals.draws(100, groups=groups)) for groups in (None, slides))
    assert together.high - together.low > 2 * (alone.high - alone.low)
    weights = intervals.draws(100, groups=slides, resamples=5)
    assert (weights.reshape(5, 10, 10).std(-1) == 0).all()


def test_images_without_a_figure_are_left_out():
    weights = intervals.draws(3)
    assert intervals.interval(intervals.weighted_mean(np.array([1.0, np.nan, 3.0])), weights).value == 2
    assert np.isnan(intervals.interval(intervals.weighted_mean(np.full(3, np.nan)), weights).low)
    with pytest.raises(PlanError, match="at least 1 image"):
        intervals.draws(0)
