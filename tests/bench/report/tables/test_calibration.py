"""Calibration error and its null band, against values worked out by hand and plain simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.tables.calibration import BINS, ece, null_band


def two_classes(sure: np.ndarray) -> np.ndarray:
    return np.stack([sure, 1 - sure], -1)


def test_by_hand():
    P = two_classes(np.array([0.95, 0.95, 0.95, 0.62, 0.65]))
    y = np.array([0, 0, 1, 0, 1])
    assert ece(P, y) == pytest.approx((abs(3 * 0.95 - 2) + abs(0.62 + 0.65 - 1)) / 5)  # bins (.933, 1] and (.6, .667]
    assert ece(P[:3], y[:3]) == pytest.approx(0.95 - 2 / 3)
    assert ece(two_classes(np.ones(4)), np.zeros(4, int)) == 0
    assert ece(two_classes(np.ones(4)), np.ones(4, int)) == 1


@given(st.integers(1, 40), st.integers(2, 5), st.integers(0, 1000))
def test_it_is_the_textbook_sum_over_bins_and_leading_axes_are_scored_alike(N, K, seed):
    rng = np.random.default_rng(seed)
    P, y = rng.dirichlet(np.ones(K), (2, 3, N)).astype(np.float16), rng.integers(0, K, N)
    found = ece(P, y)
    assert found.shape == (2, 3)
    sure, right = P.max(-1).astype(float), P.argmax(-1) == y
    for at in np.ndindex(2, 3):
        total = 0.0
        for b in range(BINS):
            inside = (sure[at] > b / BINS) & (sure[at] <= (b + 1) / BINS)
            if inside.any():
                total += inside.mean() * abs(sure[at][inside].mean() - right[at][inside].mean())
        assert found[at] == pytest.approx(total)


def test_the_floor_of_a_calibrated_model_falls_with_the_items_as_the_literature_says():
    rng = np.random.default_rng(0)
    middle = {}
    for N in (50, 1000):
        sure = rng.uniform(0, 1, N)
        y = (rng.random(N) > sure).astype(int)
        middle[N] = np.mean(null_band(two_classes(sure)[None], y, np.arange(N)))
    assert 0.12 < middle[50] < 0.2 and 0.025 < middle[1000] < 0.045


@pytest.mark.parametrize("alike", [False, True])
def test_true_probabilities_fall_into_the_band_and_overconfident_ones_do_not(alike):
    rng = np.random.default_rng(1)
    slide = np.repeat(np.arange(30), 20)
    held, above = 0, 0
    for i in range(200):
        sure = rng.uniform(0.5, 1, 600)
        luck = np.where(rng.random(600) < 0.3, rng.random(30)[slide], rng.random(600)) if alike else rng.random(600)
        y = (luck > sure).astype(int)
        high = null_band(two_classes(sure)[None], y, slide, seed=i)[1]
        held += ece(two_classes(sure), y) <= high
        y = (rng.random(600) > 0.5).astype(int)
        above += ece(two_classes(sure), y) > null_band(two_classes(sure)[None], y, slide, seed=i)[1]
    assert held / 200 >= 0.91 and above / 200 > 0.95


def test_true_probabilities_rarely_lie_below_the_band_of_few_slides():
    rng = np.random.default_rng(4)
    slide, below = np.repeat(np.arange(8), 50), 0
    for i in range(200):
        sure = rng.uniform(0.5, 1, 400)
        luck = np.where(rng.random(400) < 0.3, rng.random(8)[slide], rng.random(400))
        y = (luck > sure).astype(int)
        below += ece(two_classes(sure), y) < null_band(two_classes(sure)[None], y, slide, seed=i)[0]
    assert below / 200 <= 0.05


def test_slides_whose_items_are_alike_widen_the_band():
    rng = np.random.default_rng(3)
    sure, slide = rng.uniform(0.5, 1, 1000), np.repeat(np.arange(20), 50)
    P = two_classes(sure)[None]
    bands = [null_band(P, (luck > sure).astype(int), slide)[1] for luck in (rng.random(1000), rng.random(20)[slide])]
    assert bands[1] > 1.5 * bands[0]


def test_more_draws_on_the_same_items_do_not_narrow_the_band():
    rng = np.random.default_rng(2)
    P, y = two_classes(rng.uniform(0.5, 1, (1, 100))), rng.integers(0, 2, 100)
    once, often = null_band(P, y, np.arange(100)), null_band(P.repeat(9, 0), y, np.arange(100))
    assert often == pytest.approx(once)


def test_certainty_that_is_true_has_no_error_to_expect():
    assert null_band(two_classes(np.ones((2, 20))), np.zeros(20, int), np.arange(20) // 4) == (0, 0)
