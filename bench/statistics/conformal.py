"""What is promised of items of NEW groups (slides), from items that were scored without their group.

Items of a group are alike, so that a hundred cells of one slide are no hundred observations. Groups are exchangeable,
and items within one; a new item is one of a new group. Hierarchical conformal prediction (Lee, Barber and Willett 2023,
arXiv 2306.06342, section 3) gives each of G groups the weight 1 / (G + 1), shared by its items, and the weight that is
left to the group that is not known yet, whose scores may be anything:

    limit at rate r = least q for which   sum over groups g of  share of scores in g that are <= q, / (G + 1)   >= r

An item of a new group has a score up to the limit with probability r or more, where scores come from models that saw
none of the calibration groups. Here they come of models without the item's own group (cross-conformal), for which the
proof gives less (1 - 2 (1 - r), Barber et al. 2021) and simulations about r: `tests/simulation/promises.py`.
"""

from __future__ import annotations

import math

import numpy as np


def shares(group: np.ndarray) -> np.ndarray:
    """Return what every item weighs, float64 (n,): 1 over the groups + 1, over the items of its group (n,)."""
    _, which, size = np.unique(group, return_inverse=True, return_counts=True)
    return np.asarray(1 / ((len(size) + 1) * size[which]))


def least_groups(rate: float) -> int:
    """Return how many groups it takes for a limit that is not infinite: 9 for a rate of .9."""
    return math.ceil(round(rate / (1 - rate), 9)) if rate < 1 else 0


def limit(scores: np.ndarray, group: np.ndarray, rate: float) -> float:
    """Return the limit of scores (n,) of items of new groups at a rate in (0, 1); infinity where groups are too few."""
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(shares(group)[order]) >= rate - 1e-12
    return float(scores[order[reached.argmax()]]) if reached.any() else math.inf


def p_values(new: np.ndarray, scores: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return how often an item of a new group has a score as large as each of new (N,), float64 (N,).

    At least 1 / (G + 1), which is what can be told with G groups. scores, group: (n,), of the items that are known.
    """
    order = np.argsort(scores, kind="stable")
    weight = shares(group)[order]
    above = np.concatenate([[0.0], np.cumsum(weight[::-1])])[::-1]  # of the scores from a place on
    left = 1 / (len(np.unique(group)) + 1)
    return np.asarray(np.minimum(left + above[np.searchsorted(scores[order], new, side="left")], 1.0))
