"""Orders in which items are labelled: what a group gives to a draw follows from what it holds, and from nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.protocol.order import REGIMES, check_regime, order_items
from bench.protocol.splits import plan_splits
from bench.protocol.supports import draw_supports

GROUPS = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 30)), min_size=1, max_size=8)


def rows(held: list[tuple[int, int]]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Items of one class, their groups, and the items of all classes there; held: of the class, and of others."""
    groups = np.array([f"s{g}" for g, (n, _) in enumerate(held) for _ in range(n)])
    size = np.array([n + other for n, other in held for _ in range(n)])
    return [f"{g}-{i}" for i, g in enumerate(groups.tolist())], groups, size


@given(held=GROUPS, regime=st.sampled_from(list(REGIMES)), shuffle=st.randoms(use_true_random=False))
def test_every_item_comes_once_and_the_order_of_the_rows_changes_nothing(held, regime, shuffle):
    items, groups, size = rows(held)
    order = order_items(items, groups, ("k",), regime, size)
    assert sorted(order) == list(range(len(items)))
    turned = list(range(len(items)))
    shuffle.shuffle(turned)
    again = order_items([items[i] for i in turned], groups[turned], ("k",), regime, size[turned])
    assert [items[i] for i in order] == [items[turned[i]] for i in again]


@given(held=GROUPS.filter(lambda held: len(held) > 1), regime=st.sampled_from(list(REGIMES)))
def test_without_a_group_the_others_keep_their_order(held, regime):
    items, groups, size = rows(held)
    left = np.flatnonzero(groups != "s0")
    fewer = order_items([items[i] for i in left], groups[left], ("k",), regime, size[left])
    whole = order_items(items, groups, ("k",), regime, size)
    assert left[fewer].tolist() == [i for i in whole if groups[i] != "s0"]


def test_groups_that_are_alike_give_one_item_each_before_a_second_and_concentrated_exhausts_a_group():
    items, groups, size = rows([(5, 0)] * 4)
    spread = groups[order_items(items, groups, ("k",), "spread", size)]
    assert all(len(set(spread[i : i + 4])) == 4 for i in range(0, 20, 4))
    dense = groups[order_items(items, groups, ("k",), "concentrated", size)]
    assert all(len(set(dense[i : i + 5])) == 1 for i in range(0, 20, 5))


def share_of_first(held: list[tuple[int, int]], regime: str, n: int, seeds: int = 3000) -> float:
    """Return the share of the first group in draws of n."""
    items, groups, size = rows(held)
    return float(np.mean([(groups[order_items(items, groups, (s,), regime, size)[:n]] == "s0").mean() for s in range(seeds)]))


def test_a_stray_item_counts_as_its_share_of_the_slide_and_a_slide_four_times_as_large_twice():
    full = [(20, 0)] * 9
    stray = share_of_first([(1, 19), *full], "spread", 3)
    assert abs(stray - (1 / 20) / (9 + 1 / 20)) < 0.003
    large = share_of_first([(80, 0), *full], "spread", 3)
    assert abs(large - 2 / 11) < 0.02


def test_items_as_they_come_give_a_group_its_share_of_the_items():
    assert abs(share_of_first([(30, 5), *[(10, 0)] * 6], "proportional", 4) - 30 / 90) < 0.012


def strays(slides: int, items: int) -> pd.DataFrame:
    """Slides of one class each, of which one item carries the label of the other class."""
    made = [
        (f"s{s}-{i}", "ab"[(s + (i == 0)) % 2], f"s{s}", "ab"[s % 2]) for s in range(slides) for i in range(items)
    ]  # fmt: skip
    return pd.DataFrame(made, columns=["instance", "label", "group", "true"]).assign(split=pd.NA)


@pytest.mark.parametrize("unit", ["instance", "image"])
@pytest.mark.parametrize("regime", list(REGIMES))
def test_a_draw_has_hardly_more_wrong_labels_than_the_data_where_every_slide_has_one(regime, unit):
    table = strays(40, 20)
    table["image"] = table["instance"]
    drawn = draw_supports(table, ["a", "b"], plan_splits(table, "ab"), [1, 5, 10], draws=30, regime=regime, unit=unit)
    wrong = (table["label"] != table["true"]).to_numpy()
    assert wrong.mean() == 0.05
    for shots in (1, 5, 10):
        share = np.mean([wrong[rows].mean() for (n, _, _), rows in drawn.supports.items() if n == shots])
        assert share <= 0.10 + 0.05 * (regime == "concentrated")  # which draws few slides, so that the mean wavers


def test_a_slide_with_half_of_the_items_gives_far_less_than_half_of_a_draw_by_default():
    held = [(400, 0), *[(20, 0)] * 20]
    assert share_of_first(held, "spread", 5, 500) < 0.25 < 0.45 < share_of_first(held, "proportional", 5, 500)


def test_an_unknown_regime_is_refused_by_name():
    with pytest.raises(BenchError, match="Got --support-groups 'sprad', did you mean 'spread'.*spread, proportional, concentrated"):
        check_regime("sprad")
