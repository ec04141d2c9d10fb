"""What a score rests on: how much of it is lost when something is taken away from the image.

A diagnostic (an encoder that sees shuffled patches, or no colour) is held against its intact twin, the same encoder
with the same head on the same draws, so that the difference is paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.report.compare import Answers, over_trivial
from bench.report.intervals import few_groups

COLUMNS = ("lost", "lost_low", "lost_high")


def lost_by(answers: Answers, intact: Sequence[int | None]) -> pd.DataFrame:
    """Return COLUMNS, one row per method: balanced accuracy of its intact twin minus its own, with 95% limits.

    intact: position of the twin of each of the M methods, None where it has none, whose row is NaN.
    """
    few, hits = few_groups(answers.hits.total), answers.hits
    lost = np.full((len(hits.right), len(COLUMNS)), np.nan)
    for m, twin in enumerate(intact):
        if twin is not None:
            own = replace(hits, right=hits.right[[twin, m]])
            pair = replace(answers, hits=own, compared=np.array([True, False]), trivial=np.array([False, True]))
            lost[m] = over_trivial(pair, few)[0]
    return pd.DataFrame(lost, columns=list(COLUMNS))
