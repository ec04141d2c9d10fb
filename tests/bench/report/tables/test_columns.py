"""A column of the leaderboard is one entry: file, page, reading and reasons of empty fields follow from it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

from bench.fitting.head_fits import HeadFits
from bench.protocol.protocol import Protocol
from bench.report.pages import run_page as pages
from bench.report.pages.markdown import render
from bench.report.pages.model import Heading, number_field
from bench.report.pages.numbers import decimal
from bench.report.pages.run_page import run_page
from bench.report.pages.sections.context import RunPage
from bench.report.tables import columns, diagnostics, fits
from bench.report.tables.columns import COLUMNS, Column
from bench.report.tables.columns.column import NO_LABELS, mean_of
from bench.report.tables.columns.identity import SCALED
from bench.report.tables.columns.scores import metric
from bench.report.tables.efficiency import efficiency
from bench.report.tables.empty import empty_fields
from bench.report.tables.identity import DatasetOfRun
from bench.report.tables.leaderboard import build_leaderboard
from bench.report.tables.merge import StoredRun, merge_runs
from bench.report.write_up import table_bytes
from bench.runs import ledger
from bench.runs.facts import EncoderFacts, RunFacts
from bench.statistics import comparison
from bench.statistics.metrics import METRICS

FROZEN = Path(__file__).resolve().parents[3] / "frozen" / "run" / "leaderboard.csv"
KNOWN = {
    "strong": EncoderFacts("other", 24, False, 1.0),
    "weak": EncoderFacts("other", 24, False, float("nan")),
    "strong@color=grey": EncoderFacts("other", 24, False, 1.0, "colour removed", "strong"),
    "colour": EncoderFacts("descriptor", 24, True, 1.0),
}
SIGNALS = {"strong": 2.0, "weak": 0.2, "strong@color=grey": 1.0, "colour": 0.1}


@pytest.fixture
def make_board(make_sweep, tmp_path):
    """Return a function (protocol, encoders, facts...) -> (leaderboard, facts) of a small sweep."""

    def make(protocol, encoders=tuple(SIGNALS), groups=40, items=2, **more):
        sweep, views = make_sweep(
            protocol, ["ridge"], encoders={name: SIGNALS[name] for name in encoders}, groups=groups, items=items
        )
        HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "run")
        known = {name: KNOWN[name] for name in encoders}
        facts = RunFacts("demo", "whole", "comparable", "r", sweep.plan.rule, "r", "spread", ("a", "b", "c"), known)
        facts = replace(facts, **more)
        return build_leaderboard(tmp_path / "run", sweep.blocks, sweep.table, sweep.plan, facts), facts

    return make


def test_every_column_of_the_file_has_one_entry_with_a_meaning():
    keys = [column.key for column in COLUMNS]
    assert len(set(keys)) == len(keys) and keys == list(pd.read_csv(FROZEN).columns) + keys[-2:]  # frozen without times
    assert all(column.meaning and not column.meaning.endswith(".") for column in COLUMNS)


def test_nothing_that_is_computed_for_a_row_is_left_out():
    keys = {column.key for column in COLUMNS}
    assert keys >= {*METRICS, *comparison.COLUMNS, *diagnostics.COLUMNS}


def test_a_registered_column_is_in_the_file_on_the_page_and_in_how_to_read(make_board, monkeypatch):
    toy = Column(
        key="toy", make=lambda row: row.labels / 7, meaning="labels in weeks",
        shown=number_field("toy", lambda value: decimal(value, 2), "weeks"),
    )  # fmt: skip
    monkeypatch.setattr(columns, "COLUMNS", (*COLUMNS, toy))
    board, facts = make_board(Protocol(shots=(2,), draws=2), ("strong", "colour"))
    assert (board.table["toy"] == 6 / 7).all()
    assert table_bytes(board.table).splitlines()[0].endswith(b",toy")
    page = render(run_page(RunPage(board=board, facts=facts)))
    scores, reading = page.split("## All scores at the most labels, clean")[1].split("## How to read it")
    assert "| weeks |" in scores and scores.count("| 0.86 |") == 2
    assert "| `toy` | weeks | labels in weeks |  |" in reading


def test_a_metric_needs_no_more_and_is_added_to_what_was_fitted_before(make_board, monkeypatch):
    before, _ = make_board(Protocol(shots=(2,), draws=2), ("strong", "colour"))

    def sureness(P: np.ndarray, y: np.ndarray) -> np.ndarray:
        return P.max(-1).mean(-1)

    for module in (ledger, fits):
        monkeypatch.setattr(module, "METRICS", {**METRICS, "sureness": sureness})
    monkeypatch.setattr(columns, "COLUMNS", (*COLUMNS, metric("sureness", "sureness", "mean highest probability")))
    after, facts = make_board(Protocol(shots=(2,), draws=2), ("strong", "colour"))
    assert after.table["sureness"].between(1 / 3, 1).all()
    pd.testing.assert_frame_equal(after.table[list(before.table)], before.table)
    assert "| sureness |" in render(run_page(RunPage(board=after, facts=facts)))


def test_a_column_can_be_nothing_but_a_mean_of_the_ledger():
    assert Column(key="gap", make=mean_of("gap"), meaning="m").shown is None


@pytest.mark.parametrize(
    ("protocol", "more"),
    [
        (Protocol(shots=(2,), noise=(0.0, 0.3), draws=2, select=("auto", "oracle")), {}),
        (Protocol(shots=(2,), draws=1), {"encoders": ("strong", "weak")}),
        (Protocol(shots=(2,), draws=2), {"groups": 6, "encoders": ("strong", "colour")}),
        (Protocol(shots=(2,), draws=2), {"items": 1, "encoders": ("strong", "colour")}),
        (Protocol(shots=(2,), draws=2), {"instances": "masks:64:without", "encoders": ("strong", "colour")}),
    ],
    ids=["oracle and diagnostics", "one draw, no baseline", "few groups", "an item a group", "all a diagnostic"],
)
def test_every_column_with_empty_fields_says_why_and_no_other(make_board, protocol, more):
    board, _ = make_board(protocol, **more)
    empty = {key for key in board.table if empty_fields(board.table[key]).any()}
    assert empty == set(board.empty) and all(board.empty.values()), {key for key in empty if not board.empty.get(key)}


@pytest.mark.parametrize("other", ["weak", "colour"])
def test_rows_that_are_held_against_no_baseline_say_whether_there_is_one(make_board, other):
    board, _ = make_board(Protocol(shots=(2,), draws=2), ("strong", other))
    why = board.empty["delta_trivial"]
    assert ("empty for the baselines themselves" in why) is (other == "colour")
    assert ("no descriptor or control took part" in why) is (other == "weak")


@pytest.mark.parametrize("groups", [6, 40])
def test_few_groups_are_why_rows_have_no_rank_only_where_they_are_few(make_board, groups):
    board, _ = make_board(Protocol(shots=(2,), draws=2, select=("auto", "oracle")), ("strong", "weak"), groups)
    assert board.table["rank_low"].isna().any()  # of the oracle at least
    assert ("a class has fewer than" in board.empty["rank_low"]) is (groups == 6)


def test_rows_at_0_labels_beside_others_say_that_nothing_is_learned_at_0_labels():
    board = pd.DataFrame({"shots": [0, 5]})
    assert NO_LABELS.when(board, None) and not NO_LABELS.when(board[1:], None)


def test_settings_chosen_draw_by_draw_are_explained_where_there_are_some():
    [column] = [column for column in COLUMNS if column.key == "chosen_by"]
    board = pd.DataFrame({"chosen_by": ["fixed", "auto", "auto 7/10"]})
    assert column.reading(board, None) and not column.reading(board[:2], None)


def test_a_page_says_first_what_to_know_then_the_best_row_and_then_all_else(make_board):
    board, facts = make_board(Protocol(shots=(2,), noise=(0.0, 0.3), draws=2, select=("auto", "oracle")), warnings=("a note",))
    page = render(run_page(RunPage(board=board, facts=facts, refused=("b note",), command="bench run")))
    order = ["# demo", "**Read this first**", "- a note.", "- b note.", "Best at 2 labels per class: `strong`",
             "`bench run`", "**Comparable.**", "## Clean labels", "## 30% wrong labels", "## Diagnostics",
             "## Which methods", "## All scores", "## How to read it", "<details>"]  # fmt: skip
    places = [page.index(text) for text in order]
    assert places == sorted(places)


@pytest.mark.parametrize(("scale_by", "other"), [("pool", "support"), ("support", "pool")])
def test_a_page_says_what_scores_were_made_on_what_guessing_gives_and_what_embeddings_were_scaled_by(make_board, scale_by, other):
    board, facts = make_board(Protocol(shots=(2,), draws=2, scale_by=scale_by), ("strong", "colour"))
    page = render(run_page(RunPage(board=board, facts=facts)))
    assert "Classes: a, b, c. Trained on 96 groups (mean over splits), tested on 240 instances in 120" in page
    assert "guessing gives about 33." in page
    assert SCALED[scale_by] in page and SCALED[other] not in page
    assert "No image, slide or other group is on both sides of a split." in page


def test_words_of_ours_are_plain_so_that_another_renderer_has_little_to_know(make_board):
    board, facts = make_board(Protocol(shots=(2,), noise=(0.0, 0.3), draws=2, select=("auto", "oracle")))
    page = render(run_page(RunPage(board=board, facts=facts)))
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page)
    kinds = {child.type for token in tokens for child in token.children or ()}
    assert kinds == {"text", "text_special", "code_inline", "em_open", "em_close", "strong_open", "strong_close"} - (
        set() if "\\" in page else {"text_special"}
    )


def test_a_section_is_a_function_and_its_place_in_a_list(make_board, monkeypatch):
    board, facts = make_board(Protocol(shots=(2,), draws=2), ("strong",))
    monkeypatch.setattr(pages, "SECTIONS", (*pages.SECTIONS, lambda run: [Heading(f"About {run.facts.dataset}")]))
    assert render(run_page(RunPage(board=board, facts=facts))).endswith("\n\n## About demo\n")


def test_what_depends_on_the_other_rows_of_a_run_is_empty_where_runs_are_joined(make_board, tmp_path):
    board, _ = make_board(Protocol(shots=(2,), draws=2), ("strong", "weak", "colour"))
    known = DatasetOfRun("demo", "", "c", tmp_path)
    runs = [
        StoredRun(name, tmp_path, rows, ("a", "b", "c"), "d", time.time() + i, known)
        for i, (name, rows) in enumerate(board.table.groupby("encoder"))
    ]
    joined = merge_runs(runs).table
    relative = [column.key for column in COLUMNS if column.relative]
    assert set(relative) == {
        "p_chance_best", "rank_low", "rank_high", "p_best", "p_near", "held_out_best", "delta_trivial", "delta_low",
        "delta_high",
    }  # fmt: skip
    assert joined[relative].isna().all(axis=None) and board.table.loc[board.table["encoder"] == "weak", relative].notna().all(axis=None)
    assert joined[["ci_low", "p_chance", "balanced_accuracy"]].notna().all(axis=None)


@pytest.mark.parametrize("draws", [1, 3])
def test_a_board_says_so_where_its_draws_learn_from_the_same_groups(make_board, draws):
    board, _ = make_board(Protocol(shots=(2,), draws=draws), encoders=("weak",), groups=12)
    assert ("training-as-it-is" in board.flags) == (draws == 1)
    if draws == 1:  # each group is tested in turn: the intervals are wider than for these training groups
        assert "take it to be as much as what other test slides change" in board.flags["training-as-it-is"]
        assert (board.table["ci_high"] > board.table["ci_these_high"]).all()


def test_one_draw_on_a_fixed_split_has_intervals_of_these_training_slides_and_the_page_says_no_other(make_board):
    board, facts = make_board(Protocol(shots=(2,), draws=1), ("strong", "weak"), groups=60, items=10)
    assert set(board.table["split"]) == {"fixed"}
    assert "for these training slides alone" in board.flags["training-as-it-is"]
    assert board.table["ci_high"].to_numpy() == pytest.approx(board.table["ci_these_high"].to_numpy())
    page = " ".join(render(run_page(RunPage(board=board, facts=facts))).split())
    assert "for new training and test slides" not in page.partition("## How to read it")[0]
    assert "trained on exactly these slides and used on new ones, and so does its 95% interval" in page


def test_a_board_says_so_where_draws_are_alike_at_one_of_its_numbers_of_labels(make_board):
    board, _ = make_board(Protocol(shots=(2, 200), draws=2), ("strong",), groups=30, items=10)
    assert set(board.table["shots"]) == {2, 200} and "training-as-it-is" in board.flags


@pytest.mark.parametrize(("levels", "said"), [({"budget": (6, 12)}, "in all"), ({"shots": (2, 4)}, "per class")])
def test_a_page_says_what_labels_are_counted_by(make_board, levels, said):
    board, facts = make_board(Protocol(**levels, draws=2))
    page = render(run_page(RunPage(board=board, facts=facts, efficiency=efficiency(board.table, 1 / 3))))
    few, most = next(iter(levels.values()))
    page = " ".join(page.split())
    assert f"balanced accuracy from {few} to {most} labels {said}" in page and f"how many labels {said} reach" in page
    assert f"At {most} labels {said}, against" in page
