"""Draws are nested over shots, disjoint from the test by group, and say no rather than oversample."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.episodes import REGIMES, draw_supports, order_items, plan_splits
from bench.errors import BenchError


def make_table(groups_per_class: dict[str, int], items_per_group: int, split: list[str] | None = None) -> pd.DataFrame:
    rows = [
        (f"{label}{g}-{i}", label, f"{label}{g}")
        for label, n in groups_per_class.items() for g in range(n) for i in range(items_per_group)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["instance", "label", "group"])
    return table.assign(split=split if split else pd.NA)


tables = st.builds(
    lambda a, b, n: make_table({"a": a, "b": b}, n), st.integers(2, 14), st.integers(2, 14), st.integers(1, 12)
)


@settings(max_examples=40)
@given(table=tables, regime=st.sampled_from(REGIMES))
def test_no_group_is_ever_on_both_sides_and_every_row_is_tested_at_most_once(table, regime):
    plan = plan_splits(table, ["a", "b"])
    group = table["group"].to_numpy(str)
    for repeat in plan.repeats:
        tested = np.concatenate([split.test for split in repeat])
        assert len(set(tested)) == len(tested)
        assert np.array_equal(np.sort(tested), plan.test_rows())
        for split in repeat:
            assert not set(group[split.train]) & set(group[split.test])


@settings(max_examples=40)
@given(table=tables, regime=st.sampled_from(REGIMES))
def test_a_larger_draw_contains_the_smaller_one_and_every_class_has_its_shots(table, regime):
    plan = plan_splits(table, ["a", "b"])
    draws = draw_supports(table, ["a", "b"], plan, [1, 2, 3], seeds=3, regime=regime)
    label = table["label"].to_numpy(str)
    for (shots, seed, split), rows in draws.supports.items():
        assert [np.sum(label[rows] == name) for name in "ab"] == [shots, shots]
        assert len(set(rows)) == len(rows)
        train = next(s.train for s in plan.splits(seed) if s.name == split)
        assert set(rows) <= set(train)
        if (shots + 1, seed, split) in draws.supports:
            assert set(rows) <= set(draws.supports[shots + 1, seed, split])
    assert set(draws.refused) | {shots for shots, _, _ in draws.supports} == {1, 2, 3}


def test_the_order_of_the_table_does_not_change_what_is_drawn():
    table = make_table({"a": 20, "b": 20}, 15)
    plan = plan_splits(table, ["a", "b"])
    drawn = draw_supports(table, ["a", "b"], plan, [4], seeds=2).supports
    ids = table["instance"].to_numpy(str)
    rows = plan.repeats[0][0].train
    rows = rows[table["label"].to_numpy(str)[rows] == "a"]
    shuffled = np.random.default_rng(0).permutation(rows)
    key, groups = ("support", plan.repeats[0][0].name, 0, "a"), table["group"].to_numpy(str)
    one = rows[order_items(ids[rows].tolist(), groups[rows], key, "spread")]
    two = shuffled[order_items(ids[shuffled].tolist(), groups[shuffled], key, "spread")]
    assert np.array_equal(one, two)
    assert np.array_equal(drawn[4, 0, plan.repeats[0][0].name][:4], one[:4])


def test_spread_takes_one_item_of_each_group_before_a_second_and_concentrated_exhausts_a_group():
    groups = np.repeat(["s1", "s2", "s3", "s4"], 5)
    items = [f"i{n}" for n in range(20)]
    spread = groups[order_items(items, groups, ("k",), "spread")]
    assert all(len(set(spread[i : i + 4])) == 4 for i in range(0, 20, 4))
    dense = groups[order_items(items, groups, ("k",), "concentrated")]
    assert all(len(set(dense[i : i + 5])) == 1 for i in range(0, 20, 5))


def test_seeds_differ():
    table = make_table({"a": 30, "b": 30}, 12)
    plan = plan_splits(table, ["a", "b"])
    draws = draw_supports(table, ["a", "b"], plan, [3], seeds=5).supports
    assert len({tuple(rows) for rows in draws.values()}) == 5


def test_the_rule_follows_the_number_of_groups():
    assert plan_splits(make_table({"a": 4, "b": 9}, 3), ["a", "b"]).rule == "leave-one-group-out"
    assert plan_splits(make_table({"a": 12, "b": 12}, 3), ["a", "b"]).rule == "folds"
    assert plan_splits(make_table({"a": 40, "b": 40}, 10), ["a", "b"]).rule == "fixed"
    official = make_table({"a": 4, "b": 4}, 2, split=["train", "train", "test", "test"] * 4)
    plan = plan_splits(official, ["a", "b"])
    assert plan.rule == "official"
    assert plan.repeats[0][0].test.tolist() == np.flatnonzero(official["split"] == "test").tolist()


def test_an_official_split_that_cuts_a_group_is_refused():
    table = make_table({"a": 4, "b": 4}, 2, split=["train", "test"] * 8)
    with pytest.raises(BenchError, match="both sides"):
        plan_splits(table, ["a", "b"])


def test_a_class_with_one_group_cannot_be_both_learned_and_tested():
    with pytest.raises(BenchError, match="class 'b' with 1 group;"):
        plan_splits(make_table({"a": 4, "b": 1}, 3), ["a", "b"])


def test_shots_a_class_cannot_fill_are_refused_with_its_name_and_count():
    table = make_table({"a": 2, "b": 9}, 2)
    draws = draw_supports(table, ["a", "b"], plan_splits(table, ["a", "b"]), [2, 3], seeds=2)
    assert {shots for shots, _, _ in draws.supports} == {2}
    assert "class 'a', which has 4 items in 2 groups and 2 left" in draws.refused[3]
