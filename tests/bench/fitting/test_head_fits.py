"""Tasks are cut by processes and memory, share what they can, and give the same bits however they are cut."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.fitting import fit
from bench.fitting.forecast import forecast
from bench.fitting.head_fits import HeadFits
from bench.fitting.tasks import cut_tasks, task_bytes
from bench.protocol.protocol import Protocol
from bench.runs.predictions import read_unit
from bench.storage.scratch import mapped

HEADS = ["knn", "centroid", "ridge"]


def bits(sweep, run):
    return {unit.name: unit.path(run).read_bytes() for unit in sweep.blocks}


def test_an_encoder_is_one_task_where_one_split_serves_all_draws(make_sweep):
    sweep, views = make_sweep(Protocol(shots=(1, 4)), HEADS, groups=40, items=10, encoders={"a": 1, "bb": 2})
    tasks, at_once = cut_tasks(sweep.blocks, sweep, views, 1, 1e12)
    assert [len(task) for task in tasks] == [6, 6] and at_once == 1


def test_a_shot_level_is_a_task_where_there_are_several_splits(make_sweep):
    sweep, views = make_sweep(Protocol(shots=(1, 4)), HEADS, encoders={"a": 1, "bb": 2})
    tasks, _ = cut_tasks(sweep.blocks, sweep, views, 1, 1e12)
    assert all(len({(unit.encoder, unit.shots) for unit in task}) == 1 for task in tasks) and len(tasks) == 4


def test_tasks_are_cut_until_every_process_has_two_and_none_is_lost(make_sweep):
    sweep, views = make_sweep(Protocol(shots=(1, 4)), HEADS)
    tasks, at_once = cut_tasks(sweep.blocks, sweep, views, 3, 1e12)
    assert len(tasks) == 6 and at_once == 3
    assert sorted(unit.name for task in tasks for unit in task) == sorted(unit.name for unit in sweep.blocks)


def test_less_memory_means_fewer_tasks_at_once_and_too_little_is_refused(make_sweep):
    sweep, views = make_sweep(Protocol(shots=(1, 4)), HEADS)
    one = max(task_bytes((unit,), sweep, views["strong"]) for unit in sweep.blocks)
    at_once = [cut_tasks(sweep.blocks, sweep, views, 3, budget)[1] for budget in (one, 2.2 * one, 3.3 * one)]
    assert at_once == [1, 2, 3]
    with pytest.raises(BenchError, match=r"Got a budget of 0.0 GB.*give --memory at least"):
        cut_tasks(sweep.blocks, sweep, views, 3, one / 10)


def test_rows_that_are_left_out_are_counted(make_sweep):
    def size(kind: str) -> float:
        sweep, views = make_sweep(Protocol(shots=(4,), select=(kind,)), ["ridge"])
        return max(task_bytes((unit,), sweep, views["strong"]) for unit in sweep.blocks)

    # 10 settings, 3 classes, 12 rows: six arrays of scores and, of 12 rows and not of 24 dimensions, a fit and the rows.
    counted = 8 * (10 * 3 * (6 * 12 + 12) + 12 * 12)
    assert size("loo") == size("auto") == size("oracle") + counted


def test_the_estimate_counts_what_a_draw_is_multiplied_with_and_its_folds(make_sweep):
    sweep, views = make_sweep(Protocol(shots=(3, 6), draws=3, select=("fixed", "inner-cv")), ["knn"])
    size = {(unit.selection, unit.shots): task_bytes((unit,), sweep, views["strong"]) for unit in sweep.blocks}
    few, many = 3 * 3, 3 * 6  # labels of 3 classes
    tested = max(len(split.test) for splits in sweep.plan.repeats for split in splits)
    own, across, pool = 4 * (many**2 - few**2), 4 * (many - few) * tested, 2 * (many - few) * 24  # 24 dimensions
    assert size["fixed", 6] - size["fixed", 3] == pytest.approx(8 * (own + across + pool))
    folds = 80 * (many**2 - few**2)
    assert size["inner-cv", 6] - size["inner-cv", 3] == pytest.approx(8 * (own + across + pool) + folds)


def test_a_task_whose_predictions_would_not_fit_is_cut(make_sweep, monkeypatch):
    sweep, views = make_sweep(Protocol(shots=(1, 4)), HEADS)
    monkeypatch.setattr("bench.fitting.tasks.PROCESS", 0.0)
    monkeypatch.setattr("bench.fitting.tasks._kept", lambda task, sweep: 1e9 * len(task))
    tasks, at_once = cut_tasks(sweep.blocks, sweep, views, 1, 2.5e9)
    assert max(map(len, tasks)) <= 2 and at_once == 1


def test_tasks_are_cut_until_as_many_fit_as_there_are_processes(make_sweep, monkeypatch):
    sweep, views = make_sweep(Protocol(shots=(1, 2, 4, 6)), HEADS)
    monkeypatch.setattr("bench.fitting.tasks.PROCESS", 0.0)
    monkeypatch.setattr("bench.fitting.tasks._kept", lambda task, sweep: 1e9 * len(task))
    tasks, at_once = cut_tasks(sweep.blocks, sweep, views, 2, 5e9)
    assert max(map(len, tasks)) == 2 and at_once == 2


def test_however_tasks_are_cut_the_bits_are_the_same(make_sweep, tmp_path):
    sweep, views = make_sweep(Protocol(shots=(1, 4), noise=(0.0, 0.4), draws=3), [*HEADS, "logreg"])
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "one")
    HeadFits(views=views, workers=2, memory=50).make(sweep, sweep.blocks, tmp_path / "many")
    assert bits(sweep, tmp_path / "one") == bits(sweep, tmp_path / "many")


def test_another_device_for_fitting_reaches_the_heads_and_scores_alike(make_sweep, tmp_path):
    pytest.importorskip("torch")
    sweep, views = make_sweep(Protocol(shots=(4,), draws=2), ["logreg"])
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "plain")
    HeadFits(views=views, device="cpu:0").make(sweep, sweep.blocks, tmp_path / "other")  # by torch
    plain, other = (read_unit(tmp_path / name, sweep.blocks[0]) for name in ("plain", "other"))
    np.testing.assert_allclose(other.P.astype(float), plain.P.astype(float), atol=0.01)
    assert not np.array_equal(other.gap, plain.gap)  # the last bits tell the libraries apart


def test_embeddings_mapped_from_a_file_give_the_same_bits(make_sweep, tmp_path):
    sweep, views = make_sweep(Protocol(shots=(2,), draws=2), HEADS)
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "array")
    view = replace(views["strong"], X=mapped(views["strong"].X, tmp_path, "strong"))
    assert isinstance(view.X, np.memmap)
    HeadFits(views={"strong": view}, workers=2).make(sweep, sweep.blocks, tmp_path / "mapped")
    assert bits(sweep, tmp_path / "array") == bits(sweep, tmp_path / "mapped")


def test_embeddings_that_are_not_finite_are_refused_with_the_encoder_and_their_number(make_sweep, tmp_path):
    sweep, views = make_sweep(Protocol(shots=(1,), draws=1), ["knn"])
    X = views["strong"].X.copy()
    X[3, 0], X[5, 1], X[5, 2] = np.nan, np.inf, np.nan
    with pytest.raises(BenchError, match="Got 2 embeddings of 'strong' that hold NaN or infinity"):
        HeadFits(views={"strong": replace(views["strong"], X=X)}).make(sweep, sweep.blocks, tmp_path)
    assert not list(tmp_path.iterdir())


def test_rows_that_are_not_finite_are_counted_once_wherever_they_stand_among_many(make_sweep):
    _, views = make_sweep(Protocol(shots=(1,), draws=1), ["knn"])
    X = np.zeros((3 * 8192, 2), np.float32)
    X[[0, 8191, 8192, 8193, 2 * 8192, -1], 1] = np.nan
    assert replace(views["strong"], X=X).broken() == 6


def test_what_was_complete_before_a_failure_is_kept(make_sweep, tmp_path, monkeypatch):
    sweep, views = make_sweep(Protocol(shots=(1, 2, 4), draws=2), HEADS, groups=40, items=10)
    original, calls = fit.choose, []

    def fail_late(*arguments):
        calls.append(arguments)
        if len(calls) > 8:  # in the second of three shot levels
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(fit, "choose", fail_late)
    with pytest.raises(KeyboardInterrupt):
        HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    monkeypatch.undo()
    done = [unit for unit in sweep.blocks if read_unit(tmp_path, unit) is not None]
    assert {unit.shots for unit in done} == {4} and len(done) == 3
    assert not list((tmp_path / "claims").glob("*.claim"))
    assert HeadFits(views=views).make(sweep, sweep.blocks, tmp_path) == (3, 6)


def test_two_processes_on_one_run_share_its_units(make_sweep, tmp_path):
    sweep, views = make_sweep(Protocol(shots=(1, 2, 4, 6), noise=(0.0, 0.4), draws=6), [*HEADS, "logreg"], encoders={"a": 1, "bb": 3})
    counts = multiprocessing.get_context("fork").Queue()

    def work() -> None:
        counts.put(HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "both"))

    both = [multiprocessing.get_context("fork").Process(target=work) for _ in range(2)]
    for process in both:
        process.start()
    found = [counts.get(timeout=300) for _ in both]
    for process in both:
        process.join()
    assert [sum(count) for count in found] == [len(sweep.blocks)] * 2
    assert sum(made for _, made in found) == len(sweep.blocks)  # nothing was made twice
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "one")
    assert bits(sweep, tmp_path / "both") == bits(sweep, tmp_path / "one")


def test_progress_is_told_by_head_in_fits_and_ends_with_all_of_them(make_sweep, tmp_path):
    sweep, views = make_sweep(Protocol(shots=(1, 4), noise=(0.0, 0.4), draws=3), HEADS)
    told: list[tuple[str, int, int]] = []
    HeadFits(views=views, on_progress=lambda *what: told.append(what)).make(sweep, sweep.blocks, tmp_path)
    for head in HEADS:
        done = [count for name, count, total in told if name == head and total == 2 * 3 * 2 * 5]
        assert done[0] == 0 and done[-1] == 2 * 3 * 2 * 5
        assert all(a <= b for a, b in pairwise(done))


def test_a_forecast_counts_the_fits_and_what_is_done_and_fits_nothing(make_sweep, tmp_path):
    protocol = Protocol(shots=(1, 4), noise=(0.0, 0.4), draws=3)
    sweep, views = make_sweep(protocol, HEADS, encoders={"a": 1, "bb": 2})
    before = forecast(sweep, views, tmp_path)
    assert before.table["fits"].sum() == 2 * len(HEADS) * 2 * 3 * 2 * 5
    assert before.table["done"].sum() == 0 and before.seconds > 0
    assert before.bytes == 2 * (2 * len(HEADS) * 2) * 3 * 2 * len(sweep.table) * len(sweep.classes)  # float16, all tested
    assert not list(tmp_path.iterdir())
    few = make_sweep(protocol, HEADS, encoders={"a": 1})[0]
    HeadFits(views=views).make(few, few.blocks, tmp_path)
    half = forecast(sweep, views, tmp_path)
    assert half.table["done"].tolist() == [3 * 2 * 5] * 6
    assert half.bytes == before.bytes / 2
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    assert forecast(sweep, views, tmp_path).seconds == 0


def test_a_forecast_tells_kinds_of_noise_apart_and_counts_clean_labels_once(make_sweep, tmp_path):
    sweep, views = make_sweep(Protocol(shots=(1,), noise=(0.0, 0.2, 0.4), noise_kinds=("symmetric", "group"), draws=3), HEADS)
    table = forecast(sweep, views, tmp_path).table
    assert table.groupby("noise_kind")["fits"].unique().to_dict() == {"symmetric": [3 * 3 * 5], "group": [2 * 3 * 5]}
    assert (table["encoders"] == 1).all() and (table["seconds"] > 0).all()


def test_a_forecast_times_every_way_to_choose_settings(make_sweep, tmp_path):
    select = ("fixed", "auto", "loo", "inner-cv", "oracle")
    sweep, views = make_sweep(Protocol(shots=(4,), draws=3, select=select), ["ridge"])
    table = forecast(sweep, views, tmp_path).table.set_index("selection")
    assert set(table.index) == set(select) and (table["seconds"] > 0).all() and (table["fits"] == 3 * 5).all()


def test_levels_of_another_series_take_nothing_off_the_time_of_a_level(make_sweep, tmp_path, monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(ticks)))
    seconds = []
    for more in ({}, {"budget": (12,)}):
        sweep, views = make_sweep(Protocol(shots=(4,), draws=2, **more), ["ridge"])
        table = forecast(sweep, views, tmp_path).table
        seconds.append(table[table["series"] == "balanced"]["seconds"].tolist())
    assert seconds[0] == seconds[1]


def test_a_head_that_gives_no_number_is_named(make_sweep, tmp_path, monkeypatch):
    sweep, views = make_sweep(Protocol(shots=(1,), draws=1), ["knn"])
    original = fit.choose
    monkeypatch.setattr(fit, "choose", lambda *a: original(*a)._replace(P=np.full_like(original(*a).P, np.nan)))
    with pytest.raises(BenchError, match="Head 'knn' gave probabilities that are not finite on 'strong'"):
        HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)


def test_processes_that_are_used_again_write_where_the_caller_is_now(make_sweep, tmp_path, monkeypatch):
    sweep, views = make_sweep(Protocol(shots=(1,), draws=2), ["centroid", "knn"])
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        assert HeadFits(views=views, workers=2).make(sweep, sweep.blocks, Path("run")) == (0, len(sweep.blocks))
        assert all(unit.path(tmp_path / place / "run").exists() for unit in sweep.blocks)
