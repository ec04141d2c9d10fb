"""Columns of the score: what it was measured on, balanced accuracy with its intervals, and the other metrics."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.protocol.split_kinds import IN_TURN
from bench.report.pages.model import Field, Inline, number_field, say
from bench.report.pages.numbers import decimal, points
from bench.report.tables.columns.column import NO_ICC, Column, Empty, RowContext, compared, mean_of
from bench.report.tables.flags import EXACT
from bench.runs.facts import RunFacts

ONE_DRAW = Empty(
    why="one draw has no spread between draws", when=lambda board, facts: bool((board["seeds"] == 1).any())
)
ESTIMATE = (
    "Each score estimates what to expect if you label examples on new slides and classify images of other new slides "
    "(slides, or whatever is a group here: images, patients)."
)
SPREAD = (
    "A score is the mean over many random draws of the labelled examples. *spread* is the standard "
    "deviation between draws: the luck of which examples you happened to label. It is not the interval."
)
EXACT_LIMITS = (
    "The 95% interval depends only on the number of tested slides, each counted as one observation, because they are "
    "too few for more. It does not include what other training slides would change."
)
LIMITS = (
    "The 95% interval (`ci_low`, `ci_high`) holds for new training slides and new test slides: {both}. For a "
    "classifier trained on exactly these slides and used on new ones, see `ci_these_low` and `ci_these_high` in "
    "`leaderboard.csv`."
)
ONE_DRAW_LIMITS = (
    "Each score estimates what to expect of a classifier trained on exactly these slides and used on new ones, and so "
    "does its 95% interval (`ci_low`, `ci_high`): one draw of labels does not show what other training slides change."
)
SOME_EXACT = (
    "Where all answers are right, or none, or all are the same class, nothing shows how the score varies: its interval "
    "counts each tested slide as one observation (`ci_method` exact-mover)."
)


def _score(board: pd.DataFrame, facts: RunFacts) -> list[Inline]:
    """Return what a score and its interval are for, and where the interval for the very training slides is."""
    if facts.diagnostic:
        return []
    if (board["ci_method"] == EXACT).all():
        return [say(ESTIMATE), say(EXACT_LIMITS)]
    if not set(board["split"]) & set(IN_TURN) and (board["seeds"] == 1).all():
        return [say(ONE_DRAW_LIMITS)]
    if set(board["split"]) & set(IN_TURN):
        both = say("every slide is used for training and for testing in turn, and the interval allows for both")
    else:
        both = say("the effect of other training slides is estimated from the training slides that two draws share")
    some = [say(SOME_EXACT)] if (board["ci_method"] == EXACT).any() else []
    return [say(ESTIMATE), say(LIMITS, both=both), *some]


def _spread(row: RowContext) -> float:
    return row.fits["balanced_accuracy"].std() if len(row.fits) > 1 else np.nan


def metric(key: str, heading: str, meaning: str) -> Column:
    """Return the column of a metric of `bench.statistics.metrics.METRICS`: its mean over draws."""
    return Column(key=key, make=mean_of(key), meaning=meaning, shown=Field(heading, lambda row: decimal(row[key])))


TEST = (
    Column(key="n_train_groups", make=lambda row: row.sides.n_train_groups if row.unit.shots else 0,
           meaning="groups to learn from, mean over splits"),
    Column(key="n_test", make=lambda row: len(row.sides.tested.y), meaning="items that are scored"),
    Column(key="n_groups", make=lambda row: len(np.unique(row.sides.tested.group)), meaning="groups they come from"),
    Column(key="n_eff", make=compared("n_eff"), meaning="how many independent items they are worth"),
    Column(key="icc", make=compared("icc"), empty=(NO_ICC,),
           meaning="how alike the answers within a group are, from 0 to 1"),
)  # fmt: skip

SCORE = (
    Column(key="balanced_accuracy", make=mean_of("balanced_accuracy"), reading=_score,
           meaning="mean recall of the classes, mean over draws: the score",
           shown=number_field("balanced_accuracy", points, "BA")),
    Column(key="ci_low", make=compared("ci_low"), meaning="lower end of its 95% interval, for new training and test "
        "slides"),
    Column(key="ci_high", make=compared("ci_high"), meaning="upper end of its 95% interval, for new training and test "
        "slides"),
    Column(key="ci_method", make=compared("ci_method"), meaning="how the interval was made"),
    Column(key="ci_these_low", make=compared("ci_these_low"),
           meaning="lower end of its 95% interval, for these training slides and new test slides"),
    Column(key="ci_these_high", make=compared("ci_these_high"),
           meaning="upper end of its 95% interval, for these training slides and new test slides"),
    Column(key="spread", make=_spread, meaning="standard deviation of the score from draw to draw", empty=(ONE_DRAW,),
           shown=number_field("spread", points, "spread"),
           reading=lambda board, facts: [say(SPREAD)]),
)  # fmt: skip

METRICS = (
    metric("macro_f1", "macro F1", "mean over the classes of the harmonic mean of precision and recall"),
    metric("mcc", "MCC", "Matthews correlation of true and predicted class, from -1 to 1"),
    metric("auroc", "AUROC", "area under the ROC curve of a class against the others, mean over the classes"),
    metric("log_loss", "log loss", "mean negative log probability of the true class, in nats; lower is better"),
    metric("brier", "Brier", "squared distance of the probabilities to the truth, from 0 to 2; lower is better"),
)
