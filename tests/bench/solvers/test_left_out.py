"""The loops of left-out rows give what the formulas of `bench.solvers.left_out` say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bench.heads.support import Support
from bench.solvers.left_out import Geometry, leave_out
from bench.solvers.left_out_kernels import (
    FEW,
    LEAST,
    connect,
    count_by_weight,
    differentiate,
    eliminate,
    leave_out_squares,
    weigh_alike,
)


def made(n: int, d: int, K: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows (n, d), labels (n,) and scores (K, n) that tell them somewhat."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % K
    X = rng.normal(size=(n, d)) * np.arange(1, d + 1) ** -0.5
    return X - X.mean(0), y, 2 * np.eye(K)[:, y] + rng.normal(size=(K, n))


def hat(Z: np.ndarray, b: float, penalty: float) -> np.ndarray:
    """Return J of rows that all have weight b, with an intercept that is not penalised."""
    Z = np.c_[Z, np.ones(len(Z))]
    return Z @ np.linalg.solve(b * Z.T @ Z + penalty * np.diag(np.r_[np.ones(Z.shape[1] - 1), 0]), Z.T)


@pytest.mark.parametrize("size", [1, 2, FEW + 3])
@pytest.mark.parametrize(("K", "loss"), [(2, (0.0, 0.0)), (3, (0.0, 0.0)), (3, (0.1, 0.0)), (3, (0.0, 0.4))])
@pytest.mark.parametrize("l2", [1e-4, 1e-2, 1.0])
def test_scores_move_by_one_step_of_newton(size, K, loss, l2):
    n = 36
    X, y, S = made(n, 50, K)
    groups = np.arange(n) // size
    span = Support(X, X).span
    geometry = Geometry.of(span.Z, span.e, groups)
    left = np.ones((n, K), np.int64)
    P = np.empty((1, n, K))
    leave_out(geometry, y, [l2], S[None].astype(np.float32), left, loss, P)
    S = S.astype(np.float32).astype(np.float64)
    R, w = np.empty(S.shape), np.empty(S.shape)
    differentiate(S, y, loss, R, w)
    moved = S.copy()
    for k in range(K):
        own = y == k
        some = w[k] if K == 2 else w[k][~own]
        b = np.exp(weigh_alike(w[k], some, n * l2, geometry.at, geometry.mean))
        J = hat(span.Z, b, n * l2)
        inner = J[np.ix_(own, own)]
        exact = J.copy()
        exact[np.ix_(own, own)] = inner @ np.linalg.inv(np.eye(own.sum()) + np.diag(w[k][own] - b) @ inner)
        for g in np.unique(groups):
            at = groups == g
            alike = own[at][:, None] == own[at]
            block = np.where(alike, exact[np.ix_(at, at)], 0)
            across = np.where(alike, 0, J[np.ix_(at, at)]) @ R[k][at]
            weights = np.where(own[at], w[k][at], b)
            moved[k][at] += across + np.linalg.solve(np.eye(at.sum()) - block * weights, block @ R[k][at])
            if size == 1 and not own[g]:  # looked up between the points of a table
                V = np.interp(np.log(n * l2 / b), geometry.at, geometry.table[:, g]) / b
                np.testing.assert_allclose(V, J[g, g] / (1 - b * J[g, g]), rtol=0.1)
                moved[k, g] = S[k, g] + V * R[k, g]
    wanted = np.exp(moved - moved.max(0))
    np.testing.assert_allclose(P[0].T, wanted / wanted.sum(0), atol=1e-7)
    before = np.exp(S - S.max(0))
    assert np.abs(before / before.sum(0) - P[0].T).max() > (1e-3 if l2 == 1 else 0.05)


@pytest.mark.parametrize("K", [2, 4])
def test_curvatures_are_those_of_the_hessian_along_a_rows_residual(K):
    _, y, S = made(20, 5, K)
    R, w = np.empty(S.shape), np.empty(S.shape)
    differentiate(S, y, (0.0, 0.0), R, w)
    P = np.exp(S) / np.exp(S).sum(0)
    np.testing.assert_allclose(R, P - np.eye(K)[:, y], atol=1e-12)
    along = (P * R * R).sum(0) - (P * R).sum(0) ** 2
    f = w / (P * (1 - P))
    np.testing.assert_allclose(f, np.broadcast_to(f[0], f.shape))
    assert (f > 1 - 1e-9).all() and (f < 2 + 1e-9).all()
    inside = (f[0] > 1 + 1e-6) & (f[0] < 2 - 1e-6)
    np.testing.assert_allclose((w * R * R).sum(0)[inside], along[inside])
    if K == 2:
        np.testing.assert_allclose(f, 2)
    sure = np.array([[0.0] * 3, [800.0] * 3])
    differentiate(sure, np.array([0, 1, 1]), (0.0, 0.0), R[:2, :3], w[:2, :3])
    assert (w[:2, :3] == LEAST).all() and np.isfinite(R[:2, :3]).all()


@pytest.mark.parametrize("q", [1, 2, FEW, FEW + 1, 30])
def test_rows_are_counted_by_their_weights_one_after_the_other(q):
    rng = np.random.default_rng(q)
    rows, D = rng.normal(size=(q, 40)), rng.random(40)
    J = connect(rows, D, 0.01 * rng.normal(size=40), 0.3, 25.0)
    np.testing.assert_allclose(J, J.T)
    more = rng.uniform(-0.3, 2, q)
    wanted = J @ np.linalg.inv(np.eye(q) + more[:, None] * J)
    count_by_weight(J, more)
    np.testing.assert_allclose(np.tril(J), np.tril(wanted), rtol=1e-8)


def test_equations_are_solved_with_pivots_and_a_column_alike_beside_any_others():
    rng = np.random.default_rng(0)
    for s in (1, 2, 3, 9):
        A, B = rng.normal(size=(s, s)), rng.normal(size=(s, 5))
        A[0, 0] = 0 if s > 1 else 1
        whole, alone = B.copy(), B[:, 2:3].copy()
        eliminate(A.copy(), whole)
        eliminate(A.copy(), alone)
        np.testing.assert_allclose(whole, np.linalg.solve(A, B))
        assert np.array_equal(whole[:, 2:3], alone)


@pytest.mark.parametrize("size", [1, 3, FEW + 2])
def test_residuals_of_least_squares_are_those_without_the_group(size):
    rng = np.random.default_rng(1)
    Z, D, V, w = rng.normal(size=(24, 10)), 0.01 * rng.random((2, 10)), rng.random((2, 24)), np.array([30.0, 50.0])
    residuals = rng.normal(size=(2, 24, 3))
    starts = np.arange(0, 25, size) if 24 % size == 0 else np.append(np.arange(0, 24, size), 24)
    wanted = residuals.copy()
    for p in range(2):
        H = (Z * D[p]) @ Z.T + np.outer(V[p], V[p]) / w[p]
        for a, c in pairwise(starts):
            wanted[p, a:c] = np.linalg.solve(np.eye(c - a) - H[a:c, a:c], residuals[p, a:c])
    leave_out_squares(Z, starts, D, V, w, residuals)
    np.testing.assert_allclose(residuals, wanted)
    whole = wanted.copy()
    leave_out_squares(Z, np.array([0, 24]), D, V, w, whole)
    assert np.array_equal(whole, wanted)
