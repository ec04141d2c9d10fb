"""Partners of classes come from pairs, the alphabet, or what cheap descriptors confuse without looking at the test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.fitting.plan import plan_sweep
from bench.protocol.confusion_targets import SPACES, _distances, confused_targets, describe_targets, read_confusable
from bench.protocol.noise_inputs import check_spaces
from bench.protocol.protocol import Protocol

PLACES = np.array([[0, 0], [1, 0], [9, 9], [9, 8]], float)  # classes 0 and 1 are near, and 2 and 3


def points(seed: int = 0, n: int = 40, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(4), n)
    return PLACES[y] + spread * rng.normal(size=(4 * n, 2)), y, np.array([f"g{i % 7}" for i in range(4 * n)])


def test_classes_that_lie_close_are_taken_for_each_other():
    X, y, groups = points()
    assert confused_targets([X, X + 5], y, groups, 4).tolist() == [1, 0, 3, 2]


def test_without_any_confusion_it_is_the_class_that_is_nearest_after_the_own():
    X, y, groups = points(spread=0.01)
    assert confused_targets([X], y, groups, 4).tolist() == [1, 0, 3, 2]


def test_being_taken_for_a_class_once_counts_more_than_any_number_of_rows_that_lie_near_another():
    # One row of class 0 lies with class 1, all others are nearer to class 2.
    X = np.r_[np.zeros(40), -20, -20, -20, 10, 10][:, None]
    y, groups = np.repeat([0, 1, 2], [41, 2, 2]), np.arange(45).astype(str)
    assert confused_targets([X], y, groups, 3)[0] == 1


@given(seed=st.integers(0, 50), K=st.integers(2, 5), n=st.integers(1, 30), groups=st.integers(1, 6))
def test_no_class_is_its_own_partner_and_the_order_of_rows_does_not_matter(seed, K, n, groups):
    rng = np.random.default_rng(seed)
    y, X = rng.integers(0, K, n), rng.integers(0, 5, (n, 3)).astype(float)
    group = rng.integers(0, groups, n).astype(str)
    partner = confused_targets([X], y, group, K)
    assert (partner != np.arange(K)).all() and partner.min() >= 0 and partner.max() < K
    order = rng.permutation(n)
    assert np.array_equal(partner, confused_targets([X[order]], y[order], group[order], K))


def test_a_row_is_held_against_centroids_without_its_group():
    # Seen with its own slide, class 0 is never mistaken; without it each of its rows lies with class 1.
    X = np.array([[0.0], [10.0], [10.0], [0.4], [30.0], [30.2]])
    y = np.array([0, 0, 1, 1, 2, 2])
    alone = np.array(["a", "b", "c", "d", "e", "f"])
    assert confused_targets([X], y, alone, 3)[0] == 1


@pytest.mark.parametrize("groups", [12, 40])
def test_what_is_tested_has_no_say_in_the_partners(make_table, make_view, groups):
    table, classes = make_table("abc", groups, 10), ("a", "b", "c")
    protocol = Protocol(shots=(1,), noise=(0.0, 0.2), noise_kinds=("asymmetric",), draws=2, confusable=("colour",))
    space = make_view(table, "colour", 1.0)

    def partners_with(view):
        return plan_sweep(table, classes, protocol, {"e": ("key", "unit")}, ["knn"], {"colour": view})

    sweep = partners_with(space)
    splits = [split for repeat in sweep.plan.repeats for split in repeat]
    for split in splits[:2]:
        X = space.X.copy()
        X[split.test] = np.random.default_rng(0).normal(size=X[split.test].shape) * 100
        again = partners_with(replace(space, X=X)).noise_inputs.targets[split.name]
        assert np.array_equal(again, sweep.noise_inputs.targets[split.name])
    assert set(sweep.noise_inputs.targets) == {split.name for split in splits}


def test_units_are_named_by_the_partners_and_not_by_how_they_were_found(make_table, make_view):
    table, classes = make_table("abc", 40, 10), ("a", "b", "c")
    space = make_view(table, "colour", 3.0)

    def units(confusable):
        protocol = Protocol(shots=(1,), noise=(0.0, 0.2), noise_kinds=("asymmetric",), draws=2, confusable=confusable)
        return plan_sweep(table, classes, protocol, {"e": ("key", "unit")}, ["knn"], {"colour": space})

    found = units(("colour",))
    [partner] = {tuple(own) for own in found.noise_inputs.targets.values()}
    pairs = tuple((classes[k], classes[to]) for k, to in enumerate(partner))
    assert [unit.name for unit in units(pairs).blocks] == [unit.name for unit in found.blocks]
    other = tuple((classes[k], classes[(to + 1 if (to + 1) % 3 != k else to + 2) % 3]) for k, to in enumerate(partner))
    assert [unit.name for unit in units(other).blocks] != [unit.name for unit in found.blocks]


def test_a_text_names_pairs_descriptors_or_lets_the_panel_find_them():
    assert read_confusable("a>b, b>a") == (("a", "b"), ("b", "a"))
    assert read_confusable("auto") == SPACES
    assert read_confusable("texture, color-stats") == ("texture", "color-stats")
    assert read_confusable("") == ()


def test_partners_that_differ_between_splits_are_told_with_how_often():
    three = {"1": np.array([1, 0, 1]), "2": np.array([2, 0, 1]), "3": np.array([1, 0, 1])}
    said = describe_targets(three, ("a", "b", "c"), " (so)")
    assert said == "a for b (2) or c (1) of 3 splits, b for a, c for b (so)"


def test_an_encoder_that_competes_may_not_shape_the_noise():
    check_spaces(["texture"], ["texture", "thumbnail"])
    with pytest.raises(BenchError, match="of which dino is no descriptor or control"):
        check_spaces(["texture", "dino"], ["texture", "thumbnail"])
    with pytest.raises(BenchError, match="run without --no-baselines"):
        check_spaces(SPACES, [])


def test_distances_are_those_to_the_mean_of_a_class_in_other_groups():
    rng = np.random.default_rng(8)
    X, y, groups = rng.standard_normal((30, 3)), np.arange(30) % 3, np.arange(30) // 7
    y[groups == 4] = 0  # classes 1 and 2 are not in every group
    wanted = np.full((30, 3), np.inf)
    for i in range(30):
        for k in range(3):
            if (own := (y == k) & (groups != groups[i])).any():
                wanted[i, k] = ((X[i] - X[own].mean(0)) ** 2).sum()
    np.testing.assert_allclose(_distances(X, y, groups, 3), wanted)
    alone = _distances(X[y > 0], y[y > 0], np.where(y[y > 0] == 1, 0, groups[y > 0] + 1), 3)
    assert np.isinf(alone[:, 0]).all() and np.isinf(alone[y[y > 0] == 1, 1]).all()
