"""Columns that compare a row: with chance, the other methods, the baselines and its intact twin; and its cost."""

from __future__ import annotations

from math import isnan, nan

import pandas as pd

from bench.fitting.finetune.recipe import KINDS as FINE_TUNING
from bench.report.pages.model import Field, Inline, Row, number_field, say
from bench.report.pages.numbers import NOT_KNOWN, Number, decimal, difference, p_value, places
from bench.report.tables.columns.column import (
    ALL_DIAGNOSTIC,
    NOT_COMPARED,
    ORACLE,
    Column,
    Empty,
    RowContext,
    compared,
)
from bench.report.tables.rows import is_diagnostic
from bench.runs.facts import RunFacts
from bench.statistics.comparison import RANK_FROM

NOTHING_LEARNED, LEARNED_HERE = "nothing learned", "learned from these labels alone"
CHANCE = (
    "Two permutation tests against chance, in which whole groups exchange their labels. *p (this row)*: how often "
    "this row scores as high when labels mean nothing; like the interval, it is for a row that you chose before you "
    "saw the table. *p (best of all)*: how often the best of all rows then scores as high as this one; it is for a "
    "row that you picked because its score is high."
)
RANKS = (
    "*rank*: the ranks that a row may truly have; in 19 of 20 studies they are right for all rows of a table at once. "
    "*P(best)*: the probability that this row is the best; *P(near)*: the probability that it is within 2 points of "
    "the best, which is as good for most purposes. Both allow for new training and test slides."
)
OVER_BASELINES = (
    "*over baselines*: the paired difference to the best baseline, which knows no biology (colour, texture, size; "
    "also networks with random weights, if they take part), with its 95% interval. If it is near zero, the encoder "
    "shows nothing that stain or size does not give away."
)


def _unranked(board: pd.DataFrame, facts: RunFacts) -> bool:
    """Return whether rows that could be ranked are not."""
    excluded = (board["selection"] == "oracle") | is_diagnostic(board)
    return not facts.diagnostic and not excluded.all() and bool(board["rank_low"].isna().all())


def _has_baseline(board: pd.DataFrame, facts: RunFacts) -> bool:
    return any(encoder.trivial for encoder in facts.encoders.values())


FEW_GROUPS = Empty(why=f"a class has fewer than {RANK_FROM} test groups, too few to rank methods", when=_unranked)
TOO_FEW_TO_RANK = (*NOT_COMPARED, FEW_GROUPS)
OF_BASELINES = (
    ORACLE, ALL_DIAGNOSTIC,
    Empty(why="no descriptor or control took part; add e.g. --encoder color-stats",
          when=lambda board, facts: not _has_baseline(board, facts)),
    Empty(why="empty for the baselines themselves and for diagnostics", when=_has_baseline),
    Empty(why="empty at 0 labels unless a control has a text tower",
          when=lambda board, facts: _has_baseline(board, facts) and not board["shots"].all()),
)  # fmt: skip
NO_TWIN = Empty(why="only diagnostics have it, and only beside the same encoder with nothing removed")
NOT_MEASURED = Empty(why="the embeddings came from elsewhere and their cost was not measured here")
HEADS_NOT_TIMED = Empty(
    why="only for trained networks: heads are fitted many at a time, in milliseconds each "
    "(`bench run --dry-run` estimates it)"
)


def _fit_seconds(row: RowContext) -> float:
    return row.mean("fit_seconds") if "fit_seconds" in row.fits else nan


def _diagnostic(row: RowContext) -> str:
    """Return why a row is no result. A network with random weights that was trained here has learned something."""
    why = row.encoder.diagnostic
    return why.replace(NOTHING_LEARNED, LEARNED_HERE) if row.unit.head in FINE_TUNING else why


def _if_ranked(row: Row, cell: Number) -> Number:
    """Return a cell of a row that was ranked among rows with labels, "" of any other."""
    return cell if row["shots"] and not isnan(row["rank_low"]) else NOT_KNOWN


def _ranks(row: Row) -> Inline:
    return _if_ranked(row, places(row["rank_low"], row["rank_high"]))


def _relative(key: str, meaning: str, heading: str = "", digits: int = 2) -> Column:
    """Return a column of the order of the methods, shown under a heading as a number where there is one."""
    shown = Field(heading, lambda row: _if_ranked(row, decimal(row[key], digits))) if heading else None
    return Column(key=key, make=compared(key), meaning=meaning, shown=shown, empty=TOO_FEW_TO_RANK, relative=True)


AGAINST_CHANCE = (
    Column(key="p_chance", make=compared("p_chance"), empty=NOT_COMPARED,
           meaning="p of this row alone against chance", reading=lambda board, facts: [say(CHANCE)],
           shown=number_field("p_chance", p_value, "p (this row)")),
    Column(key="p_chance_best", make=compared("p_chance_best"), empty=NOT_COMPARED, relative=True,
           meaning="p against chance, adjusted for having picked the best of all rows",
           shown=number_field("p_chance_best", p_value, "p (best of all)")),
    Column(key="p_chance_least", make=compared("p_chance_least"), empty=NOT_COMPARED,
           meaning="the smallest p that is possible with so few tested groups"),
)  # fmt: skip

ORDER = (
    Column(key="rank_low", make=compared("rank_low"), empty=TOO_FEW_TO_RANK, relative=True,
           meaning="the best rank that it may truly have", reading=lambda board, facts: [say(RANKS)],
           shown=Field("rank", _ranks)),
    _relative("rank_high", "the worst rank that it may truly have"),
    _relative("p_best", "how likely it is the best", "P(best)"),
    _relative("p_near", "how likely it is within 2 points of the best", "P(near)"),
    _relative("held_out_best", "choose the best row on one half of the test groups: its score on the other half"),
)  # fmt: skip

BASELINES = (
    Column(key="delta_trivial", make=compared("delta_trivial"), empty=OF_BASELINES, relative=True,
           meaning="score above that of the best baseline", reading=lambda board, facts: [say(OVER_BASELINES)],
           shown=Field("over baselines",
                       lambda row: difference(row["delta_trivial"], row["delta_low"], row["delta_high"]))),
    Column(key="delta_low", make=compared("delta_low"), empty=OF_BASELINES, relative=True,
           meaning="lower end of the 95% interval of that difference"),
    Column(key="delta_high", make=compared("delta_high"), empty=OF_BASELINES, relative=True,
           meaning="upper end of the 95% interval of that difference"),
)  # fmt: skip

DIAGNOSTICS = (
    Column(key="diagnostic", make=_diagnostic, meaning="why the row is not a result",
           empty=(Empty(why="the encoder is not a diagnostic"),)),
    Column(key="intact", make=lambda row: row.encoder.intact, meaning="the same encoder with nothing removed",
           empty=(Empty(why="nothing was removed from what the encoder sees"),)),
    Column(key="lost", make=compared("lost"), empty=(NO_TWIN,),
           meaning="how far this score is below that of the same encoder with nothing removed"),
    Column(key="lost_low", make=compared("lost_low"), empty=(NO_TWIN,),
           meaning="lower end of the 95% interval of that difference"),
    Column(key="lost_high", make=compared("lost_high"), empty=(NO_TWIN,),
           meaning="upper end of the 95% interval of that difference"),
)  # fmt: skip

COST = (
    Column(key="dim", make=lambda row: row.encoder.dim, meaning="numbers in a vector",
           shown=number_field("dim", str, "dim")),
    Column(key="ms_per_image", make=lambda row: row.encoder.ms_per_image, empty=(NOT_MEASURED,),
           meaning="milliseconds to embed an image on the machine that did it",
           shown=Field("ms/image", lambda row: decimal(row["ms_per_image"], 1))),
    Column(key="fit_seconds", make=_fit_seconds, empty=(HEADS_NOT_TIMED,),
           meaning="seconds (on one core or a GPU) to train the network once and predict the test images"),
)  # fmt: skip
