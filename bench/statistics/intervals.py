"""Intervals of balanced accuracy and of its differences, for new groups (slides) to learn from and to be tested on.

From `T_FROM` test groups per class on, limits are Student's t with the components of variance of
`bench.statistics.spread`, on the scale of the log odds, so that they stay in [0, 1] and are as skewed as they have to
be. Below that, exact limits of every class's recall are combined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.statistics.hits import LEVEL, Hits
from bench.statistics.quantiles import student, student_above
from bench.statistics.spread import ROUNDING, Spread, against, of_scores, spread_of

T_FROM = 6  # test groups in the smallest class; with fewer, exact limits


def few_groups(total: np.ndarray, least: int = T_FROM) -> bool:
    """Return whether a class that is tested has fewer than so many test groups; total (G, K): items."""
    n_groups = (total > 0).sum(0)
    return bool(n_groups[n_groups > 0].min() < least)


def score_intervals(hits: Hits, spread: Spread | None = None, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return limits (low, high), each (M,), of balanced accuracy.

    spread: as `spread_of` gives it; None takes the training groups as they are. Where a class has few groups, nothing
    varies, or all or none is right, the data say too little of the variance, and the exact limits of
    `few_groups_interval` are taken.
    """
    spread = spread or spread_of(hits)
    return limits(hits, spread.mean, *spread.errors(of_scores), level=level)


def limits(
    hits: Hits, mean: np.ndarray, variance: np.ndarray, df: np.ndarray, level: float = LEVEL
) -> tuple[np.ndarray, np.ndarray]:
    """Return limits of scores of these variances, exact ones where `score_intervals` says so."""
    from scipy.special import expit, logit

    low, high = np.empty(len(mean)), np.empty(len(mean))
    plain = ~exact_limits(hits, mean, variance)
    own = mean[plain]
    reach = student((1 + level) / 2, df[plain]) * np.sqrt(variance[plain]) / (own * (1 - own))
    low[plain], high[plain] = expit(logit(own) - reach), expit(logit(own) + reach)
    for m in np.flatnonzero(~plain):
        low[m], high[m] = few_groups_interval(*recalls_by_group(hits, int(m)), level)
    return low, high


def exact_limits(hits: Hits, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return which scores (M,) of these variances have exact limits, bool (M,); see `score_intervals`."""
    told: np.ndarray = (variance > ROUNDING) & (mean > 0) & (mean < 1)
    return ~told | few_groups(hits.total)


@dataclass(frozen=True)
class Differences:
    """Of P pairs of scores: the difference, its interval and the two-sided p for 0, each (P,)."""

    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def differences(spread: Spread, reference: int, others: np.ndarray, level: float = LEVEL) -> Differences:
    """Return one score minus others, by Student's t; where the two never differ (0, 0, 0, 1).

    A difference that is the same in every group and draw has no variance: its limits are itself, and p is that of the
    two-sided sign test over one group more than there are degrees of freedom.
    """
    others = np.asarray(others, int)
    gap = spread.mean[reference] - spread.mean[others]
    variance, df = spread.errors(against(reference, others))
    deviation, varies = np.sqrt(variance), variance > ROUNDING
    reach, p = np.zeros(len(gap)), np.ones(len(gap))
    reach[varies] = student((1 + level) / 2, df[varies]) * deviation[varies]
    p[~varies & (np.abs(gap) > 1e-9)] = 2.0**-spread.df_test
    p[varies] = 2 * student_above(np.abs(gap[varies]) / deviation[varies], df[varies])
    return Differences(gap, gap - reach, gap + reach, p)


def exact_difference(
    a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray], level: float = LEVEL
) -> tuple[float, float]:
    """Return limits of the difference of two scores from few groups; a, b: arguments of `few_groups_interval`.

    The MOVER rule for a difference (Zou and Donner 2008, eq. 4) without the correlation of the two, which is
    positive for methods tested on the same items: wider than need be.
    """
    (low_a, high_a), (low_b, high_b) = few_groups_interval(*a, level), few_groups_interval(*b, level)
    mean_a, mean_b = float(np.mean(a[0])), float(np.mean(b[0]))
    below = float(np.hypot(mean_a - low_a, high_b - mean_b))
    above = float(np.hypot(high_a - mean_a, mean_b - low_b))
    return mean_a - mean_b - below, mean_a - mean_b + above


def recalls_by_group(hits: Hits, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return recall and number of groups of every class tested, of method m: arguments of `few_groups_interval`."""
    there = hits.total.sum(0) > 0
    recall = hits.right[m].mean(0).sum(0)[there] / hits.total.sum(0)[there]
    return recall, (hits.total > 0).sum(0)[there]


def clopper_pearson(successes: float, trials: float, level: float = LEVEL) -> tuple[float, float]:
    """Return exact binomial limits (Clopper and Pearson 1934); a mean count over draws may be fractional."""
    from scipy.stats import beta

    tail = (1 - level) / 2
    low = beta.ppf(tail, successes, trials - successes + 1) if successes > 0 else 0.0
    high = beta.ppf(1 - tail, successes + 1, trials - successes) if successes < trials else 1.0
    return float(low), float(high)


def few_groups_interval(recall: np.ndarray, n_groups: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Return limits of the mean of K recalls, each known from few groups.

    recall (K,): mean over draws. n_groups (K,): test groups of the class; every group counts as one
    observation however many items it holds, the cautious reading when items of a group are alike.
    Exact limits per class are combined by the MOVER rule (Zou and Donner 2008, eq. 3 with weights 1/K):
    low = mean - sqrt(sum((recall - low_k)^2)) / K, and likewise above.
    """
    limits = np.array([clopper_pearson(r * n, n, level) for r, n in zip(recall, n_groups, strict=True)])
    mean = float(np.mean(recall))
    below = float(np.sqrt(np.sum((recall - limits[:, 0]) ** 2))) / len(recall)
    above = float(np.sqrt(np.sum((limits[:, 1] - recall) ** 2))) / len(recall)
    return max(0.0, mean - below), min(1.0, mean + above)
