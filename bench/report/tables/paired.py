"""Paired differences of balanced accuracy from one method, over the same draws and the same tested items.

Intervals and p are for new groups to learn from and to be tested on (`bench.statistics.intervals`).
"""

from __future__ import annotations

import numpy as np

from bench.statistics.comparison import Comparison
from bench.statistics.hits import Hits
from bench.statistics.intervals import differences, exact_difference, few_groups, recalls_by_group
from bench.statistics.spread import spread_of


def differences_from_first(answers: Comparison, right: np.ndarray, rho: np.ndarray) -> list[dict[str, float]]:
    """Return what every method but the first scores, and its difference from the first.

    answers: of the level, for its draws and items. right (M, S, G, K): right answers of the methods, see `Hits`; rho
    (M,): how alike items of a group are. Where a class has too few test groups for Student's t, limits are exact ones
    and there is no p; where a method answers as the first does, always, there is nothing to test.
    """
    hits = Hits(right, answers.hits.total)
    spread = spread_of(hits, answers.learned, rho)
    others = np.arange(1, len(right))
    found = differences(spread, 0, others)
    low, high, p = -found.high, -found.low, found.p
    if few_groups(hits.total):
        base = recalls_by_group(hits, 0)
        low, high = np.array([exact_difference(recalls_by_group(hits, int(m)), base) for m in others]).T
        p = np.full(len(others), np.nan)
    same = (right[1:] == right[0]).all((1, 2, 3))
    low[same] = high[same] = 0.0
    p[same] = np.nan
    return [
        {"balanced_accuracy": spread.mean[m], "base": spread.mean[0], "difference": 0.0 - found.difference[m - 1],
         "ci_low": 0.0 + low[m - 1], "ci_high": high[m - 1], "p": p[m - 1]}
        for m in others
    ]  # fmt: skip
