"""Rows of large groups are answered by heads that know the classes to be as frequent as in all rows."""

from __future__ import annotations

import numpy as np
import pytest

from bench.fitting.scaling import scale_rows
from bench.heads import all_heads, get_heads
from bench.heads.left_out import with_shares
from bench.heads.support import Support
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


def mislabelled(K: int = 3, n: int = 240) -> Labelled:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(n // 10), 10)
    y = group % K
    X = rng.normal(size=(K, 15))[y] + rng.normal(size=(n, 15))
    return labelled(X, np.where(rng.random(n) < 0.3, (y + 1) % K, y), group)


@pytest.mark.parametrize("name", ["knn-reliable", "logreg-gce", "prune-refit"])
def test_heads_whose_closed_form_is_not_their_own_are_judged_by_fits_without_the_rows(name):
    own, [head] = mislabelled(), get_heads([name])
    found = leave_out(own, head, own.support())
    for fold in np.unique(own.fold):
        train, test = np.flatnonzero(own.fold != fold), own.fold == fold
        scaled, learned = scale_rows(own.X, train, own.group, own.scaling), with_shares(own.y, train, own.n_classes)
        support = Support(scaled[learned], scaled[test], own.group[learned])
        P = head.scores(support, own.y[None, learned], own.n_classes, found.settings).P[0]
        np.testing.assert_allclose(found.P[:, test], P, atol=1e-6)


def test_a_head_says_so_where_rows_left_out_in_closed_form_are_not_those_of_a_fit_without_them():
    own = mislabelled()
    for head in all_heads().values():
        if head.loo is None:
            continue
        setting = {**head.default, **head.published(len(own.y), own.n_classes, own.X.shape[1])}
        P = head.loo(own.support(), own.y[None], own.n_classes, [setting]).P[0, 0]
        again = np.empty_like(P)
        for g in np.unique(own.group):
            out, X = own.group == g, own.support().X
            support = Support(X[~out], X[out], own.group[~out])
            again[out] = head.scores(support, own.y[None, ~out], own.n_classes, [setting]).P[0, 0]
        assert (np.abs(P - again).mean() > 0.02) == head.loo_only_chooses, head.name


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
