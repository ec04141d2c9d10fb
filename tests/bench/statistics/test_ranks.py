"""Ranks and pairs are one set of claims, and claim no more than is known."""

from __future__ import annotations

import numpy as np
import pytest

from bench.statistics.hits import Hits
from bench.statistics.ranks import compare_all
from bench.statistics.spread import spread_of


def study(rng: np.random.Generator, gaps: list[float], n_groups: int = 30, n_draws: int = 10) -> Hits:
    """Methods with a shared group effect, one of their own and a draw effect; the true scores are .7 + gap."""
    total = np.full((n_groups, 2), 5)
    shared = rng.normal(0, 0.08, n_groups)[None, :, None] + rng.normal(0, 0.05, n_draws)[:, None, None]
    p = np.stack([np.clip(0.7 + gap + shared + rng.normal(0, 0.06, (1, n_groups, 1)), 0, 1) for gap in gaps])
    return Hits(rng.binomial(total, np.broadcast_to(p, (len(gaps), n_draws, n_groups, 2))).astype(float), total)


def test_identical_methods_share_a_rank_and_a_clear_winner_is_first():
    hits = study(np.random.default_rng(0), [0.0, 0.2])
    found = compare_all(spread_of(Hits(hits.right[[0, 0, 1]], hits.total)))
    assert found.low.tolist() == [2, 2, 1]
    assert found.high.tolist() == [3, 3, 1]
    assert found.p[2, 0] < 0.05 and found.p[0, 2] == 1 and found.p[0, 1] == 1
    assert found.p_best[2] > 0.99
    same = compare_all(spread_of(Hits(hits.right[[0, 0]], hits.total)))
    assert same.p_best == pytest.approx([0.5, 0.5])


def test_one_method_is_first_and_compared_with_nothing():
    found = compare_all(spread_of(study(np.random.default_rng(1), [0.0])))
    assert (found.low[0], found.high[0], found.p_best[0], found.p_near[0]) == (1, 1, 1, 1)


def test_ranks_are_the_claims_counted():
    found = compare_all(spread_of(study(np.random.default_rng(2), [0.1, 0.05, 0.0, 0.0, -0.1])))
    assert found.better.any() and (found.better == (found.p <= 0.05)).all()
    assert (found.low == 1 + found.better.sum(0)).all() and (found.high == 5 - found.better.sum(1)).all()
    assert not (found.better & found.better.T).any()


def test_a_method_a_point_behind_the_best_is_near_it_and_one_ten_points_behind_is_not():
    found = compare_all(spread_of(study(np.random.default_rng(3), [0.0, -0.01, -0.15], 200, 20)))
    assert found.p_near[0] > 0.9 and found.p_near[1] > 0.5 and found.p_near[2] < 0.01
    assert (found.p_near >= found.p_best).all()


@pytest.mark.parametrize("methods", [6, 20])
def test_of_equal_methods_a_table_in_twenty_puts_any_in_an_order(methods):
    rng = np.random.default_rng(5)
    claims = [compare_all(spread_of(study(rng, [0.0] * methods)), samples=1000, seed=i).better.any() for i in range(80)]
    assert np.mean(claims) <= 0.1  # .05 and two standard errors


def test_claims_step_down_so_that_what_is_clear_does_not_hide_what_is_nearly_so():
    hits = study(np.random.default_rng(6), [0.0, -0.06, -0.3, -0.3, -0.3, -0.3], 60)
    spread = spread_of(hits)
    alone = compare_all(spread_of(Hits(hits.right[:2], hits.total))).p[0, 1]
    among = compare_all(spread).p[0, 1]
    from bench.statistics import ranks

    single = ranks.MANY
    try:
        ranks.MANY = 0  # one step
        at_once = compare_all(spread).p[0, 1]
    finally:
        ranks.MANY = single
    assert alone - 0.02 <= among <= at_once and among < 1  # the two are of other samples
