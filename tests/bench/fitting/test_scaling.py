"""What rows are scaled by: all of the training side, or the labelled examples of a draw and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.errors import BenchError
from bench.fitting.ensembles import Concat
from bench.fitting.fit import rows_of
from bench.fitting.head_fits import HeadFits
from bench.fitting.scaling import SCALING, ScaledByDraw, ScaledBySplit, scale_rows
from bench.fitting.tasks import inputs_of
from bench.fitting.views import Embedded
from bench.heads import get_heads
from bench.heads.pool import Pool
from bench.protocol.open_set import replace_rows
from bench.protocol.protocol import Protocol
from bench.runs.predictions import read_unit

SUPPORT = Protocol(shots=(1, 3), noise=(0.0, 0.3), draws=3, scale_by="support")


def predictions(sweep, views, folder):
    HeadFits(views=views).make(sweep, sweep.blocks, folder)
    return [read_unit(folder, unit).P for unit in sweep.blocks]


def test_scaled_by_the_labelled_examples_nothing_depends_on_unlabelled_training_rows(make_sweep, tmp_path):
    for scale_by, alike in (("support", True), ("pool", False)):
        sweep, views = make_sweep(replace(SUPPORT, scale_by=scale_by), ["knn", "logreg", "ridge", "lda"], groups=12)
        view = views["strong"]
        labelled = np.unique(np.concatenate(list(sweep.draws["class"].supports.values())))
        tested = {row for repeat in sweep.plan.repeats[:3] for split in repeat for row in split.test}
        unlabelled = np.setdiff1d(np.arange(len(view.X)), labelled)
        assert len(unlabelled) and tested >= set(unlabelled), "under folds such a row is tested, so its own answers change"
        X = view.X.copy()
        X[unlabelled] += 100
        moved = {"strong": replace(view, X=X)}
        before, after = predictions(sweep, views, tmp_path / scale_by), predictions(sweep, moved, tmp_path / f"{scale_by}-moved")
        others = ~np.isin(sweep.plan.test_rows(), unlabelled)
        same = [np.array_equal(a[:, :, others], b[:, :, others]) for a, b in zip(before, after, strict=True)]
        assert all(same) if alike else np.mean(same) < 0.5


@pytest.mark.parametrize("scaling", ["unit", "standard"])
def test_a_draw_scaled_by_itself_is_what_scaling_by_these_rows_gives(make_table, make_view, scaling):
    table = make_table("abc", 6, 4)
    views = [replace(make_view(table, name, 1.0), scaling=scaling) for name in ("one", "other")]
    group = table["group"].to_numpy(str)
    rows, test = np.array([3, 30, 50, 4]), np.array([60, 61, 10])
    whole = [scale_rows(view.X, rows, group, scaling) for view in views]
    both = Concat("both", tuple(views))
    for view, X in ((views[0], whole[0]), (both, np.concatenate(whole, 1) / np.sqrt(np.float32(2)))):
        support = ScaledByDraw(view.take, group).support(rows, test)
        assert np.array_equal(support.X, X[rows]) and np.array_equal(support.X_test, X[test])
        assert np.array_equal(support.groups, np.unique(group[rows], return_inverse=True)[1])


def test_examples_that_noise_replaces_are_scaled_by_what_stands_in_their_place(make_table, make_view):
    table = make_table("abc", 6, 4)
    view, group = make_view(table, "one", 1.0), table["group"].to_numpy(str)
    rows = replace_rows(np.array([3, 30, 50]), np.array([0.1, 0.9, 0.8]), np.array([70, 71]), 0.5)
    support = ScaledByDraw(view.take, group).support(rows, np.array([10]), group[[3, 30, 50]])
    at = np.array(["x"] * len(group), object)
    at[[70, 30, 50]] = group[[3, 30, 50]]
    assert np.array_equal(support.X, scale_rows(view.X, np.array([70, 30, 50]), at.astype(str), "unit")[[70, 30, 50]])


def test_what_is_scaled_by_is_part_of_what_names_a_unit_and_the_pool_stays_shared(make_sweep, tmp_path):
    own, views = make_sweep(SUPPORT, ["knn"])
    pool, _ = make_sweep(replace(SUPPORT, scale_by="pool"), ["knn"])
    assert {unit.scale_by for unit in own.blocks} == {"support"} and {unit.scale_by for unit in pool.blocks} == {"pool"}
    assert not {unit.name for unit in own.blocks} & {unit.name for unit in pool.blocks}
    split = own.plan.repeats[0][0]
    assert isinstance(rows_of(views["strong"], split, inputs_of(pool, tmp_path)), ScaledBySplit)
    assert isinstance(rows_of(views["strong"], split, inputs_of(own, tmp_path)), ScaledByDraw)


@pytest.mark.parametrize("scaling", ["unit", "standard"])
def test_rows_scaled_as_draws_ask_for_them_are_those_scaled_for_all_of_them(make_sweep, tmp_path, scaling):
    sweep, views = make_sweep(replace(SUPPORT, scale_by="pool"), ["knn"])
    one, inputs = replace(views["strong"], scaling=scaling), inputs_of(sweep, tmp_path)
    for view in (one, Concat("both", (one, views["strong"]))):
        for split in sweep.plan.repeats[0]:
            whole, rows = view.scaled(split.train, inputs.groups), split.train[[5, 0, 9]]
            for _ in range(2):  # the test rows are kept
                support = rows_of(view, split, inputs).support(rows, split.test)
                assert np.array_equal(support.X, whole[rows]) and np.array_equal(support.X_test, whole[split.test])


def test_every_head_takes_one_labelled_example_of_all_scaled_by_itself(make_sweep, tmp_path):
    heads = [head.name for head in get_heads(["knn", "centroid", "ridge", "lda", "logreg"])]
    sweep, views = make_sweep(replace(SUPPORT, shots=(1,), budget=(1,)), heads)
    for P in predictions(sweep, views, tmp_path):
        assert np.isfinite(P).all() and np.allclose(P.sum(-1), 1, atol=0.01)


def test_workers_change_no_bit_of_draws_scaled_by_themselves(make_sweep, tmp_path):
    sweep, views = make_sweep(SUPPORT, ["knn", "logreg"])
    one = predictions(sweep, views, tmp_path / "one")
    HeadFits(views=views, workers=2).make(sweep, sweep.blocks, tmp_path / "two")
    assert all(np.array_equal(P, read_unit(tmp_path / "two", unit).P) for P, unit in zip(one, sweep.blocks, strict=True))


def test_unknown_rows_to_scale_by_are_refused():
    with pytest.raises(BenchError, match="Got --scale-by 'suport', did you mean 'support'"):
        Protocol(shots=(1,), scale_by="suport")


@pytest.mark.parametrize("scaling", SCALING)
def test_draws_of_one_split_see_the_same_rows_whether_all_are_scaled_or_those_asked_for(scaling):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 20).astype(str)
    train, test, rows = np.arange(400), np.arange(400, 600), np.arange(0, 400, 40)
    view = Embedded("e", "k", scaling, rng.standard_normal((600, 24), np.float32))
    pool = Pool(view.scaled(train, groups), groups, budget=0).support(rows, test)
    asked_for = ScaledBySplit(view.scaler(train, groups), groups, lambda: pool.axes).support(rows, test)
    assert np.array_equal(pool.X, asked_for.X) and np.array_equal(pool.X_test, asked_for.X_test)
    assert np.array_equal(pool.groups, asked_for.groups) and np.array_equal(pool.mean, asked_for.mean)
