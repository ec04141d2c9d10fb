"""`bench plan`: what a score takes, what more slides are worth, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.errors import BenchError
from bench.statistics.precision import Parts
from bench.studies.plan.minutes import read_minutes
from bench.studies.plan.plan import make_plan
from bench.studies.plan.read import Precision
from bench.studies.plan.words import labels_text, sentences

NOTHING = Precision(score=None, differences={})
CURVE = {1: 0.55, 2: 0.62, 4: 0.70, 8: 0.76, 16: 0.80}


def test_a_score_that_is_there_takes_no_more_labels(curve_board):
    plan = make_plan(curve_board(), 0.7, NOTHING)
    assert plan.rows["labels"].iloc[0] <= 6 and "reaches 70%" in next(iter(sentences(plan)))


def test_a_score_beyond_four_times_the_labels_is_refused_with_what_is_likely(curve_board):
    plan = make_plan(curve_board(), 0.99, NOTHING)
    said = next(iter(sentences(plan)))
    assert plan.rows["labels"].iloc[0] == np.inf and " is not forecast to reach 99%" in said
    assert "Forecasts go no further than 4 times the labels" in said and labels_text(plan.rows.iloc[0].to_dict())[0] == ">64"


def test_new_labels_come_of_as_many_slides_each_and_cost_what_they_cost(curve_board):
    plan = make_plan(curve_board(per_slide=2.0), 0.82, NOTHING, {"image": 0.5, "slide": 10.0})
    row = plan.rows.iloc[0]
    assert row["slides_now"] == 20 and row["slides"] == int(row["labels"]) > 20  # two classes, two labels of a slide
    assert row["more_slides"] == row["slides"] - 20
    assert row["minutes"] == (row["labels"] - 16) * 2 * 0.5 + row["more_slides"] * 10


def test_slides_of_the_data_that_no_label_came_from_are_not_asked_for_again(curve_board):
    fixed = make_plan(curve_board(per_slide=2.0, split="fixed", n_train_groups=40), 0.82, NOTHING)
    assert fixed.rows["slides_now"].iloc[0] == 60 and fixed.rows["more_slides"].iloc[0] == 0
    assert "of the 60 slides of the data" in next(iter(sentences(fixed)))


def test_the_cheapest_mix_has_more_labels_of_fewer_slides_where_slides_cost_and_says_nothing_of_one_run(curve_board):
    few = {n: score - 0.01 * (n > 2) for n, score in CURVE.items()}
    both = pd.concat([curve_board(), curve_board(few, per_slide=4.0)], ignore_index=True)
    slides = make_plan(both, 0.82, NOTHING, {"image": 0.1, "slide": 60.0})
    images = make_plan(both, 0.82, NOTHING, {"image": 60.0, "slide": 0.1})
    assert slides.mix.slides < images.mix.slides and slides.mix.labels >= images.mix.labels
    assert slides.mix.minutes <= slides.rows["minutes"].iloc[0]
    assert "The cheapest mix that reaches it" in next(iter(sentences(slides)))
    alone = make_plan(curve_board(), 0.82, NOTHING, {"image": 1.0, "slide": 1.0})
    assert alone.mix is None and "a second run can tell" in next(iter(sentences(alone)))


def with_wrong(curve_board, kinds=("symmetric",), **changed) -> pd.DataFrame:
    """Return a leaderboard with 20 and 40% wrong labels of some kinds besides."""
    boards = [curve_board(**changed)]
    for kind in kinds:
        for noise, less in ((0.2, 0.05), (0.4, 0.15)):
            curve = {n: max(score - less, 0.52) for n, score in CURVE.items()}
            boards.append(curve_board(curve, noise=noise, noise_kind=kind, **changed))
    return pd.concat(boards, ignore_index=True)


def test_a_plan_says_what_the_score_takes_where_labels_are_wrong(curve_board):
    plan = make_plan(with_wrong(curve_board), 0.78, NOTHING)
    assert plan.wrong["noise"].tolist() == [0.2, 0.4] and plan.wrong.columns.tolist() == plan.rows.columns.tolist()
    labels = [*plan.rows["labels"], *plan.wrong["labels"]]
    assert labels == sorted(labels) and labels[0] < labels[1] < np.inf and labels[2] == np.inf
    said = list(sentences(plan))[1]
    assert said.startswith("With 20% wrong labels, dino x ridge needs about ") and "(90%: " in said
    assert "With 40% wrong labels, it is not forecast to reach 78%: with 64 per class it is expected to score" in said
    assert len(plan.all_rows()) == 3


def test_curves_with_fewer_wrong_labels_tell_of_those_with_more(curve_board):
    board = with_wrong(curve_board)
    clean = make_plan(curve_board(), 0.78, NOTHING).rows
    pd.testing.assert_frame_equal(make_plan(board, 0.78, NOTHING).rows, clean)  # a clean curve stands alone
    beside = make_plan(board, 0.78, NOTHING).wrong.iloc[1]
    alone = make_plan(board[board["noise"] == 0.4], 0.78, NOTHING).rows.iloc[0]
    assert beside["high_x4"] - beside["low_x4"] < alone["high_x4"] - alone["low_x4"]


def test_wrong_labels_that_are_not_wrong_by_chance_are_not_forecast(curve_board):
    assert make_plan(with_wrong(curve_board, ("group", "resemblance")), 0.78, NOTHING).wrong.empty
    two = make_plan(with_wrong(curve_board, ("symmetric", "asymmetric")), 0.78, NOTHING).wrong
    assert list(zip(two["noise_kind"], two["noise"], strict=True)) == [
        ("asymmetric", 0.2), ("asymmetric", 0.4), ("symmetric", 0.2), ("symmetric", 0.4),
    ]  # fmt: skip
    assert "(asymmetric)" in " ".join(sentences(make_plan(with_wrong(curve_board, ("asymmetric",)), 0.78, NOTHING)))
    three = with_wrong(curve_board, ("symmetric", "asymmetric"))
    three["support_items"] = 3 * three["shots"]
    assert set(make_plan(three, 0.78, NOTHING).wrong["noise_kind"]) == {"symmetric"}


def test_one_run_does_not_tell_slides_and_two_do(curve_board):
    assert make_plan(curve_board(), 0.85, NOTHING).slides is None
    few = {n: score - 0.08 * (n > 2) for n, score in CURVE.items()}
    plan = make_plan(pd.concat([curve_board(), curve_board(few, per_slide=8.0)], ignore_index=True), 0.85, NOTHING)
    assert plan.slides is not None and (np.diff(plan.slides["score"]) > 0).all()
    assert any("other numbers of slides" in said for said in sentences(plan))


def test_of_two_runs_the_scores_and_intervals_are_those_of_more_slides_in_either_order(curve_board):
    few = curve_board({n: score - 0.08 for n, score in CURVE.items()}, per_slide=8.0, ci_low=0.6, ci_high=0.9, draw="concentrated")
    first, second = (make_plan(pd.concat(two, ignore_index=True), 0.85, NOTHING) for two in ([curve_board(), few], [few, curve_board()]))
    pd.testing.assert_frame_equal(first.rows, second.rows, rtol=1e-3)
    assert first.rows["score_now"].iloc[0] == CURVE[16]
    said = " ".join(sentences(make_plan(few, 0.85, NOTHING)))
    assert "--support-groups 'spread'" in said and "concentrated" not in said


def test_what_narrows_the_interval_is_said_in_points(curve_board):
    of_score = Parts(draws=1e-4, slides=9e-4, items=4e-4, df=20, n_slides=20, n_items=400)
    said = " ".join(sentences(make_plan(curve_board(), 0.85, Precision(score=of_score, differences={"b": of_score}))))
    assert "known to within +-7.8 points (95%): 7% of that variance is from the draws, 64% from the slides, 29% from the cells" in said
    assert "10 more slides narrow it to +-6.3" in said and "Against b, a difference of" in said


def test_curves_that_fall_are_named(curve_board):
    both = pd.concat([curve_board(), curve_board({1: 0.6, 2: 0.7, 4: 0.6}, encoder="b")], ignore_index=True)
    assert any(said.startswith("Not monotone: b x ridge scored lower") for said in sentences(make_plan(both, 0.85, NOTHING)))


@pytest.mark.parametrize("goal", [0.4, 0.5, 1.0, 85.0, float("nan")])
def test_a_target_is_above_guessing_and_below_one(curve_board, goal):
    with pytest.raises(BenchError, match="expected a score above guessing, 0.50, and below 1"):
        make_plan(curve_board(), goal, NOTHING)


def test_a_target_in_percent_is_told_what_it_is(curve_board):
    with pytest.raises(BenchError, match="For 85% that is --target 0.85"):
        make_plan(curve_board(), 85.0, NOTHING)


def test_one_number_of_labels_is_refused_with_what_to_do(curve_board):
    with pytest.raises(BenchError, match="Got a run with 5 labels per class; expected 2 numbers of labels or more"):
        make_plan(curve_board({5: 0.7}), 0.85, NOTHING)


@pytest.mark.parametrize("text", ["", "image=1,image=2", "image", "image=x", "cell=1", "image=-1", "slide=inf", "image=nan"])
def test_minutes_are_those_of_images_and_slides(text):
    with pytest.raises(BenchError, match="expected minutes of both"):
        read_minutes(text)
    assert read_minutes("image=0.1, slide=30") == {"image": 0.1, "slide": 30.0}


def test_methods_that_are_not_shown_to_be_better_than_chance_are_named(curve_board):
    worse = {n: 0.5 + 0.001 * n for n in CURVE}
    rows = [curve_board(p_chance=0.001, p_chance_best=0.002), curve_board(worse, encoder="b", p_chance=0.2, p_chance_best=0.9)]
    said = [line for line in sentences(make_plan(pd.concat(rows), 0.82, NOTHING)) if line.startswith("Not shown")]
    assert len(said) == 1 and "16 labels per class: b x ridge. What is forecast of it" in said[0]
    assert not [line for line in sentences(make_plan(rows[0], 0.82, NOTHING)) if line.startswith("Not shown")]
