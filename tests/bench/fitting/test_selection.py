"""Settings are chosen by calibrated scores of what the head may see, and by the test labels in 'oracle' alone."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.errors import BenchError
from bench.fitting import fit
from bench.fitting.ensembles import Ensemble, Means
from bench.fitting.episode import Episode, Truth
from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import plan_sweep
from bench.fitting.selection import choose
from bench.fitting.selection_plan import refuse_shots, settings_of, way_by_draw
from bench.fitting.views import Embedded
from bench.heads import all_heads, get_heads
from bench.heads.choice import may_leave_out
from bench.heads.contract import Head, Scored
from bench.heads.support import Support
from bench.heads.temperature import soften
from bench.protocol.protocol import Protocol
from bench.report.tables.leaderboard import build_leaderboard
from bench.runs import ledger
from bench.runs.facts import EncoderFacts, RunFacts
from bench.runs.ledger import read_ledger, write_part
from bench.runs.predictions import read_unit
from bench.runs.tested import scored_items
from bench.storage.tables import csv_bytes
from bench.storage.together import put_together


def told(support, Y, n_classes, grid):
    """Give every row the class that a column says, as sure as the setting is."""
    P = np.empty((len(grid), len(support.X_test), n_classes))
    for own, setting in zip(P, grid, strict=True):
        own[:] = (1 - setting["sure"]) / (n_classes - 1)
        own[np.arange(len(own)), support.X_test[:, setting["column"]].astype(int)] = setting["sure"]
    return Scored(np.repeat(P[None], len(Y), 0), np.full((len(Y), len(grid)), 0.5), np.full((len(Y), len(grid)), 7))


def own_rows(support, Y, n_classes, grid):
    return told(Support(support.X, support.X), Y, n_classes, grid)


GRID = tuple({"column": column, "sure": sure} for column, sure in ((0, 0.8), (1, 0.99), (2, 0.6)))
STUB = Head("told", "as it is told", told, GRID[0], grid=GRID, loo=own_rows)


def episode(wrong_test: int = 0, groups: int = 4, sighted: bool = False) -> Episode:
    """Two classes of 8 rows, and the same with four wrong labels. Column 0 says nothing, 1 the wrong labels, 2 the right.

    On the 20 test rows column 2 is wrong for `wrong_test` rows, column 1 for 5 and column 0 for half of each class.
    """
    y = np.repeat([0, 1], 8)
    Y = y.copy()
    Y[:4] = 1
    truth = np.arange(20) % 2
    owner = np.array([f"{k}{i % groups}" for k in "ab" for i in range(8)])
    X = np.stack([np.arange(16) % 2, Y, y], axis=1).astype(float)
    flipped = [np.where(np.arange(20) < wrong, 1 - truth, truth) for wrong in (5, wrong_test)]
    X_test = np.stack([np.arange(20) // 2 % 2, *flipped], axis=1).astype(float)
    return Episode(Support(X, X_test, owner), np.stack([Y, y]), 2, owner, truth_of(truth) if sighted else None)


def truth_of(y: np.ndarray) -> Truth:
    items = np.arange(len(y))
    return Truth.of(ledger.Tested("instance", items, y, items.astype(str)), np.bincount(y))


@pytest.mark.parametrize("kind", ["loo", "inner-cv", "auto"])
def test_the_setting_that_tells_the_given_labels_best_wins_however_sure_it_is(kind):
    for sure in (0.55, 0.8, 1 - 1e-9):
        grid = tuple({**setting, "sure": sure if setting["column"] == 2 else setting["sure"]} for setting in GRID)
        found = choose(kind, STUB, grid, episode(wrong_test=20))
        assert found.chosen.tolist() == [1, 2]
        assert found.losses.argmin(1).tolist() == [1, 2]
        assert (found.P[1].argmax(1) == np.arange(20) % 2).sum() == 0  # column 2 is always wrong on this test
    P = choose(kind, STUB, GRID, episode()).P
    assert (P.max(-1) > 0.9).all()  # what was right on all left-out rows is called certain, the .6 of column 2 too


def test_few_labels_do_not_lead_far_from_the_published_setting_and_many_do():
    head = replace(STUB, place=lambda setting: 20.0 * setting["column"])
    drawn = episode()
    assert choose("auto", head, GRID, drawn).chosen.tolist() == [0, 0]
    assert choose("loo", head, GRID, drawn).chosen.tolist() == [1, 2]
    near = replace(STUB, place=lambda setting: 0.1 * setting["column"])
    assert choose("auto", near, GRID, drawn).chosen.tolist() == [1, 2]
    y, many = np.repeat([0, 1], 4000), np.arange(8000)
    support = Support(np.stack([many % 2, 1 - y, y], axis=1).astype(float), np.zeros((1, 3)), many)
    assert choose("auto", head, GRID, Episode(support, y[None], 2, many)).chosen.tolist() == [2]


def test_only_the_oracle_looks_at_the_test_and_it_picks_what_is_best_there():
    assert choose("oracle", STUB, GRID, episode(4, sighted=True)).chosen.tolist() == [2, 2]
    assert choose("oracle", STUB, GRID, episode(6, sighted=True)).chosen.tolist() == [1, 1]
    assert choose("oracle", STUB, GRID, episode(6, sighted=True)).losses[0].tolist() == pytest.approx([0.5, 0.25, 0.3])
    blind, sighted = episode(5), episode(5, sighted=True)
    for kind in ("fixed", "loo", "inner-cv", "auto"):
        settings = (STUB.default,) if kind == "fixed" else GRID
        assert np.array_equal(choose(kind, STUB, settings, blind).P, choose(kind, STUB, settings, sighted).P)


def test_a_temperature_changes_no_decision():
    found, plain = (choose("auto", STUB, GRID, episode(groups=n)) for n in (4, 8))
    for one in (found, plain):
        scored = told(episode().support, episode().Y, 2, GRID).P
        wanted = scored[np.arange(2), one.chosen].argmax(-1)
        assert (one.temperature != 1).all() and np.array_equal(one.P.argmax(-1), wanted)


def test_the_oracle_scores_the_test_once_and_gives_what_scoring_again_would_give():
    rng = np.random.default_rng(0)
    X, X_test, y = rng.normal(size=(18, 40)), rng.normal(size=(30, 40)), np.repeat([0, 1, 2], 6)
    Y = np.stack([y, np.roll(y, 1), rng.permutation(y), rng.permutation(y)])
    truth = truth_of(rng.integers(0, 3, 30))
    for head in get_heads(["knn", "centroid", "ridge", "lda", "logreg"]):
        calls = []
        watched = replace(head, scores=lambda *a, own=head.scores, seen=calls: seen.append(a) or own(*a))
        drawn = Episode(Support(X, X_test), Y, 3, np.arange(18), truth)
        found = choose("oracle", watched, head.grid, drawn)
        assert len(calls) == 1
        for m, i in enumerate(found.chosen):
            again = head.scores(Support(X, X_test), Y[m : m + 1], 3, [head.grid[i]])
            assert np.array_equal(found.P[m], soften(again.P, found.temperature[m, None])[0, 0])
            if again.gap is not None:
                assert (found.gap[m], found.iterations[m]) == (again.gap[0, 0], again.iterations[0, 0])


def test_heads_share_the_folds_of_a_draw(monkeypatch):
    made = []
    monkeypatch.setattr("bench.fitting.episode.Support", lambda *a: made.append(a) or Support(*a))
    drawn = episode()
    for head in (STUB, STUB, STUB):
        choose("inner-cv", head, GRID, drawn)
    assert len(made) == 4


def test_equal_losses_go_to_the_published_setting():
    same = tuple({"column": 2, "sure": 0.75, "other": i} for i in range(3))
    head = Head("same", "", told, same[1], grid=same, loo=own_rows)
    assert choose("loo", head, same, episode()).chosen.tolist() == [1, 1]


def test_gap_and_iterations_are_those_of_the_chosen_fit():
    found = choose("loo", STUB, GRID, episode())
    assert found.gap.tolist() == [0.5, 0.5] and found.iterations.tolist() == [7, 7]
    none = Head("none", "", lambda *a: Scored(told(*a).P), GRID[0], grid=GRID)
    assert np.isnan(choose("fixed", none, [none.default], episode()).gap).all()


@pytest.mark.parametrize(("names", "may"), [("aabcd", True), ("aabcc", False), ("aaaad", False), ("abcdd", False)])
def test_groups_may_be_left_out_from_two_of_every_class_on(names, may):
    groups, y = np.array(list(names)), np.array([0, 0, 0, 1, 1])
    drawn = Episode(Support(np.eye(5), np.eye(5)[:1]), y[None], 2, groups, drawn=y)
    assert may_leave_out(groups, y, 2) is drawn.can_leave_out is may


@pytest.mark.parametrize(("kind", "groups", "refused"), [
    ("loo", 1, True), ("loo", 2, False), ("inner-cv", 2, True), ("inner-cv", 3, False), ("fixed", 1, False),
    ("oracle", 1, False),
])  # fmt: skip
def test_too_few_groups_to_leave_one_out_are_refused_with_their_number(kind, groups, refused):
    support = np.array([f"{k}{i % groups}" for k in "ab" for i in range(6)])
    why = refuse_shots(kind, 6, [(support, np.repeat([0, 1], 6))], 2)
    assert bool(why) == refused
    if refused:
        assert f"shots=6 with --select {kind}: a draw has a class from {groups} group" in why


def test_a_level_that_cannot_be_selected_at_is_refused_and_the_others_are_run(make_sweep):
    sweep, _ = make_sweep(Protocol(shots=(1, 2, 6), draws=2, select=("fixed", "loo", "inner-cv")), ["ridge"])
    assert {(u.selection, u.shots) for u in sweep.blocks} == {
        ("fixed", 1), ("fixed", 2), ("fixed", 6), ("loo", 2), ("loo", 6), ("inner-cv", 6),
    }  # fmt: skip
    assert "--select loo" in sweep.draws["class"].refused[1] and "--select inner-cv" in sweep.draws["class"].refused[2]


def test_heads_that_cannot_select_are_refused_with_those_that_can(make_sweep, monkeypatch):
    with pytest.raises(BenchError, match=r"Got --select loo with --head xgboost; expected heads .*ridge.*inner-cv"):
        make_sweep(Protocol(shots=(2,), select=("loo",)), ["ridge", "xgboost"])
    bare = {**all_heads(), "bare": Head("bare", "", told, GRID[0])}
    monkeypatch.setattr("bench.heads.all_heads", lambda: bare)
    with pytest.raises(BenchError, match="Got --select oracle with --head bare; expected heads with a grid"):
        make_sweep(Protocol(shots=(2,), select=("oracle",)), ["bare"])
    with pytest.raises(BenchError, match="did you mean 'oracle'"):
        make_sweep(Protocol(shots=(2,), select=("oracel",)), ["ridge"])


KINDS = ("auto", "fixed", "loo", "inner-cv", "oracle")


def test_every_kind_is_a_row_and_the_ledger_says_what_was_chosen(make_sweep, tmp_path):
    sweep, views = make_sweep(Protocol(shots=(4,), noise=(0.0, 0.4), draws=3, select=KINDS), ["ridge", "knn"], groups=40, items=10)
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    rows = read_ledger(tmp_path)
    assert set(rows["selection"]) == set(KINDS)
    grids = {head.name: list(map(dict, head.grid)) for head in get_heads(["ridge", "knn"])}
    for row in rows.to_dict("records"):
        setting = json.loads(row["setting"])  # one split: one setting a fit
        if row["selection"] == "fixed":
            assert setting == dict(all_heads()[row["head"]].published(12, 3, 24)) and row["losses"] == ""
        else:
            losses = {json.dumps(s, sort_keys=True): 0 for s in grids[row["head"]]} | json.loads(row["losses"])
            assert len(losses) == len(grids[row["head"]])
            assert losses[json.dumps(setting, sort_keys=True)] == min(losses.values())
        assert row["temperature"] > 0
    facts = RunFacts("d", "whole", "comparable", "r", "fixed", "r", "spread", ("a", "b", "c"),
                     {"strong": EncoderFacts("control", 24, True, 1.0)})  # fmt: skip
    board = build_leaderboard(tmp_path, sweep.blocks, sweep.table, sweep.plan, facts)
    oracle = board.table["selection"] == "oracle"
    assert board.table.loc[oracle, "rank_low"].isna().all() and board.table.loc[~oracle, "rank_low"].notna().all()
    assert board.table["rank_high"].max() <= 8
    assert oracle.groupby(board.table["noise"]).apply(lambda own: own.is_monotonic_increasing).all()  # below all others
    assert any("oracle" in why for why in board.empty.values())


@pytest.mark.parametrize(("groups", "items", "level"), [(40, 10, "expert"), (9, 5, "expert"), (4, 8, "expert"), (40, 10, "inherited")])
def test_no_selection_is_better_than_the_oracle_in_any_draw(make_sweep, make_table, monkeypatch, tmp_path, groups, items, level):
    """By a fixed test, by folds, leaving out groups; scored by instance, and by image where labels are inherited."""
    heads = ["ridge", "knn", "centroid", "lda", "logreg"]
    protocol = Protocol(shots=(3,), noise=(0.0, 0.3), draws=4, select=KINDS)
    table = make_table("abc", groups, items, level)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(len(table), 12)) + 0.7 * np.eye(12)[pd.Categorical(table["label"]).codes]
    view = Embedded("weak", "0" * 32, "unit", X.astype(np.float32))
    sweep = plan_sweep(table, tuple("abc"), protocol, {"weak": (view.key, "unit")}, heads)
    HeadFits(views={"weak": view}).make(sweep, sweep.blocks, tmp_path)
    rows = read_ledger(tmp_path).query("selection != 'auto' or chosen_by == 'auto'")
    best = rows.pivot_table(index=["head", "noise", "seed"], columns="selection", values="balanced_accuracy")
    others = best.drop(columns="oracle")
    assert (best["oracle"] >= others.max(axis=1) - 1e-9).all()
    assert (best["oracle"] > others.max(axis=1) + 1e-9).any()
    chosen = read_ledger(tmp_path).query("selection == 'oracle'")
    least = [min(json.loads(text).values()) for text in chosen["losses"]]
    if len(sweep.plan.repeats[0]) == 1:
        np.testing.assert_allclose(1 - chosen["balanced_accuracy"], least, atol=1e-6)


def test_auto_leaves_groups_out_where_every_class_has_two_and_says_so(make_sweep, tmp_path):
    sweep, views = make_sweep(Protocol(shots=(1, 3), draws=2), ["ridge", "logreg", "xgboost"])
    assert {(unit.head, unit.shots): unit.chosen_by for unit in sweep.blocks} == {
        ("ridge", 1): "fixed", ("ridge", 3): "auto", ("logreg", 1): "fixed", ("logreg", 3): "auto",
        ("xgboost", 1): "fixed", ("xgboost", 3): "fixed",
    }  # fmt: skip
    assert {unit.selection for unit in sweep.blocks} == {"auto"}
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    rows = read_ledger(tmp_path)
    assert set(rows.query("head == 'ridge' and shots == 3")["chosen_by"]) == {"auto"}
    assert set(rows.query("head == 'ridge' and shots == 1")["chosen_by"]) == {"fixed"}
    few, _ = make_sweep(Protocol(shots=(3,), draws=2, support_groups="concentrated"), ["ridge"])
    assert [unit.chosen_by for unit in few.blocks] == ["fixed"]  # all three of a class may be of one group


def test_the_oracle_knows_the_settings_that_were_tuned(tmp_path):
    [head] = get_heads(["ridge"])
    own = {"alpha": 0.123}
    assert settings_of("oracle", head, [own, own, head.grid[2]]) == (*head.grid, own)
    assert settings_of("loo", head, [own]) == head.grid


def test_a_sweep_hands_no_test_label_to_selection(make_sweep, tmp_path, monkeypatch):
    sweep, views = make_sweep(Protocol(shots=(4,), noise=(0.4,), draws=2, select=("fixed", "loo", "inner-cv")), ["ridge"])
    seen = []
    monkeypatch.setattr(fit, "choose", lambda *a: seen.append(a[-1].truth) or choose(*a))
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "watched")
    assert seen and all(truth is None for truth in seen)


def test_settings_are_learned_from_oracle_runs_of_other_data_and_never_of_this(make_sweep, make_table, make_view, tmp_path):
    some = {"x": 0.3, "yy": 0.5}
    elsewhere, views = make_sweep(Protocol(shots=(2, 6), draws=2, select=("oracle",)), ["knn"], K=2, encoders=some)
    run = tmp_path / "elsewhere"
    HeadFits(views=views).make(elsewhere, elsewhere.blocks, run)
    producer = Means(ensembles=[Ensemble("mean", ("x", "yy"))])
    means = producer.plan(elsewhere)
    producer.make(elsewhere, means, run)  # rows that no setting was chosen for
    for unit in means:
        tested = scored_items(elsewhere.table, elsewhere.plan.test_rows(), elsewhere.classes)
        write_part(run, unit, read_unit(run, unit), tested, elsewhere.classes)
    here, own = make_sweep(Protocol(shots=(3,), draws=2), ["knn"], groups=9)
    protocol = Protocol(shots=(3,), draws=2, select=("transfer",), transfer=(run,))
    with pytest.raises(BenchError, match="holds no run"):
        make_sweep(protocol, ["knn"], groups=9)
    units = pd.DataFrame({"unit": [unit.name for unit in (*elsewhere.blocks, *means)]})
    put_together(run, {"instances.parquet": elsewhere.table.to_parquet(), "units.csv": csv_bytes(units)}, {})
    with pytest.raises(BenchError, match="instances of this very data"):
        make_sweep(protocol, ["knn"], groups=9)
    other = elsewhere.table.assign(instance=[f"{i:032x}" for i in range(len(elsewhere.table))])
    put_together(run, {"instances.parquet": other.to_parquet(), "units.csv": csv_bytes(units)}, {})
    sweep, _ = make_sweep(protocol, ["knn"], groups=9)
    rows = read_ledger(run).query("shots == 2 and losses != ''")  # nearer to 3 than 6 is
    means = pd.DataFrame([json.loads(text) for text in rows["losses"]]).mean()
    [unit] = sweep.blocks
    assert list(unit.settings) == [json.loads(means.idxmin())]
    HeadFits(views=own).make(sweep, sweep.blocks, tmp_path / "here")
    assert read_unit(tmp_path / "here", unit).chosen.max() == 0
    with pytest.raises(BenchError, match="no oracle rows of head 'ridge'"):
        make_sweep(protocol, ["ridge"], groups=9)
    part = elsewhere.blocks[0].part(run)
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(BenchError, match=r"in whose ledger 1 of \d+ parts are missing or damaged"):
        make_sweep(protocol, ["knn"], groups=9)


def test_auto_takes_the_published_setting_where_a_draw_has_a_class_from_one_slide(make_table, make_view):
    """Slides of unlike sizes are gone round by weight, so that both labels of a class may come from the largest."""
    table = make_table(("a", "b"), 7, 60)
    sizes = np.where(table["group"].isin(["a0", "b0"]), 60, 2)
    table = table[table.groupby("group").cumcount() < sizes].reset_index(drop=True)
    view = make_view(table, "e", 3.0)
    for shots, way in ((2, "fixed"), (8, "auto")):
        sweep = plan_sweep(table, ("a", "b"), Protocol(shots=(shots,), draws=20), {"e": (view.key, "unit")}, ["ridge"])
        assert {unit.chosen_by for unit in sweep.blocks} == {way}


def test_where_some_draws_cannot_leave_groups_out_those_that_can_choose_and_the_others_take_what_is_published():
    way = way_by_draw("auto", 7, 10)
    assert way == "auto 7/10" and way_by_draw("auto", 10, 10) == "auto" and way_by_draw("fixed", 7, 10) == "fixed"
    for groups, alone in ((4, "auto"), (1, "fixed")):
        drawn = episode(groups=groups)
        assert drawn.can_leave_out == (groups > 1)
        found, expected = (choose(kind, STUB, GRID, drawn) for kind in (way, alone))
        np.testing.assert_array_equal(found.chosen, expected.chosen)
        np.testing.assert_array_equal(found.P, expected.P)
    chosen, published = (choose(kind, STUB, GRID, episode()).chosen for kind in ("auto", "fixed"))
    assert (chosen != published).any()  # so that the two ways differ
