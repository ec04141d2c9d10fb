"""Which methods differ from the best one: paired differences of balanced accuracy with intervals and p-values.

    difference        the best one minus the other, as in the leaderboard, with its 95% interval by itself
    p                 two-sided, of that pair by itself
    p_joint           that the best is no better, adjusted for all pairs of methods of that level, and so for having
                      picked the best on the same test (`bench.statistics.ranks`)

Both are for new groups to learn from and to be tested on, see `bench.statistics.intervals`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.runs.blocks import FitBlock
from bench.statistics.intervals import differences
from bench.statistics.ranks import Ranking
from bench.statistics.spread import Spread

METHOD = ("encoder", "head", "selection")
COLUMNS = ["shots", "noise", *(f"{name}_{side}" for side in "ab" for name in METHOD), "difference", "ci_low", "ci_high",
           "p", "p_joint"]  # fmt: skip


def pairs_with_best(units: Sequence[FitBlock], spread: Spread, comparison: Ranking, noise: float) -> pd.DataFrame:
    """Return one row COLUMNS per method of a level but the best one, the closest first."""
    best = int(spread.mean.argmax())
    others = np.array([m for m in range(len(units)) if m != best], int)
    pairs = differences(spread, best, others)
    rows: dict[str, object] = {f"{name}_b": [getattr(units[m], name) for m in others] for name in METHOD}
    rows |= {f"{name}_a": getattr(units[best], name) for name in METHOD}
    rows |= {"shots": units[best].shots, "noise": noise, "difference": pairs.difference, "ci_low": pairs.low,
             "ci_high": pairs.high, "p": pairs.p, "p_joint": comparison.p[best, others]}  # fmt: skip
    return pd.DataFrame(rows)[COLUMNS].sort_values("difference", kind="stable")
