"""Why fields of a leaderboard are empty, and why methods are not compared pair by pair."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.report.tables import columns
from bench.runs.facts import RunFacts
from bench.runs.tested import Tested
from bench.statistics.comparison import RANK_FROM


def empty_fields(values: pd.Series) -> pd.Series:
    """Return bool (n,): where a column is empty in a CSV file."""
    return values.isna() | values.eq("")


def empty_reasons(board: pd.DataFrame, facts: RunFacts) -> dict[str, str]:
    """Return column -> why it has empty fields, of the columns of a leaderboard that have some."""
    reasons = {}
    for column in columns.COLUMNS:
        if empty_fields(board[column.key]).any():
            reasons[column.key] = "; ".join(reason.why for reason in column.empty if reason.when(board, facts))
    return reasons


def no_pairs(tested: Tested, facts: RunFacts) -> str:
    """Return why methods are not compared pair by pair, "" where they are."""
    if facts.diagnostic:
        return "the whole run is a diagnostic, so nothing is compared"
    fewest = min(len(np.unique(tested.group[tested.y == k])) for k in np.unique(tested.y))
    return f"a class has {fewest} test groups, and the comparison needs {RANK_FROM}" if fewest < RANK_FROM else ""
