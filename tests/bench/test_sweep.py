"""A sweep's numbers depend on what is asked and on nothing else."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest

from bench import ledger
from bench.errors import BenchError
from bench.leaderboard import COLUMNS, EncoderFacts, RunFacts, build_leaderboard
from bench.ledger import read_unit
from bench.schedule import run_units
from bench.sweep import Embedded, Protocol, plan_sweep, scale_rows

CLASSES = ("a", "b", "c")


def make_table(groups: int, items: int, level: str = "expert") -> pd.DataFrame:
    rows = [(label, f"{label}{g}", f"{label}{g}-{i}") for label in CLASSES for g in range(groups) for i in range(items)]
    table = pd.DataFrame(rows, columns=["label", "group", "path"])
    table["instance"] = [hashlib.sha256(p.encode()).hexdigest()[:32] for p in table["path"]]
    return table.assign(split=pd.NA, level=level, image=table["group"] if level == "inherited" else table["path"])


def embed(table: pd.DataFrame, name: str, signal: float, d: int = 24) -> Embedded:
    rng = np.random.default_rng(len(name))
    y = pd.Categorical(table["label"]).codes
    X = signal * np.eye(d)[y] + rng.normal(size=(len(table), d)) / np.sqrt(d) + 5
    return Embedded(name, hashlib.sha256(name.encode()).hexdigest()[:32], "unit", X.astype(np.float32))


def facts(names: dict[str, bool]) -> RunFacts:
    known = {name: EncoderFacts("control", 24, trivial, 1.0) for name, trivial in names.items()}
    return RunFacts("demo", "whole", "T1", "r", "fixed", "r", "spread", CLASSES, known)


@pytest.fixture
def sweep_of_two():
    table = make_table(12, 4)
    views = {name: embed(table, name, signal) for name, signal in (("weak", 0.1), ("strong", 3.0))}
    keys = {name: (view.key, view.scaling) for name, view in views.items()}
    protocol = Protocol((1, 4), (0.0, 0.4), seeds=4)
    return plan_sweep(table, CLASSES, protocol, keys, ["knn", "centroid", "logreg"]), views


def predictions(sweep, run):
    return {unit.name: read_unit(run, unit) for unit in sweep.units}


def test_the_number_of_workers_and_the_company_do_not_change_a_bit(sweep_of_two, tmp_path):
    sweep, views = sweep_of_two
    assert run_units(sweep, views, tmp_path / "one", workers=1) == (0, 12)
    assert run_units(sweep, views, tmp_path / "two", workers=2) == (0, 12)
    keys = {"strong": (views["strong"].key, "unit")}
    alone = plan_sweep(sweep.table, CLASSES, sweep.protocol, keys, ["logreg"])
    run_units(alone, views, tmp_path / "alone")
    one, two, few = (predictions(s, tmp_path / r) for s, r in ((sweep, "one"), (sweep, "two"), (alone, "alone")))
    for name, found in one.items():
        assert found.P.tobytes() == two[name].P.tobytes()
    for name, found in few.items():
        assert found.P.tobytes() == one[name].P.tobytes()


def test_a_second_sweep_reuses_every_unit_and_a_lost_or_damaged_one_is_made_again(sweep_of_two, tmp_path):
    sweep, views = sweep_of_two
    run_units(sweep, views, tmp_path)
    before = {unit.path(tmp_path): unit.path(tmp_path).read_bytes() for unit in sweep.units}
    assert run_units(sweep, views, tmp_path) == (12, 0)
    lost, cut, flipped = list(before)[:3]
    lost.unlink()
    cut.write_bytes(before[cut][:100])
    flipped.write_bytes(before[flipped][:-1] + bytes([before[flipped][-1] ^ 1]))
    assert run_units(sweep, views, tmp_path) == (9, 3)
    assert {path: path.read_bytes() for path in before} == before


def test_other_labels_are_other_work(sweep_of_two):
    sweep, views = sweep_of_two
    changed = sweep.table.assign(label=sweep.table["label"].where(sweep.table.index != 0, "b"))
    other = plan_sweep(changed, CLASSES, sweep.protocol, {"weak": (views["weak"].key, "unit")}, ["knn"])
    assert not {unit.name for unit in other.units} & {unit.name for unit in sweep.units}


def test_the_leaderboard_has_every_column_and_puts_signal_first_and_noise_last(sweep_of_two, tmp_path):
    sweep, views = sweep_of_two
    run_units(sweep, views, tmp_path)
    board = build_leaderboard(
        tmp_path, sweep.units, sweep.table, sweep.plan.test_rows(), facts({"weak": True, "strong": False})
    ).table
    assert tuple(board.columns) == COLUMNS
    assert len(board) == 2 * 3 * 2 * 2
    at = board.set_index(["encoder", "head", "shots", "noise"])["balanced_accuracy"]
    assert at["strong", "logreg", 4, 0.0] > 0.9 > at["weak", "logreg", 4, 0.0]
    assert at["strong", "centroid", 4, 0.4] <= at["strong", "centroid", 4, 0.0]
    assert (board["ci_low"] <= board["balanced_accuracy"]).all()
    assert (board["balanced_accuracy"] <= board["ci_high"]).all()
    noisy = board[(board["noise"] == 0.4) & (board["shots"] == 4)]["noise_realised"]
    assert noisy.nunique() == 1  # the same flips for every encoder and head
    assert abs(noisy.iloc[0] - 0.4) < 0.25
    gap = board[board["encoder"] == "strong"]["delta_trivial"]
    assert gap.notna().all()
    assert board[board["encoder"] == "weak"]["delta_trivial"].isna().all()


def test_few_groups_get_exact_intervals_and_no_ranks(tmp_path):
    table = make_table(3, 5)
    view = embed(table, "strong", 5.0)
    sweep = plan_sweep(table, CLASSES, Protocol((1,), seeds=3), {"strong": (view.key, "unit")}, ["centroid"])
    assert sweep.plan.rule == "leave-one-group-out"
    run_units(sweep, {"strong": view}, tmp_path)
    board = build_leaderboard(tmp_path, sweep.units, table, sweep.plan.test_rows(), facts({"strong": False}))
    row = board.table.iloc[0]
    assert row["ci_method"] == "exact-mover"
    assert row["balanced_accuracy"] > 0.95
    assert row["ci_low"] < 0.8
    assert np.isnan(row["rank_low"])
    assert "rank_low, rank_high" in board.empty


def test_tiles_are_scored_as_the_image_they_come_from():
    table = make_table(3, 5, level="inherited")
    tested = ledger.tested_items(table, np.arange(len(table)), CLASSES)
    assert tested.level == "image"
    assert len(tested.y) == 9
    P = np.zeros((1, len(table), 3))
    P[..., 0] = 1
    P[0, :2, :] = [0, 1, 0]
    pooled = tested.pool(P)
    np.testing.assert_allclose(pooled[0, 0], [0.6, 0.4, 0])


def test_scaling_looks_at_the_training_rows_alone():
    X = np.random.default_rng(0).normal(3, 1, (20, 6)).astype(np.float32)
    changed = X.copy()
    changed[15:] *= 100
    train, groups = np.arange(15), np.repeat(list("abcd"), 5)
    for scaling in ("unit", "standard"):
        one, two = (scale_rows(rows, train, groups, scaling)[:15] for rows in (X, changed))
        assert np.array_equal(one, two)


def test_a_large_group_does_not_set_the_centre():
    X = np.r_[np.zeros((100, 2)), np.full((2, 2), 4.0)]
    groups = np.array(["big"] * 100 + ["small"] * 2)
    scaled = scale_rows(X, np.arange(102), groups, "unit")
    np.testing.assert_allclose(scaled[0], -scaled[-1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"shots": ()}, "Got shots"), ({"shots": (0,)}, "Got shots"), ({"shots": (1,), "seeds": 0}, "Got seeds 0"),
     ({"shots": (1,), "noise": (2.0,)}, "Got noise rate 2.0"), ({"shots": (1,), "noise": ()}, "no noise rate")],
)  # fmt: skip
def test_impossible_protocols_are_refused(arguments, message):
    with pytest.raises(BenchError, match=message):
        Protocol(**arguments)
