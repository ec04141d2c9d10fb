"""What methods answered at the headline level, as plain data: confusion, recall of every class, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

import numpy as np

from bench.report.html.context import Method, ReportContext, method_of, rows_of
from bench.report.html.tables import CALIBRATION, CONFUSION, RECALL
from bench.report.pages.model import Row

DRAWN = 4  # methods whose calibration is drawn


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrix:
    """The confusion of a method: shares (K, K) of a class (rows) that were taken for each class (columns)."""

    method: Method
    classes: tuple[str, ...]
    shares: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """A method's (items, mean probability, share that is right) of every bin with items in it."""

    method: Method
    bins: tuple[tuple[float, float, float], ...]


def best_matrix(context: ReportContext) -> Matrix | None:
    """Return the confusion of the best method, None where no predictions are stored."""
    table = context.tables.get(CONFUSION)
    if context.items is None or table is None or context.level is None:
        return None
    K = len(context.classes)
    shares = table["share"].iloc[: K * K].to_numpy(float).reshape(K, K)
    return Matrix(method=context.detailed[0], classes=context.classes, shares=shares)


def recalls_of_best(context: ReportContext) -> list[Row]:
    """Return the rows of the recalls of the best method, one per class that was tested."""
    table = context.tables.get(RECALL)
    if table is None or table.empty:
        return []
    return [row for row in rows_of(table) if method_of(row) == context.detailed[0]]


def reliabilities(context: ReportContext) -> list[Reliability]:
    """Return the reliability of the best methods, best first."""
    table = context.tables.get(CALIBRATION)
    if context.items is None or table is None or table.empty:
        return []
    return [
        Reliability(method=method, bins=tuple((float(n), float(p), float(r)) for n, p, r in bins if n and not isnan(p)))
        for method, bins in zip(context.detailed[:DRAWN], context.items.bins, strict=False)
    ]
