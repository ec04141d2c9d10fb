"""What is said before the first number, and what is not."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.demo import DemoSpec, write_demo
from bench.report.pages.markdown import inline
from bench.report.pages.sections.verdict import summary
from bench.report.tables.flags import flags, headline, only_diagnostics, trivial_share

TRIVIAL = {"color-stats", "constant"}


def board(learned: float, simple: float, p: float = 0.001, rank: int = 2, **more: object) -> pd.DataFrame:
    rows = [("deep", learned, p), ("wide", learned - 0.1, p), ("third", learned - 0.2, p), ("color-stats", simple, p)]
    table = pd.DataFrame(rows, columns=["encoder", "balanced_accuracy", "p_chance"])
    table = table.assign(head="knn", selection="fixed", series="balanced", split="fixed", shots=5, noise=0.0, noise_kind="none", ci_method="logit-t")
    table["p_best"] = 0.8
    table["held_out_best"] = learned - 0.02
    table["rank_low"] = [1, rank, 3, 4]
    table["ci_low"], table["ci_high"] = table["balanced_accuracy"] - 0.03, table["balanced_accuracy"] + 0.03
    return table.assign(**more)


def test_nothing_is_said_of_a_sound_table():
    assert flags(board(0.85, 0.5), TRIVIAL, 0.25) == {}


def test_a_trivial_row_with_most_of_the_skill_is_named():
    table = board(0.9, 0.8)
    assert abs(trivial_share(table, table[table["encoder"].isin(TRIVIAL)], 0.25) - 0.55 / 0.65) < 1e-12
    raised = flags(table, TRIVIAL, 0.25)
    assert list(raised) == ["solvable-by-appearance"]
    assert "color-stats" in raised["solvable-by-appearance"]
    assert "85%" in raised["solvable-by-appearance"]


def test_appearance_is_not_judged_where_no_encoder_took_part_or_none_has_skill():
    only = board(0.9, 0.8)
    assert flags(only[only["encoder"] == "color-stats"], TRIVIAL, 0.25) == {}
    raised = flags(board(0.3, 0.29, p=0.4), TRIVIAL, 0.25)
    assert "solvable-by-appearance" not in raised
    assert "Do not trust any score" in raised["no-better-than-chance"]


def test_too_few_groups_to_call_anything_better_than_chance_are_said_to_be():
    table = board(0.85, 0.5, p=1 / 6, p_chance_best=1 / 6, p_chance_least=1 / 6)
    said = flags(table, TRIVIAL, 0.25)["no-better-than-chance"]
    assert "No score here can be shown to be better than chance" in said and "in only 6 ways" in said and "0.17" in said
    assert flags(table.assign(p_chance_best=0.001, p_chance_least=0.0005), TRIVIAL, 0.25) == {}


def test_a_p_of_exactly_05_is_better_than_chance_in_every_sentence():
    assert flags(board(0.85, 0.5, p=0.05), TRIVIAL, 0.25) == {}
    said = flags(board(0.85, 0.5, p=0.0501), TRIVIAL, 0.25)
    assert list(said) == ["no-better-than-chance", "interval-and-chance"]
    assert flags(board(0.85, 0.5, p=0.05, p_chance_least=0.05), TRIVIAL, 0.25) == {}


def test_a_table_without_room_to_tell_encoders_apart_is_called_saturated():
    assert "the best score may truly be 99" in flags(board(0.96, 0.5), TRIVIAL, 0.25)["saturated"]
    assert "2 of 3 encoders" in flags(board(0.85, 0.5, rank=1), TRIVIAL, 0.25)["saturated"]
    assert "points behind" in flags(board(0.9, 0.87), TRIVIAL, 0.25)["saturated"]


def test_the_headline_is_the_cleanest_and_has_the_most_labels_and_no_oracle():
    table = pd.concat([board(0.8, 0.5), board(0.9, 0.5, shots=20), board(0.7, 0.4, shots=20, noise=0.2),
                       board(0.99, 0.5, shots=20, selection="oracle"), board(0.95, 0.5, shots=0)])  # fmt: skip
    rows = headline(table)
    assert (rows[["shots", "noise"]] == [20, 0.0]).all(axis=None)
    assert rows["balanced_accuracy"].iloc[0] == 0.9
    text = inline(summary(table))
    assert "`deep` with knn, 90.0 [87-93]" in text
    assert "scores 88.0 on the other half" in text
    assert "the probability that it is the best is 80%" in text


def test_a_best_row_above_guessing_that_is_not_better_than_chance_is_explained_in_words():
    raised = flags(board(0.6, 0.4, p=0.2), TRIVIAL, 0.25)
    assert list(raised)[:2] == ["no-better-than-chance", "interval-and-chance"]
    text = raised["interval-and-chance"]
    assert "lies above guessing (25)" in text and "57-63" in text and "best of all 4 rows" in text
    assert "interval-and-chance" not in flags(board(0.6, 0.4, p=0.01), TRIVIAL, 0.25)
    assert "interval-and-chance" not in flags(board(0.26, 0.25, p=0.4), TRIVIAL, 0.25)


def test_a_single_row_is_not_said_to_be_the_best_of_several():
    text = flags(board(0.6, 0.4, p=0.2).head(1), TRIVIAL, 0.25)["interval-and-chance"]
    assert "The interval of the only row (57-63) lies above guessing" in text and "(p = 0.2" in text
    assert "best" not in text and "picked" not in text


@pytest.mark.parametrize(("method", "why"), [("exact-mover", "groups are few"), ("logit-t", "other training and test slides")])
def test_a_best_row_better_than_chance_whose_interval_reaches_down_to_guessing_is_explained_too(method, why):
    table = board(0.6, 0.4, p=0.01, ci_method=method).assign(ci_low=0.2)
    text = flags(table, TRIVIAL, 0.25)["interval-and-chance"]
    assert "reaches down to guessing (25)" in text and why in text and "it is not known how much" in text


def test_both_p_are_told_where_a_table_has_both():
    table = board(0.6, 0.4, p=0.02, p_chance_best=0.3)
    raised = flags(table, TRIVIAL, 0.25)
    assert "p = 0.02 for this row alone, p = 0.3 for the best of all" in raised["interval-and-chance"]
    assert "p = 0.3 for the best of all rows" in raised["no-better-than-chance"]


def test_diagnostics_raise_no_flag_but_random_networks_do_as_baselines():
    best = board(0.99, 0.5).head(1).assign(encoder="deep@intervene=shuffle", role="diagnostic")
    random = board(0.83, 0.5).head(1).assign(encoder="random-vit", role="diagnostic")
    table = pd.concat([board(0.85, 0.5).assign(role="encoder"), best], ignore_index=True)
    assert flags(table, TRIVIAL, 0.25) == {}
    raised = flags(pd.concat([table, random], ignore_index=True), TRIVIAL | {"random-vit"}, 0.25)
    assert "random-vit" in raised["solvable-by-appearance"] and "2.0 points behind" in raised["saturated"]


def test_of_a_single_method_nothing_is_said_of_the_luck_of_being_the_best():
    assert "Being the best of many" in inline(summary(board(0.85, 0.5)))
    assert inline(summary(board(0.85, 0.5).head(1))).endswith("with knn, 85.0 [82-88].")


def test_a_table_of_diagnostics_alone_is_said_to_be_one():
    table = board(0.85, 0.5).assign(role="diagnostic")
    assert "no row is called the best" in only_diagnostics(table)["only-diagnostics"]
    assert not only_diagnostics(table.assign(role=["encoder", *["diagnostic"] * 3]))
    assert not only_diagnostics(table.head(0)) and not only_diagnostics(board(0.85, 0.5))


@pytest.mark.slow
@pytest.mark.parametrize("confounded", [True, False])
def test_a_stain_that_gives_the_class_away_is_flagged_and_an_honest_set_is_not(confounded, shared, tmp_path):
    spec = DemoSpec(images=24, slides=24, difficulty=0.0, confounded=confounded)
    write_demo(tmp_path / "data", spec)
    encoder = f"timm:mobilenetv2_100@weights={shared / 'weights' / 'mobilenetv2_100.safetensors'}"
    words = ["run", "--data", str(tmp_path / "data" / "raw"), "--group-pattern", r"([^/]+)__", "--shots", "10", "--draws", "5"]
    words += ["--encoder", encoder, "--head", "logreg", "--workers", "1", "--out", str(tmp_path / "out"), "--name", "one"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    raised = json.loads((tmp_path / "out" / "runs" / "one" / "run.json").read_text())["flags"]
    assert ("solvable-by-appearance" in raised) is confounded
    assert ("Solvable by appearance" in (tmp_path / "out" / "runs" / "one" / "leaderboard.md").read_text()) is confounded


def test_where_no_p_can_be_small_the_test_is_not_said_to_speak_against_an_interval_above_guessing():
    table = board(0.6, 0.4, p=1 / 6, p_chance_best=1 / 6, p_chance_least=1 / 6)
    text = flags(table, TRIVIAL, 0.25)["interval-and-chance"]
    assert "Trust" not in text and "no evidence" not in text
    assert "lies above guessing (25)" in text and "no p can be below 0.17" in text and "about this row alone" in text
    assert "alone" not in flags(table.head(1), TRIVIAL, 0.25)["interval-and-chance"]
