"""What more labels bring, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.tables.efficiency import COLUMNS, area_over_log2, efficiency, labels_needed
from bench.report.tables.resamples import first_crossing

NULL = 0.5


def board(scores: dict[str, list[float]], shots=(1, 2, 8), selection: str = "fixed", noise: float = 0.0) -> pd.DataFrame:
    rows = [
        {"dataset": "d", "encoder": name, "head": "knn", "selection": selection, "series": "balanced", "shots": n,
         "noise": noise, "noise_kind": "symmetric" if noise else "none", "balanced_accuracy": ba, "ci_low": ba - 0.05}
        for name, own in scores.items() for n, ba in zip(shots, own, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_every_measure_of_two_methods():
    a, b = efficiency(board({"b": [0.58, 0.6, 0.7], "a": [0.6, 0.7, 0.9]}), NULL).to_dict("records")
    assert list(a) == COLUMNS and (a["shots_low"], a["shots_high"]) == (1, 8)
    assert a["area"] == pytest.approx((0.65 + 2 * 0.8) / 3)  # 1 to 2 is one doubling, 2 to 8 are two
    assert a["n90"] == pytest.approx(2 * 4**0.8) and a["n90_in"] == "2-8"  # .86 is .16 / .2 of the way from .7
    assert (a["n90_best"], a["n90_best_in"]) == (a["n90"], a["n90_in"])
    assert b["n90"] == pytest.approx(2 * 4**0.8) and b["n90_in"] == "2-8"  # .68
    assert np.isnan(b["n90_best"]) and b["n90_best_in"] == ">8"


def test_what_is_reached_at_once_may_need_fewer_labels_and_a_dip_later_does_not_undo_it():
    b, a = efficiency(board({"a": [0.9, 0.8, 0.9], "b": [0.7, 0.88, 0.9]}), NULL).to_dict("records")
    assert np.isnan(a["n90"]) and a["n90_in"] == "<=1" and a["n90_best_in"] == "<=1"
    assert b["n90_in"] == "1-2"


def test_where_the_most_labels_give_no_skill_there_is_none_to_reach():
    [row] = efficiency(board({"a": [0.5, 0.52, 0.54]}), NULL).to_dict("records")
    assert np.isnan(row["n90"]) and row["n90_in"] == "" and row["n90_best_in"] == ""
    assert row["area"] == pytest.approx((0.51 + 2 * 0.53) / 3)


def test_the_oracle_is_never_what_others_are_held_to_and_noise_has_rows_of_its_own():
    rows = pd.concat([
        board({"a": [0.6, 0.7, 0.8]}), board({"a": [0.9, 0.95, 1.0]}, selection="oracle"),
        board({"a": [0.55, 0.6, 0.7]}, noise=0.2),
    ])  # fmt: skip
    oracle, clean, noisy = efficiency(rows, NULL).to_dict("records")
    assert clean["n90_best"] == clean["n90"] and oracle["n90_best_in"] == "<=1"
    assert (noisy["noise"], noisy["noise_kind"], noisy["n90_in"]) == (0.2, "symmetric", "2-8")


def test_one_level_or_none_with_labels_is_no_curve():
    assert efficiency(board({"a": [0.9]}, shots=[5]), NULL).empty
    assert efficiency(board({"a": [0.6, 0.9]}, shots=[0, 5]), NULL).empty
    kept = efficiency(board({"a": [0.6, 0.7, 0.9]}, shots=[0, 2, 8]), NULL)
    assert kept["shots_low"].tolist() == [2] and kept["area"].tolist() == pytest.approx([0.8])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.floats(0, 1))
def test_the_goal_is_first_met_where_the_polygon_meets_it_and_the_area_is_a_mean(scores, goal):
    shots, scores = 2.0 ** np.arange(len(scores)), np.array(scores)
    at, words = labels_needed(shots, scores, goal)
    fine = np.interp(np.linspace(0, len(scores) - 1, 20001), np.arange(len(scores)), scores)
    assert area_over_log2(shots, scores) == pytest.approx(fine.mean(), abs=1e-3)
    if words.startswith(">"):
        assert scores.max() < goal
    elif words.startswith("<="):
        assert scores[0] >= goal
    else:
        low, high = map(int, words.split("-"))
        assert low <= at <= high and np.interp(np.log2(at), np.log2(shots), scores) == pytest.approx(goal)
        assert (scores[shots <= low] < goal).all() and scores[shots == high][0] >= goal


def around(scores: dict[str, list[float]], spread: float, shots=(1, 2, 8), **more: str) -> dict[tuple, np.ndarray]:
    """Resamples of rows of `board`: 400 of every score, normal around it; levels err together by half of the variance."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal(400)
    return {
        (name, "knn", "fixed", "balanced", n, "none", 0.0): ba + spread * (common + rng.standard_normal(400)) / 2**0.5
        for name, own in scores.items() for n, ba in zip(shots, own, strict=True)
    }  # fmt: skip


def test_the_interval_of_the_labels_holds_them_and_widens_with_the_spread_of_scores():
    scores = {"a": [0.6, 0.7, 0.9]}
    [plain] = efficiency(board(scores), NULL).to_dict("records")
    assert np.isnan([plain["n90_low"], plain["n90_high"]]).all()
    [narrow], [wide] = (
        efficiency(board(scores), NULL, around(scores, spread)).to_dict("records") for spread in (0.005, 0.02)
    )
    assert wide["n90_low"] < narrow["n90_low"] < narrow["n90"] < narrow["n90_high"] < wide["n90_high"] < 8
    assert (narrow["n90_best_low"], narrow["n90_best_high"]) == (narrow["n90_low"], narrow["n90_high"])


def test_ends_of_the_interval_beyond_the_levels_are_said_to_be_unknown():
    scores = {"a": [0.88, 0.88, 0.9], "b": [0.55, 0.6, 0.62], "c": [0.6, 0.7, 0.86]}
    rows = efficiency(board(scores), NULL, around(scores, 0.01)).set_index("encoder")
    assert (rows.loc["a", "n90_low"], rows.loc["a", "n90_high"], rows.loc["a", "n90_in"]) == (0, 1, "<=1")
    assert (rows.loc["b", "n90_best_low"], rows.loc["b", "n90_best_high"], rows.loc["b", "n90_best_in"]) == (8, np.inf, ">8")
    assert rows.loc["c", "n90_best_low"] < 8 and rows.loc["c", "n90_best_high"] == np.inf  # it may just reach .86
    unsure = efficiency(board(scores), NULL, around(scores, 0.1)).set_index("encoder").loc["b"]
    assert (unsure["n90_low"], unsure["n90_high"]) == (0, np.inf)  # at times it has no skill at all


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.floats(0, 1))
def test_many_curves_meet_their_goals_where_one_does(scores, goal):
    shots, scores = 2.0 ** np.arange(len(scores)), np.array(scores)
    [at] = 2 ** first_crossing(np.log2(shots), scores[None], np.array([goal]))
    count, words = labels_needed(shots, scores, goal)
    expected = 0 if words.startswith("<=") else np.inf if words.startswith(">") else count
    assert at == pytest.approx(expected)
