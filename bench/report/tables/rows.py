"""Which rows of a leaderboard are shown first, which may be called the best, and what they are called."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from bench.runs.facts import ROLE_DIAGNOSTIC
from bench.text import counted

USUAL = ("auto", "prompts")  # selections that go without saying


def is_diagnostic(rows: pd.DataFrame) -> pd.Series:
    """Return bool (n,): whether a row is a diagnostic; none of a table without roles."""
    if "role" not in rows:
        return pd.Series(False, index=rows.index)
    return rows["role"].eq(ROLE_DIAGNOSTIC)


def competing(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that may be called the best: neither of the oracle nor diagnostics."""
    return rows[(rows["selection"] != "oracle") & ~is_diagnostic(rows)]


def results(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows without diagnostics; all rows where each of them is one, as in a run that is a diagnostic."""
    diagnostic = is_diagnostic(rows)
    return rows if diagnostic.all() else rows[~diagnostic]


def best_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of a leaderboard sorted by balanced accuracy, those of the oracle after all others."""
    order = pd.DataFrame({"oracle": rows["selection"] == "oracle", "score": -rows["balanced_accuracy"]})
    return rows.loc[order.sort_values(["oracle", "score"], kind="stable").index]


def cleanest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a leaderboard at its lowest noise rate; where that is not 0, of one kind of noise."""
    least = rows[rows["noise"] == rows["noise"].min()]
    return least[least["noise"].eq(0) | least["noise_kind"].eq(least["noise_kind"].min())]


def main_series(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with equally many labels of every class, or those of a budget where there are no others."""
    balanced = rows["series"] != "budget"
    return rows[balanced] if (balanced & (rows["shots"] > 0)).any() else rows


def most_labels(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the most labels, which may be none at all."""
    return rows[rows["shots"] == rows["shots"].max()]


def labels_of(rows: pd.DataFrame, shots: int) -> str:
    """Return what a number of labels is called in rows of one series, e.g. '5 labels per class'."""
    return f"{counted(shots, 'label')} {counted_by(rows)}"


def counted_by(rows: pd.DataFrame) -> str:
    """Return what the labels of rows of one series are counted by: 'per class', or 'in all' of a budget."""
    return "in all" if rows["series"].iloc[0] == "budget" else "per class"


def head_label(row: Mapping[Hashable, Any] | pd.Series) -> str:
    """Return the head, with how its settings were chosen where that is not the usual way."""
    return row["head"] if row["selection"] in USUAL else f"{row['head']} ({row['selection']})"
