"""How far is the best method ahead of each other one, given that the same test found it to be the best?

The best of many is partly the luckiest. Given what a test says of all but the difference D of the best and one other,
the best would still be the best for every D from some `least` to some `most`, which the others set (Lee, Sun, Sun and
Taylor 2016, Ann. Statist. 44:907, section 4). Were the two equal, D would be a centred normal, or Student's t, between
these, and

    p = P(D >= observed | least <= D <= most).

No other method within half of the difference from the best: least = 0, and p is the usual two-sided one, so that
picking costs nothing more (Hung and Fithian 2019, J. R. Stat. Soc. B 81:1). A second one close behind: p is large.
"""

from __future__ import annotations

import numpy as np

from bench.statistics.quantiles import student, student_above
from bench.statistics.spread import ROUNDING, Spread, of_pairs

FLAT = 1e-9  # share of D that has no say in who is the best
SMALLEST = 1e-30  # p: below it nobody can tell


def ahead(spread: Spread) -> np.ndarray:
    """Return by how many deviations (M,) the best is ahead of each, 0 or more: those whose two-sided p is the above.

    0 for the best itself, and for those of which the test cannot tell it.
    """
    best = int(spread.mean.argmax())
    variance, df = (part[best] for part in spread.errors(of_pairs))
    covariance = spread.test + spread.learning
    own = of_pairs(covariance)[best]
    told = (variance > ROUNDING) & (own > ROUNDING)
    D = (spread.mean[best] - spread.mean)[told]
    deviation, df = np.sqrt(variance[told]), df[told]
    share = (covariance[:, [best]] - covariance[:, told]) / own[told]  # of D, in the score of each: (M, told)
    slope = share[best] - share
    rest = (spread.mean[best] - spread.mean)[:, None] - slope * D  # of the distance to the best, without D
    with np.errstate(divide="ignore", invalid="ignore"):
        least = np.where(slope > FLAT, -rest / slope, -np.inf).max(0)  # the best, at a slope of 0, has no part
        most = np.where(slope < -FLAT, -rest / slope, np.inf).min(0)
    beyond, there = (
        student_above(at / deviation, df) - student_above(most / deviation, df) for at in (D, np.minimum(least, D))
    )
    p = np.where(there > 0, beyond / np.where(there > 0, there, 1), 1.0)
    out = np.zeros(len(spread.mean))
    out[told] = -student(np.clip(p, SMALLEST, 1) / 2, df)
    return out
