"""What a column of the leaderboard is: how it is made, how people are shown it, what it means, why it may be empty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.report.pages.model import Field, Inline
from bench.report.tables.rows import is_diagnostic
from bench.report.tables.sides import Sides
from bench.runs.blocks import FitBlock
from bench.runs.facts import EncoderFacts, RunFacts


@dataclass(frozen=True, kw_only=True)
class RowContext:
    """All that a row of the leaderboard is made from: one block of fits at one noise rate.

    fits: its rows of the ledger at that rate, one a draw. compared: what `bench.statistics.comparison.compare` and
    `bench.report.tables.diagnostics.lost_by` say of it beside the other rows, by their columns.
    """

    unit: FitBlock
    rate: float
    fits: pd.DataFrame
    compared: Mapping[str, Any]
    sides: Sides
    facts: RunFacts

    @property
    def encoder(self) -> EncoderFacts:
        """What is known of the row's encoder."""
        return self.facts.encoders[self.unit.encoder]

    @property
    def labels(self) -> int:
        """The labels of a draw, of all classes together."""
        return self.unit.labels(len(self.facts.classes))

    def mean(self, key: str) -> float:
        """Return the mean over draws of a column of the ledger."""
        return self.fits[key].mean()


@dataclass(frozen=True, kw_only=True)
class Empty:
    """A reason why fields of a column are empty, and whether it holds in a leaderboard (board, facts)."""

    why: str
    when: Callable[[pd.DataFrame, RunFacts], bool] = lambda board, facts: True


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of leaderboard.csv.

    key: its name in the file. make: the value of a row. meaning: what it is, in plain words without a full stop; stands
    in "How to read it" on every page. shown: its place in the table of all scores on the page; None: it is in the
    file alone. reading: a longer explanation for a board, as list items of "How to read it". empty: reasons for empty
    fields. relative: whether it depends on the other rows of its run, and so says nothing once runs are joined.
    """

    key: str
    make: Callable[[RowContext], Any]
    meaning: str
    shown: Field | None = None
    reading: Callable[[pd.DataFrame, RunFacts], list[Inline]] = lambda board, facts: []
    empty: tuple[Empty, ...] = ()
    relative: bool = False


def compared(key: str) -> Callable[[RowContext], Any]:
    """Return how a column is made that the comparison of all rows of a level has already."""
    return lambda row: row.compared[key]


def mean_of(key: str) -> Callable[[RowContext], float]:
    """Return how a column is made that is the mean over draws of a column of the ledger."""
    return lambda row: row.mean(key)


def _has_oracle(board: pd.DataFrame, facts: RunFacts) -> bool:
    return bool((board["selection"] == "oracle").any())


def _has_diagnostics(board: pd.DataFrame, facts: RunFacts) -> bool:
    return not facts.diagnostic and bool(is_diagnostic(board).any())


ORACLE = Empty(why="oracle rows saw the test labels and are not compared", when=_has_oracle)
ALL_DIAGNOSTIC = Empty(
    why="the whole run is a diagnostic, so nothing is compared", when=lambda board, facts: bool(facts.diagnostic)
)
DIAGNOSTICS = Empty(why="diagnostics are not ranked and change no rank or p of other rows", when=_has_diagnostics)
NOT_COMPARED = (ORACLE, ALL_DIAGNOSTIC, DIAGNOSTICS)
NO_LABELS = Empty(why="at 0 labels nothing is learned", when=lambda board, facts: bool((board["shots"] == 0).any()))
NO_ICC = Empty(
    why="no group has two items of a class, so it is not known how similar items of a group are",
    when=lambda board, facts: bool(board["icc"].isna().any()),
)
