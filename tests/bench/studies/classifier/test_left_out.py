"""Rows of large groups are answered by heads that know the classes to be as frequent as in all rows."""

from __future__ import annotations

import numpy as np
import pytest

from bench.heads import get_heads
from bench.studies.classifier.left_out import Labelled, deal_folds, large_groups, leave_out, with_shares


def labelled(X: np.ndarray, y: np.ndarray, group: np.ndarray) -> Labelled:
    K = int(y.max()) + 1
    return Labelled(
        X=X.astype(np.float32), y=y, group=group, fold=deal_folds(y, group, K), n_classes=K, scaling="unit"
    )  # fmt: skip


def of_sizes(sizes: list[int], classes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels and groups of groups of these sizes, of one class each."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    return np.array(classes)[group], group


def test_groups_without_which_shares_change_much_are_named_the_largest_first():
    y, group = of_sizes([40, 100, 2, 3, 60, 95], [0, 0, 0, 1, 1, 1])
    assert large_groups(y, group, 2).tolist() == [1, 5, 4, 0]
    mixed = np.tile([0, 1], 100)  # both classes on every slide
    assert large_groups(mixed, np.repeat(np.arange(4), 50), 2).tolist() == []
    rare, group = of_sizes([1] * 3 + [10] * 100, [2] * 3 + [0, 1] * 50)  # a third of a class, and a row of a thousand
    assert large_groups(rare, group, 3).tolist() == []
    assert large_groups(np.zeros(6, int), np.arange(6), 1).tolist() == []


def test_no_more_than_twenty_groups_are_left_out_by_a_fit_of_their_own():
    y, group = of_sizes([1] * 30, [0, 1, 2, 3, 4] * 6)
    assert len(large_groups(y, group, 5)) == 20


def test_shares_of_classes_are_those_of_all_rows_and_all_groups_of_a_class_count_more():
    y, group = of_sizes([40, 100, 30, 30, 60, 40], [0, 0, 0, 1, 1, 1])
    rows = with_shares(y, np.flatnonzero(group != 1), 2)
    assert np.bincount(y[rows]).tolist() == np.bincount(y).tolist()
    assert np.bincount(group[rows]).tolist() == pytest.approx([40 + 100 * 4 / 7, 0, 30 + 100 * 3 / 7, 30, 60, 40], abs=1)
    assert np.bincount(rows).max() == 3  # 100 more of 70
    gone = with_shares(y, np.flatnonzero(y == 1), 2)
    assert np.bincount(y[gone]).tolist() == [0, 130]


def test_groups_that_change_little_are_left_out_in_closed_form():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(60), 4)
    y = group % 2
    X = rng.normal(size=(240, 5))
    own = labelled(X, y, group)
    [head] = get_heads(["ridge"])
    assert head.loo is not None
    found = leave_out(own, head, own.support())
    np.testing.assert_array_equal(found.P, head.loo(own.support(), y[None], 2, found.settings).P[0])


@pytest.mark.parametrize("name", ["lda", "logreg", "ridge"])
def test_where_nothing_can_be_told_the_label_of_a_large_slide_is_not_held_against_it(name, monkeypatch):
    [head] = get_heads([name])

    def recall(seed: int) -> float:
        rng = np.random.default_rng(seed)
        y, group = of_sizes([50, 10, 10, 10, 50, 10, 10, 10], [0, 0, 0, 0, 1, 1, 1, 1])
        X = rng.normal(size=(len(y), 10)) + rng.normal(size=(8, 10))[group]
        own = labelled(X, y, group)
        found = leave_out(own, head, own.support())
        return float((found.P.argmax(-1) == y).mean())

    restored = np.mean([recall(seed) for seed in range(24)])
    monkeypatch.setattr("bench.studies.classifier.left_out.LARGE", 1.0)
    as_they_are = np.mean([recall(seed) for seed in range(24)])
    assert as_they_are < 0.42  # by chance it would be .5, with a standard error of .04
    assert 0.42 < restored < 0.58
