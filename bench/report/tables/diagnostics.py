"""What a score rests on: how much of it is lost when something is taken away from the image.

A diagnostic (an encoder that sees shuffled patches, or no colour) is held against its intact twin, the same encoder
with the same head on the same draws, so that the difference is paired.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.statistics.hits import Hits
from bench.statistics.intervals import differences, exact_difference, few_groups, recalls_by_group
from bench.statistics.spread import Spread

COLUMNS = ("lost", "lost_low", "lost_high")


def lost_by(hits: Hits, spread: Spread, intact: Sequence[int | None]) -> pd.DataFrame:
    """Return COLUMNS, one row per method: balanced accuracy of its intact twin minus its own, with 95% limits.

    hits, spread: of the M methods. intact: position of the twin of each, None where it has none, whose row is NaN.
    """
    lost = np.full((len(hits.right), len(COLUMNS)), np.nan)
    for m, twin in enumerate(intact):
        if twin is None:
            continue
        drop = differences(spread, twin, np.array([m]))
        lost[m] = drop.difference[0], drop.low[0], drop.high[0]
        if few_groups(hits.total):
            lost[m, 1:] = exact_difference(recalls_by_group(hits, twin), recalls_by_group(hits, m))
    return pd.DataFrame(lost, columns=list(COLUMNS))
