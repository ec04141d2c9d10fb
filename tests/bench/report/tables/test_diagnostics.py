"""Diagnostics show what a score rests on; they are ranked with nothing, and no other row feels that they are there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.fitting.head_fits import HeadFits
from bench.protocol.protocol import Protocol
from bench.report.pages.markdown import inline, render
from bench.report.pages.overview import overview
from bench.report.pages.run_page import run_page
from bench.report.pages.sections.context import RunPage
from bench.report.pages.sections.datasets import Overview
from bench.report.pages.sections.diagnostics import diagnostics as diagnostics_of
from bench.report.pages.sections.verdict import summary
from bench.report.tables.flags import flags, headline
from bench.report.tables.leaderboard import build_leaderboard
from bench.report.tables.rows import competing, results
from bench.runs.facts import EncoderFacts, RunFacts
from encoders import resolve

CLASSES = ("a", "b", "c")
KNOWN = {
    "strong": EncoderFacts("other", 24, False, 1.0),
    "weak": EncoderFacts("other", 24, False, 1.0),
    "strong@intervene=shuffle": EncoderFacts("other", 24, False, 1.0, "patches of the image shuffled", "strong"),
    "random": EncoderFacts("control", 24, True, 1.0, "random weights, nothing learned"),
    "colour": EncoderFacts("descriptor", 24, True, 1.0),
}
OF_OTHER_ROWS = ["p_chance", "rank_low", "rank_high", "p_best", "held_out_best", "ci_low", "ci_high"]


@pytest.mark.parametrize(
    ("name", "diagnostic", "intact"),
    [
        ("texture", "", "texture"),
        ("raw-pixels", "", "raw-pixels"),  # grey by nature
        ("resnet50@size=288", "", "resnet50@size=288"),
        ("resnet50@intervene=shuffle,size=288", "patches of the image shuffled", "resnet50@size=288"),
        ("dino@color=grey", "colour removed", "dino"),
        ("color-stats@color=grey,intervene=zscore",
         "colour removed; mean and contrast of each channel removed", "color-stats"),
        ("random-resnet18", "random weights, nothing learned", "random-resnet18"),
        ("resnet50@weights=random", "random weights, nothing learned", "resnet50@weights=random"),
    ],
)  # fmt: skip
def test_an_encoder_says_why_it_is_a_diagnostic_and_what_it_is_held_against(name, diagnostic, intact):
    spec = resolve(name)
    assert (spec.diagnostic, spec.intact) == (diagnostic, intact)
    assert bool(spec.taken_away) == (intact != name)


def facts(names, **more: str) -> RunFacts:
    given = RunFacts("demo", "whole", "comparable", "r", "fixed", "r", "spread", CLASSES, {name: KNOWN[name] for name in names})
    return replace(given, **more)


@pytest.fixture
def board(make_sweep, tmp_path):
    """Return a function (names of KNOWN, facts) -> leaderboard of heads on them; shuffled patches are the best."""
    signal = {"strong": 0.8, "weak": 0.2, "strong@intervene=shuffle": 3.0, "random": 0.5, "colour": 0.1}

    def make(names, **more):
        protocol = Protocol(shots=(2,), draws=4)
        chosen = {name: signal[name] for name in names}
        sweep, views = make_sweep(protocol, ["centroid", "knn"], encoders=chosen, groups=40, items=4)
        HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "run")
        return build_leaderboard(tmp_path / "run", sweep.blocks, sweep.table, sweep.plan, facts(names, **more))

    return make


def test_other_rows_are_the_same_to_the_bit_without_diagnostics(board):
    with_them, without = board(list(KNOWN)), board(["strong", "weak", "colour"])
    rows = with_them.table[with_them.table["role"] != "diagnostic"]
    assert set(with_them.table["role"]) == {"encoder", "baseline", "diagnostic"} and len(rows) == len(without.table)
    for name in OF_OTHER_ROWS:
        one, other = (t.set_index(["encoder", "head"])[name].sort_index() for t in (rows, without.table))
        pd.testing.assert_series_equal(one, other)
    own = with_them.table[with_them.table["role"] == "diagnostic"]
    assert own[["rank_low", "p_best", "p_chance", "delta_trivial"]].isna().all(axis=None)


def test_the_best_score_is_never_the_headline_where_it_is_a_diagnostic(board):
    table = board(list(KNOWN)).table
    assert table.loc[table["balanced_accuracy"].idxmax(), "encoder"] == "strong@intervene=shuffle"
    assert set(headline(table)["encoder"]) == {"strong", "weak", "colour"} == set(competing(table)["encoder"])
    assert "strong" in inline(summary(table)) and "shuffle" not in inline(summary(table))
    best, diagnostics = render(overview(Overview(table=table))).split("## Diagnostics: what scores rest on")
    assert "shuffle" not in best and "`strong`" in best
    assert "| demo (whole) | `strong@intervene=shuffle` |" in diagnostics and "`strong` |" not in diagnostics


def test_networks_with_random_weights_are_baselines_that_an_encoder_has_to_beat_and_interventions_are_not(board):
    table = board(list(KNOWN)).table.set_index(["encoder", "head"])
    score = table["balanced_accuracy"]
    best = score[["random", "colour"]].max()
    for head in ("centroid", "knn"):
        assert table.loc[("strong", head), "delta_trivial"] == pytest.approx(score["strong", head] - best)


def test_what_is_lost_is_the_paired_difference_to_the_intact_twin_with_the_same_head(board):
    table = board(["strong", "strong@intervene=shuffle", "random"]).table.set_index(["encoder", "head"])
    for head in ("centroid", "knn"):
        row = table.loc[("strong@intervene=shuffle", head)]
        expected = table.loc[("strong", head), "balanced_accuracy"] - row["balanced_accuracy"]
        assert row["lost"] == pytest.approx(expected) and row["lost_low"] < row["lost"] < row["lost_high"] < 0
    others = table.drop(index=["strong@intervene=shuffle"], level=0)
    assert others[["lost", "lost_low", "lost_high"]].isna().all(axis=None)


def test_the_page_shows_diagnostics_in_a_table_of_their_own_and_nowhere_else(board):
    found = board(list(KNOWN))
    page = render(run_page(RunPage(board=found, facts=facts(KNOWN), command="bench run")))
    before, section = page.split("## Diagnostics: what the score rests on\n")
    section, after = section.split("\n## ", 1)
    assert "shuffle" not in before and "`random`" not in before
    assert "| `strong@intervene=shuffle` | centroid | patches of the image shuffled |" in section
    assert "| `random` | knn | random weights, nothing learned |" in section and "never ranked" in section
    assert "shuffle" not in after.split("## How to read it")[0]
    assert "if you label examples on new slides" in after
    assert diagnostics_of(RunPage(board=board(["strong", "weak"]), facts=facts(["strong", "weak"]))) == []


@pytest.mark.parametrize("more", [{"instances": "masks:64:without"}, {"split_rule": "random"}])
def test_a_run_that_is_a_diagnostic_as_a_whole_ranks_nothing_and_has_no_headline(board, more):
    found = board(["strong", "colour"], **more)
    table = found.table
    assert set(table["role"]) == {"diagnostic"} and table[["rank_low", "p_chance", "delta_trivial"]].isna().all(axis=None)
    assert facts(["strong"], **more).diagnostic.startswith("DIAGNOSTIC, NOT A RESULT")
    assert summary(table) == "" and competing(table).empty
    best, _, diagnostics = render(overview(Overview(table=table))).partition("## Diagnostics: what scores rest on")
    assert "strong" not in best and ("the cell blanked in every window" in diagnostics) == ("instances" in more)
    assert len(results(table)) == len(table)
    page = render(run_page(RunPage(board=found, facts=facts(["strong", "colour"], **more))))
    assert "| `strong` | centroid |" in page and "## Diagnostics" not in page and "examples on new slides" not in page
    assert flags(table, {"colour"}, 1 / 3) == {}


def test_only_the_cell_is_a_result_and_all_but_the_cell_is_not():
    assert facts(["strong"], instances="masks:64:only").diagnostic == ""
    assert facts(["strong"], instances="segments:64:min=50:without").diagnostic


RUN = ("run", "--data", "raw", "--encoder", "color-stats", "--head", "centroid,knn", "--shots", 2, "--draws", 3, "--name", "raw",
       "--workers", 1, "--no-baselines")  # fmt: skip


@pytest.fixture
def images(tmp_path):
    """Two classes of 12 images each, one redder and one greener, as light as each other in grey."""
    for k, label in enumerate(("green", "red")):
        for i in range(12):
            pixels = np.random.default_rng(20 * k + i).integers(0, 160, (16, 16, 3), dtype=np.uint8)
            pixels[..., 1 - k] += np.uint8(60 if k else 31)
            path = tmp_path / "raw" / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)


def test_the_command_line_keeps_a_variant_without_colour_out_of_every_comparison(bench, images, tmp_path):
    code, text = bench(*RUN, "--encoder", "color-stats@color=grey", "--encoder", "grey-histogram")
    assert code == 0 and "Diagnostics, which are never ranked" in text
    folder = tmp_path / "results" / "runs" / "raw"
    table = pd.read_csv(folder / "leaderboard.csv").set_index(["encoder", "head"])
    own = table.loc["color-stats@color=grey"]
    assert (own["role"] == "diagnostic").all() and (own["intact"] == "color-stats").all()
    assert own["rank_low"].isna().all() and own.loc["centroid", "lost"] > 0.2  # colour is all there is
    pairs = pd.read_csv(folder / "pairs.csv")
    assert len(pairs) == 3 and not pairs[["encoder_a", "encoder_b"]].isin(["color-stats@color=grey"]).any(axis=None)
    assert not (folder / "efficiency.csv").exists() or "color=grey" not in (folder / "efficiency.csv").read_text()
    assert "color=grey" in (folder / "leaderboard.md").read_text()
    code, text = bench("leaderboard")
    assert code == 0 and "color=grey" not in text
    best, diagnostics = (tmp_path / "results" / "leaderboard.md").read_text().split("## Diagnostics: what scores rest on")
    assert "color=grey" not in best and "colour removed" in diagnostics
    assert "color-stats@color=grey" in set(pd.read_csv(tmp_path / "results" / "leaderboard.csv")["encoder"])
