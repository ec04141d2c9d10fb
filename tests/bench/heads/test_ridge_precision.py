"""Ridge regression in single precision where that is enough: as good as in double, and the same bits in any batch."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from bench.heads import all_heads
from bench.heads.contract import one_hot
from bench.heads.support import Support
from bench.products.shifted import SINGLE, SINGLE_FROM, solve_shifted

RIDGE = all_heads()["ridge"]
SHAPES = [(150, 400), (300, 500), (600, 130), (400, 200)]  # by LAPACK, by torch through dimensions, by scatter twice


def case(n: int, d: int, K: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows of length 1 with variances that fall as those of embeddings do, label vectors (3, n), test rows."""
    rng = np.random.default_rng(n + d)
    y = np.arange(n + 60) % K
    X = (0.4 * rng.normal(size=(K, d))[y] + rng.normal(size=(n + 60, d))) * np.arange(1, d + 1) ** -0.5
    X = (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)
    noisy = [np.where(rng.random(n) < rate, rng.integers(0, K, n), y[:n]) for rate in (0, 0.2, 0.5)]
    return X[:n], np.stack(noisy), X[n:]


def probabilities(support: Support, Y: np.ndarray, grid=RIDGE.grid) -> np.ndarray:
    return RIDGE.scores(support, Y, int(Y.max()) + 1, grid).P


@pytest.fixture(autouse=True)
def on_one_thread():
    """Factors of several threads differ in their last bits from call to call."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def in_double(monkeypatch):
    """Give probabilities by double precision alone."""

    def run(*given):
        with monkeypatch.context() as patch:
            patch.setattr("bench.products.shifted.SINGLE_FROM", 10**9)
            return probabilities(*given)

    return run


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_probabilities_are_those_of_double_precision_to_what_is_kept_of_them(n, d, in_double):
    X, Y, X_test = case(n, d)
    support = Support(X, X_test)
    P, wanted = probabilities(support, Y), in_double(support, Y)
    assert (wanted != P).any((0, 2, 3)).sum() >= 9  # nearly all settings are in single precision
    np.testing.assert_allclose(P, wanted, atol=4.9e-4)  # results keep float16
    assert (P.argmax(-1) == wanted.argmax(-1)).mean() > 0.999


@pytest.mark.parametrize(("n", "d"), SHAPES)
@pytest.mark.parametrize("spread", [1, 1e-4])  # how far the rows are from each other
@pytest.mark.parametrize("times", [1, 3])  # equal rows, whose labels differ
def test_a_solution_in_single_precision_is_nearly_least(n, d, spread, times):
    X, Y, _ = case(n, d)
    X = np.repeat(X[: -(-n // times)], times, axis=0)[:n].astype(np.float64)
    X = X[:1] + spread * (X - X[:1])
    X -= X.mean(0)
    T = one_hot(Y[2], 4) - one_hot(Y[2], 4).mean(0)
    A, C = (X @ X.T, T.T) if n < d else (X.T @ X, T.T @ X)
    shifts = np.linalg.norm(A) / np.geomspace(*SINGLE, 7)
    shifts[[0, -1]] *= (1 - 1e-9, 1 + 1e-9)  # just inside
    solved, single = solve_shifted(A, shifts, C[0], C[1:])
    exact, _ = solve_shifted(A, shifts, C[0], C[1:], exact=True)
    assert single.all()
    for shift, V, V_exact in zip(shifts, solved, exact, strict=True):
        loss, least = (objective(X, T, (W @ X if n < d else W).T, shift) for W in (V, V_exact))
        assert ((loss - least) / least).max() < 1e-6


def objective(X: np.ndarray, T: np.ndarray, W: np.ndarray, shift: float) -> np.ndarray:
    """Return what ridge regression minimises, of every class."""
    return ((T - X @ W) ** 2).sum(0) + shift * (W**2).sum(0)


def test_shifts_far_from_the_matrix_and_small_matrices_are_in_double_precision():
    rng = np.random.default_rng(0)
    for r, wanted in ((SINGLE_FROM, [False, True, True, False]), (SINGLE_FROM - 1, [False] * 4)):
        X = rng.normal(size=(r, r))
        norm = np.linalg.norm(X.T @ X)
        shifts = norm / np.array([SINGLE[0] / 2, 2 * SINGLE[0], SINGLE[1] / 2, 2 * SINGLE[1]])
        assert solve_shifted(X.T @ X, shifts, X[0], X[1:3]).single.tolist() == wanted
        assert not solve_shifted(X.T @ X, shifts, X[0], X[1:3], exact=True).single.any()
    for size in (0, 1e-30, 1e30):
        assert not solve_shifted(size * np.eye(200), np.full(2, size), np.ones(200), np.ones((1, 200))).single.any()


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_labels_along_a_direction_that_single_precision_does_not_see_are_fitted_in_double(n, d, in_double):
    rng = np.random.default_rng(0)
    sign, test_sign = 2 * (np.arange(n) % 2) - 1.0, 2 * (np.arange(40) % 2) - 1.0
    strong = rng.choice([-1.0, 1.0], n)
    strong -= sign * (sign @ strong) / n  # which tells nothing of the classes
    X, X_test = np.zeros((n, d)), np.zeros((40, d))
    X[:, 0], X[:, -1] = strong, 1e-5 * sign
    X_test[:, 0], X_test[:, -1] = rng.choice([-1.0, 1.0], 40), 1e-5 * test_sign
    Y = (sign > 0).astype(int)[None]
    support = Support(X, X_test)
    assert np.array_equal(probabilities(support, Y), in_double(support, Y))


@pytest.mark.parametrize("K", [2, 3, 8, 20])
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_a_fit_is_the_same_to_the_bit_beside_any_others(n, d, K):
    X, Y, X_test = case(n, d, K)
    Y = np.vstack([Y, Y % 2])
    support = Support(X, X_test)
    whole = probabilities(support, Y)
    assert np.array_equal(probabilities(support, Y[::-1], RIDGE.grid[::-1]), whole[::-1, ::-1])
    for i, j in ((0, 0), (1, 9), (2, 4), (5, 7)):
        alone = RIDGE.scores(support, Y[i : i + 1], K, [RIDGE.grid[j]]).P
        assert np.array_equal(alone[0, 0], whole[i, j])
