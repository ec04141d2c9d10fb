"""Rows of large groups are answered by heads that know the classes to be as frequent as in all rows."""

from __future__ import annotations

import numpy as np
import pytest

from bench.heads import get_heads
from bench.studies.classifier.left_out import Labelled, deal_folds, leave_out


def labelled(X: np.ndarray, y: np.ndarray, group: np.ndarray) -> Labelled:
    K = int(y.max()) + 1
    return Labelled(
        X=X.astype(np.float32), y=y, group=group, fold=deal_folds(y, group, K), n_classes=K, scaling="unit"
    )  # fmt: skip


def of_sizes(sizes: list[int], classes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels and groups of groups of these sizes, of one class each."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    return np.array(classes)[group], group


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
    monkeypatch.setattr("bench.heads.left_out.LARGE", 1.0)
    as_they_are = np.mean([recall(seed) for seed in range(24)])
    assert as_they_are < 0.42  # by chance it would be .5, with a standard error of .04
    assert 0.42 < restored < 0.58
