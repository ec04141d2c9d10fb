"""Curves of a leaderboard and what is forecast of them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from bench.report.pages.more_labels import more_labels
from bench.report.tables.plan import AHEAD, curves_of, forecasts, next_mark, not_monotone

CURVE = {1: 0.55, 2: 0.62, 4: 0.70, 8: 0.76, 16: 0.80}


@pytest.fixture
def board(curve_board):
    """Return `curve_board` with two labels of a slide."""
    return partial(curve_board, per_slide=2.0)


def test_a_curve_has_the_points_of_a_method_and_the_luck_of_their_draws(board):
    [(key, curve)] = list(curves_of(board()))
    assert key.encoder == "dino" and curve.n.tolist() == [1, 2, 4, 8, 16] and curve.classes == 2
    assert curve.per_slide.tolist() == [2, 2, 2, 2, 2]
    assert curve.luck == pytest.approx(np.full(5, 0.03**2 / 10))


def test_few_draws_take_their_luck_from_the_other_methods(board):
    both = pd.concat([board(spread=0.001, seeds=2), board(encoder="b", spread=0.05), board(encoder="c", spread=0.05)])
    luck = {key.encoder: curve.luck[0] for key, curve in curves_of(both)}
    assert luck["dino"] > 0.04**2 / 2


def test_forecasts_are_of_the_best_head_of_every_encoder_the_best_first_and_end_at_four_times_the_labels(board):
    worse = {n: score - 0.05 for n, score in CURVE.items()}
    found = forecasts(
        pd.concat([board(worse, head="knn"), board(), board(worse, encoder="b"), board(role="baseline", encoder="c")])
    )
    assert [(one.key.encoder, one.key.head) for one in found] == [("dino", "ridge"), ("b", "ridge")]
    assert found[0].n[-1] == AHEAD * 16
    low, middle, high = found[0].at(64)
    assert low < middle < high and middle > CURVE[16]


def test_a_wider_interval_on_other_slides_makes_a_wider_forecast(board):
    wide = board()
    wide["ci_low"], wide["ci_high"] = wide["balanced_accuracy"] - 0.15, wide["balanced_accuracy"] + 0.12
    narrow, more = (np.diff(forecasts(one)[0].at(32))[[0, 1]].sum() for one in (board(), wide))
    assert more > narrow + 0.05


def test_what_is_known_is_as_wide_as_it_is_known_and_not_as_the_last_row(board):
    rows = board()
    last = rows["shots"] == rows["shots"].max()
    rows.loc[last, "ci_low"], rows.loc[last, "ci_high"] = rows["balanced_accuracy"] - 0.2, rows["balanced_accuracy"] + 0.15
    plain, wide = forecasts(board())[0], forecasts(rows)[0]
    first, end = float(rows["shots"].min()), float(rows["shots"].max())
    assert wide.at(first) == pytest.approx(plain.at(first))
    assert np.ptp(wide.at(2 * end)) > np.ptp(plain.at(2 * end)) + 0.05


def test_one_number_of_labels_is_no_curve(board):
    assert forecasts(board({5: 0.7})) == [] and more_labels(board({5: 0.7})) == ""


def test_labels_for_a_score_are_rising_and_beyond_the_forecast_without_end(board):
    one = forecasts(board())[0]
    low, middle, high = one.labels_for(0.82)
    assert 8 < low < middle <= high
    assert one.labels_for(0.995)[1] == np.inf


def test_curves_that_fall_are_named(board):
    assert [
        key.encoder for key in not_monotone(pd.concat([board(), board({1: 0.6, 2: 0.7, 4: 0.6}, encoder="b")]))
    ] == ["b"]


def test_the_next_mark_is_the_next_multiple_of_five_percent(board):
    assert next_mark(board()) == pytest.approx(0.85) and next_mark(board({1: 0.5, 2: 0.96})) == 0.99


def test_the_next_mark_is_above_rows_that_compete_on_as_many_labels_of_every_class(board):
    better = {n: min(score + 0.1, 0.99) for n, score in CURVE.items()}
    others = [board(better).assign(**told) for told in ({"selection": "oracle"}, {"role": "diagnostic"}, {"series": "budget"})]
    assert next_mark(pd.concat([board(), *others])) == pytest.approx(0.85)
    assert np.isnan(next_mark(others[2]))


def test_the_closing_words_name_images_and_slides_and_leave_slides_out_where_there_are_none(board):
    steep = {n: score - 0.02 for n, score in CURVE.items()}
    said = more_labels(board(steep))
    assert said.startswith("For 80% on new slides, dino x ridge needs about ") and "more slides" in said
    alone = more_labels(board(steep, n_test=20))
    assert alone.startswith("For 80%") and "more slides" not in alone
    assert "not enough" in more_labels(board())  # for 85%


@pytest.mark.parametrize("told", [{"p_chance": 0.02, "p_chance_best": 0.3}, {"p_chance": 0.3}])
def test_nothing_is_forecast_in_words_of_a_method_that_is_not_shown_to_be_better_than_chance(board, told):
    said = more_labels(board(**told))
    assert said == "How many labels 85% takes is not forecast: dino x ridge, the best here, is not shown to be better than chance."
    assert "needs" not in more_labels(board({n: score - 0.02 for n, score in CURVE.items()}, **told))
    assert "forecast to score" in more_labels(board(p_chance=0.001, p_chance_best=0.05))
    assert "forecast to score" in more_labels(board(p_chance=np.nan, p_chance_best=np.nan))
