"""Tables that a report adds to those of its run. They lie beside it as CSV, so that every number can be looked up.

    differences.csv   every pair of methods, see `bench.report.html.differences`
    confusion.csv     method, true and predicted class: items, mean over draws, and their share of the true class
    recall.csv        method and class: recall, its limits, items and groups tested
    calibration.csv   method: calibration error with its null band, see `bench.report.tables.calibration`

All but the first are of the best head of every encoder, at the headline level.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.protocol.split_kinds import IN_TURN
from bench.report.html.context import METHOD, Items, Method
from bench.report.pages.model import Row
from bench.statistics.intervals import clopper_pearson
from bench.storage.tables import csv_bytes, parse_csv

CONFUSION, RECALL, CALIBRATION, DIFFERENCES = "confusion", "recall", "calibration", "differences"
CLASSES = ("class", "true", "predicted")  # columns of names of classes


def as_stored(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as it is read back from its file, so that a page shows what the file says to the last digit."""
    return parse_csv(csv_bytes(table), texts=CLASSES) if len(table) else table


def tables_of(
    items: Items | None,
    methods: Sequence[Method],
    classes: Sequence[str],
    differences: pd.DataFrame,
    counted: Sequence[float],
) -> dict[str, pd.DataFrame]:
    """Return the tables by name, as they are stored; those that there is nothing for have no rows. counted: see
    `recalls`."""
    found = {DIFFERENCES: differences}
    if items is not None:
        found |= {
            CONFUSION: confusion(items, methods, classes), RECALL: recalls(items, methods, classes, counted),
            CALIBRATION: calibration(items, methods),
        }  # fmt: skip
    return {name: as_stored(table) for name, table in found.items()}


def confusion(items: Items, methods: Sequence[Method], classes: Sequence[str]) -> pd.DataFrame:
    """Return a row per method, true class and predicted class."""
    rows = []
    for method, counts in zip(methods, items.confusion, strict=True):
        total = counts.sum(1)
        for i, true in enumerate(classes):
            for j, predicted in enumerate(classes):
                share = counts[i, j] / total[i] if total[i] else float("nan")
                rows.append((*method, true, predicted, counts[i, j], share))
    return pd.DataFrame(rows, columns=[*METHOD, "true", "predicted", "items", "share"])


def counted_as(row: Row, split_rule: str) -> float:
    """Return for how much of an observation a tested group counts, given a method's row of the leaderboard.

    For 1 where groups are tested in turn. Where they are only tested, other training groups would change a score as
    well: by how much is taken from what they widen the interval of balanced accuracy by.
    """
    here, all_of_it = row["ci_these_high"] - row["ci_these_low"], row["ci_high"] - row["ci_low"]
    if split_rule in IN_TURN or not 0 < here < all_of_it:
        return 1.0
    return float((here / all_of_it) ** 2)


def recalls(
    items: Items, methods: Sequence[Method], classes: Sequence[str], counted: Sequence[float]
) -> pd.DataFrame:
    """Return a row per method and class that was tested. counted (M,): of `counted_as`.

    Limits are exact ones of so many observations: wider than they have to be, as items of a group are never all alike
    (`tests/simulation/recalls.py`).
    """
    rows = []
    for method, counts, weight in zip(methods, items.confusion, counted, strict=True):
        for k, name in enumerate(classes):
            n, groups = int((items.y == k).sum()), len(np.unique(items.group[items.y == k]))
            if n:
                recall = float(counts[k, k] / counts[k].sum())
                given = counts[:, k].sum()
                precision = float(counts[k, k] / given) if given else float("nan")
                low, high = clopper_pearson(recall * groups * weight, groups * weight)
                rows.append((*method, name, recall, low, high, precision, n, groups))
    names = ["class", "recall", "ci_low", "ci_high", "precision", "items", "groups"]
    return pd.DataFrame(rows, columns=[*METHOD, *names])


def calibration(items: Items, methods: Sequence[Method]) -> pd.DataFrame:
    """Return a row per method."""
    rows = [(*method, *error) for method, error in zip(methods, items.errors, strict=True)]
    return pd.DataFrame(rows, columns=[*METHOD, "ece", "ece_null_low", "ece_null_high"])
