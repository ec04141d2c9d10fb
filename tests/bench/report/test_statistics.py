"""Counts, resamples and ranks: methods stay paired, and ranks say no more than is known."""

from __future__ import annotations

import numpy as np

from bench.report.statistics import (
    Hits,
    chance_of_best,
    count_hits,
    held_out_best,
    rank_intervals,
    two_way_bootstrap,
)


def study(rng: np.random.Generator, n_groups: int, n_draws: int, gaps: list[float]) -> Hits:
    """Methods with a shared group effect and a draw effect; the true scores are .7 + gap."""
    total = np.full((n_groups, 2), 5)
    skill = rng.normal(0, 0.08, n_groups)[None, :, None] + rng.normal(0, 0.05, n_draws)[:, None, None]
    p = np.stack([np.clip(0.7 + gap + skill, 0, 1) for gap in gaps])  # (M, S, G, 1)
    shape = (len(gaps), n_draws, n_groups, 2)
    return Hits(rng.binomial(total, np.broadcast_to(p, shape)).astype(float), total)


def test_counts_add_up_to_the_items():
    rng = np.random.default_rng(1)
    P, y, group = rng.random((3, 50, 4)), rng.integers(0, 4, 50), rng.integers(0, 7, 50).astype(str)
    right, total = count_hits(P, y, group)
    assert right.shape == (3, 7, 4)
    assert total.sum() == 50
    assert np.array_equal(right.sum((1, 2)), (P.argmax(-1) == y).sum(1))


def test_methods_share_resamples_so_that_a_difference_is_narrower_than_either_score():
    samples = two_way_bootstrap(study(np.random.default_rng(3), 40, 20, [0.0, 0.05]))
    assert np.std(samples[1] - samples[0]) < 0.6 * np.std(samples[0])


def test_a_class_that_a_resample_leaves_out_takes_no_part_in_it():
    total = np.array([[4, 0], [0, 4], [4, 0]])
    samples = two_way_bootstrap(Hits(total[None, None].astype(float), total), resamples=500)
    assert np.allclose(samples, 1)


def test_identical_methods_share_a_rank_and_a_clear_winner_is_first():
    base = np.random.default_rng(4).normal(0.5, 0.01, 500)
    samples = np.stack([base, base, base + 0.2])
    low, high = rank_intervals(samples.mean(1), samples, 30)
    assert low.tolist() == [2, 2, 1]
    assert high.tolist() == [3, 3, 1]
    assert np.allclose(chance_of_best(samples[:2]), [0.5, 0.5])


def test_equally_good_methods_are_not_put_in_an_order():
    rng = np.random.default_rng(5)
    wrong = 0
    for i in range(40):
        hits = study(rng, 30, 10, [0.0] * 6)
        samples = two_way_bootstrap(hits, resamples=300, seed=i)
        low, _ = rank_intervals(samples.mean(1), samples, 20)
        wrong += (low > 1).sum()  # all six are first in truth
    assert wrong / 240 <= 0.06


def test_the_best_of_many_equal_methods_is_no_better_on_the_other_half():
    rng = np.random.default_rng(6)
    best, held = [], []
    for i in range(20):
        hits = study(rng, 30, 5, [0.0] * 12)
        best.append((hits.right.sum((1, 2, 3)) / (5 * hits.total.sum())).max())
        held.append(held_out_best(hits, halvings=40, seed=i))
    assert np.mean(best) > 0.71
    assert abs(np.mean(held) - 0.7) < 0.015


def test_one_group_a_class_cannot_be_halved():
    total = np.array([[4, 0], [0, 4]])
    assert np.isnan(held_out_best(Hits(total[None, None].astype(float), total)))
