"""Intervals for balanced accuracy, with the group as the unit of evidence.

From 10 test groups a class: a two-way bootstrap over test groups and support draws, the same
resamples for every method, so that differences and ranks are paired. Below that an interval that
needs no resampling: exact limits of every class's recall, combined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
BOOTSTRAP_FROM = 10  # test groups in the smallest class; with fewer, percentiles of resamples are too narrow
LEVEL = 0.95


@dataclass(frozen=True)
class Hits:
    """Counts from which balanced accuracy is rebuilt under any resample.

    right (M, S, G, K): correct items per method, draw, test group, true class. total (G, K): items.
    Methods of one comparison have the same S draws.
    """

    right: np.ndarray
    total: np.ndarray


def count_hits(P: np.ndarray, y: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (right (S, G, K), total (G, K)) for probabilities P (S, N, K), classes y (N,), groups (N,)."""
    n_classes = P.shape[-1]
    names, g = np.unique(group, return_inverse=True)
    slot = g * n_classes + y
    total = np.bincount(slot, minlength=len(names) * n_classes).reshape(len(names), n_classes)
    hit = P.argmax(-1) == y
    right = np.stack([np.bincount(slot, weights=row, minlength=total.size) for row in hit])
    return right.reshape(len(P), len(names), n_classes), total


def two_way_bootstrap(hits: Hits, *, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Return balanced accuracies (M, B) under joint resampling of test groups and draws.

    Each resample weighs the G groups and the S draws by multinomial counts (Owen 2007, the pigeonhole
    bootstrap), the same for all methods. A class that a resample leaves out takes no part in its mean.
    """
    M, S, G, K = hits.right.shape
    rng = np.random.default_rng(seed)
    of_group = rng.multinomial(G, np.full(G, 1 / G), size=resamples).astype(float)  # (B, G)
    of_draw = rng.multinomial(S, np.full(S, 1 / S), size=resamples) / S  # (B, S)
    total = of_group @ hits.total  # (B, K)
    with np.errstate(invalid="ignore"):
        inverse = 1 / np.where(total > 0, total, np.nan)
    out = np.empty((M, resamples))
    for m in range(M):
        right = of_group @ hits.right[m].transpose(1, 0, 2).reshape(G, S * K)  # (B, S*K)
        recall = np.einsum("bs,bsk->bk", of_draw, right.reshape(-1, S, K)) * inverse
        out[m] = np.nanmean(recall, 1)
    return out


def percentile_interval(samples: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return the central interval (low, high) of samples (..., B)."""
    tail = (1 - level) / 2
    low, high = np.quantile(samples, [tail, 1 - tail], axis=-1)
    return low, high


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


def rank_intervals(samples: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return (low, high) int (M,): the range of each method's rank over the resamples, 1 is best.

    samples (M, B). Ties share the better rank. Percentiles are rounded outwards.
    """
    better = (samples[None, :, :] > samples[:, None, :]).sum(1)  # (M, B): methods ahead of this one
    tail = (1 - level) / 2
    low = np.quantile(better, tail, axis=1, method="lower") + 1
    high = np.quantile(better, 1 - tail, axis=1, method="higher") + 1
    return low.astype(int), high.astype(int)
