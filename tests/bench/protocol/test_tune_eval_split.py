"""Halves: what is tuned on is never evaluated on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.chosen_by import LEARN
from bench.errors import BenchError
from bench.protocol.tune_eval_split import split_tune_eval


def table(pairs: list[tuple[str, str]], split: list[str | None] | None = None) -> pd.DataFrame:
    frame = pd.DataFrame(pairs, columns=["label", "group"])
    return frame.assign(split=split if split else None)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30).map(str)), min_size=1, max_size=120),
    st.randoms(use_true_random=False),
)
def test_halves_share_no_group_hold_every_row_and_do_not_depend_on_the_order_of_rows(pairs, random):
    data = table(pairs)
    classes = sorted(set(data["label"]))
    try:
        tuning, evaluation = split_tune_eval(data, classes)
    except BenchError:
        return
    assert sorted([*tuning, *evaluation]) == list(range(len(data)))
    one, other = (set(data["group"][rows]) for rows in (tuning, evaluation))
    assert not one & other
    for name in classes:
        for rows in (tuning, evaluation):
            part = data.iloc[rows]
            assert part["group"][part["label"] == name].nunique() >= 2
    order = random.sample(range(len(data)), len(data))
    shuffled = data.iloc[order].reset_index(drop=True)
    assert set(shuffled["group"][split_tune_eval(shuffled, classes)[0]]) == one


@given(st.lists(st.integers(4, 12), min_size=2, max_size=4))
def test_groups_of_one_class_each_are_halved_and_the_evaluation_gets_the_odd_one(counts):
    data = table([(f"c{k}", f"{k}/{g}") for k, count in enumerate(counts) for g in range(count)])
    tuning, _ = split_tune_eval(data, [f"c{k}" for k in range(len(counts))])
    assert [int((data["label"][tuning] == f"c{k}").sum()) for k in range(len(counts))] == [n // 2 for n in counts]


def test_an_official_test_side_is_never_tuned_on():
    pairs = [(name, f"{name}{g}") for name in "ab" for g in range(6)]
    split = ["train"] * 4 + ["test", "valid"] + ["train"] * 5 + ["test"]
    data = table(pairs, split)
    tuning, evaluation = split_tune_eval(data, ["a", "b"])
    assert set(data["split"][tuning]) == {"train"}
    assert set(np.flatnonzero(data["split"] != "train")) <= set(evaluation)


def test_too_few_groups_are_refused_with_the_class_and_the_reason():
    data = table([("rbc", f"r{g}") for g in range(9)] + [("wbc", f"w{g}") for g in range(3)])
    with pytest.raises(BenchError, match=r"Got class 'wbc' with 3 groups in all, of which 1 could be tuned on and 2"):
        split_tune_eval(data, ["rbc", "wbc"])


def test_labels_that_were_drawn_at_random_are_dealt_evenly_and_the_picked_ones_after_them():
    rows = [(name, f"s{i:02d}", None if i < 4 else LEARN) for i in range(16) for name in "ab"]
    table = pd.DataFrame(rows, columns=["label", "group", "split"]).astype("string")
    tuning, evaluation = split_tune_eval(table, ["a", "b"])
    for half in (tuning, evaluation):
        groups = table.iloc[half].groupby(table["split"].iloc[half].isna())["group"].nunique()
        assert groups[True] == 2 and groups[False] == 6


def test_a_class_with_too_few_groups_of_drawn_labels_is_named():
    rows = [(name, f"s{i:02d}", None if i < 3 else LEARN) for i in range(16) for name in "ab"]
    table = pd.DataFrame(rows, columns=["label", "group", "split"]).astype("string")
    with pytest.raises(BenchError, match="'a' with 3 groups with labels that were drawn at random, of which 1"):
        split_tune_eval(table, ["a", "b"])
