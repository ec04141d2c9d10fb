"""From which confidence on answers may be given, so that of those on new groups (slides) few are wrong.

Let a_g be the share of the items of group g that are answered at a threshold, and e_g the share that is answered and
wrong. The promise, at most r of the answers are wrong, is E e <= r E a, so that

    D_g = e_g - r a_g      has a mean of 0 or less over new groups.

A threshold is taken where an upper limit of that mean is not above 0, at this and at every higher threshold (Bates et
al. 2021, risk-controlling prediction sets, section 2, for risks that fall with the threshold). The limit is
Student's t over groups with one group more, of whose answers the share `WORST` is wrong: without it groups that have no
error have no variance, and a few of them promise anything. `WORST` was chosen by `tests/simulation/promises.py`.
"""

from __future__ import annotations

import math

import numpy as np

from bench.statistics.quantiles import student

WORST = 1 / 3  # share of the answers of the group that is added that is wrong
STEPS = 200  # thresholds that are looked at, evenly among the items
FEWEST = 0.05  # share of the items that is answered at the first of them
HALF = 0.5  # share of the groups in which something is answered at the first that has to hold


def answer_from(
    confidence: np.ndarray, wrong: np.ndarray, group: np.ndarray, most_wrong: float, *, level: float = 0.95,
    worst: float = WORST,
) -> float:  # fmt: skip
    """Return the least confidence at which answers are wrong at most at the rate most_wrong, in (0, 1).

    confidence (n,), wrong bool (n,): of items that were answered by a model without their group (n,). level: how often
    the promise is to hold. Infinity where it holds for no threshold, or groups are too few to tell.
    """
    names, which, size = np.unique(group, return_inverse=True, return_counts=True)
    G = len(names)
    if G < 2:
        return math.inf
    ordered = np.sort(confidence)[::-1]
    at = np.unique(np.linspace(FEWEST * len(ordered), len(ordered), STEPS).astype(int).clip(1)) - 1
    thresholds = np.unique(ordered[at])[::-1]  # highest first
    step = np.searchsorted(-thresholds, -confidence, side="left")  # the first threshold at which an item is answered
    answered, errors = (
        np.bincount(step * G + which, weights=weight / size[which], minlength=(len(thresholds) + 1) * G)
        .reshape(-1, G)[:-1].cumsum(0)
        for weight in (np.ones(len(confidence)), np.asarray(wrong, float))
    )  # (thresholds, G)  # fmt: skip
    usual = answered.mean(1, keepdims=True)
    seen = (answered > 0).mean(1) >= HALF  # by the confidences alone, so that no error decides where to begin
    D = np.concatenate([errors - most_wrong * answered, (worst - most_wrong) * usual], axis=1)
    upper = D.mean(1) + student(level, G) * D.std(1, ddof=1) / np.sqrt(G + 1)
    holds = upper <= 0
    count = int((holds | ~seen).argmin()) if (seen & ~holds).any() else len(holds)
    return float(thresholds[count - 1]) if count and seen[count - 1] else math.inf
