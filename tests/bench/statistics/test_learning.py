"""What a score owes to the groups it was learned from, against values worked out by hand and by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from bench.protocol.splits import plan_splits
from bench.protocol.supports import draw_supports
from bench.statistics.hits import Hits, tally
from bench.statistics.learning import ORDER, Learned, alike, common_luck, common_lucks, deletions, learned_from, margins
from bench.statistics.spread import of_scores, spread_of

CLASSES = ("a", "b")


def drawn(table, shots, seeds, in_turn):
    plan = plan_splits(table, CLASSES)
    supports = draw_supports(table, CLASSES, plan, [shots], draws=seeds).supports
    support = np.stack([[supports[shots, s, split.name] for split in plan.splits(s)] for s in range(seeds)])
    y, group = (table["label"] == "b").to_numpy(int), table["group"].to_numpy(str)
    tested = np.unique(group[plan.test_rows()])
    return learned_from(support, y, group, tested, answered=plan.tested, in_turn=in_turn), support, plan, group, y


def test_what_two_draws_share_is_counted_by_class(make_table):
    table = make_table(CLASSES, 8, 3)
    one, support, _, group, y = drawn(table, 4, 5, True)
    assert one.by_item.diagonal() == pytest.approx(2 / 4)  # four items of weight 1/4 in each of two classes
    flat = support.reshape(len(one.holds), -1)
    for i, j in ((0, 1), (3, 9), (2, 2)):
        shared = len(set(flat[i]) & set(flat[j])) / 16
        assert one.by_item[i, j] == pytest.approx(shared)
        groups = sum(
            np.mean(group[flat[i][y[flat[i]] == k]][:, None] == group[flat[j][y[flat[j]] == k]]) for k in (0, 1)
        )
        assert one.by_group[i, j] == pytest.approx(groups)
        assert set(np.unique(group)[one.holds[i]]) == set(group[flat[i]])


def test_a_tested_group_is_answered_for_by_the_fit_of_its_fold(make_table):
    one, support, plan, group, _ = drawn(make_table(CLASSES, 8, 3), 4, 12, True)
    names = np.unique(group)
    for s in range(12):
        for f, split in enumerate(plan.splits(s)):
            assert set(names[one.tested][one.fold[s] == f]) == set(group[split.test])
            fit = s * len(plan.repeats[0]) + f
            assert not set(names[one.holds[fit]]) & set(group[split.test])


def test_rows_that_fill_up_a_short_draw_are_no_rows(make_table):
    table = make_table(CLASSES, 8, 3)
    one, support, plan, group, y = drawn(table, 4, 4, True)
    longer = np.concatenate([support, np.full((*support.shape[:2], 3), -1)], 2)
    again = learned_from(longer, y, group, np.unique(group), answered=plan.tested, in_turn=True)
    assert np.array_equal(one.by_item, again.by_item) and np.array_equal(one.holds, again.holds)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8])
def test_the_correlation_of_margins_is_that_of_the_items_of_a_group(rho):
    rng = np.random.default_rng(0)
    group, y = np.repeat(np.arange(150), 8), np.tile([0, 1], 600)
    effect = rng.standard_normal((150, 2))[group, y]  # of a class in a group
    margin = np.sqrt(rho) * effect + np.sqrt(1 - rho) * rng.standard_normal((4, 1200))
    own = 1 / (1 + np.exp(-margin))
    P = np.where(np.arange(2) == y[:, None], own[..., None], 1 - own[..., None])
    assert alike(margins(P, y), y, group.astype(str)) == pytest.approx(rho, abs=0.06)


def test_the_correlation_of_a_few_margins_is_that_of_an_analysis_of_variance_by_hand():
    margin, group = np.array([[0.0, 2.0, 4.0, 6.0]]), np.array([0, 0, 1, 1])  # squares between 16 / 1, within 4 / 2
    assert alike(margin, np.zeros(4, int), group) == pytest.approx((16 - 2) / 2 / ((16 - 2) / 2 + 2))


def test_where_every_group_is_an_item_items_are_groups():
    margin = np.random.default_rng(1).standard_normal((3, 20))
    assert alike(margin, np.tile([0, 1], 10), np.arange(20)) == 1


def of_draws(by_group, by_item, S=10):
    return Learned(by_group, by_item, np.ones((S, 4), bool), np.zeros((S, 6), int), np.arange(6), False)


def test_draws_that_share_nothing_say_all_and_draws_that_share_much_say_little():
    S = 10
    nothing = of_draws(np.eye(S), np.eye(S))
    assert common_luck(nothing, np.ones((S, 1)), 0.5) == pytest.approx(1 / S)
    shared = of_draws(np.full((S, S), 0.25), 0.02 + 0.18 * np.eye(S))  # the same four groups, other items of them
    luck = common_lucks(shared, np.ones((S, 1)), [0.1, 0.5, 0.5, 0.9])
    assert 1 / S < luck[0] < luck[1] == luck[2] < luck[3]
    phi = (0.5 * (0.25 + 0.02) / (0.5 * (0.25 + 0.2))) ** ORDER
    assert luck[1] == pytest.approx((phi + (1 - phi) / S) / (1 - phi))


def test_deletions_are_what_draws_without_a_group_score_beside_all(make_table):
    one, _, _, group, _ = drawn(make_table(CLASSES, 12, 2), 3, 30, True)
    rng = np.random.default_rng(2)
    S, G = one.fold.shape
    teaching = rng.standard_normal(G)  # of a group, and nothing else
    fits = one.holds @ teaching
    F = len(one.holds) // S
    parts = fits.reshape(S, F)[np.arange(S)[:, None], one.fold] / G
    parts = (parts - parts.mean())[None]
    found = deletions(one, parts, np.full(G, 1 / G))
    effects = []
    for j in range(G):
        others = np.flatnonzero(one.tested != j)
        answered = ~one.holds.reshape(S, F, G)[np.arange(S)[:, None], one.fold, j]  # (S, G): without j
        centred = parts[0] - parts[0].mean(0)
        effects.append(sum(centred[answered[:, h], h].sum() for h in others) / (answered[:, others].sum() / G))
    assert found.raw[0, 0] == pytest.approx(np.sum(np.square(effects)), rel=1e-6)
    assert found.noise[0, 0] < 0.7 * found.raw[0, 0]  # most of it is no chance


def test_draws_that_owe_nothing_to_their_groups_leave_nothing_when_chance_is_subtracted(make_table):
    one, _, _, _, _ = drawn(make_table(CLASSES, 12, 2), 3, 30, True)
    S, G = one.fold.shape
    raw, noise = 0.0, 0.0
    for i in range(40):
        parts = np.random.default_rng(i).standard_normal((1, S, G)) / G
        found = deletions(one, parts - parts.mean(), np.full(G, 1 / G), seed=i)
        raw, noise = raw + found.raw[0, 0], noise + found.noise[0, 0]
    assert noise == pytest.approx(raw, rel=0.15)


def test_where_groups_are_tested_in_turn_the_spread_does_not_ask_how_alike_their_items_are(make_table):
    one, *_, group, y = drawn(make_table(CLASSES, 8, 3), 4, 5, True)
    rng = np.random.default_rng(0)
    right, total = tally(rng.random((2, 5, len(y))) < 0.8, y, group, 2)
    with_rho, without = (spread_of(Hits(right, total), one, rho) for rho in (np.zeros(2), None))
    assert with_rho.in_turn and np.array_equal(with_rho.deleted.raw, without.deleted.raw)
    for a, b in zip(with_rho.errors(of_scores), without.errors(of_scores), strict=True):
        assert np.array_equal(a, b)
