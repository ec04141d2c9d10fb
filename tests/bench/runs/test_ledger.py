"""The ledger is a pure function of units: its parts can be lost, damaged or brought together from several machines."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from bench.fitting.head_fits import HeadFits
from bench.protocol.protocol import Protocol
from bench.report.tables.leaderboard import build_leaderboard
from bench.runs.facts import EncoderFacts, RunFacts
from bench.runs.ledger import read_ledger, read_part
from bench.runs.predictions import FORMAT, read_identity, read_unit
from bench.runs.record import RunRecord, read_record_of, write_record_of
from bench.seeds import content_name

FACTS = RunFacts("d", "whole", "comparable", "r", "fixed", "r", "spread", ("a", "b", "c"),
                 {"strong": EncoderFacts("control", 24, True, 1.0)})  # fmt: skip


def board_of(sweep, run) -> pd.DataFrame:
    return build_leaderboard(run, sweep.blocks, sweep.table, sweep.plan, FACTS).table


@pytest.fixture
def done(make_sweep, tmp_path):
    sweep, views = make_sweep(Protocol(shots=(1, 4), noise=(0.0, 0.4), draws=3), ["knn", "ridge", "logreg"])
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "run")
    return sweep, views, tmp_path / "run"


def test_a_row_is_a_fit_with_its_gap_iterations_and_setting(done):
    sweep, _, run = done
    rows = read_ledger(run)
    assert len(rows) == 3 * 2 * 2 * 3
    assert not rows.duplicated(["head", "shots", "noise", "seed"]).any()
    parts = [part.rsplit(" x", 1)[0] for text in rows["setting"] for part in text.split("; ")]  # where splits differ
    assert all(isinstance(json.loads(part), dict) for part in parts)
    iterates = rows["head"] == "logreg"
    assert rows.loc[~iterates, ["gap", "iterations"]].isna().all().all()


def test_losses_that_a_setting_was_chosen_by_are_told_with_six_decimals(done):
    told = [loss for text in read_ledger(done[2])["losses"] if text for loss in json.loads(text).values()]
    assert told == [round(loss, 6) for loss in told] != [round(loss, 5) for loss in told]


def test_a_part_of_the_ledger_holds_for_other_tools_the_columns_that_it_has_here(done):
    sweep, _, run = done
    assert pq.read_schema(sweep.blocks[0].part(run)).names == list(read_ledger(run).columns)


def test_the_share_of_wrong_labels_is_told_by_class_and_as_their_mean(make_sweep, tmp_path):
    protocol = Protocol(shots=(4,), noise=(0.0, 0.25), noise_kinds=("asymmetric",), draws=20, confusable=(("a", "b"),))
    sweep, views = make_sweep(protocol, ["knn"])
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    rows = read_ledger(tmp_path)
    own = rows[[f"noise_realised:{name}" for name in "abc"]]
    np.testing.assert_allclose(rows["noise_realised"], own.mean(axis=1), atol=1e-6)
    assert (own[rows["noise"] == 0] == 0).all(axis=None) and set(rows.loc[rows["noise"] == 0, "noise_kind"]) == {"none"}
    share = own[rows["noise_kind"] == "asymmetric"].mean()
    assert abs(share["noise_realised:a"] - 0.25) < 0.1 and (share[1:] == 0).all()


def test_where_the_splits_of_a_draw_chose_differently_every_setting_is_told_with_its_number(make_sweep, tmp_path):
    sweep, views = make_sweep(Protocol(shots=(4,), noise=(0.4,), draws=4, select=("oracle",)), ["knn"], encoders={"weak": 0.3})
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    for row, chosen in zip(read_ledger(tmp_path)["setting"], read_unit(tmp_path, sweep.blocks[0]).chosen[:, 0], strict=True):
        parts = row.split("; ")
        counts = [int(part.rpartition(" x")[2]) for part in parts] if len(parts) > 1 else [len(chosen)]
        assert sum(counts) == 5 and len(counts) == len(set(chosen.tolist()))


@pytest.mark.parametrize("damage", ["lost", "cut", "flipped"])
def test_a_part_that_is_lost_or_damaged_is_made_again_from_the_predictions(done, damage):
    sweep, _, run = done
    before = board_of(sweep, run)
    part = sweep.blocks[0].part(run)
    content = part.read_bytes()
    columns = pq.read_metadata(part).row_group(0)
    held = next(c for c in map(columns.column, range(columns.num_columns)) if c.path_in_schema == "log_loss")
    at = held.data_page_offset + held.total_compressed_size // 2  # among values, not in what describes a page
    damaged = {"cut": content[: 2 * len(content) // 3], "flipped": content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]}
    part.unlink() if damage == "lost" else part.write_bytes(damaged[damage])
    pd.testing.assert_frame_equal(board_of(sweep, run), before)
    assert part.read_bytes() == content
    assert read_part(run, sweep.blocks[0]) is not None


def test_runs_of_two_machines_are_merged_by_copying_their_folders_into_one(done, make_sweep, tmp_path):
    sweep, views, run = done
    for name, shots in (("one", 1), ("other", 4)):
        half, _ = make_sweep(Protocol(shots=(shots,), noise=(0.0, 0.4), draws=3), ["knn", "ridge", "logreg"])
        HeadFits(views=views).make(half, half.blocks, tmp_path / name)
        shutil.copytree(tmp_path / name, tmp_path / "merged", dirs_exist_ok=True)
    assert HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "merged") == (len(sweep.blocks), 0)
    pd.testing.assert_frame_equal(read_ledger(tmp_path / "merged"), read_ledger(run))
    pd.testing.assert_frame_equal(board_of(sweep, tmp_path / "merged"), board_of(sweep, run))


def test_stored_probabilities_are_within_a_thousandth_and_two_bytes_each(done):
    sweep, _, run = done
    unit = sweep.blocks[0]
    P = read_unit(run, unit).P
    assert P.dtype == np.float16
    np.testing.assert_allclose(P.astype(float).sum(-1), 1, atol=2e-3)
    assert unit.path(run).stat().st_size < 2 * P.size + 6000


def test_predictions_say_what_they_are_of_unless_they_have_the_name_of_others(done):
    sweep, _, run = done
    for unit in sweep.blocks:
        assert content_name([FORMAT, read_identity(run, unit.name)]) == unit.name
    one, other = sweep.blocks[:2]
    other.path(run).write_bytes(one.path(run).read_bytes())
    assert read_identity(run, one.name) and read_identity(run, other.name) is None
    assert read_identity(run, "never made") is None


def test_a_record_gives_back_all_that_the_tables_of_a_run_were_made_of(done):
    sweep, _, run = done
    facts = replace(FACTS, split_rule=sweep.plan.rule, warnings=("few slides",), prompts={"a": ("a cell",)})
    write_record_of(run, RunRecord(sweep.blocks, sweep.table, sweep.plan, facts, ("too few",), "bench run"), {}, {})
    kept = read_record_of(run)
    assert (kept.facts, kept.refused, kept.command) == (facts, ("too few",), "bench run")
    assert [unit.name for unit in kept.units] == [unit.name for unit in sweep.blocks]
    assert kept.plan.test_rows().tolist() == sweep.plan.test_rows().tolist()
