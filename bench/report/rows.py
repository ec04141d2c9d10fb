"""Which rows of a leaderboard are shown first, and what they are called."""

from __future__ import annotations

import pandas as pd


def best_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of a leaderboard sorted by balanced accuracy, those of the oracle after all others."""
    order = pd.DataFrame({"oracle": rows["selection"] == "oracle", "score": -rows["balanced_accuracy"]})
    return rows.loc[order.sort_values(["oracle", "score"], kind="stable").index]


def cleanest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a leaderboard at its lowest noise rate; where that is not 0, of one kind of noise."""
    least = rows[rows["noise"] == rows["noise"].min()]
    return least[least["noise"].eq(0) | least["noise_kind"].eq(least["noise_kind"].min())]


def main_series(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with as many labels of every class, or those of a budget where there are no others."""
    balanced = rows["series"] != "budget"
    return rows[balanced] if (balanced & (rows["shots"] > 0)).any() else rows


def labels_of(rows: pd.DataFrame, shots: int) -> str:
    """Return what a number of labels is called in rows of one series."""
    return f"{shots} label{'s' * (shots != 1)} {'in all' if rows['series'].iloc[0] == 'budget' else 'a class'}"
