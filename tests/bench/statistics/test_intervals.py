"""Intervals cover what they claim. The full simulation with its figures: tests/simulation, results/simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, f_oneway, ttest_1samp, ttest_rel

from bench.statistics.comparison import Comparison, compare
from bench.statistics.hits import Hits
from bench.statistics.intervals import (
    clopper_pearson,
    differences,
    exact_difference,
    few_groups_interval,
    recalls_by_group,
    score_intervals,
)
from bench.statistics.spread import intraclass, of_scores, spread_of


def study(rng: np.random.Generator, n_groups: int, n_draws: int, gap: float = 0.0) -> Hits:
    total = np.full((n_groups, 2), 5)
    skill = rng.normal(0, 0.08, n_groups)[None, :, None] + rng.normal(0, 0.05, n_draws)[:, None, None]
    p = np.stack([np.clip(0.7 + skill, 0, 1), np.clip(0.7 + gap + skill, 0, 1)])
    return Hits(rng.binomial(total, np.broadcast_to(p, (2, n_draws, n_groups, 2))).astype(float), total)


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


def test_one_draw_of_groups_that_hold_all_classes_is_a_mean_over_groups():
    rng = np.random.default_rng(1)
    total = np.full((12, 3), 6)
    right = rng.binomial(6, 0.6, (1, 1, 12, 3)).astype(float)
    variance, df = spread_of(Hits(right, total)).errors(of_scores)
    of_group = (right[0, 0] / total).mean(1)
    low, high = ttest_1samp(of_group, 0).confidence_interval(0.95)
    assert variance[0] == pytest.approx(of_group.var(ddof=1) / 12)
    assert df[0] == pytest.approx(11)
    assert high - low == pytest.approx(2 * 2.200985 * np.sqrt(variance[0]), rel=1e-5)


def test_groups_of_one_class_each_lose_a_degree_of_freedom_a_class():
    total = np.zeros((20, 2), int)
    total[:10, 0] = total[10:, 1] = 4
    right = np.random.default_rng(2).binomial(total, 0.5)[None, None].astype(float)
    assert spread_of(Hits(right, total)).errors(of_scores)[1][0] == pytest.approx(18)


def test_groups_of_unequal_size_have_fewer_degrees_of_freedom_and_a_variance_that_is_right_in_the_mean():
    rng = np.random.default_rng(5)
    total = np.full((20, 1), 10)
    total[:3] = 200
    found, scores, df = [], [], []
    for _ in range(800):
        p = np.clip(0.6 + 0.15 * rng.standard_normal(20), 0, 1)  # a group's own
        spread = spread_of(Hits(rng.binomial(total[:, 0], p)[None, None, :, None].astype(float), total))
        variance, freedom = spread.errors(of_scores)
        found.append(variance[0])
        scores.append(spread.mean[0])
        df.append(freedom[0])
    assert np.mean(found) == pytest.approx(np.var(scores), rel=0.15)
    assert np.mean(df) < 5


def test_a_difference_of_one_draw_is_the_paired_t_test():
    rng = np.random.default_rng(3)
    total = np.full((15, 1), 8)
    a, b = (rng.binomial(8, p, (1, 15, 1)).astype(float) for p in (0.7, 0.6))
    found = differences(spread_of(Hits(np.stack([a, b]), total)), 0, np.array([1]))
    reference = ttest_rel(a.ravel() / 8, b.ravel() / 8)
    assert found.p[0] == pytest.approx(reference.pvalue)
    assert (found.low[0], found.high[0]) == pytest.approx(tuple(reference.confidence_interval(0.95)))


def test_methods_that_never_differ_are_not_told_apart():
    right = np.random.default_rng(8).binomial(5, 0.7, (1, 3, 12, 2)).astype(float)
    found = differences(spread_of(Hits(np.concatenate([right, right]), np.full((12, 2), 5))), 0, np.array([1]))
    assert (found.low[0], found.high[0], found.p[0]) == (0, 0, 1)


@pytest.mark.parametrize("n_groups", [12, 40])
def test_intervals_cover_near_their_level(n_groups):
    rng = np.random.default_rng(4)
    score, gap = 0, 0
    for _ in range(300):
        hits = study(rng, n_groups, 10, 0.05)
        low, high = score_intervals(hits)
        score += low[0] <= 0.7 <= high[0]
        found = differences(spread_of(hits), 1, np.array([0]))
        gap += found.low[0] <= 0.05 <= found.high[0]
    assert 0.915 <= score / 300 <= 0.985
    assert 0.915 <= gap / 300 <= 0.985


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_right_or_all_wrong_has_an_interval_of_the_number_of_groups(share):
    total = np.full((12, 2), 5)
    hits = Hits(share * np.broadcast_to(total, (1, 4, 12, 2)).astype(float), total)
    low, high = score_intervals(hits)
    assert (low[0], high[0]) == few_groups_interval(np.full(2, share), np.array([12, 12]))
    assert 0.1 < high[0] - low[0] < 0.3


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(3, 30), st.integers(1, 4))
def test_limits_are_ordered_and_inside_the_unit_interval(seed, draws, n_groups, n_classes):
    rng = np.random.default_rng(seed)
    total = rng.integers(0, 4, (n_groups, n_classes))
    total[0] += 1
    hits = Hits(rng.binomial(total, rng.random(), (2, draws, n_groups, n_classes)).astype(float), total)
    mean = spread_of(hits).mean
    low, high = score_intervals(hits)
    assert np.all((low >= 0) & (low <= mean + 1e-12) & (mean <= high + 1e-12) & (high <= 1))
    icc, n_eff = intraclass(hits)
    assert np.all(n_eff <= total.sum() + 1e-9)
    assert np.all(np.isnan(icc) | (icc >= 0))


def test_the_difference_of_few_groups_holds_the_difference_and_turns_with_its_sides():
    a, b = (np.array([0.9, 0.8]), np.array([4, 3])), (np.array([0.5, 0.6]), np.array([4, 3]))
    low, high = exact_difference(a, b)
    assert low < 0.3 < high
    assert exact_difference(b, a) == pytest.approx((-high, -low))


def test_recalls_leave_out_a_class_that_is_not_tested():
    total = np.array([[2, 0], [2, 0]])
    recall, n_groups = recalls_by_group(Hits(np.array([[[[1.0, 0], [2, 0]]]]), total), 0)
    assert recall.tolist() == [0.75]
    assert n_groups.tolist() == [2]


def test_answers_that_are_one_a_group_are_worth_the_groups():
    rng = np.random.default_rng(5)
    total = np.full((200, 1), 10)
    alike = rng.integers(0, 2, (1, 3, 200, 1)) * 10.0
    apart = rng.binomial(10, 0.5, (1, 3, 200, 1)).astype(float)
    icc, n_eff = intraclass(Hits(np.concatenate([alike, apart]), total))
    assert icc[0] == pytest.approx(1)
    assert n_eff[0] == pytest.approx(200)
    assert icc[1] < 0.03
    assert n_eff[1] > 1500


def test_how_alike_answers_in_groups_of_unlike_size_are_is_what_an_analysis_of_variance_says():
    answers = [np.repeat([1.0, 0.0], counts) for counts in ((2, 0), (1, 3), (5, 1))]
    usual = (12 - (2**2 + 4**2 + 6**2) / 12) / 2
    ratio = f_oneway(*answers).statistic
    right = np.array([own.sum() for own in answers]).reshape(1, 1, 3, 1)
    icc, _ = intraclass(Hits(right, np.array([[2], [4], [6]])))
    assert icc[0] == pytest.approx((ratio - 1) / (ratio + usual - 1))


def test_a_score_learned_from_few_groups_has_a_wider_interval_than_one_of_these_groups(learned):
    hits, rho = learned
    spread = spread_of(*hits, rho)
    new, _ = spread.errors(of_scores)
    these, _ = spread.errors_here(of_scores)
    assert (new > these).all()


@pytest.fixture
def learned():
    from bench.statistics.learning import Learned

    hits = study(np.random.default_rng(9), 12, 10)
    by_group, by_item = np.full((10, 10), 0.25) + 0.05 * np.eye(10), np.full((10, 10), 0.02) + 0.18 * np.eye(10)
    one = Learned(by_group, by_item, np.ones((10, 16), bool), np.zeros((10, 12), int), np.arange(4, 16), False)
    return (hits, one), np.array([0.3, 0.3])


def test_a_difference_that_never_varies_is_told_by_the_number_of_groups():
    total = np.full((12, 2), 5)
    right = np.zeros((2, 3, 12, 2))
    right[0], right[1, ..., 0] = 5, 5  # all right; one class always
    found = differences(spread_of(Hits(right, total)), 0, np.array([1]))
    assert (found.difference[0], found.low[0], found.high[0]) == (0.5, 0.5, 0.5)
    assert found.p[0] == pytest.approx(2.0**-11)


def test_a_narrower_question_never_has_the_wider_interval(learned):
    (hits, one), rho = learned
    two = Hits(hits.right[:, :2], hits.total)
    from dataclasses import replace

    few = replace(one, by_group=one.by_group[:2, :2], by_item=one.by_item[:2, :2], holds=one.holds[:2], fold=one.fold[:2])
    spread = spread_of(two, few, rho)
    low, high = score_intervals(two, spread)
    here = spread.errors_here(of_scores)
    assert (here[1] >= 3).all() and (spread.errors(of_scores)[0] >= here[0]).all()
    assert few.tells_apart and not replace(few, by_item=np.ones((2, 2))).tells_apart


def test_a_row_that_is_always_right_says_that_its_limits_are_exact():
    rng = np.random.default_rng(3)
    some = study(rng, 24, 3)
    perfect = np.broadcast_to(some.total.astype(float), (1, *some.right.shape[1:]))
    hits = Hits(np.concatenate([perfect, some.right]), some.total)
    y, group = np.tile(np.repeat([0, 1], 5), 24), np.repeat(np.arange(24), 10)
    answers = Comparison(
        hits=hits, shares=np.full((3, 240, 2), 0.5), y=y, group=group, compared=np.array([True, True, False]),
        trivial=np.zeros(3, bool),
    )  # fmt: skip
    rows = compare(answers).rows
    assert rows["ci_method"].tolist() == ["exact-mover", "logit-t", "logit-t"]
    assert (rows["ci_low"][0], rows["ci_high"][0]) == few_groups_interval(*recalls_by_group(hits, 0))
