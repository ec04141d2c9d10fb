"""Counts and resamples: methods stay paired, and the best of many is not believed."""

from __future__ import annotations

import numpy as np

from bench.statistics.hits import Hits, _exact_in, count_hits, held_out_best, tally, two_way_bootstrap


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
    several, one = (tally(hit, y, group, 4)[0] for hit in (np.stack([P.argmax(-1) == y] * 2), P[0].argmax(-1) == y))
    assert np.array_equal(several, [right, right]) and np.array_equal(one, right[0])


def test_methods_share_resamples_so_that_a_difference_is_narrower_than_either_score():
    samples = two_way_bootstrap(study(np.random.default_rng(3), 40, 20, [0.0, 0.05]))
    assert np.std(samples[1] - samples[0]) < 0.6 * np.std(samples[0])


def test_a_class_that_a_resample_leaves_out_takes_no_part_in_it():
    total = np.array([[4, 0], [0, 4], [4, 0]])
    samples = two_way_bootstrap(Hits(total[None, None].astype(float), total), resamples=500)
    assert np.allclose(samples, 1)


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


def test_resampled_counts_are_summed_without_rounding_in_either_type(monkeypatch):
    hits = study(np.random.default_rng(2), 60, 8, [0.0, 0.1])
    shorter = two_way_bootstrap(hits, resamples=300)
    monkeypatch.setattr("bench.statistics.hits._exact_in", lambda right: np.float64)
    assert np.array_equal(shorter, two_way_bootstrap(hits, resamples=300))


def test_counts_too_large_or_not_whole_are_summed_in_double_precision():
    assert _exact_in(np.full((1, 2, 4, 3), 2.0**22 - 1)) is np.float32
    assert _exact_in(np.full((1, 2, 4, 3), 2.0**22)) is np.float64
    assert _exact_in(np.full((1, 2, 4, 3), 0.5)) is np.float64
