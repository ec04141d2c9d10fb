"""Which methods differ from the best one, against values worked out by hand and against other ways to get them."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from bench.draws.episodes import plan_splits
from bench.errors import BenchError
from bench.fitting import ledger
from bench.fitting.metrics import balanced_accuracy
from bench.report.pairs import Block, by_folds, by_groups, corrected_t, fold_parts, folds_of, holm, refusal

CLASSES = ("a", "b", "c")


def test_the_corrected_t_of_four_differences_by_hand():
    apart = np.array([[0.1, 0.3, 0.2, 0.2]])
    found = corrected_t(apart, 0.25)
    error = np.sqrt((0.02 / 3) * (1 / 4 + 1 / 4))
    assert found.difference[0] == pytest.approx(0.2)
    assert found.high[0] - found.difference[0] == pytest.approx(3.182446 * error)  # t of 3 degrees of freedom
    assert found.p[0] == pytest.approx(0.0405, abs=1e-4)  # t = 3.4641
    assert found.method == "nadeau-bengio"


def test_without_the_correction_it_is_the_paired_t_test_and_with_it_never_surer():
    apart = np.random.default_rng(0).normal(0.1, 1, (5, 20))
    plain, corrected = corrected_t(apart, 0), corrected_t(apart, 0.25)
    assert plain.p == pytest.approx(ttest_1samp(apart, 0, axis=1).pvalue)
    assert (corrected.p > plain.p).all() and (corrected.low < plain.low).all()


def test_methods_that_never_differ_are_equal_and_those_that_always_differ_alike_are_not():
    assert corrected_t(np.zeros((1, 5)), 0.25).p.tolist() == [1]
    assert corrected_t(np.full((1, 4), 0.5), 0.25).p.tolist() == [0]
    with pytest.raises(BenchError, match="Got 1 fold"):
        corrected_t(np.zeros((1, 1)), 0.25)


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.4, np.nan, 0.9, 0.01]))[[0, 2, 3]] == pytest.approx([0.8, 0.9, 0.03])
    assert holm(np.array([])).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_lies_between_no_correction_and_bonferroni(p):
    p = np.array(p)
    adjusted, order = holm(p), np.argsort(p, kind="stable")
    assert (adjusted >= p).all() and (adjusted <= np.minimum(p * len(p), 1) + 1e-12).all()
    assert (np.diff(adjusted[order]) >= 0).all()


@pytest.fixture
def folds(make_table):
    table = make_table(CLASSES, 7, 3)
    plan = plan_splits(table, CLASSES)
    assert plan.rule == "folds"
    return plan, ledger.tested_items(table, plan.test_rows(), CLASSES)


def block(plan, tested: ledger.Tested, skills=(0.9, 0.6, 0.6), seeds: int = 12) -> Block:
    rng = np.random.default_rng(0)
    luck = rng.random((seeds, len(tested.y)))
    return Block(np.stack([luck < skill for skill in skills]), tested, plan)


def test_what_folds_add_is_the_balanced_accuracy_of_the_pooled_predictions(folds):
    plan, tested = folds
    one = block(plan, tested)
    parts = fold_parts(one.right, one.weight, folds_of(plan, tested, 12))
    assert parts.shape == (3, 12, 5)
    wrong = (tested.y + 1) % 3
    P = np.eye(3)[np.where(one.right, tested.y, wrong)]
    assert parts.mean(-1) == pytest.approx(balanced_accuracy(P, tested.y))
    assert one.scores == pytest.approx(balanced_accuracy(P, tested.y).mean(-1))


def test_every_item_is_in_the_fold_that_tests_it_also_where_several_rows_are_one_item(make_table):
    table = make_table(CLASSES, 7, 3, level="inherited")
    plan = plan_splits(table, CLASSES)
    tested = ledger.tested_items(table, plan.test_rows(), CLASSES)
    assert tested.level == "image" and len(tested.y) == 21
    fold = folds_of(plan, tested, 3)
    for seed in range(3):
        for f, split in enumerate(plan.splits(seed)):
            assert set(tested.group[fold[seed] == f]) == set(table["group"].iloc[split.test])


def test_folds_tell_a_clear_difference_and_tie_what_is_the_same(folds):
    found = by_folds(block(*folds, skills=(0.95, 0.35, 0.95)), 0, [1, 2])
    assert found.difference[0] == pytest.approx(0.6, abs=0.06) and found.low[0] > 0.3 and found.p[0] < 1e-4
    assert (found.difference[1], found.low[1], found.high[1], found.p[1]) == (0, 0, 0, 1)


def test_differences_by_groups_are_paired_and_their_p_agrees_with_their_interval(make_table):
    table = make_table(CLASSES, 33, 10)
    plan = plan_splits(table, CLASSES)
    assert plan.rule == "fixed"
    tested = ledger.tested_items(table, plan.test_rows(), CLASSES)
    assert refusal(plan, tested) == ""
    one = block(plan, tested, skills=(0.8, 0.3, 0.8, 0.79), seeds=5)
    found = by_groups(one, 0, [1, 2, 3])
    assert found.difference == pytest.approx(one.scores[0] - one.scores[1:])
    assert found.low[0] > 0 and found.p[0] < 1e-3
    assert (found.difference[1], found.low[1], found.high[1], found.p[1]) == (0, 0, 0, 1)
    assert ((found.low > 0) == (found.p < 0.05)).all()


def test_few_groups_are_refused_with_the_reason(make_table):
    table = make_table(CLASSES, 4, 3)
    plan = plan_splits(table, CLASSES)
    assert "each group is one observation" in refusal(plan, ledger.tested_items(table, plan.test_rows(), CLASSES))
    table = table.assign(split=np.where(table["group"].str[1:] == "0", "test", "train"))
    plan = plan_splits(table, CLASSES)
    assert "a class has 1 test groups" in refusal(plan, ledger.tested_items(table, plan.test_rows(), CLASSES))


@pytest.fixture
def simulation(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "simulation")
    return importlib.import_module("nadeau_bengio")


def test_equal_methods_are_seldom_told_apart_by_the_corrected_test_and_often_by_the_plain_one(simulation):
    corrected, plain = simulation.rejections(simulation.Case(6, 5, 5, 10, 0.3), 60)
    assert corrected <= 0.1 and plain > 0.3


@pytest.mark.slow
def test_the_level_of_the_corrected_test_holds_in_every_case(simulation):
    for case in simulation.CASES:
        corrected, plain = simulation.rejections(case, 400)
        assert corrected <= 0.075 and plain > 0.3, case  # .05 and two standard errors of 400 sets
