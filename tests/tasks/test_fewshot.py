"""A few examples make a classifier that knows how good it is and what is too far from all of them."""

import numpy as np
import pytest

from micro_nb.tasks.fewshot import FewShot

METHODS = ("prototype", "logistic")


def cloud(rng, middle, n, spread=1.0, d=32):
    at = np.zeros(d)
    at[: len(middle)] = middle
    return at + rng.normal(0, spread, (n, d))


def two(rng, n=12, apart=5.0, **kwargs):
    return {"a": cloud(rng, [0.0], n, **kwargs), "b": cloud(rng, [apart], n, **kwargs)}


@pytest.mark.parametrize("method", METHODS)
def test_new_members_are_recognised_and_strangers_are_not(rng, method):
    few = FewShot(two(rng, apart=6.0), method=method)
    fresh = two(np.random.default_rng(1), 50, apart=6.0)
    for k, name in enumerate(few.names):
        assert (few.probabilities(fresh[name]).argmax(1) == k).mean() > 0.9
        assert (few.typicality(fresh[name]) < 0.05).mean() < 0.2
    assert (few.typicality(cloud(rng, [0, 0, 20], 50)) < 0.05).all()


@pytest.mark.parametrize("method", METHODS)
def test_accuracy_left_out_is_that_of_new_members(rng, method):
    few = FewShot(two(rng, 25, apart=3.0), method=method)
    fresh = two(np.random.default_rng(1), 300, apart=3.0)
    truth = np.mean([(few.probabilities(fresh[name]).argmax(1) == k).mean() for k, name in enumerate(few.names)])
    low, high = few.checked.interval
    assert low - 0.03 <= truth <= high + 0.03  # the truth is itself a share of 600
    assert few.checked.how == "leave-one-out"
    assert few.checked.n == 50


@pytest.mark.parametrize("method", METHODS)
def test_probabilities_say_how_often_they_are_right(rng, method):
    few = FewShot(two(rng, 60, apart=2.0), method=method)
    fresh = two(np.random.default_rng(1), 500, apart=2.0)
    p = np.concatenate([few.probabilities(fresh[name]) for name in few.names])
    right = p.argmax(1) == np.repeat([0, 1], 500)
    assert p.max(1).mean() == pytest.approx(right.mean(), abs=0.06)


def test_classes_without_signal_are_at_chance(rng):
    few = FewShot(two(rng, 40, apart=0.0))
    low, high = few.checked.interval
    assert low <= 0.55
    assert high >= 0.4


def test_groups_left_out_together_unmask_what_only_the_group_tells(rng):
    """Each group has a background of its own; one at a time, examples are recognised by it, and new groups are not."""
    backgrounds = rng.normal(0, 5, (8, 32))
    x = np.repeat(backgrounds, 3, axis=0) + rng.normal(0, 0.3, (24, 32))
    examples, groups = {"a": x[:12], "b": x[12:]}, {"a": np.repeat(range(4), 3), "b": np.repeat(range(4, 8), 3)}
    assert FewShot(examples, method="logistic").checked.accuracy > 0.95
    honest = FewShot(examples, method="logistic", groups=groups).checked
    assert honest.accuracy < 0.8
    assert honest.how == "groups in 5 parts"


def test_groups_that_are_classes_cannot_be_checked(rng):
    checked = FewShot(two(rng), groups={"a": ["slide 1"] * 12, "b": ["slide 2"] * 12}).checked
    assert checked.accuracy is None
    assert checked.n == 0
    assert "not checked" in checked.how


def test_one_example_each_classifies_and_says_that_it_is_not_checked(rng):
    few = FewShot({"a": cloud(rng, [0.0], 1), "b": cloud(rng, [9.0], 1)})
    assert few.checked.accuracy is None
    assert not few.knows_far
    assert np.isnan(few.typicality(np.zeros((1, 32)))).all()
    p = few.probabilities(cloud(rng, [0.0], 1))
    assert 0.5 < p[0, 0] < 0.95


def test_many_examples_are_left_out_in_parts(rng):
    checked = FewShot(two(rng, 150)).checked
    assert checked.how == "10 parts, classes alike"
    assert checked.n == 300


@pytest.mark.parametrize("method", METHODS)
def test_it_is_exactly_repeatable_and_order_does_not_matter(rng, method):
    examples = two(rng)
    x = cloud(rng, [1.0], 5)
    one, again = FewShot(examples, method=method), FewShot(examples, method=method)
    other = FewShot({"b": examples["b"][::-1], "a": examples["a"][::-1]}, method=method)
    assert np.array_equal(one.probabilities(x), again.probabilities(x))
    np.testing.assert_allclose(other.probabilities(x), one.probabilities(x), atol=1e-3)
    assert other.checked.accuracy == one.checked.accuracy


def test_what_does_not_fit_is_refused_in_words(rng):
    good = two(rng)
    with pytest.raises(ValueError, match=r"at least two classes are needed; got \['a'\]"):
        FewShot({"a": good["a"]})
    with pytest.raises(ValueError, match=r"classes \['b'\] have no examples"):
        FewShot({"a": good["a"], "b": np.empty((0, 32))})
    with pytest.raises(ValueError, match="differ in dimensions"):
        FewShot({"a": good["a"], "b": good["b"][:, :3]})
    with pytest.raises(ValueError, match="12 examples but 2 groups"):
        FewShot(good, groups={"a": [1, 2], "b": [1] * 12})
    with pytest.raises(ValueError, match="got 'forest'"):
        FewShot(good, method="forest")
    with pytest.raises(ValueError, match="vectors have 3 dimensions, examples 32"):
        FewShot(good).probabilities(np.zeros((1, 3)))
