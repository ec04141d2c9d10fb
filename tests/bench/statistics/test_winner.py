"""How far the best is ahead, given that it was found to be the best on the same test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from bench.statistics.ranks import compare_all
from bench.statistics.spread import Spread, of_pairs
from bench.statistics.winner import ahead


def spread(mean, covariance, df: float = 1e6) -> Spread:
    covariance = np.asarray(covariance, float)
    none = np.zeros_like(covariance)
    return Spread(np.asarray(mean, float), covariance, none, none, False, None, df, 1.0, 1.0)


def p_of(found: Spread) -> np.ndarray:
    best = int(found.mean.argmax())
    return 2 * t.sf(ahead(found), found.errors(of_pairs)[1][best])


def test_of_two_methods_it_is_the_two_sided_test():
    found = ahead(spread([1.0, 3.5], [[1.0, 0.3], [0.3, 0.8]], 12))
    assert found == pytest.approx([2.5 / np.sqrt(1.2), 0])


def test_others_count_only_where_they_are_within_half_of_the_difference():
    plain = 4 / np.sqrt(2)
    assert ahead(spread([4.0, 0.0, 1.9], np.eye(3)))[1] == pytest.approx(plain)
    closer = [ahead(spread([4.0, 0.0, near], np.eye(3)))[1] for near in (2.1, 3.0, 3.9, 4.0)]
    assert (np.diff([plain, *closer]) < 0).all() and closer[-1] < 1e-3


def test_the_best_itself_and_methods_that_never_differ_from_it_are_no_way_behind():
    covariance = [[1.0, 1.0, 0.2], [1.0, 1.0, 0.2], [0.2, 0.2, 1.0]]
    found = ahead(spread([2.0, 2.0, -3.0], covariance))
    assert found[:2].tolist() == [0, 0] and found[2] > 3


@pytest.mark.parametrize("true", [(0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1.0, -1.0), (0.0, 0.0, 0.5, 0.5, 0.5, 0.5)])
def test_of_equal_methods_one_in_twenty_is_found_to_be_ahead_wherever_it_is_the_best(true):
    rng = np.random.default_rng(7)
    root = rng.normal(0, 0.4, (len(true), 3))
    covariance = root @ root.T + np.diag(rng.uniform(0.5, 1.5, len(true)))
    seen = []
    for mean in rng.multivariate_normal(true, covariance, 12_000):
        best = int(mean.argmax())
        if best < 2:  # the first two are equal
            seen.append(p_of(spread(mean, covariance))[1 - best])
    p = np.array(seen)
    error = np.sqrt(0.05 * 0.95 / len(p))
    assert len(p) > 1000 and abs((p <= 0.05).mean() - 0.05) < 3 * error
    assert abs((p <= 0.5).mean() - 0.5) < 3 * np.sqrt(0.25 / len(p))


def test_a_best_one_that_stands_alone_is_told_from_more_of_the_others():
    rng, told = np.random.default_rng(3), []
    for seed in range(40):
        found = spread(np.r_[4.2, np.zeros(19)] + rng.standard_normal(20), np.eye(20), 49)
        best = int(found.mean.argmax())
        better, two_sided = compare_all(found, samples=1000, seed=seed).better[best], ahead(found)
        assert (better[two_sided > 3.4]).all()  # of the largest of 19, two-sided: 3.0 at 49 degrees of freedom
        told.append(better.sum())
    assert np.mean(told) > 9.3  # 8.6 by the pairs of candidates alone
