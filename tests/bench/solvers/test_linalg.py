"""The batched solver: it reaches the optimum that scikit-learn reaches, says how near it is, and mixes nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from bench.errors import BenchError
from bench.heads.logreg import CROSS_ENTROPY, GRID, fit_and_score
from bench.heads.logreg_gce import generalised
from bench.heads.logreg_smooth import smoothed
from bench.heads.support import Support
from bench.products.backend import LARGE, NUMPY, backend_of
from bench.solvers import ladder
from bench.solvers.ladder import plan_path
from bench.solvers.linalg import TOLERANCE, minimise
from bench.solvers.loss_kernels import class_curvature, evaluate_loss, exponentiate
from bench.solvers.rows import Loss, Rows

L2 = [g["l2"] for g in GRID]
WAYS = {  # below how much work each is taken, and whether its losses are compiled
    "compiled": (0, True),
    "arrays on a path": (0, False),
    "arrays side by side": (10**9, False),
}


def take(way: str, monkeypatch: pytest.MonkeyPatch) -> Loss:
    """Solve by one of the ways, whatever the size, for the loss that is returned."""
    small, is_compiled = WAYS[way]
    monkeypatch.setattr("bench.solvers.linalg.SMALL", small)
    return CROSS_ENTROPY if is_compiled else replace(CROSS_ENTROPY, one=None)


def draw(n: int, d: int, K: int, seed: int = 0, wrong: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % K
    X = 0.8 * np.random.default_rng(99).normal(size=(K, d))[y] + rng.normal(size=(n, d))
    y = np.where(rng.random(n) < wrong, (y + 1) % K, y)
    return X / np.linalg.norm(X, axis=1, keepdims=True), y


def converged(X: np.ndarray, y: np.ndarray, l2: float) -> LogisticRegression:
    l2 = l2 / 2 if len(np.unique(y)) == 2 else l2  # one weight vector w - (-w) in place of two
    return LogisticRegression(C=1 / (l2 * len(y)), tol=1e-10, max_iter=100_000).fit(X, y)


def objective(X: np.ndarray, y: np.ndarray, l2: float, W: np.ndarray, b: np.ndarray) -> float:
    S = X @ W.T + b
    top = S.max(1)
    losses = top + np.log(np.exp(S - top[:, None]).sum(1)) - S[np.arange(len(y)), y]
    return losses.mean() + l2 / 2 * (W**2).sum()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("n", "d"), [(20, 60), (90, 15)])
@pytest.mark.parametrize("K", [2, 3, 8])
def test_every_l2_of_the_grid_reaches_what_scikit_learn_converges_to(n, d, K, way, monkeypatch):
    loss = take(way, monkeypatch)
    X, y = draw(n, d, K)
    X_test = draw(200, d, K, 1)[0]
    P, gap, _ = fit_and_score(Support(X, X_test), y[None], K, L2, loss)
    for at, l2 in enumerate(L2):
        reference = np.zeros((200, K))
        reference[:, np.unique(y)] = converged(X, y, l2).predict_proba(X_test)
        np.testing.assert_allclose(P[0, at], reference, atol=0.01)
        assert (P[0, at].argmax(1) == reference.argmax(1)).mean() >= 0.99
    assert gap.max() <= TOLERANCE


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("n", "d", "K"), [(24, 60, 3), (90, 15, 8)])
def test_the_gap_is_no_smaller_than_the_true_distance_to_the_minimum(n, d, K, way, monkeypatch):
    loss = take(way, monkeypatch)
    X, y = draw(n, d, K)
    e, V = np.linalg.eigh(X.T @ X)
    Z = X @ V
    solved = minimise(Rows.of(Z, np.maximum(e, 0)), y[None], K, L2, loss)
    for at, l2 in enumerate(L2):
        W = solved.W[0, at].astype(float)
        reached = objective(Z - Z.mean(0), y, l2, W[:, :-1], W[:, -1])
        best = converged(X, y, l2)
        lowest = objective(X, y, l2, best.coef_, best.intercept_)
        assert (reached - lowest) / lowest <= solved.gap[0, at] + 1e-7
        assert solved.gap[0, at] <= TOLERANCE


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("K", [2, 3, 4, 8, 20])
def test_a_fit_does_not_depend_on_the_other_labels_or_settings_to_the_bit(K, way, monkeypatch):
    loss = take(way, monkeypatch)
    X, y = draw(60, 40, K)
    support = Support(X, draw(30, 40, K, 1)[0])
    Y = np.stack([y, np.roll(y, 1), (y + 1) % K, np.roll(y, 7), np.roll(y, 2)])
    batch = fit_and_score(support, Y, K, [*L2, 0.003, 0.003], loss)
    for m, at in [(0, 9), (2, 5), (4, 10), (3, 0)]:
        alone = fit_and_score(support, Y[m : m + 1], K, [[*L2, 0.003][at]], loss)
        assert np.array_equal(alone.P[0, 0], batch.P[m, at])
        assert alone.gap[0, 0] == batch.gap[m, at] and alone.iterations[0, 0] == batch.iterations[m, at]
    assert np.array_equal(batch.P[:, 10], batch.P[:, 11])


@pytest.mark.parametrize("K", [2, 3, 4, 8])
def test_nor_where_products_are_large_enough_for_another_library(K, monkeypatch):
    loss = take("arrays on a path", monkeypatch)
    X, y = draw(320, 280, K)
    assert LARGE <= 320 * 280
    support = Support(X, X[:9])
    Y = np.stack([y, np.roll(y, 1), np.minimum(y, K - 2), np.roll(y, 7), np.roll(y, 2)])
    batch = fit_and_score(support, Y, K, [0.01, 1e-3], loss)
    for m, at in [(0, 1), (2, 0), (4, 1)]:
        alone = fit_and_score(support, Y[m : m + 1], K, [[0.01, 1e-3][at]], loss)
        assert np.array_equal(alone.P[0, 0], batch.P[m, at]) and alone.iterations[0, 0] == batch.iterations[m, at]


@pytest.mark.parametrize("way", WAYS)
def test_a_class_without_labels_changes_nothing_for_the_others(way, monkeypatch):
    loss = take(way, monkeypatch)
    X, y = draw(40, 30, 3)
    X_test = draw(50, 30, 3, 1)[0]
    P = fit_and_score(Support(X, X_test), 2 * y[None], 6, L2, loss).P[0]
    assert (P[..., 1::2] == 0).all()
    np.testing.assert_allclose(P[..., ::2], fit_and_score(Support(X, X_test), y[None], 3, L2, loss).P[0], atol=0.01)


@pytest.mark.parametrize("way", WAYS)
def test_weights_of_zero_and_more_are_rows_left_out_and_repeated(way, monkeypatch):
    loss = take(way, monkeypatch)
    X, y = draw(40, 12, 3)
    times = np.arange(40) % 3
    again = np.repeat(np.arange(40), times)
    X_test = draw(50, 12, 3, 1)[0]
    weighted = fit_and_score(Support(X, X_test), y[None], 3, L2, loss, weight=times[None] / times.mean()).P
    repeated = fit_and_score(Support(X[again], X_test), y[None, again], 3, L2, loss).P
    np.testing.assert_allclose(weighted, repeated, atol=0.01)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("l2", [1e-6, 1e3])
def test_rows_of_any_length_give_finite_answers_that_fit(scale, l2):
    X, y = draw(50, 60, 3, wrong=0)
    solved = fit_and_score(Support(scale * X, scale * X), y[None], 3, [l2])
    assert np.isfinite(solved.P).all() and np.isfinite(solved.gap).all()
    if scale**2 > l2:
        assert (solved.P[0, 0].argmax(1) == y).all()


def loss_of_one(loss: Loss, S: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the losses of the rows of one problem, its derivative and its curvature, compiled."""
    n, alike = len(y), np.empty(0, np.float32)
    assert loss.one is not None
    contrasts = (S[:-1] - S[-1]).astype(np.float32)
    w = class_curvature(contrasts, y, alike, loss.one[1]).diagonal()
    values = [evaluate_loss(contrasts.copy(), y, n * one.astype(np.float32), *loss.one) for one in np.eye(n)]
    evaluate_loss(contrasts, y, alike, *loss.one)
    return np.array(values), np.vstack([contrasts, -contrasts.sum(0)]), w


@pytest.mark.parametrize("loss", [CROSS_ENTROPY, smoothed(0.2), generalised(0.7)])
def test_a_loss_gives_its_own_derivative_and_the_same_compiled(loss):
    rng = np.random.default_rng(0)
    S = rng.normal(size=(2, 4, 6), scale=3)
    S[1, 3] = -np.inf
    y = rng.integers(0, 3, (2, 6))
    own = (np.arange(2)[:, None] * 4 + y) * 6 + np.arange(6)
    R = S.copy()
    value, w = loss.of_all(R, own)
    step = 1e-5
    for k in range(3):
        up, down = S.copy(), S.copy()
        up[:, k] += step
        down[:, k] -= step
        slope = (loss.of_all(up, own)[0] - loss.of_all(down, own)[0]) / (2 * step)
        np.testing.assert_allclose(R[:, k], slope, atol=1e-4)
    assert (R[1, 3] == 0).all()
    for p, K in ((0, 4), (1, 3)):
        for ours, theirs in zip(loss_of_one(loss, S[p, :K], y[p]), (value[p], R[p, :K], w[p, :K]), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("q", [0.0, 0.7])
@pytest.mark.parametrize("K", [1, 2, 5])
def test_the_curvature_of_classes_is_that_of_the_probabilities(K, q):
    rng = np.random.default_rng(K)
    n = 700  # more than a block
    S, y, weight = rng.normal(size=(K, n), scale=4), rng.integers(0, K, n), rng.uniform(0.1, 3, n)
    P = np.exp(S - S.max(0)) / np.exp(S - S.max(0)).sum(0)
    rows = weight * P[y, np.arange(n)] ** q / n
    found = class_curvature((S[:-1] - S[-1]).astype(np.float32), y, weight.astype(np.float32), q)
    np.testing.assert_allclose(found, np.diag(P @ rows) - (P * rows) @ P.T, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.sum(0), 0, atol=1e-14)


def test_exponentials_are_right_to_two_units_in_the_last_place():
    x = -np.append(np.logspace(-12, np.log10(79.9), 20_001), 0).astype(np.float32)
    found = x.copy()
    exponentiate(found, np.empty(len(x), np.int32))
    np.testing.assert_allclose(found, np.exp(x.astype(float)), rtol=2.4e-7)
    beyond = np.array([-81, -1e30, -np.inf], np.float32)
    exponentiate(beyond, np.empty(3, np.int32))
    assert (beyond >= 0).all() and (beyond < 1e-34).all()


def test_a_row_far_from_the_boundary_has_a_loss_that_is_not_rounded_away():
    far = np.array([[30.0, 0.0], [0.0, 30.0]])
    (right, wrong), R, _ = loss_of_one(CROSS_ENTROPY, far, np.array([0, 0]))
    assert right == pytest.approx(np.exp(-30), rel=1e-5) and wrong == pytest.approx(30)
    np.testing.assert_allclose(R, [[-np.exp(-30), -1], [np.exp(-30), 1]], rtol=1e-5)


@given(st.lists(st.floats(1e-7, 10), min_size=1, max_size=6, unique=True))
def test_a_path_meets_every_l2_from_rungs_that_depend_on_it_alone(l2):
    stages = plan_path(l2)
    assert sorted(s.at for s in stages if s.at is not None) == list(range(len(l2)))
    assert all(a.l2 > b.l2 for a, b in pairwise(stages))
    for at, value in enumerate(l2):
        [alone] = [s for s in plan_path([value]) if s.at == 0]
        [shared] = [s for s in stages if s.at == at]
        assert replace(alone, at=None) == replace(shared, at=None)
    path_points = [s.l2 for s in stages if s.is_path_point]
    np.testing.assert_allclose(path_points, ladder.TOP * ladder.STEP ** np.arange(len(path_points)))


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(1, 24), st.integers(1, 120), st.integers(1, 90), st.integers(0, 99))
@example(2, 1, 81, 81, 0)  # of OpenBLAS for AVX-512, which rounds the last column alone in another way
@example(8, 1, 120, 65, 1)
def test_a_product_has_the_same_bits_for_any_number_of_problems(P, K, r, c, seed):
    rng = np.random.default_rng(seed)
    A, B = rng.normal(size=(P, K, r)).astype(np.float32), rng.normal(size=(r, c)).astype(np.float32)
    whole = NUMPY.product(A, B)
    np.testing.assert_allclose(whole, A @ B, rtol=1e-3, atol=1e-3)
    for at in {0, P // 2, P - 1}:
        assert np.array_equal(NUMPY.product(A[at : at + 1], B)[0], whole[at])


def test_an_l2_of_zero_is_refused():
    X, y = draw(10, 4, 2)
    with pytest.raises(BenchError, match="Got l2=0, expected more than 0"):
        fit_and_score(Support(X, X), y[None], 2, [0.0])


@pytest.mark.parametrize("loss", [CROSS_ENTROPY, smoothed(0.2), generalised(0.7)])
@pytest.mark.parametrize("way", WAYS)
def test_arrays_of_torch_give_what_arrays_of_numpy_and_compiled_loops_give(loss, way, monkeypatch):
    torch = pytest.importorskip("torch")
    if take(way, monkeypatch).one is None:
        loss = replace(loss, one=None)
    X, y = draw(40, 12, 3)
    e, V = np.linalg.eigh(X.T @ X)
    Y = np.stack([y, (y + 1) % 3, 2 * (y > 0)])
    weight = np.ones(Y.shape)
    plain = Rows.of(X @ V, e)
    turned = Rows(*(torch.from_numpy(array) for array in (plain.Zt, plain.mean_Z, plain.curvature)))
    assert backend_of(turned.Zt) is not NUMPY
    ours, theirs = (minimise(rows, Y, 3, [0.1, 1e-2, 1e-3, 1e-4], loss, weight=weight) for rows in (plain, turned))
    length = np.linalg.norm(ours.W, axis=(2, 3))
    assert (np.linalg.norm(ours.W - theirs.W, axis=(2, 3)) <= 0.02 * length + 1e-6).all()
    assert theirs.gap.max() <= TOLERANCE


@pytest.mark.parametrize(("n", "d"), [(20, 60), (90, 15)])
def test_a_support_on_another_device_is_scored_alike(n, d):
    pytest.importorskip("torch")
    X, y = draw(n, d, 3)
    X_test = draw(50, d, 3, 1)[0]
    plain = fit_and_score(Support(X, X_test), y[None], 3, L2).P
    np.testing.assert_allclose(fit_and_score(Support(X, X_test, device="cpu:0"), y[None], 3, L2).P, plain, atol=0.01)
