"""The study: it goes on where it stopped, with one worker or several, and survives what was left half-written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.errors import BenchError
from bench.fitting.scaling import scale_rows
from bench.fitting.views import Embedded
from bench.heads import get_heads
from bench.heads.contract import Range
from bench.heads.support import Support
from bench.heads.temperature import soften
from bench.protocol.splits import plan_splits
from bench.protocol.supports import draw_supports
from bench.runs.tested import scored_items
from bench.storage.locks import file_lock
from bench.storage.notices import take_notices
from bench.studies.tune import open_study
from bench.studies.tune.half import Half
from bench.studies.tune.study import Task, _distribution, best_trial, importance, read_trials, run_study

CLASSES = ("a", "b")
PARAMETERS = list(get_heads(["xgboost"])[0].space)


@pytest.fixture(scope="module")
def half() -> Half:
    rng = np.random.default_rng(0)
    table = pd.DataFrame([(c, f"{c}{g}", f"{c}{g}/{i}") for c in CLASSES for g in range(4) for i in range(4)],
                         columns=["label", "group", "instance"])  # fmt: skip
    table = table.assign(split=None, level="instance", image=table["instance"])
    y = (table["label"] == "b").to_numpy(np.int64)
    X = (rng.normal(size=(len(y), 12)) + y[:, None]).astype(np.float32)
    plan = plan_splits(table, CLASSES)
    draws = draw_supports(table, CLASSES, plan, [3], draws=6)
    tested = scored_items(table, plan.test_rows(), CLASSES)
    return Half(Embedded("e", "k", "unit", X), y, table["group"].to_numpy(str), 2, plan, draws, tested, 3)


def task(half: Half, folder, **identity) -> Task:
    return Task(folder, "xgboost", half, 6, {"data": "tiny", **identity})


def settings_of(trials: pd.DataFrame) -> list[tuple]:
    return [tuple(row) for row in trials[[*PARAMETERS, "balanced_accuracy", "log_loss", "episodes"]].to_numpy().tolist()]


@pytest.fixture(scope="module")
def whole(half, tmp_path_factory) -> pd.DataFrame:
    one = task(half, tmp_path_factory.mktemp("whole"))
    assert run_study(one, 8) == 8
    return read_trials(one)


def test_a_study_begins_with_the_published_setting_and_tries_no_setting_twice(whole):
    default = get_heads(["xgboost"])[0].default  # which has no rule
    assert whole["default"].tolist() == [True] + [False] * 7
    assert {name: whole[name][0] for name in PARAMETERS} == dict(default)
    assert len(set(settings_of(whole))) == 8


def test_a_study_that_goes_on_is_the_one_that_was_not_cut(half, whole, tmp_path):
    one = task(half, tmp_path)
    assert [run_study(one, total) for total in (3, 6, 8, 8)] == [3, 3, 2, 0]
    assert settings_of(read_trials(one)) == settings_of(whole)


def test_a_trial_whose_maker_died_is_made_again_and_counts_once(half, whole, tmp_path, monkeypatch):
    one = task(half, tmp_path)

    class Killed(BaseException):
        pass

    original = Half.score

    def dies(self, head, settings, seed):
        if seed == 2 and len(read_trials(one)) == 1:
            raise Killed
        return original(self, head, settings, seed)

    monkeypatch.setattr(Half, "score", dies)
    with pytest.raises(Killed):
        run_study(one, 8)
    monkeypatch.undo()
    assert len(read_trials(one)) == 1
    assert run_study(one, 8) == 7
    assert settings_of(read_trials(one)) == settings_of(whole)
    assert not list(tmp_path.glob("trial-*.lock"))


def test_half_a_line_that_a_kill_left_in_the_journal_is_cut_off(half, whole, tmp_path):
    one = task(half, tmp_path)
    run_study(one, 3)
    with (tmp_path / "study.journal").open("ab") as file:
        file.write(b'{"op_code":5,"worker_id":"' + b"x" * 5000)
    run_study(one, 8)
    assert settings_of(read_trials(one)) == settings_of(whole)


def test_two_workers_share_one_study_and_make_each_trial_once(half, tmp_path):
    one = task(half, tmp_path)
    assert run_study(one, 6, workers=2) == 6
    trials = read_trials(one)
    assert trials["trial"].tolist() == list(range(6))
    assert trials["default"].sum() == 1
    assert len(set(settings_of(trials))) == 6


def test_a_pruned_trial_was_worse_than_the_best_and_the_published_setting_is_never_pruned(half, tmp_path):
    one = task(half, tmp_path)
    run_study(one, 12)
    trials = read_trials(one)
    pruned = trials[trials["state"] == "pruned"]
    assert len(pruned)
    assert (pruned["episodes"] < 6).all()
    best = best_trial(trials)
    assert best["balanced_accuracy"] == trials.loc[trials["state"] == "complete", "balanced_accuracy"].max()
    assert trials.loc[trials["default"], "state"].tolist() == ["complete"]
    shares = importance(one)
    assert set(shares) == set(PARAMETERS)
    assert sum(shares.values()) == pytest.approx(1)


def test_a_folder_with_a_study_of_something_else_is_refused(half, tmp_path):
    run_study(task(half, tmp_path), 1)
    with pytest.raises(BenchError, match="a study of other shots; expected the same data"):
        run_study(task(half, tmp_path, shots=7), 1)


def digit(lines: list[bytes]) -> list[bytes]:
    """Change a digit of the score of the second trial that ended."""
    at = [i for i, line in enumerate(lines) if b'"values":[0.' in line][1]
    return [*lines[:at], lines[at].replace(b'"values":[0.', b'"values":[0.9'), *lines[at + 1 :]]


# What is done to a journal's lines -> the trials whose end it leaves.
DAMAGE = {
    "no journal": (lambda lines: [b"hello\n", b"hello\n"], 0),
    "a digit": (digit, 1),
    "a line lost": (lambda lines: [*lines[:-8], *lines[-7:]], 3),
    "two lines exchanged": (lambda lines: [*lines[:-8], lines[-7], lines[-8], *lines[-6:]], 3),
    "a line twice": (lambda lines: [*lines, lines[-1]], 4),
    "a line end": (lambda lines: [*lines[:-2], lines[-2][:-1] + b"\x8a", lines[-1]], 3),
    "not text": (lambda lines: [*lines[:-2], b"\xff\xfe" + lines[-2], lines[-1]], 3),
    "nested without end": (lambda lines: [*lines[:-2], b"[" * 100_000 + b"\n", lines[-1]], 3),
    "first line": (lambda lines: [b"{}\n", *lines[1:]], 0),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_of_a_damaged_journal_the_sound_trials_count_and_the_others_are_made_again(half, whole, tmp_path, damage):
    take_notices()
    one = task(half, tmp_path)
    run_study(one, 4)
    change, left = DAMAGE[damage]
    journal = tmp_path / "study.journal"
    before = b"".join(change(journal.read_bytes().splitlines(keepends=True)))
    journal.write_bytes(before)
    assert run_study(one, 8) == 8 - left
    assert settings_of(read_trials(one)) == settings_of(whole)
    assert (tmp_path / "study.journal.corrupt").read_bytes() == before
    [said] = take_notices()
    assert f"{journal} is not what was written there" in said and "study.journal.corrupt" in said
    assert not list(tmp_path.glob("trial-*.lock"))
    assert run_study(one, 8) == 0 and take_notices() == []


def test_a_journal_that_was_emptied_or_cut_between_two_lines_is_an_earlier_one_of_the_same_study(half, whole, tmp_path):
    one = task(half, tmp_path)
    run_study(one, 4)
    journal = tmp_path / "study.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    for kept in (lines[:-5], []):
        journal.write_bytes(b"".join(kept))
        assert run_study(one, 8) >= 5
        assert settings_of(read_trials(one)) == settings_of(whole)


def test_the_journal_of_another_study_is_refused_by_name(half, tmp_path):
    run_study(task(half, tmp_path / "one"), 1)
    run_study(task(half, tmp_path / "other", shots=7), 1)
    (tmp_path / "other" / "study.journal").replace(tmp_path / "one" / "study.journal")
    with pytest.raises(BenchError, match="a study of other shots"):
        run_study(task(half, tmp_path / "one"), 2)


def test_damage_while_a_trial_is_made_costs_what_follows_it_and_no_more(half, whole, tmp_path, monkeypatch):
    one = task(half, tmp_path)
    journal = tmp_path / "study.journal"
    original, times = Half.score, []

    def spoilt(self, head, settings, seed):
        if seed == 3 and not times:
            times.append(journal.write_bytes(journal.read_bytes()[:-200] + b"\n"))
        return original(self, head, settings, seed)

    run_study(one, 2)
    monkeypatch.setattr(Half, "score", spoilt)
    run_study(one, 8)
    assert times and (tmp_path / "study.journal.corrupt").exists()
    assert settings_of(read_trials(one)) == settings_of(whole)
    take_notices()


def test_a_journal_that_is_damaged_again_and_again_is_told_of_the_disk(half, tmp_path, monkeypatch):
    one = task(half, tmp_path)
    journal = tmp_path / "study.journal"
    original = Half.score

    def spoilt(self, head, settings, seed):
        journal.write_bytes(journal.read_bytes()[:-20] + b"\n")
        return original(self, head, settings, seed)

    monkeypatch.setattr(Half, "score", spoilt)
    with pytest.raises(BenchError, match="expected a disk that keeps what is written"):
        run_study(one, 2)
    take_notices()


def test_a_damaged_journal_of_which_a_trial_is_being_made_is_left_until_that_has_ended(half, tmp_path, monkeypatch):
    one = task(half, tmp_path)
    run_study(one, 1)
    (tmp_path / "study.journal").write_bytes(b"{}\n")
    monkeypatch.setattr(open_study, "OTHERS_S", 0.1)
    with file_lock(tmp_path / "trial-5.lock"), pytest.raises(BenchError, match="still makes trial-5 of it"):
        run_study(one, 2)
    assert (tmp_path / "study.journal").read_bytes() == b"{}\n"
    assert run_study(one, 2) == 2
    take_notices()


@pytest.mark.parametrize("scaling", ["unit", "standard"])
def test_the_rows_of_an_episode_are_scaled_as_a_sweep_scales_them_to_the_bit(half, scaling):
    view = Embedded("e", "k", scaling, half.view.X)
    scalings = replace(half, view=view).scalings
    for split in half.plan.splits(0):
        some = np.r_[split.test, split.train[::3]]
        assert np.array_equal(scalings[split.name].of(view.X[some]), view.scaled(split.train, half.groups)[some])


def test_ranges_are_whole_numbers_fractions_or_choices():
    import optuna

    assert _distribution(Range(1, 5)) == optuna.distributions.IntDistribution(1, 5)
    assert _distribution(Range(0.1, 1.0, log=True)) == optuna.distributions.FloatDistribution(0.1, 1, log=True)
    assert _distribution(Range(choices=("a", "b"))) == optuna.distributions.CategoricalDistribution(("a", "b"))


def test_rows_are_scaled_by_the_pool_or_by_the_labelled_rows_of_the_draw_alone(half):
    [head] = get_heads(["ridge"])
    setting = [dict(head.default)]
    [split] = half.plan.splits(0)[:1]
    rows = half.draws.supports[half.shots, 0, split.name]
    unlabelled = np.setdiff1d(split.train, rows)
    X = half.view.X.copy()
    X[unlabelled] += 5
    moved = replace(half, view=replace(half.view, X=X))
    at = np.searchsorted(half.plan.test_rows(), split.test)
    for scale_by, by in (("pool", split.train), ("support", rows)):
        own, other = (replace(one, scale_by=scale_by).score(head, setting, 0)[0] for one in (half, moved))
        assert np.array_equal(own[at], other[at]) == (scale_by == "support")
        scaled = scale_rows(half.view.X, by, half.groups, "unit")
        P = head.scores(Support(scaled[rows], scaled[split.test]), half.y[rows][None], 2, setting).P[0]
        T = head.published_temperature(len(rows), 2, 12)
        np.testing.assert_allclose(own[at], soften(P, np.full(1, T))[0], atol=1e-6)
