"""Axes that rows are turned to: orthonormal whatever the rows, nearly principal, and no difference to what is learned."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from bench.heads import logreg
from bench.heads.axes import LEADING, SMALL, axes_of
from bench.heads.support import SPANNED, Support


def rows_with(n: int, d: int, seed: int = 0) -> np.ndarray:
    """Return rows whose variances fall as 1, 1/2, 1/3, ... on axes of their own."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return rng.normal(size=(n, d)) * np.arange(1, d + 1) ** -0.5 @ turn


KINDS = {
    "many": rows_with(600, 40), "wide": rows_with(50, SMALL + 44), "one row": rows_with(1, 30), "one dimension": rows_with(9, 1),
    "equal rows": np.ones((12, 7)), "all 0": np.zeros((5, 4)), "wide, all 0": np.zeros((5, SMALL + 1)),
    "wide, of rank 2": rows_with(40, 2) @ np.random.default_rng(1).normal(size=(2, SMALL + 20)),
    "one column": np.eye(9)[:, :1] * np.ones(6), "axes themselves": np.diag(np.arange(1.0, 9)),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_axes_are_orthonormal_and_turning_keeps_inner_products(kind):
    X = KINDS[kind]
    axes, d = axes_of(X), X.shape[1]
    Q = axes.turn(np.eye(d))
    np.testing.assert_allclose(Q @ Q.T, np.eye(d), atol=1e-5)
    Z = axes.turn(X).astype(float)
    np.testing.assert_allclose(Z @ Z.T, X @ X.T, atol=1e-5 * max(1, np.abs(X).max() ** 2 * d))


@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_are_turned_back_score_rows_as_they_did(kind):
    X = KINDS[kind]
    axes, W = axes_of(X), np.random.default_rng(2).normal(size=(3, X.shape[1]))
    np.testing.assert_allclose(X @ axes.back(W).T, axes.turn(X) @ W.T, atol=1e-4 * max(1, np.abs(X).max()) * X.shape[1])


@pytest.mark.parametrize("d", [40, 1100])  # in double precision, in single
def test_rows_in_single_precision_are_turned_to_the_same_place_and_equal_ones_stay_equal(d):
    X = rows_with(120, d).astype(np.float32)
    X[7], X[100] = X[0], X[1]
    axes = axes_of(X)
    Z = axes.turn(X)
    assert np.array_equal(Z[7], Z[0]) and np.array_equal(Z[100], Z[1]) and np.array_equal(axes.turn(X[1:2]), Z[1:2])
    np.testing.assert_allclose(Z, axes.turn(X.astype(np.float64)), atol=1e-6 * np.abs(X).max() * d**0.5)


@pytest.mark.parametrize(("n", "d"), [(400, 60), (700, 512)])
def test_what_is_large_is_uncorrelated_and_what_is_left_is_small(n, d):
    X = rows_with(n, d)
    X -= X.mean(0)
    e = np.sort(np.linalg.eigvalsh(X.T @ X))[::-1]
    Z = axes_of(X).turn(X).astype(float)
    scatter = Z.T @ Z
    first = min(LEADING, d) // 2
    np.testing.assert_allclose(scatter.diagonal()[:first], e[:first], rtol=0.02)
    off = scatter[:first] - np.diag(scatter.diagonal())[:first]
    assert np.abs(off).max() < 0.02 * e[0]
    assert scatter.diagonal()[min(LEADING, d) :].max(initial=0) < e[0] / 8


def test_the_same_rows_have_the_same_axes_and_many_rows_are_sampled():
    X = rows_with(5000, 300)
    one, other = axes_of(X), axes_of(X.copy())
    assert (one.V == other.V).all() and (one.T == other.T).all()
    assert (axes_of(X[::3]).V == one.V).all()  # 5000 rows are looked at in steps of 3


@pytest.mark.parametrize("share", [0.4, 0.6, 1.0, 1.7])
def test_logistic_regression_is_the_same_on_both_sides_of_the_number_of_dimensions(share):
    d, K = 300, 4
    n = int(share * d)
    X, X_test = np.split(rows_with(n + 90, d, seed=3).astype(np.float32), [n])
    y = np.random.default_rng(4).integers(0, K, n)
    support, l2 = Support(X, X_test), 0.01
    assert support.is_spanned == (share < SPANNED)
    P = logreg.scores(support, y[None], K, [{"l2": l2}]).P[0, 0]
    known = LogisticRegression(C=1 / (l2 * n), tol=1e-10, max_iter=10_000).fit(X.astype(float), y)
    np.testing.assert_allclose(P, known.predict_proba(X_test.astype(float)), atol=2e-3)
    fitted = logreg.learn(support, y, K, {"l2": l2})
    np.testing.assert_allclose(fitted.scores(X_test), P, atol=1e-5)


def test_a_draw_is_the_same_with_its_own_axes_and_with_those_of_other_rows():
    X, X_test = np.split(rows_with(500, 300, seed=5).astype(np.float32), [400])
    y = np.random.default_rng(6).integers(0, 3, 400)
    other = axes_of(rows_with(900, 300, seed=7))
    P, Q = (
        logreg.scores(Support(X, X_test, axes=axes), y[None], 3, [{"l2": 1e-3}]).P for axes in (None, lambda: other)
    )
    np.testing.assert_allclose(P, Q, atol=2e-3)
