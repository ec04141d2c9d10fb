"""What a variation changes: the difference of its scores, averaged over heads, paired, adjusted for all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.fitting.head_fits import HeadFits
from bench.protocol.protocol import Protocol
from bench.report.pages.markdown import render
from bench.report.pages.plain_text import plain_words
from bench.report.tables.across import holm
from bench.report.tables.leaderboard import build_leaderboard
from bench.runs.facts import EncoderFacts, RunFacts
from bench.runs.record import RunRecord
from bench.statistics.intervals import T_FROM
from bench.studies.ablate.effects import ALL_HEADS, COLUMNS, effects
from bench.studies.ablate.page import TOLD, AblationPage, ablation_page, draw, judged_by, verdict
from bench.studies.ablate.variations import Variation
from encoders import EncoderSpec, Preprocess

SIGNALS = {"base": 0.8, "worse": 0.1, "alike": 0.8}
HEADS = ("centroid", "ridge")


def variation(name):
    return Variation(factor="option", value=name, spec=EncoderSpec(name, "other", "made up", 24, Preprocess(None), "none"))


@pytest.fixture
def make_effects(make_sweep, tmp_path):
    """Return a function (heads, groups) -> (effects, leaderboard) of a small run."""

    def make(heads=HEADS, groups=16, signals=SIGNALS):
        sweep, views = make_sweep(
            Protocol(shots=(2, 5), draws=4, select=("fixed",)), list(heads), encoders=signals, groups=groups, items=2
        )
        if "same" in views:
            views["same"] = replace(views["base"], name="same", key=views["same"].key)
        HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
        costs = {name: EncoderFacts("other", 24, False, 1.0 + len(name)) for name in views}
        facts = RunFacts("d", "whole", "comparable", "r", sweep.plan.rule, "r", "spread", ("a", "b", "c"), costs)
        record = RunRecord(tuple(sweep.blocks), sweep.table, sweep.plan, facts, (), "")
        board = build_leaderboard(tmp_path, sweep.blocks, sweep.table, sweep.plan, facts).table
        return effects(tmp_path, record, "base", [variation(name) for name in signals if name != "base"]), board

    return make


def test_differences_are_those_of_the_leaderboard_and_their_mean_over_heads(make_effects):
    found, board = make_effects()
    scores = board.set_index(["encoder", "head", "shots"])["balanced_accuracy"]
    assert tuple(found.columns) == COLUMNS and len(found) == 2 * 2 * 3
    for row in found.to_dict("records"):
        heads = HEADS if row["head"] == ALL_HEADS else [row["head"]]
        own, base = (np.mean([scores[name, head, row["shots"]] for head in heads]) for name in (row["encoder"], "base"))
        assert row["balanced_accuracy"] == pytest.approx(own, abs=1e-5)
        assert row["base"] == pytest.approx(base, abs=1e-5)
        assert row["difference"] == pytest.approx(own - base, abs=2e-5)
        assert row["ci_low"] <= row["difference"] <= row["ci_high"]
        assert row["times_base"] == pytest.approx((1 + len(row["encoder"])) / 5)


def test_what_is_planted_is_told_apart_and_what_is_alike_is_not(make_effects):
    found, _ = make_effects()
    own = judged_by(found)
    assert own["encoder"].iloc[0] == "worse" and (own["shots"].diff().dropna() <= 0).all()
    assert set(own.loc[own["p_adjusted"] <= TOLD, "encoder"]) == {"worse"}
    said = plain_words(verdict(found, "base"))
    assert said.startswith("Told from base as it is: option=worse costs") and "alike" not in said
    for head, part in found.groupby("head"):
        np.testing.assert_array_equal(part["p_adjusted"], holm(part["p"].to_numpy()), err_msg=str(head))


def test_a_variant_that_never_answers_otherwise_is_called_the_same_and_is_no_test(make_effects):
    signals = {"base": 0.8, "worse": 0.1, "same": 0.8}
    found, _ = make_effects(signals=signals)
    same = found[found["encoder"] == "same"]
    assert same["p"].isna().all() and same["p_adjusted"].isna().all()
    assert (same[["difference", "ci_low", "ci_high"]] == 0).to_numpy().all()
    page = render(ablation_page(AblationPage(encoder="base", dataset="d", command="bench ablate"), found, False))
    assert "| option | same | 5 |" in page and "| the same |" in page
    only, _ = make_effects(signals={"base": 0.8, "same": 0.8})
    assert plain_words(verdict(only, "base")) == "No variation changes a score (1 variation tried)."


def test_one_head_is_judged_by_itself(make_effects):
    found, _ = make_effects(heads=("ridge",))
    assert set(found["head"]) == {"ridge"} and len(judged_by(found)) == len(found) == 4


def test_too_few_groups_give_exact_limits_and_no_p(make_effects):
    found, _ = make_effects(groups=T_FROM - 1)
    assert found["p"].isna().all() and found["p_adjusted"].isna().all()
    assert (found["ci_low"] < found["difference"]).all() and (found["ci_high"] > found["difference"]).all()
    assert "No variation can be tested (2 variations tried)" in plain_words(verdict(found, "base"))


def test_the_picture_is_the_same_every_time_and_fields_of_the_page_are_of_the_table(make_effects):
    pytest.importorskip("matplotlib")
    found, _ = make_effects()
    first, again = draw(found, "base$x$"), draw(found, "base$x$")
    assert first == again and first[:4] == b"\x89PNG"
    page = render(ablation_page(AblationPage(encoder="base", dataset="d", command="c", missing=("gone",)), found, True))
    for row in found.to_dict("records"):
        assert f"| {row['shots']} | {100 * row['balanced_accuracy']:.1f} | {100 * row['difference']:+.1f} |" in page
    assert "gone" in page and "ablation.png" in page and page.count("## ") == 3
