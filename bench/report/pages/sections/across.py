"""What holds across datasets: the methods that every one of them has, and whether they can be told apart."""

from __future__ import annotations

import pandas as pd

from bench.report.pages.model import Block, Field, Heading, Inline, Text, code_field, number_field, say, table_of
from bench.report.pages.numbers import chance, decimal, interval, p_value, points
from bench.report.pages.sections.datasets import Overview
from bench.report.pages.sections.pairs import ALPHA
from bench.report.pages.sections.scores import HEAD
from bench.report.tables.across import FEWEST, LEVEL
from bench.report.tables.rows import cleanest, most_labels
from bench.text import counted

METHODS = 10  # that are shown
MEANING = (
    "The first {count} of {all} methods that every dataset has. Scores are the skill above guessing: 0 for guessing, "
    "100 for no error. *Mean skill*: the mean over {draws} and over the datasets, each with the same weight; its "
    "interval covers the luck of the draws on these datasets, not other datasets. *The first is better*: how often "
    "the first method beats this one on a dataset picked at random, each with draws of its own. {apart} All "
    "levels: `across.csv`."
)
NOT_TESTED = "Whether that would hold on other datasets is not tested on fewer than {fewest}."
NONE_APART = (
    "None of {pairs} of methods can be told apart: with {datasets} datasets no p of the signed-rank test can be below "
    "{least}, and Holm's correction multiplies it by {times}. Join runs with fewer methods, or more datasets "
    "(`across_pairs.csv`)."
)
APART = (
    "By the signed-rank test over datasets, {differ} of {pairs} of methods differ (p by Holm below {alpha}; "
    "`across_pairs.csv`)."
)
FIELDS = (
    code_field("encoder"), HEAD, number_field("mean", points, "mean skill"),
    Field("95% interval", lambda row: interval(row["mean_low"], row["mean_high"], 1)),
    Field("mean rank", lambda row: decimal(row["rank"], 1)),
    Field("the first is better",
          lambda row: chance(row["p_improvement"], row["p_improvement_low"], row["p_improvement_high"])),
)  # fmt: skip


def across_datasets(runs: Overview) -> list[Block]:
    """Return the methods at the most labels, clean; none where no two datasets share methods."""
    if runs.across is None or runs.across.methods.empty:
        return []
    rows = shown_level(runs.across.methods)
    shots, datasets, draws = (int(rows[name].iloc[0]) for name in ("shots", "datasets", "draws"))
    best = rows.head(METHODS).to_dict("records")
    title = say("Across {datasets} datasets, {labels} per class", datasets=datasets, labels=counted(shots, "label"))
    meaning = say(
        MEANING, count=len(best), all=len(rows), draws=counted(draws, "draw"),
        apart=_told_apart(runs.across.pairs, rows),
    )  # fmt: skip
    return [Heading(title), table_of(best, FIELDS), Text(meaning)]


def shown_level(methods: pd.DataFrame) -> pd.DataFrame:
    """Return the rows on the cleanest labels of the level with the most labels among those with the most datasets."""
    rows = cleanest(methods)
    return most_labels(rows[rows["datasets"] == rows["datasets"].max()])


def _told_apart(pairs: pd.DataFrame, rows: pd.DataFrame) -> Inline:
    """Return how many pairs of methods the signed-rank test tells apart, or why it cannot."""
    tested = pairs[(pairs[LEVEL] == rows[LEVEL].iloc[0]).all(axis=1)]
    if tested.empty:
        return say(NOT_TESTED, fewest=FEWEST)
    datasets, count = int(tested["datasets"].iloc[0]), counted(len(tested), "pair")
    least = 0.5 ** (datasets - 1)
    if least * len(tested) >= ALPHA:
        return say(NONE_APART, pairs=count, datasets=datasets, least=p_value(least), times=len(tested))
    differ = int((tested["p_holm"] < ALPHA).sum())
    return say(APART, differ=differ, pairs=count, alpha=decimal(ALPHA, 2))
