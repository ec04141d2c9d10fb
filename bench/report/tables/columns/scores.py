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
    "Each score is an estimate for new slides to learn from and new slides to be tested on (slides, or whatever is a "
    "group here: images, patients): what to expect if you label examples of your own and classify images that are not "
    "among these."
)
SPREAD = (
    "A score is the mean over draws of the labelled examples; *spread* is its standard deviation from draw to draw, "
    "which is the luck of which examples you happened to label. It is not the interval."
)
EXACT_LIMITS = (
    "The 95% interval depends on the number of tested slides alone, each counted as one observation: they are too few "
    "to say more. It does not contain what other training slides would change."
)
LIMITS = (
    "The 95% interval is for other slides in the place of both the training and the test slides: {both} (`ci_low`, "
    "`ci_high`). For a classifier learned from these very training slides, on new test slides, see `ci_these_low` and "
    "`ci_these_high` in `leaderboard.csv`."
)


def _score(board: pd.DataFrame, facts: RunFacts) -> list[Inline]:
    """Return what a score and its interval are for, and where the interval for the very training slides is."""
    if facts.diagnostic:
        return []
    if (board["ci_method"] == EXACT).all():
        return [say(ESTIMATE), say(EXACT_LIMITS)]
    if set(board["split"]) & set(IN_TURN):
        both = say("every slide is learned from and tested in turn, and the interval allows for both roles")
    else:
        both = say("what other training slides would change is estimated from how much two draws have in common")
    return [say(ESTIMATE), say(LIMITS, both=both)]


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
    Column(key="ci_low", make=compared("ci_low"), meaning="lower end of its 95% interval on other slides"),
    Column(key="ci_high", make=compared("ci_high"), meaning="upper end of its 95% interval on other slides"),
    Column(key="ci_method", make=compared("ci_method"), meaning="how the interval was made"),
    Column(key="ci_these_low", make=compared("ci_these_low"),
           meaning="lower end of its 95% interval, learned from these slides and tested on others"),
    Column(key="ci_these_high", make=compared("ci_these_high"),
           meaning="upper end of its 95% interval, learned from these slides and tested on others"),
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
