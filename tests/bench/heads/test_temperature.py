"""A temperature changes no decision, is the best one with its prior, and is found whatever the scores are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from bench.heads.contract import softmax
from bench.heads.temperature import LARGEST, WEIGHT, fit_temperature, soften
from bench.runs.predictions import as_stored


def left_out(scale: float, n: int = 60, K: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities (1, 1, n, K) that tell the labels (1, n) somewhat, the more certain the larger the scale."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, K, n)
    return softmax(scale * (rng.normal(size=(n, K)) + np.eye(K)[y]))[None, None], y[None]


@pytest.mark.parametrize("scale", [0.05, 0.5, 3.0, 20.0])
@pytest.mark.parametrize("prior", [0.2, 1.0, 7.0])
@pytest.mark.parametrize("n", [4, 60, 2000])
def test_the_temperature_has_the_least_loss_beside_its_prior(scale, prior, n):
    P, y = left_out(scale, n)
    T, losses = fit_temperature(P, y, np.ones(y.shape, bool), np.full((1, 1), prior))

    def objective(u: float) -> float:
        own = np.log(np.take_along_axis(soften(P, np.exp([[-u]])), y[:, None, :, None], -1)).mean()
        return -own + WEIGHT / (2 * n) * (u + np.log(prior)) ** 2

    edge = np.log(LARGEST)
    best = minimize_scalar(objective, bounds=(-edge, edge), method="bounded", options={"xatol": 1e-9})
    assert objective(-np.log(T[0, 0])) == pytest.approx(best.fun, abs=1e-7)
    wanted = -np.log(np.take_along_axis(soften(P, T), y[:, None, :, None], -1))[..., 0]
    np.testing.assert_allclose(losses, wanted, atol=1e-9)


def test_scores_at_any_scale_get_the_same_loss():
    n = 500
    losses = []
    for scale in (0.1, 1.0, 10.0):
        P, y = left_out(scale, n)
        losses.append(fit_temperature(P, y, np.ones(y.shape, bool), np.ones((1, 1)))[1].mean())
    np.testing.assert_allclose(losses, losses[1], atol=0.01)


def test_rows_that_do_not_count_change_nothing_and_have_no_loss():
    P, y = left_out(1.0)
    told = np.arange(60)[None] < 40
    T, losses = fit_temperature(P, y, told, np.ones((1, 1)))
    other = np.where(told, y, (y + 1) % 4)
    again, _ = fit_temperature(P, other, told, np.ones((1, 1)))
    assert np.array_equal(T, again) and (losses[~told[:, None]] == 0).all()
    nothing, losses = fit_temperature(P, y, np.zeros(y.shape, bool), np.full((1, 1), 3.0))
    assert nothing == pytest.approx(3) and (losses == 0).all()


def test_rows_that_are_all_right_or_all_wrong_or_impossible_are_survived():
    y = np.arange(12) % 3
    right = np.eye(3)[y]
    for P in (right, np.eye(3)[(y + 1) % 3], np.full((12, 3), 1 / 3), 0.9 * right + 0.1 / 3):
        T, losses = fit_temperature(P[None, None], y[None], np.ones((1, 12), bool), np.ones((1, 1)))
        assert np.isfinite(losses).all() and 1 / LARGEST <= T[0, 0] <= LARGEST


def test_a_fit_is_the_same_to_the_bit_in_any_batch():
    parts = [left_out(scale, seed=seed)[0] for seed, scale in enumerate((0.1, 1.0, 5.0, 30.0))]
    y = left_out(1.0)[1]
    whole = np.concatenate(parts, 1)
    T, losses = fit_temperature(whole, y, np.ones(y.shape, bool), np.ones((1, 4)))
    for j, P in enumerate(parts):
        alone = fit_temperature(P, y, np.ones(y.shape, bool), np.ones((1, 1)))
        assert np.array_equal(T[:, [j]], alone[0]) and np.array_equal(losses[:, [j]], alone[1])
        assert np.array_equal(soften(whole, T)[:, [j]], soften(P, T[:, [j]]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("T", [1 / LARGEST, 0.5, 3.0, LARGEST])
def test_softened_probabilities_keep_their_order_also_as_they_are_stored(T, dtype):
    rng = np.random.default_rng(0)
    P = softmax(rng.normal(size=(5000, 3)) * 3).astype(dtype)
    soft = soften(P, T)
    assert soft.dtype == dtype
    np.testing.assert_allclose(soft.sum(-1), 1, atol=1e-6)
    assert np.array_equal(as_stored(soft).argmax(-1), P.argmax(-1))
    assert (np.abs(as_stored(soft) - soft) < 1e-3).all()
    assert (soften(np.array([[1.0, 0.0]]), 64.0) == [[1, 0]]).all()
