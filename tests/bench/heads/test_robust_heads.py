"""Heads for wrong labels: what their settings reduce to, and that they find or withstand wrong labels."""

from __future__ import annotations

import numpy as np
import pytest

from bench.heads import all_heads
from bench.heads.prune_refit import _unseen, deal_rows, keep_rows
from bench.heads.support import Support


def noisy(n: int = 240, d: int = 40, K: int = 4, wrong: float = 0.3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    y = np.arange(n) % K
    X = rng.normal(size=(K, d))[y] * 0.7 + rng.normal(size=(n, d))
    given = np.where(rng.random(n) < wrong, (y + rng.integers(1, K, n)) % K, y)
    return X / np.linalg.norm(X, axis=1, keepdims=True), y, given


def score(name: str, X: np.ndarray, y: np.ndarray, X_test: np.ndarray, **params: float) -> np.ndarray:
    head = all_heads()[name]
    return head.scores(Support(X, X_test), y[None], 4, [{**head.default, **params}]).P[0, 0]


def test_no_smoothing_and_a_vanishing_q_are_logistic_regression():
    X, _, given = noisy()
    plain = score("logreg", X, given, X, l2=0.01)
    np.testing.assert_allclose(score("logreg-smooth", X, given, X, l2=0.01, smoothing=0.0), plain, atol=0.005)
    np.testing.assert_allclose(score("logreg-gce", X, given, X, l2=0.01, q=1e-3), plain, atol=0.02)


@pytest.mark.parametrize("name", ["logreg-gce", "prune-refit"])
def test_wrong_labels_cost_a_robust_head_less(name):
    X, y, given = noisy()
    X, X_test, truth, given = X[:160], X[160:], y[160:], given[:160]
    plain = (score("logreg", X, given, X_test, l2=0.003).argmax(1) == truth).mean()
    assert (score(name, X, given, X_test, l2=0.003).argmax(1) == truth).mean() > plain


def test_pruning_doubts_wrong_labels_and_few_others():
    X, y, given = noisy()
    kept = keep_rows(given, _unseen(X, given[None], 4, [0.01])[0, 0])
    wrong = given != y
    assert (~kept & wrong).sum() > 0.6 * wrong.sum()
    assert (~kept & ~wrong).sum() < 0.15 * (~wrong).sum()


def test_pruning_agrees_with_cleanlab():
    filters = pytest.importorskip("cleanlab.filter")
    X, _, given = noisy()
    P = _unseen(X, given[None], 4, [0.01])[0, 0]
    doubted = filters.find_label_issues(given, P, filter_by="prune_by_noise_rate", n_jobs=1)
    assert (keep_rows(given, P) == ~doubted).mean() > 0.98


def test_pruning_leaves_small_classes_and_one_row_of_each_class():
    P = np.tile([0.0, 1.0], (8, 1))
    kept = keep_rows(np.repeat([0, 1], 4), P)
    assert kept.all()
    P = np.tile([0.0, 1.0], (12, 1))
    kept = keep_rows(np.repeat([0, 1], 6), P)
    assert kept[:6].sum() >= 1 and kept[6:].all()


def test_settings_keep_their_order():
    X, _, given = noisy()
    grid = [{"l2": 0.1, "q": 0.7}, {"l2": 0.001, "q": 0.4}, {"l2": 0.01, "q": 0.7}]
    head = all_heads()["logreg-gce"]
    both = head.scores(Support(X, X), given[None], 4, grid)
    for at, setting in enumerate(grid):
        assert np.array_equal(both.P[0, at], head.scores(Support(X, X), given[None], 4, [setting]).P[0, 0])


@pytest.mark.parametrize("K", [2, 5, 10])
def test_pruning_does_not_depend_on_an_order_of_rows_that_repeats_the_classes(K):
    rng = np.random.default_rng(0)
    y = np.arange(20 * K) % K
    X = rng.normal(size=(K, 30))[y] + rng.normal(size=(len(y), 30))
    kept = keep_rows(y, _unseen(X, y[None], K, [1e-3])[0, 0])
    assert kept.mean() > 0.8  # of right labels, in a fold without their class nearly none were
    order = np.argsort(y, kind="stable")
    as_sorted = keep_rows(y[order], _unseen(X[order], y[order][None], K, [1e-3])[0, 0])
    assert abs(kept.mean() - as_sorted.mean()) < 0.1


def test_pruning_deals_rows_in_turn_unless_one_fold_would_get_most_of_a_class():
    assert deal_rows(np.repeat(np.arange(3), 7), 3).tolist() == [i % 5 for i in range(21)]
    assert deal_rows(np.arange(4) % 2, 2).tolist() == [0, 1, 2, 3]  # classes too small to be left out of
    fold = deal_rows(np.arange(50) % 5, 5)
    assert all(np.bincount(fold[np.arange(50) % 5 == k]).tolist() == [2] * 5 for k in range(5))


def test_what_pruning_gives_a_label_vector_does_not_depend_on_the_others():
    rng = np.random.default_rng(1)
    X, even = rng.normal(size=(60, 12)), np.repeat(np.arange(5), 12)
    Y = np.stack([even, np.arange(60) % 5, rng.integers(0, 5, 60), even])
    together = _unseen(X, Y, 5, [1e-2, 1e-3])
    for y, P in zip(Y, together, strict=True):
        assert _unseen(X, y[None], 5, [1e-2, 1e-3])[0].tobytes() == P.tobytes()
