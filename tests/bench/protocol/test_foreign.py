"""Foreign items are never tested, take the place of examples alike for every encoder, and are never taken twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.fitting import fit
from bench.fitting.fit import Drawn, parts_of, rows_of
from bench.fitting.head_fits import HeadFits
from bench.fitting.tasks import inputs_of
from bench.protocol.foreign import foreign_rows, hold_out
from bench.protocol.noise import check_foreign
from bench.protocol.noise_context import flip_draws
from bench.protocol.open_set import deal_foreign, replace_rows
from bench.protocol.protocol import Protocol
from bench.runs.predictions import read_unit

OPEN = Protocol(shots=(3,), noise=(0.0, 0.2, 0.5), noise_kinds=("symmetric", "open-set"), draws=4, foreign=("debris", "dust"))


@given(n=st.integers(1, 40), seed=st.integers(0, 20), low=st.floats(0, 1), high=st.floats(0, 1))
def test_what_is_replaced_at_one_rate_is_so_by_the_same_item_at_every_higher_one(n, seed, low, high):
    low, high = sorted((low, high))
    rows, pool = np.arange(n), np.arange(100, 140)
    lot = flip_draws([f"i{i}" for i in rows], seed)
    few, many = replace_rows(rows, lot, pool, low), replace_rows(rows, lot, pool, high)
    gone = few != rows
    assert np.array_equal(few[gone], many[gone])
    assert np.array_equal(many != rows, lot < high)
    assert len(set(many)) == n


@given(seed=st.integers(0, 20), order=st.randoms(use_true_random=False))
def test_foreign_items_are_dealt_whatever_their_order_in_the_table(seed, order):
    rows = list(range(30))
    order.shuffle(rows)
    one = deal_foreign(np.arange(30), [f"f{i}" for i in range(30)], "fixed", seed)
    other = deal_foreign(np.array(rows), [f"f{i}" for i in rows], "fixed", seed)
    assert np.array_equal(one, other)


def test_as_many_are_replaced_in_every_class_as_symmetric_noise_flips_and_the_same(make_sweep, tmp_path):
    sweep, views = make_sweep(OPEN, ["knn"])
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    symmetric, foreign = (read_unit(tmp_path, unit) for unit in sweep.blocks)
    assert np.array_equal(symmetric.realised[:, 1:], foreign.realised) and foreign.realised.max() > 0
    assert not np.array_equal(symmetric.P[:, 1:], foreign.P)


def test_a_foreign_item_has_the_label_of_what_it_replaces_and_is_never_of_a_tested_group(make_sweep, tmp_path):
    sweep, views = make_sweep(OPEN, ["knn"])
    shared = sweep.table["group"].where(sweep.table["label"] != "dust", sweep.table["group"].iloc[0])
    sweep = replace(sweep, table=sweep.table.assign(group=shared))  # dust on the first slide of class a
    inputs, unit = inputs_of(sweep, tmp_path), sweep.blocks[1]
    for split in sweep.plan.splits(0):
        pool, whole = rows_of(views["strong"], split, inputs), views["strong"].scaled(split.train, inputs.groups)
        drawn = Drawn(0, split, sweep.draws["class"].supports[3, 0, split.name], pool)
        for part in parts_of(unit, drawn, inputs):
            assert np.array_equal(part.episode.Y[0], inputs.y[drawn.rows])
            X = part.episode.support.X
            taken = [int(np.flatnonzero((row == whole).all(1))[0]) for row in X[part.wrong[0]]]
            assert len(set(taken)) == len(taken) and (inputs.y[taken] == -1).all()
            assert not set(inputs.groups[taken]) & set(inputs.groups[split.test])
            assert np.array_equal(X[~part.wrong[0]], whole[drawn.rows][~part.wrong[0]])


def test_foreign_rows_are_neither_tested_nor_drawn_and_change_neither_splits_nor_draws(make_sweep):
    alone, _ = make_sweep(Protocol(shots=(3,), noise=(0.0, 0.2), draws=4), ["knn"])
    sweep, _ = make_sweep(replace(OPEN, noise=(0.0, 0.2)), ["knn"])
    assert (sweep.y[sweep.plan.test_rows()] >= 0).all()
    for one, other in zip(alone.plan.splits(1), sweep.plan.splits(1), strict=True):
        assert np.array_equal(one.train, other.train) and np.array_equal(one.test, other.test)
    assert all(np.array_equal(rows, sweep.draws["class"].supports[key]) for key, rows in alone.draws["class"].supports.items())


def test_splits_lie_where_the_rows_of_the_classes_do_wherever_foreign_rows_stand(make_table):
    from bench.protocol.splits import plan_splits

    table = make_table(["a", "b"], 12, 3)
    mixed = pd.concat([make_table(["dust"], 2, 2), table], ignore_index=True)
    for one, other in zip(plan_splits(table, "ab").splits(0), plan_splits(mixed, ["a", "b"]).splits(0), strict=True):
        assert np.array_equal(one.train + 4, other.train) and np.array_equal(one.test + 4, other.test)
    assert foreign_rows(mixed, ["a", "b"], np.array([5])).tolist() == [0, 1, 2, 3]


def test_a_level_with_too_few_foreign_items_is_refused_and_the_other_kinds_go_on(make_sweep):
    sweep, _ = make_sweep(replace(OPEN, shots=(1, 20), foreign=("debris",)), ["knn"], items=4, groups=12)
    assert not sweep.draws["class"].refused
    few, _ = make_sweep(replace(OPEN, shots=(1, 20), foreign=("debris",)), ["knn"], items=40, groups=12)
    assert not few.draws["class"].refused  # 480 foreign items
    table = few.table[(few.table["label"] != "debris") | (few.table["path"].str.endswith("-0"))]
    from bench.fitting.plan import plan_sweep

    short = plan_sweep(table.reset_index(drop=True), few.classes, few.protocol, {"e": ("k", "unit")}, ["knn"])
    assert {(unit.shots, unit.noise_kind) for unit in short.blocks} == {
        (1, "symmetric"),
        (1, "open-set"),
        (20, "symmetric"),
    }
    assert "replaces" in short.draws["class"].refused[20] and "12 foreign items" in short.draws["class"].refused[20]


@pytest.mark.parametrize("select", ["loo", "inner-cv", "oracle"])
def test_settings_are_chosen_with_foreign_items_among_the_examples(select, make_sweep, tmp_path):
    sweep, views = make_sweep(replace(OPEN, noise=(0.9,), noise_kinds=("open-set",), select=(select,)), ["ridge"])
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    losses = read_unit(tmp_path, sweep.blocks[0]).losses
    assert np.isfinite(losses).all() and losses.shape[:2] == (4, 1)


def test_wrong_foreign_classes_are_named(tmp_path, save_png):
    from bench.data.datasets import load_dataset

    for i, name in enumerate(("rbc", "xylem", "debris")):
        save_png(tmp_path / name / "one.png", i)
    dataset = load_dataset(tmp_path)
    kept = hold_out(dataset, ["debris"])
    assert kept.classes == ("rbc", "xylem") and set(kept.table["label"]) == {"rbc", "xylem"}
    assert kept.name.endswith("-without-debris") and "1 item of debris is foreign" in kept.notes[-1]
    with pytest.raises(BenchError, match="Got --foreign 'debri', did you mean 'debris'"):
        hold_out(dataset, ["debri"])
    with pytest.raises(BenchError, match="leaves 1 of the classes"):
        hold_out(dataset, ["debris", "rbc"])
    with pytest.raises(BenchError, match="add open-set"):
        check_foreign(["symmetric"], ["debris"])
    with pytest.raises(BenchError, match="open-set without --foreign"):
        check_foreign(["open-set"], [])


def test_the_rows_of_the_other_kinds_are_made_once_a_draw(make_sweep, tmp_path, monkeypatch):
    sweep, views = make_sweep(OPEN, ["knn"])
    asked = []
    original = fit.parts_of
    monkeypatch.setattr(fit, "parts_of", lambda *a: asked.append(len(original(*a))) or original(*a))
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    assert sorted(set(asked)) == [1, 2]  # all rates of symmetric noise together; open-set's two above 0 one by one
