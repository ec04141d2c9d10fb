"""A budget is drawn at natural prevalence, nested and alike for all, and does without classes that it missed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import plan_sweep
from bench.heads import all_heads
from bench.heads.choice import may_leave_out
from bench.protocol.budget import draw_budget, lacking
from bench.protocol.level import level_of
from bench.protocol.order import REGIMES
from bench.protocol.protocol import Protocol
from bench.protocol.splits import Split, class_codes, plan_splits
from bench.runs.ledger import read_ledger
from bench.runs.predictions import read_unit


def uneven(a: int, b: int, groups: int = 20) -> pd.DataFrame:
    """a and b items of two classes, dealt to so many slides, all of which hold both."""
    labels = ["a"] * a + ["b"] * b
    rows = [(f"i{i:04}", label, f"g{i % groups:02}", pd.NA) for i, label in enumerate(labels)]
    return pd.DataFrame(rows, columns=["instance", "label", "group", "split"])


@settings(max_examples=25)
@given(a=st.integers(40, 90), b=st.integers(20, 40), regime=st.sampled_from(list(REGIMES)))
def test_a_larger_budget_contains_the_smaller_one_and_none_of_the_test(a, b, regime):
    table = uneven(a, b)
    plan = plan_splits(table, "ab")
    draws = draw_budget(table, "ab", plan, [1, 7, 20], draws=2, regime=regime)
    y = class_codes(table, "ab")
    for (labels, seed, name), rows in draws.supports.items():
        split = next(split for split in plan.splits(seed) if split.name == name)
        assert len(rows) == len(set(rows)) == labels and set(rows) <= set(split.train)
        assert (np.diff(y[rows]) >= 0).all()
        assert set(rows) <= set(draws.supports[20, seed, name])


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_a_class_has_its_share_of_the_labels_in_the_mean(share):
    table = uneven(round(400 * (1 - share)), round(400 * share))
    plan = plan_splits(table, "ab")
    y = class_codes(table, "ab")
    draws = draw_budget(table, "ab", plan, [30], draws=300)
    got = [y[rows].mean() for rows in draws.supports.values()]
    assert abs(np.mean(got) - share) < 0.01


def test_the_order_of_the_table_changes_no_draw():
    table = uneven(60, 30)
    shuffled = table.sample(frac=1, random_state=0).reset_index(drop=True)
    drawn = []
    for own in (table, shuffled):
        plan = plan_splits(own, "ab")
        supports = draw_budget(own, "ab", plan, [12], draws=3).supports
        drawn.append({key: set(own["instance"].iloc[rows]) for key, rows in supports.items()})
    assert drawn[0] == drawn[1]


def test_the_split_with_the_fewest_items_to_learn_from_says_what_budget_is_refused():
    table = uneven(60, 40)
    repeat = [Split("large", np.arange(50), np.arange(50, 100)), Split("small", np.arange(50, 80), np.arange(80, 100))]
    plan = replace(plan_splits(table, "ab"), repeats=(tuple(repeat),))
    draws = draw_budget(table, "ab", plan, [30, 31], draws=1)
    assert draws.refused == {31: "--budget 31 asked of split 'small', which has 30 items to learn from"}


def test_a_budget_beyond_what_there_is_to_learn_from_is_refused_and_a_missed_class_is_told():
    table = uneven(57, 3)
    plan = plan_splits(table, "ab")
    draws = draw_budget(table, "ab", plan, [4, 1000], draws=5)
    assert "--budget 1000 asked of split" in draws.refused[1000]
    [said] = lacking(draws, class_codes(table, "ab"), "ab")
    without = sum(not class_codes(table, "ab")[rows].any() for rows in draws.supports.values())
    assert f"b in {without}" in said and 0 < without <= len(draws.supports)


BOTH = Protocol(shots=(2,), noise=(0.0, 0.5), draws=4, budget=(3, 12))


def test_every_head_learns_from_a_draw_that_misses_classes(make_sweep, tmp_path):
    sweep, views = make_sweep(BOTH, list(all_heads()), K=4)
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    few = [unit for unit in sweep.blocks if unit.series == "budget" and unit.shots == 3]
    assert {unit.head for unit in few} == set(all_heads())
    for unit in few:
        predictions = read_unit(tmp_path, unit)
        assert np.isfinite(predictions.P).all() and np.allclose(predictions.P.sum(-1), 1, atol=0.01)
        assert (predictions.labels < 1).any() and np.allclose(predictions.labels.sum(1), 3)


def test_the_ledger_counts_wrong_labels_among_all_and_says_how_many_each_class_had(make_sweep, tmp_path):
    sweep, views = make_sweep(BOTH, ["knn"])
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    ledger = read_ledger(tmp_path)
    assert set(zip(ledger["series"], ledger["shots"], strict=True)) == {("balanced", 2), ("budget", 3), ("budget", 12)}
    own = ledger[(ledger["series"] == "budget") & (ledger["noise"] > 0)]
    assert np.allclose(own[["labels:a", "labels:b", "labels:c"]].sum(axis=1), own["shots"])
    assert abs(own.loc[own["shots"] == 12, "noise_realised"].mean() - 0.5) < 0.15


def test_a_budget_changes_no_unit_of_the_balanced_series_and_is_the_same_for_all_encoders(make_sweep, tmp_path):
    sweep, views = make_sweep(BOTH, ["knn"], encoders={"weak": 0.1, "strong": 3.0})
    alone, _ = make_sweep(replace(BOTH, budget=()), ["knn"], encoders={"weak": 0.1, "strong": 3.0})
    names = [unit.name for unit in sweep.blocks if unit.series == "balanced"]
    assert names == [unit.name for unit in alone.blocks]
    assert len({unit.name for unit in sweep.blocks}) == len(sweep.blocks) == 6
    HeadFits(views=views, workers=2).make(sweep, sweep.blocks, tmp_path)
    for shots in (3, 12):
        weak, strong = (read_unit(tmp_path, u) for u in sweep.blocks if (u.series, u.shots) == ("budget", shots))
        assert np.array_equal(weak.labels, strong.labels) and np.array_equal(weak.realised, strong.realised)


def test_settings_are_not_chosen_where_a_draw_may_lack_groups(make_sweep):
    sweep, _ = make_sweep(replace(BOTH, select=("fixed", "loo")), ["ridge"])
    assert {unit.selection for unit in sweep.blocks if unit.series == "budget"} == {"fixed"}
    assert any("--budget 3 with --select loo" in why for why in sweep.refused)


def test_settings_are_chosen_in_those_draws_of_a_budget_where_every_class_has_two_groups(make_sweep, tmp_path):
    sweep, views = make_sweep(
        Protocol(shots=(2,), noise=(0.0, 0.3), draws=8, budget=(3, 9, 60), select=("auto", "fixed")), ["ridge"]
    )
    group, K = sweep.table["group"].to_numpy(str), len(sweep.classes)
    plan, draws = sweep.plan, sweep.draws["total"].supports
    drawn = {n: [[draws[n, s, split.name] for split in plan.splits(s)] for s in range(8)] for n in (3, 9, 60)}
    able = {
        n: np.array([[may_leave_out(group[rows], sweep.y[rows], K) for rows in splits] for splits in of_seed])
        for n, of_seed in drawn.items()
    }  # (seeds, splits)
    assert not able[3].any() and able[60].all() and able[9].any() and not able[9].all()
    units = {(unit.shots, unit.selection): unit for unit in sweep.blocks if unit.series == "budget"}
    ways = {n: units[n, "auto"].chosen_by for n in (3, 9, 60)}
    assert ways == {3: "fixed", 9: f"auto {able[9].sum()}/{able[9].size}", 60: "auto"}
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    auto, fixed = (read_unit(tmp_path, units[9, kind]) for kind in ("auto", "fixed"))
    assert np.array_equal((auto.temperature != fixed.temperature).all(1), able[9])
    assert np.array_equal((auto.temperature != fixed.temperature).any(1), able[9])
    for s in range(8):
        at = [np.searchsorted(plan.test_rows(), split.test) for split in plan.splits(s)]
        same = [np.array_equal(auto.P[s][:, rows], fixed.P[s][:, rows]) for rows in at]
        assert same == (~able[9][s]).tolist()
    assert np.array_equal(np.isfinite(auto.losses).all((1, 2)), able[9].all(1))
    assert np.isfinite(read_unit(tmp_path, units[60, "auto"]).losses).all()
    rows = read_ledger(tmp_path).query("series == 'budget' and shots == 9 and selection == 'auto'")
    assert set(rows["chosen_by"]) == {ways[9]}
    assert ((rows["losses"] != "") == able[9].all(1)[rows["seed"]]).all()


def test_a_budget_alone_will_do_and_none_at_all_will_not(make_table, make_view):
    table = make_table("ab", 12, 4)
    sweep = plan_sweep(table, ("a", "b"), Protocol(shots=(), budget=(5,)), {"e": ("key", "unit")}, ["knn"])
    assert [unit.series for unit in sweep.blocks] == ["budget"]
    for shots, budget in (((), ()), ((1,), (0,))):
        with pytest.raises(BenchError, match="; expected "):
            Protocol(shots=shots, budget=budget)


def test_draws_of_a_budget_differ():
    table = uneven(60, 30)
    supports = draw_budget(table, "ab", plan_splits(table, "ab"), [12], draws=8).supports
    assert len({(name, tuple(rows)) for (_, _, name), rows in supports.items()}) == len(supports)


@pytest.mark.parametrize(("labels", "of_a_class"), [(1, 1), (3, 1), (5, 1), (6, 2), (60, 20)])
def test_a_budget_is_worth_its_share_of_a_class_in_whole_labels_and_at_least_one(labels, of_a_class):
    assert level_of(labels, "budget").per_class(3) == of_a_class and level_of(labels, "balanced").per_class(3) == labels
