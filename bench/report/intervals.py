"""Intervals of balanced accuracy and of its differences, with the group and the draw as the units of evidence.

A score is a mean over test groups and over draws, and errs by both. From 10 test groups a class on: Student's t with
the two components of variance, for a score on the scale of its log odds, so that limits stay in [0, 1] and are as
skewed as they have to be. Below that, exact limits of every class's recall, combined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.report.statistics import LEVEL, Hits

ROUNDING = 1e-18  # a variance below this is that of equal numbers, rounded
T_FROM = 10  # test groups in the smallest class; with fewer, exact limits


@dataclass(frozen=True)
class Spread:
    """What scores vary by. All (M,).

    mean: balanced accuracy, or a difference of two. variance: of that mean, over other groups and other draws. df:
    degrees of freedom of the variance (Satterthwaite 1946); NaN where the variance is 0.
    """

    mean: np.ndarray
    variance: np.ndarray
    df: np.ndarray


def spread_of(hits: Hits) -> Spread:
    """Return how far the scores of `hits` would be elsewhere; of differences where `hits.right` holds differences.

    Balanced accuracy is linearised around the recalls, and what is left is a table draws x groups of two crossed
    random factors: the variance is that of groups plus that of draws, less their interaction, which both contain
    (Owen 2007, section 2), and never less than either. Groups that lie in one class each give one degree of freedom
    fewer a class; groups that hold all classes lose one in all.
    """
    M, S, G, K = hits.right.shape
    items = hits.total.sum(0)
    there = items > 0
    recall = hits.right.mean(1).sum(1)[:, there] / items[there]  # (M, K)
    weight = 1 / (items[there] * there.sum())
    left = np.einsum("msgk,k->msg", hits.right[..., there], weight)
    left -= ((recall * weight) @ hits.total[:, there].T)[:, None]  # adds up to 0 over draws and groups
    free = G - _components(hits.total)
    of_group, of_draw = left.mean(1), left.sum(2)
    by_group = (of_group**2).sum(1) * G / max(free, 1)
    if S == 1:
        return Spread(recall.mean(1), by_group, np.where(by_group > 0, max(free, 1), np.nan))
    by_draw = (of_draw**2).sum(1) / (S * (S - 1))
    both = left - of_group[:, None] - (of_draw / G)[:, :, None]
    shared = (both**2).sum((1, 2)) / (S * (S - 1)) * G / max(G - 1, 1)
    variance = np.maximum(by_group + by_draw - shared, np.maximum(by_group, by_draw))
    with np.errstate(invalid="ignore", divide="ignore"):
        df = variance**2 / (by_group**2 / max(free, 1) + by_draw**2 / (S - 1))
    return Spread(recall.mean(1), variance, df)


def few_groups(total: np.ndarray) -> bool:
    """Return whether a class that is tested has fewer than T_FROM test groups; total (G, K): items."""
    n_groups = (total > 0).sum(0)
    return bool(n_groups[n_groups > 0].min() < T_FROM)


def score_intervals(hits: Hits, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return limits (low, high), each (M,), of balanced accuracy.

    Where a class has few groups, nothing varies, or all or none is right, the data say too little of the variance, and
    the exact limits of `few_groups_interval` are taken.
    """
    from scipy.special import expit, logit
    from scipy.stats import t

    spread = spread_of(hits)
    low, high = np.empty(len(spread.mean)), np.empty(len(spread.mean))
    plain = (not few_groups(hits.total)) & (spread.variance > ROUNDING) & (spread.mean > 0) & (spread.mean < 1)
    mean = spread.mean[plain]
    reach = t.ppf((1 + level) / 2, spread.df[plain]) * np.sqrt(spread.variance[plain]) / (mean * (1 - mean))
    low[plain], high[plain] = expit(logit(mean) - reach), expit(logit(mean) + reach)
    for m in np.flatnonzero(~plain):
        low[m], high[m] = few_groups_interval(*recalls_by_group(hits, int(m)), level)
    return low, high


def difference_intervals(hits: Hits, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (low, high, p), each (M,), of differences between paired scores and of the two-sided test for 0.

    hits.right: the items that one method has right and the other not, less those the other way round, as
    `Hits(a.right - b.right, total)`. Where the two never differ: (0, 0, 1).
    """
    from scipy.stats import t

    spread = spread_of(hits)
    deviation = np.sqrt(spread.variance)
    varies = spread.variance > ROUNDING
    reach, p = np.zeros(len(deviation)), np.ones(len(deviation))
    reach[varies] = t.ppf((1 + level) / 2, spread.df[varies]) * deviation[varies]
    p[varies] = 2 * t.sf(np.abs(spread.mean[varies]) / deviation[varies], spread.df[varies])
    return spread.mean - reach, spread.mean + reach, p


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


def intraclass(hits: Hits) -> tuple[np.ndarray, np.ndarray]:
    """Return (icc, n_eff), each (M,): how alike answers are within a test group, and what the items are worth.

    icc: of right and wrong within a class, one-way analysis of variance (Donner 1986, eq. 1), mean over draws, at
    least 0; NaN where no group holds two items of a class. n_eff = N / (1 + (m - 1) icc), m the size of the group
    that an item lies in on average (Kish 1965, section 5.4): N items of these groups tell as much as n_eff of as many
    groups.
    """
    n = hits.total.astype(float)  # (G, K)
    items, blocks, classes = n.sum(), int((n > 0).sum()), int((n.sum(0) > 0).sum())
    if items == blocks:
        return np.full(len(hits.right), np.nan), np.full(len(hits.right), items)
    size = np.where(n > 0, n, 1)
    recall = hits.right.sum(2, keepdims=True) / np.maximum(n.sum(0), 1)  # (M, S, 1, K)
    within = (hits.right * (1 - hits.right / size)).sum((2, 3)) / (items - blocks)
    between = (n * (hits.right / size - recall) ** 2).sum((2, 3)) / max(blocks - classes, 1)
    usual = (items - ((n**2).sum(0) / np.maximum(n.sum(0), 1)).sum()) / max(blocks - classes, 1)
    total = between + (usual - 1) * within
    each = np.where(total > 0, (between - within) / np.where(total > 0, total, 1), 0.0)
    icc = np.maximum(each.mean(1), 0)
    return icc, items / (1 + ((n**2).sum() / items - 1) * icc)


def _components(total: np.ndarray) -> int:
    """Return the parts that groups and classes fall into when a group is tied to every class it holds; total (G, K)."""
    from scipy.sparse import bmat, csr_matrix
    from scipy.sparse.csgraph import connected_components

    ties = csr_matrix(total[:, total.sum(0) > 0] > 0)
    return int(connected_components(bmat([[None, ties], [ties.T, None]]), directed=False)[0])
