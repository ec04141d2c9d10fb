"""What the variance of a score under folds is made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.statistics.hits import Hits
from bench.statistics.learning import Deletions, Learned
from bench.statistics.spread import PRIOR, Spread, of_pairs, of_scores, spread_of

T, LUCK = np.array([[4.0, 1.0], [1.0, 2.0]]), 0.1 * np.eye(2)


def spread(raw: float, noise: float, cross: float, known: float = 1.0, mixed: float = 1.0) -> Spread:
    every = np.ones((2, 2))
    found = Deletions(raw=raw * T, noise=noise * T, cross=cross * every, known=known)
    return Spread(mean=np.full(2, 0.7), test=T, luck=LUCK, learning=LUCK, in_turn=True, deleted=found, df_test=1e9,
                  df_draws=1e9, df_groups=1e9, mixed=mixed)  # fmt: skip


def test_what_is_odd_when_tested_and_when_learned_from_counts_twice_what_the_learning_does():
    base = spread(2, 1, 0).errors(of_scores)[0]
    assert base == pytest.approx((1 + PRIOR) * T.diagonal() + (1 - PRIOR) * 1.0 * T.diagonal() + LUCK.diagonal())
    more = spread(2, 1, 3).errors(of_scores)[0] - base
    assert more.sum() == pytest.approx(2 * (1 - PRIOR) * 6) and (more > 0).all()  # shared out by T: few draws say little of one method
    assert more[0] > more[1]
    some = spread(2, 1, 3, mixed=0.25).errors(of_scores)[0] - base
    assert some == pytest.approx((1 + 0.25) / 2 * more)
    assert spread(2, 1, 3).errors(of_pairs)[0][0, 1] == pytest.approx(spread(2, 1, 0).errors(of_pairs)[0][0, 1])


def test_groups_that_no_draw_does_without_leave_twice_the_test_variance():
    unknown = spread(50, 1, 40, known=0.0).errors(of_scores)[0]
    assert unknown == pytest.approx(2 * T.diagonal() + LUCK.diagonal())
    nothing = replace(spread(1, 1, 0), deleted=None).errors(of_scores)[0]
    assert nothing == pytest.approx(unknown)


def test_the_variance_is_never_less_than_that_of_the_test_groups():
    assert spread(0, 3, -90).errors(of_scores)[0] == pytest.approx(T.diagonal() + LUCK.diagonal())


def test_what_deletions_say_is_doubtful_and_costs_degrees_of_freedom():
    few = replace(spread(2, 1, 1), df_groups=8.0)
    assert (few.errors(of_scores)[1] < 40).all() and (spread(2, 1, 1).errors(of_scores)[1] > 1e6).all()


@pytest.mark.parametrize(("classes", "mixed"), [([[1, 1, 1]], 1.0), ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 0.0),
                                               ([[1, 1, 0], [0, 1, 1], [1, 0, 1]], 0.5)])  # fmt: skip
def test_how_many_classes_groups_hold_is_told_from_0_to_1(classes, mixed):
    G, S, rng = 12, 8, np.random.default_rng(0)
    total = np.array([classes[g % len(classes)] for g in range(G)]) * 5
    hits = Hits(rng.binomial(total, 0.7, (2, S, G, 3)).astype(float), total)
    holds = rng.random((2 * S, G)) < 0.6
    one = Learned(np.eye(2 * S), np.eye(2 * S), holds, rng.integers(0, 2, (S, G)), np.arange(G), True)
    assert spread_of(hits, one, np.full(2, 0.3)).mixed == pytest.approx(mixed)
