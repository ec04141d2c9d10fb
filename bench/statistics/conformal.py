"""What is promised of items of NEW groups (slides), from items that were scored without their group.

Items of a group are alike, so that a hundred cells of one slide are no hundred observations. Groups are exchangeable,
and items within one; a new item is one of a new group. Hierarchical conformal prediction (Lee, Barber and Willett 2023,
arXiv 2306.06342, section 3) gives each of G groups the weight 1 / (G + 1), shared by its items, and the weight that is
left to the group that is not known yet, whose scores may be anything:

    limit at rate r = least q for which   sum over groups g of  (share of scores in g that are <= q) / (G + 1)   >= r

so that an item of a new group has a score up to the limit with probability r or more. With few groups that is much more
(.97 for .9 with 12). Here the group that is not known counts by half, as in a mid-p value (Lancaster 1961), which gives
up to 1 / (2 (G + 1)) of the promise away and comes out near r: `tests/simulation/promises.py`. Scores come of models
without the item's own group (cross-conformal), not of one model that saw no calibration group.
"""

from __future__ import annotations

import math

import numpy as np


def shares(group: np.ndarray) -> np.ndarray:
    """Return what every item weighs, float64 (n,): 1 over the groups + 1, over the items of its group (n,)."""
    _, which, size = np.unique(group, return_inverse=True, return_counts=True)
    return np.asarray(1 / ((len(size) + 1) * size[which]))


def least_groups(rate: float) -> int:
    """Return how many groups a limit takes: as many as the whole weight of an unknown one asks for, 9 for .9."""
    return math.ceil(round(rate / (1 - rate), 9)) if rate < 1 else 0


def groups_to_tell(p: float) -> int:
    """Return how many groups it takes for a p-value as small as p in (0, 1): 9 for .05."""
    return max(math.ceil(round(0.5 / p - 1, 9)), 1)


def limit(scores: np.ndarray, group: np.ndarray, rate: float) -> float:
    """Return the limit of scores (n,) of items of new groups at a rate in (0, 1); infinity where groups are too few."""
    order = np.argsort(scores, kind="stable")
    G = len(np.unique(group))
    if least_groups(rate) > G:
        return math.inf
    reached = np.cumsum(shares(group)[order]) + 0.5 / (G + 1) >= rate - 1e-12
    return float(scores[order[reached.argmax()]]) if reached.any() else math.inf


def p_values(new: np.ndarray, scores: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return how likely an item of a new group has a score as large as each of new (N,), float64 (N,).

    scores, group: (n,), of known items, each scored without its group. Every group weighs the same, and the new item
    takes part with half of its weight, w = the mean over groups of 1 / their items:

        p = (sum over groups of the share of their scores that are as large + w / 2) / (G + w)

    Without that part p is too small where groups have one item or few: of 20 groups of one, one in ten was at .05. At
    least 1 / (2 (G + 1)), as less cannot be told.
    """
    order = np.argsort(scores, kind="stable")
    names, size = np.unique(group, return_counts=True)
    G, own = len(names), float((1 / size).mean())
    weight = shares(group)[order] * (G + 1)
    above = np.concatenate([[0.0], np.cumsum(weight[::-1])])[::-1]  # of the scores from a place on
    p = (above[np.searchsorted(scores[order], new, side="left")] + own / 2) / (G + own)
    return np.asarray(np.maximum(p, 0.5 / (G + 1)))
