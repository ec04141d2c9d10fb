"""The columns of a leaderboard, in the order of leaderboard.csv: adding one is an entry in one of the rooms beside.

The file, the table of all scores on a page, "How to read it" and the reasons of empty fields follow from COLUMNS.
"""

from __future__ import annotations

from bench.report.tables.columns.column import Column, Empty, RowContext
from bench.report.tables.columns.comparisons import AGAINST_CHANCE, BASELINES, COST, DIAGNOSTICS, ORDER
from bench.report.tables.columns.identity import LABELS, WHAT
from bench.report.tables.columns.scores import METRICS, SCORE, TEST

COLUMNS: tuple[Column, ...] = (
    *WHAT, *LABELS, *TEST, *SCORE, *AGAINST_CHANCE, *ORDER, *METRICS, *BASELINES, *DIAGNOSTICS, *COST,
)  # fmt: skip

__all__ = ["COLUMNS", "Column", "Empty", "RowContext"]
