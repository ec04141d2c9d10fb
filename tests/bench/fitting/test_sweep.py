"""A sweep's numbers depend on what is asked and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics

from bench.errors import BenchError
from bench.fitting import fit
from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import plan_sweep
from bench.fitting.scaling import ScaledBySplit, scale_rows
from bench.fitting.tasks import inputs_of
from bench.heads import all_heads
from bench.heads.pool import Pool
from bench.protocol.noise import KINDS
from bench.protocol.protocol import Protocol
from bench.report.tables.columns import COLUMNS
from bench.report.tables.leaderboard import build_leaderboard
from bench.runs import ledger
from bench.runs.facts import EncoderFacts, RunFacts
from bench.runs.predictions import read_unit
from bench.runs.tested import scored_items

CLASSES = ("a", "b", "c")


def facts(names: dict[str, bool]) -> RunFacts:
    known = {name: EncoderFacts("control", 24, trivial, 1.0) for name, trivial in names.items()}
    return RunFacts("demo", "whole", "comparable", "r", "fixed", "r", "spread", CLASSES, known)


@pytest.fixture
def sweep_of_two(make_sweep):
    protocol = Protocol(shots=(1, 4), noise=(0.0, 0.4), draws=4)
    return make_sweep(protocol, ["knn", "centroid", "logreg"], encoders={"weak": 0.1, "strong": 3.0})


def predictions(sweep, run):
    return {unit.name: read_unit(run, unit) for unit in sweep.blocks}


def test_the_number_of_workers_and_the_company_do_not_change_a_bit(sweep_of_two, tmp_path):
    sweep, views = sweep_of_two
    assert HeadFits(views=views, workers=1).make(sweep, sweep.blocks, tmp_path / "one") == (0, 12)
    assert HeadFits(views=views, workers=2).make(sweep, sweep.blocks, tmp_path / "two") == (0, 12)
    keys = {"strong": (views["strong"].key, "unit")}
    alone = plan_sweep(sweep.table, CLASSES, sweep.protocol, keys, ["logreg"])
    HeadFits(views=views).make(alone, alone.blocks, tmp_path / "alone")
    one, two, few = (predictions(s, tmp_path / r) for s, r in ((sweep, "one"), (sweep, "two"), (alone, "alone")))
    for name, found in one.items():
        assert found.P.tobytes() == two[name].P.tobytes()
    for name, found in few.items():
        assert found.P.tobytes() == one[name].P.tobytes()


@pytest.mark.parametrize("K", [2, 3, 4, 8])
@pytest.mark.parametrize("groups", [8, 40])  # folds; one fixed split
def test_the_numbers_of_a_unit_are_its_own_for_any_number_of_classes(K, groups, make_sweep, tmp_path):
    protocol = Protocol(shots=(2, 6), noise=(0.0, 0.4), draws=2, select=("fixed", "oracle"))
    heads = ["knn", "centroid", "ridge", "lda", "logreg"]
    sweep, views = make_sweep(protocol, heads, K=K, groups=groups, items=8)
    assert sweep.plan.rule == ("folds" if groups == 8 else "fixed")
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "all")
    for head, shots, kind in (
        ("logreg", 6, "fixed"),
        ("knn", 2, "oracle"),
        ("lda", 6, "oracle"),
        ("ridge", 2, "fixed"),
    ):
        only = Protocol(shots=(shots,), noise=(0.0, 0.4), draws=2, select=(kind,))
        alone, _ = make_sweep(only, [head], K=K, groups=groups, items=8)
        HeadFits(views=views).make(alone, alone.blocks, tmp_path / "alone")
        [unit] = alone.blocks
        one, other = read_unit(tmp_path / "all", unit), read_unit(tmp_path / "alone", unit)
        for name, array in vars(one).items():
            assert np.array_equal(array, getattr(other, name), equal_nan=name == "gap") if array is not None else True


def test_heads_noise_rates_and_kinds_of_selection_share_one_support_a_draw(make_sweep, tmp_path, monkeypatch):
    protocol = Protocol(shots=(2, 5), noise=(0.0, 0.2, 0.4), draws=3, select=("fixed", "oracle"))
    sweep, views = make_sweep(protocol, ["knn", "centroid", "ridge"])
    made = []
    original = ScaledBySplit.support
    monkeypatch.setattr(ScaledBySplit, "support", lambda self, *a: made.append(a) or original(self, *a))
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    assert len(made) == 2 * 3 * len(sweep.plan.repeats[0])


def test_partitions_that_no_draw_is_of_are_not_looked_at(make_sweep, tmp_path, monkeypatch):
    sweep, views = make_sweep(Protocol(shots=(2,), draws=3), ["centroid"], groups=8, items=8)
    assert len(sweep.plan.repeats) > 3
    seen, original = [], fit.rows_of
    monkeypatch.setattr(fit, "rows_of", lambda view, split, *rest: seen.append(split.name) or original(view, split, *rest))
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    assert set(seen) == {split.name for splits in sweep.plan.repeats[:3] for split in splits}


def test_a_second_sweep_reuses_every_unit_and_a_lost_or_damaged_one_is_made_again(sweep_of_two, tmp_path):
    sweep, views = sweep_of_two
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    before = {path: path.read_bytes() for unit in sweep.blocks for path in (unit.path(tmp_path), unit.part(tmp_path))}
    assert HeadFits(views=views).make(sweep, sweep.blocks, tmp_path) == (12, 0)
    lost, cut, flipped = [unit.path(tmp_path) for unit in sweep.blocks][:3]
    lost.unlink()
    cut.write_bytes(before[cut][:100])
    flipped.write_bytes(before[flipped][:-1] + bytes([before[flipped][-1] ^ 1]))
    assert HeadFits(views=views).make(sweep, sweep.blocks, tmp_path) == (9, 3)
    assert {path: path.read_bytes() for path in before} == before


def test_other_labels_are_other_work(sweep_of_two):
    sweep, views = sweep_of_two
    changed = sweep.table.assign(label=sweep.table["label"].where(sweep.table.index != 0, "b"))
    other = plan_sweep(changed, CLASSES, sweep.protocol, {"weak": (views["weak"].key, "unit")}, ["knn"])
    assert not {unit.name for unit in other.blocks} & {unit.name for unit in sweep.blocks}


def test_metrics_of_a_leaderboard_are_those_of_scikit_learn_under_their_names(sweep_of_two, tmp_path):
    sweep, views = sweep_of_two
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    board = build_leaderboard(
        tmp_path, sweep.blocks, sweep.table, sweep.plan, facts({"weak": True, "strong": False})
    ).table.set_index(["encoder", "head", "shots", "noise"])
    y = sweep.y[sweep.plan.test_rows()]
    for unit in sweep.blocks:
        P = read_unit(tmp_path, unit).P.astype(np.float64)
        for r, rate in enumerate(unit.rates):
            row = board.loc[(unit.encoder, unit.head, unit.shots, rate)]
            for name, reference in REFERENCES.items():
                assert row[name] == pytest.approx(np.mean([reference(own, y) for own in P[:, r]]), abs=2e-3), name


REFERENCES = {
    "balanced_accuracy": lambda P, y: sklearn.metrics.balanced_accuracy_score(y, P.argmax(1)),
    "macro_f1": lambda P, y: sklearn.metrics.f1_score(y, P.argmax(1), average="macro"),
    "mcc": lambda P, y: sklearn.metrics.matthews_corrcoef(y, P.argmax(1)),
    "auroc": lambda P, y: np.mean([sklearn.metrics.roc_auc_score(y == k, P[:, k]) for k in range(3)]),
    "log_loss": lambda P, y: -np.log(np.maximum(P[np.arange(len(y)), y], 1e-7)).mean(),
    "brier": lambda P, y: ((P - np.eye(3)[y]) ** 2).sum(1).mean(),
}


def test_the_leaderboard_has_every_column_and_puts_signal_first_and_noise_last(sweep_of_two, tmp_path):
    sweep, views = sweep_of_two
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    board = build_leaderboard(
        tmp_path, sweep.blocks, sweep.table, sweep.plan, facts({"weak": True, "strong": False})
    ).table
    assert list(board.columns) == [column.key for column in COLUMNS]
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


def test_few_groups_get_exact_intervals_and_no_ranks(tmp_path, make_table, make_view):
    table = make_table(CLASSES, 3, 5)
    view = make_view(table, "strong", 5.0)
    sweep = plan_sweep(table, CLASSES, Protocol(shots=(1,), draws=3), {"strong": (view.key, "unit")}, ["centroid"])
    assert sweep.plan.rule == "leave-one-group-out"
    HeadFits(views={"strong": view}).make(sweep, sweep.blocks, tmp_path)
    board = build_leaderboard(tmp_path, sweep.blocks, table, sweep.plan, facts({"strong": False}))
    row = board.table.iloc[0]
    assert row["ci_method"] == "exact-mover"
    assert row["balanced_accuracy"] > 0.95
    assert row["ci_low"] < 0.8
    assert np.isnan(row["rank_low"])
    assert {"rank_low", "rank_high", "p_best", "p_near", "held_out_best"} <= set(board.empty)


def test_kinds_of_noise_share_supports_and_clean_labels_and_change_nothing_of_each_other(
    make_sweep, tmp_path, monkeypatch
):
    protocol = Protocol(shots=(2,), noise=(0.0, 0.2, 0.4), noise_kinds=("group", "asymmetric", "symmetric"), draws=3)
    heads = ["knn", "logreg"]
    sweep, views = make_sweep(protocol, heads, groups=40, items=8)
    made, original = [], Pool.support
    monkeypatch.setattr(Pool, "support", lambda *a: made.append(a) or original(*a))
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "all")
    assert len(made) == 3
    rates = {(unit.noise_kind, unit.rates) for unit in sweep.blocks}
    assert rates == {("symmetric", (0.0, 0.2, 0.4)), ("asymmetric", (0.2, 0.4)), ("group", (0.2, 0.4))}
    for kind in ("symmetric", "group"):
        alone, _ = make_sweep(Protocol(shots=(2,), noise=(0.0, 0.2, 0.4), noise_kinds=(kind,), draws=3), heads, groups=40, items=8)
        HeadFits(views=views).make(alone, alone.blocks, tmp_path / kind)
        for one, other in zip(alone.blocks, [u for u in sweep.blocks if u.noise_kind == kind], strict=True):
            own, all_kinds = read_unit(tmp_path / kind, one), read_unit(tmp_path / "all", other)
            assert np.array_equal(own.P[:, -2:], all_kinds.P[:, -2:])
            assert np.array_equal(own.realised[:, -2:], all_kinds.realised[:, -2:])
    assert len({unit.name for unit in sweep.blocks}) == 6
    board = build_leaderboard(
        tmp_path / "all", sweep.blocks, sweep.table, sweep.plan, facts({"strong": False})
    ).table
    assert len(board) == 2 * (1 + 3 * 2) and not board.duplicated(["head", "noise_kind", "noise"]).any()
    assert set(board.loc[board["noise"] == 0, "noise_kind"]) == {"none"}


def test_pairs_that_are_confused_name_the_units_of_asymmetric_noise_alone(make_sweep):
    kinds = ("symmetric", "asymmetric")
    names = []
    for pairs in ((), (("a", "b"),), (("a", "b"), ("b", "c"), ("c", "a"))):  # the last are what no pairs stand for
        sweep, _ = make_sweep(Protocol(shots=(2,), noise=(0.0, 0.2), noise_kinds=kinds, confusable=pairs), ["knn"])
        names.append([unit.name for unit in sweep.blocks])
    assert names[0] == names[2] and names[0][0] == names[1][0] and names[0][1] != names[1][1]


@pytest.mark.parametrize("kind", KINDS)
def test_labels_go_wrong_alike_for_every_encoder_and_head(kind, make_sweep, tmp_path):
    replaces, foreign = KINDS[kind].replaces, ("debris",) * KINDS[kind].needs_foreign
    protocol = Protocol(shots=(3,), noise=(0.0, 0.4), noise_kinds=(kind,), draws=3, foreign=foreign)
    sweep, views = make_sweep(protocol, ["knn", "ridge"], encoders={"weak": 0.1, "strong": 3.0})
    seen = []
    original = fit.choose
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "choose", lambda *a: seen.append(a[-1].Y) or original(*a))
        HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    weak, strong = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    assert len(seen) == 2 * 2 * 3 * 5 * (1 + replaces) and all(map(np.array_equal, weak, strong))
    assert all(map(np.array_equal, seen[::2], seen[1::2]))  # the two heads of a draw
    wrong = [read_unit(tmp_path, unit).realised for unit in sweep.blocks]
    assert all(np.array_equal(wrong[0], other) for other in wrong) and wrong[0].shape == (3, 2, 3)
    tested = scored_items(sweep.table, sweep.plan.test_rows(), sweep.classes)
    assert [sweep.classes[k] for k in tested.y] == sweep.table["label"].iloc[sweep.plan.test_rows()].tolist()


@pytest.mark.parametrize("select", ["fixed", "loo", "inner-cv", "oracle"])
def test_classes_that_vanish_and_supports_of_one_class_stop_no_selection(select, make_sweep, tmp_path):
    able = [name for name, head in all_heads().items() if name != "xgboost" and (select != "loo" or head.loo)]
    sweep, views = make_sweep(Protocol(shots=(3,), noise=(0.0, 0.9), draws=4, select=(select,)), able, K=2, groups=9)
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    realised = read_unit(tmp_path, sweep.blocks[0]).realised[:, 1].mean(-1)
    assert realised.max() > 0.8
    ledger_of = ledger.read_ledger(tmp_path)
    assert len(ledger_of) == len(able) * 4 * 2
    assert ledger_of["log_loss"].notna().all()


def test_tiles_are_scored_as_the_image_they_come_from(make_table):
    table = make_table(CLASSES, 3, 5, "inherited")
    tested = scored_items(table, np.arange(len(table)), CLASSES)
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


@pytest.mark.parametrize("value", [0.1, 5.0, 1e6])
def test_a_feature_that_is_constant_where_it_is_learned_from_tells_nothing(value):
    X = np.random.default_rng(0).normal(size=(40, 6))
    X[:, 2], X[35:, 2] = value, 2 * value
    groups = np.arange(40).astype(str)
    scaled = scale_rows(X, np.arange(30), groups, "standard")
    assert (scaled[:, 2] == 0).all()
    assert (np.abs(scaled) < 5).all()


def test_rows_that_are_all_alike_become_zero():
    X = np.tile(np.random.default_rng(0).normal(size=6), (20, 1)).astype(np.float32)
    assert (scale_rows(X, np.arange(15), np.arange(20).astype(str), "unit") == 0).all()


def test_a_large_group_does_not_set_the_centre():
    X = np.r_[np.zeros((100, 2)), np.full((2, 2), 4.0)]
    groups = np.array(["big"] * 100 + ["small"] * 2)
    scaled = scale_rows(X, np.arange(102), groups, "unit")
    np.testing.assert_allclose(scaled[0], -scaled[-1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"shots": ()}, "Got no number of labels"), ({"shots": (0,)}, "Got shots=0"), ({"budget": (0,)}, "Got --budget 0"),
     ({"shots": (1,), "draws": 0}, "Got draws 0"),
     ({"shots": (1,), "noise": (2.0,)}, "Got noise rate 2.0"), ({"shots": (1,), "noise": ()}, "no noise rate"),
     ({"shots": (1,), "noise_kinds": ()}, "no noise kind"),
     ({"shots": (1,), "select": ("transfer",)}, "--select transfer or --transfer"),
     ({"shots": (1,), "select": ()}, "no --select")],
)  # fmt: skip
def test_impossible_protocols_are_refused(arguments, message):
    with pytest.raises(BenchError, match=message):
        Protocol(**arguments)


def test_shots_of_images_are_units_of_their_own_and_the_usual_ones_keep_their_names(make_table, make_view, tmp_path):
    table = make_table("abc", 8, 3, level="inherited")
    view = make_view(table, "strong", 1.0)
    plans = {
        unit: plan_sweep(
            table,
            "abc",
            Protocol(shots=(2,), noise=(0.0, 0.4), draws=2, shot_unit=unit),
            {"strong": (view.key, view.scaling)},
            ["knn"],
        )
        for unit in ("instance", "image")
    }
    names = {unit: sweep.blocks[0].name for unit, sweep in plans.items()}
    assert names["instance"] != names["image"]
    assert "shot unit" not in plans["instance"].blocks[0].identity
    sweep = plans["image"]
    HeadFits(views={"strong": view}).make(sweep, sweep.blocks, tmp_path)
    found = read_unit(tmp_path, sweep.blocks[0])
    assert found.P.shape[:2] == (2, 2)
    named = table.assign(item=inputs_of(sweep, tmp_path).items).groupby("image")["item"]
    assert (named.nunique() == 1).all()  # so that labels of one image go wrong together
    assert named.first().is_unique
    assert sweep.blocks[0].shot_unit == "image"
