"""Intervals cover what they claim, and the resampling keeps methods paired."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from bench.statistics import (
    Hits,
    clopper_pearson,
    count_hits,
    few_groups_interval,
    percentile_interval,
    rank_intervals,
    two_way_bootstrap,
)


def test_exact_limits_are_those_of_scipy():
    for k, n in ((0, 5), (2, 9), (12, 12)):
        reference = binomtest(k, n).proportion_ci(0.95, "exact")
        assert clopper_pearson(k, n) == pytest.approx((reference.low, reference.high), abs=1e-9)


def test_twelve_of_twelve_is_not_certainty():
    low, high = few_groups_interval(np.ones(4), np.array([4, 2, 3, 3]))
    assert high == 1
    assert 0.55 < low < 0.75


def test_the_interval_for_few_groups_covers_at_least_as_often_as_it_says():
    rng = np.random.default_rng(0)
    n, p = np.array([4, 2, 3, 3]), np.array([0.9, 0.6, 0.8, 0.7])
    covered = 0
    for _ in range(600):
        low, high = few_groups_interval(rng.binomial(n, p) / n, n)
        covered += low <= p.mean() <= high
    assert covered / 600 > 0.94


def test_counts_add_up_to_the_items():
    rng = np.random.default_rng(1)
    P, y, group = rng.random((3, 50, 4)), rng.integers(0, 4, 50), rng.integers(0, 7, 50).astype(str)
    right, total = count_hits(P, y, group)
    assert right.shape == (3, 7, 4)
    assert total.sum() == 50
    assert np.array_equal(right.sum((1, 2)), (P.argmax(-1) == y).sum(1))


def study(rng: np.random.Generator, n_groups: int, n_draws: int, gap: float) -> Hits:
    """Two methods with a shared group effect and a draw effect; their true difference is `gap`."""
    total = np.full((n_groups, 2), 5)
    skill = rng.normal(0, 0.08, n_groups)[None, :, None] + rng.normal(0, 0.05, n_draws)[:, None, None]
    p = np.stack([np.clip(0.7 + skill, 0, 1), np.clip(0.7 + gap + skill, 0, 1)])  # (M, S, G, 1)
    return Hits(rng.binomial(total, np.broadcast_to(p, (2, n_draws, n_groups, 2))).astype(float), total)


def test_the_bootstrap_interval_covers_near_its_level():
    rng = np.random.default_rng(2)
    covered = 0
    for i in range(200):
        low, high = percentile_interval(two_way_bootstrap(study(rng, 40, 20, 0.0), resamples=400, seed=i))
        covered += low[0] <= 0.7 <= high[0]
    assert 0.9 <= covered / 200 <= 0.995


def test_methods_share_resamples_so_that_a_difference_is_narrower_than_either_score():
    hits = study(np.random.default_rng(3), 40, 20, 0.05)
    samples = two_way_bootstrap(hits)
    assert np.std(samples[1] - samples[0]) < 0.6 * np.std(samples[0])


def test_identical_methods_tie_and_a_clear_winner_is_first():
    base = np.random.default_rng(4).normal(0.5, 0.01, 500)
    low, high = rank_intervals(np.stack([base, base, base + 0.2]))
    assert low.tolist() == [2, 2, 1]
    assert high.tolist() == [2, 2, 1]
