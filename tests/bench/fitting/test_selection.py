"""Settings are chosen by the log loss of what the head may see, and by the test labels in 'oracle' alone."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.errors import BenchError
from bench.fitting import fit, ledger
from bench.fitting.ensembles import Ensemble, plan_means, run_means
from bench.fitting.ledger import read_ledger, read_unit, write_part
from bench.fitting.schedule import run_units
from bench.fitting.selection import Episode, choose, fold_of, refuse_shots
from bench.fitting.sweep import Protocol
from bench.heads import all_heads, get_heads
from bench.heads.contract import Head, Scored
from bench.heads.support import Support
from bench.report.facts import EncoderFacts, RunFacts
from bench.report.leaderboard import build_leaderboard


def said(support, Y, n_classes, grid):
    """Give the class of every row's first column, as sure as the setting says."""
    rows = support.X_test[:, 0].astype(int) % n_classes
    P = np.stack([np.full((len(rows), n_classes), (1 - g["sure"]) / (n_classes - 1)) for g in grid])
    P[:, np.arange(len(rows)), rows] = np.array([g["sure"] for g in grid])[:, None]
    return Scored(np.repeat(P[None], len(Y), 0), np.full((len(Y), len(grid)), 0.5), np.full((len(Y), len(grid)), 7))


def own_rows(support, Y, n_classes, grid):
    return said(Support(support.X, support.X), Y, n_classes, grid)


GRID = ({"sure": 0.5}, {"sure": 0.75}, {"sure": 0.99})
STUB = Head("said", "as it is told", said, {"sure": 0.75}, grid=GRID, loo=own_rows)


def episode(wrong_support: int, wrong_test: int = 0, groups: int = 4, sighted: bool = False) -> Episode:
    """Two classes of 8 rows: of the support so many carry a wrong label, of the 20 test rows so many are told wrongly."""
    y = np.repeat([0, 1], 8)
    Y = y.copy()
    Y[:wrong_support] = 1
    truth = np.arange(20) % 2
    test = np.where(np.arange(20) < wrong_test, 1 - truth, truth)
    owner = np.array([f"{k}{i % groups}" for k in "ab" for i in range(8)])
    support = Support(y[:, None].astype(float), test[:, None].astype(float))
    return Episode(support, np.stack([Y, y]), 2, owner, truth if sighted else None)


@pytest.mark.parametrize("kind", ["loo", "inner-cv"])
def test_the_setting_with_the_least_log_loss_on_the_given_labels_wins(kind):
    found = choose(kind, STUB, GRID, episode(wrong_support=4, wrong_test=20))
    assert found.chosen.tolist() == [1, 2]  # 3 of 4 labels agree; all agree
    np.testing.assert_allclose(found.losses[1], -np.log([0.5, 0.75, 0.99]))
    np.testing.assert_allclose(found.P[0].max(1), 0.75)
    np.testing.assert_allclose(found.P[1].max(1), 0.99)


def test_only_the_oracle_looks_at_the_test_and_it_picks_what_is_best_there():
    blind, sighted = episode(0, wrong_test=5), episode(0, wrong_test=5, sighted=True)
    assert choose("oracle", STUB, GRID, sighted).chosen.tolist() == [1, 1]  # 15 of 20 are told rightly
    for kind in ("fixed", "loo", "inner-cv"):
        settings = (STUB.default,) if kind == "fixed" else GRID
        assert np.array_equal(choose(kind, STUB, settings, blind).P, choose(kind, STUB, settings, sighted).P)


def test_the_oracle_scores_the_test_once_and_gives_what_scoring_again_would_give():
    rng = np.random.default_rng(0)
    X, X_test, y = rng.normal(size=(18, 40)), rng.normal(size=(30, 40)), np.repeat([0, 1, 2], 6)
    Y = np.stack([y, np.roll(y, 1), rng.permutation(y), rng.permutation(y)])
    for head in get_heads(["knn", "centroid", "ridge", "lda", "logreg"]):
        calls = []
        watched = replace(head, scores=lambda *a, own=head.scores, seen=calls: seen.append(a) or own(*a))
        drawn = Episode(Support(X, X_test), Y, 3, np.arange(18), rng.integers(0, 3, 30))
        found = choose("oracle", watched, head.grid, drawn)
        assert len(calls) == 1
        for m, i in enumerate(found.chosen):
            again = head.scores(Support(X, X_test), Y[m : m + 1], 3, [head.grid[i]])
            assert np.array_equal(found.P[m], again.P[0, 0])
            if again.gap is not None:
                assert (found.gap[m], found.iterations[m]) == (again.gap[0, 0], again.iterations[0, 0])


def test_heads_share_the_folds_of_a_draw(monkeypatch):
    made = []
    monkeypatch.setattr("bench.fitting.selection.Support", lambda *a: made.append(a) or Support(*a))
    drawn = episode(2)
    for head in (STUB, STUB, STUB):
        choose("inner-cv", head, GRID, drawn)
    assert len(made) == 4


def test_equal_losses_go_to_the_default():
    same = tuple({"sure": 0.75, "other": i} for i in range(3))
    head = Head("same", "", said, same[1], grid=same, loo=own_rows)
    assert choose("loo", head, same, episode(2)).chosen.tolist() == [1, 1]


def test_gap_and_iterations_are_those_of_the_chosen_fit():
    found = choose("loo", STUB, GRID, episode(4))
    assert found.gap.tolist() == [0.5, 0.5] and found.iterations.tolist() == [7, 7]
    none = Head("none", "", lambda *a: Scored(said(*a).P), {"sure": 0.5}, grid=GRID)
    assert np.isnan(choose("fixed", none, [none.default], episode(4)).gap).all()


def test_no_group_is_on_both_sides_of_an_inner_fold_and_every_class_is_in_every_fold():
    groups = np.array([f"{k}{i % 4}" for k in "abc" for i in range(10)])
    fold = fold_of(groups, 3)
    assert fold.max() == 3
    assert all(len(set(fold[groups == g])) == 1 for g in set(groups))
    assert all(set(fold[i : i + 10]) == {0, 1, 2, 3} for i in (0, 10, 20))


@pytest.mark.parametrize(("kind", "groups", "refused"), [
    ("loo", 1, True), ("loo", 2, False), ("inner-cv", 2, True), ("inner-cv", 3, False), ("fixed", 1, False),
    ("oracle", 1, False),
])  # fmt: skip
def test_too_few_groups_to_leave_one_out_are_refused_with_their_number(kind, groups, refused):
    support = np.array([f"{k}{i % groups}" for k in "ab" for i in range(6)])
    why = refuse_shots(kind, 6, [support], 2)
    assert bool(why) == refused
    if refused:
        assert f"shots=6 with --select {kind}: a draw has a class from {groups} group" in why


def test_a_level_that_cannot_be_selected_at_is_refused_and_the_others_are_run(make_sweep):
    sweep, _ = make_sweep(Protocol((1, 2, 6), seeds=2, select=("fixed", "loo", "inner-cv")), ["ridge"])
    assert {(u.selection, u.shots) for u in sweep.units} == {
        ("fixed", 1), ("fixed", 2), ("fixed", 6), ("loo", 2), ("loo", 6), ("inner-cv", 6),
    }  # fmt: skip
    assert "--select loo" in sweep.draws.refused[1] and "--select inner-cv" in sweep.draws.refused[2]


def test_heads_that_cannot_select_are_refused_with_those_that_can(make_sweep, monkeypatch):
    with pytest.raises(BenchError, match=r"Got --select loo with --head logreg; expected heads .*ridge.*inner-cv"):
        make_sweep(Protocol((2,), select=("loo",)), ["ridge", "logreg"])
    bare = {**all_heads(), "bare": Head("bare", "", said, {"sure": 0.5})}
    monkeypatch.setattr("bench.heads.all_heads", lambda: bare)
    with pytest.raises(BenchError, match="Got --select oracle with --head bare; expected heads with a grid"):
        make_sweep(Protocol((2,), select=("oracle",)), ["bare"])
    with pytest.raises(BenchError, match="did you mean 'oracle'"):
        make_sweep(Protocol((2,), select=("oracel",)), ["ridge"])


def test_every_kind_is_a_row_and_the_ledger_says_what_was_chosen(make_sweep, tmp_path):
    kinds = ("fixed", "loo", "inner-cv", "oracle")
    sweep, views = make_sweep(Protocol((4,), (0.0, 0.4), seeds=3, select=kinds), ["ridge", "knn"], groups=40, items=10)
    run_units(sweep, views, tmp_path)
    rows = read_ledger(tmp_path)
    assert set(rows["selection"]) == set(kinds)
    grids = {head.name: list(map(dict, head.grid)) for head in get_heads(["ridge", "knn"])}
    for row in rows.to_dict("records"):
        setting = json.loads(row["setting"])  # one split: one setting a fit
        if row["selection"] == "fixed":
            assert setting == dict(all_heads()[row["head"]].default) and row["losses"] == ""
        else:
            losses = {json.dumps(s, sort_keys=True): 0 for s in grids[row["head"]]} | json.loads(row["losses"])
            assert len(losses) == len(grids[row["head"]])
            assert losses[json.dumps(setting, sort_keys=True)] == min(losses.values())
    best = rows.pivot_table(index=["head", "noise", "seed"], columns="selection", values="log_loss")
    assert (best["oracle"] <= best[["fixed", "loo", "inner-cv"]].min(axis=1) + 1e-3).all()
    facts = RunFacts("d", "whole", "T1", "r", "fixed", "r", "spread", ("a", "b", "c"),
                     {"strong": EncoderFacts("control", 24, True, 1.0)})  # fmt: skip
    board = build_leaderboard(tmp_path, sweep.units, sweep.table, sweep.plan, facts)
    oracle = board.table["selection"] == "oracle"
    assert board.table.loc[oracle, "rank_low"].isna().all() and board.table.loc[~oracle, "rank_low"].notna().all()
    assert board.table["rank_high"].max() <= 6
    assert oracle.groupby(board.table["noise"]).apply(lambda own: own.is_monotonic_increasing).all()  # below all others
    assert any("oracle" in why for why in board.empty.values())


def test_a_sweep_hands_no_test_label_to_selection(make_sweep, tmp_path, monkeypatch):
    sweep, views = make_sweep(Protocol((4,), (0.4,), seeds=2, select=("fixed", "loo", "inner-cv")), ["ridge"])
    seen = []
    monkeypatch.setattr(fit, "choose", lambda *a: seen.append(a[-1].truth) or choose(*a))
    run_units(sweep, views, tmp_path / "watched")
    assert seen and all(truth is None for truth in seen)


def test_settings_are_learned_from_oracle_runs_of_other_data_and_never_of_this(make_sweep, make_table, make_view, tmp_path):
    some = {"x": 0.3, "yy": 0.5}
    elsewhere, views = make_sweep(Protocol((2, 6), seeds=2, select=("oracle",)), ["knn"], K=2, encoders=some)
    run = tmp_path / "elsewhere"
    run_units(elsewhere, views, run)
    means = plan_means(elsewhere, [Ensemble("mean", ("x", "yy"))])
    run_means(means, run)  # rows that no setting was chosen for
    for unit, _ in means:
        tested = ledger.tested_items(elsewhere.table, elsewhere.plan.test_rows(), elsewhere.classes)
        write_part(run, unit, read_unit(run, unit), tested, elsewhere.classes)
    here, own = make_sweep(Protocol((3,), seeds=2), ["knn"], groups=9)
    protocol = Protocol((3,), seeds=2, select=("transfer",), transfer=(run,))
    with pytest.raises(BenchError, match="holds no run"):
        make_sweep(protocol, ["knn"], groups=9)
    elsewhere.table.to_parquet(run / "instances.parquet")
    with pytest.raises(BenchError, match="instances of this very data"):
        make_sweep(protocol, ["knn"], groups=9)
    other = elsewhere.table.assign(instance=[f"{i:032x}" for i in range(len(elsewhere.table))])
    other.to_parquet(run / "instances.parquet")
    sweep, _ = make_sweep(protocol, ["knn"], groups=9)
    rows = read_ledger(run).query("shots == 2 and losses != ''")  # nearer to 3 than 6 is
    means = pd.DataFrame([json.loads(text) for text in rows["losses"]]).mean()
    [unit] = sweep.units
    assert unit.settings == [json.loads(means.idxmin())]
    run_units(sweep, own, tmp_path / "here")
    assert read_unit(tmp_path / "here", unit).chosen.max() == 0
    with pytest.raises(BenchError, match="no oracle rows of head 'ridge'"):
        make_sweep(protocol, ["ridge"], groups=9)
