"""Comparing methods on the same test: counts of right answers and joint resamples.

Methods are resampled together, test groups and draws at once, so that differences are paired.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

RESAMPLES = 2000
KEPT = 2**25  # counts of groups that are kept for the next call, 128 MB
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
    return tally(P.argmax(-1) == y, y, group, P.shape[-1])


def tally(hit: np.ndarray, y: np.ndarray, group: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (right (..., G, K), total (G, K)) of what was got right, hit bool (..., N); y (N,), group (N,)."""
    names, g = np.unique(group, return_inverse=True)
    slot = g * n_classes + y
    total = np.bincount(slot, minlength=len(names) * n_classes)
    right = np.stack([np.bincount(slot, weights=row, minlength=len(total)) for row in hit.reshape(-1, len(y))])
    return right.reshape(*hit.shape[:-1], len(names), n_classes), total.reshape(len(names), n_classes)


def two_way_bootstrap(hits: Hits, *, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Return balanced accuracies (M, B) under joint resampling of test groups and draws.

    Each resample weighs the G groups and the S draws by multinomial counts (Owen 2007, the pigeonhole
    bootstrap), the same for all methods. A class that a resample leaves out takes no part in its mean.
    """
    M, S, G, K = hits.right.shape
    groups, draws = (_kept_counts if G * resamples <= KEPT else _counts)(G, S, resamples, seed)
    total, of_draw = groups.astype(float) @ hits.total, draws / S  # (B, K), (B, S)
    of_group: np.ndarray = groups.astype(_exact_in(hits.right))  # (B, G)
    with np.errstate(invalid="ignore"):
        inverse = 1 / np.where(total > 0, total, np.nan)
    out = np.empty((M, resamples))
    for m in range(M):
        right = of_group @ hits.right[m].transpose(1, 0, 2).reshape(G, S * K).astype(of_group.dtype)  # (B, S*K)
        recall = (of_draw[:, None] @ right.reshape(-1, S, K).astype(float))[:, 0] * inverse
        out[m] = np.nanmean(recall, 1)
    return out


def _exact_in(right: np.ndarray) -> type:
    """Return the shorter type in which sums of G resampled counts (M, S, G, K) have no rounding."""
    is_whole = len(right) and right.shape[2] * right.max() < 2**24 and (right == np.rint(right)).all()
    return np.float32 if is_whole else np.float64


def _counts(G: int, S: int, resamples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how often groups (B, G) and draws (B, S) are in each resample."""
    rng = np.random.default_rng(seed)
    made = [rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.int32) for n in (G, S)]
    for counts in made:
        counts.flags.writeable = False
    return made[0], made[1]


_kept_counts = lru_cache(maxsize=1)(_counts)  # the levels of a leaderboard have as many groups and draws


def percentile_interval(samples: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return the central interval (low, high) of samples (..., B)."""
    tail = (1 - level) / 2
    low, high = np.quantile(samples, [tail, 1 - tail], axis=-1)
    return low, high


def held_out_best(hits: Hits, *, halvings: int = 200, seed: int = 0) -> float:
    """Return what the method that is best on one half of the test groups scores on the other, mean over halvings.

    The best of many owes part of its score to luck; this score does not. A half takes every other group of each class
    in a random order, so classes stay represented. NaN where a class has one group only.
    """
    M, _, G, K = hits.right.shape
    if (hits.total > 0).sum(0)[hits.total.sum(0) > 0].min() < 2:
        return float("nan")
    one = _halves(hits.total.argmax(1).tobytes(), halvings, seed)
    right = hits.right.mean(1).transpose(1, 0, 2).reshape(G, M * K)
    a, b = (_balanced(side @ right, side @ hits.total) for side in (one, 1 - one))  # (halvings, M)
    each = np.arange(halvings)
    return float(np.nanmean([b[each, np.nanargmax(a, 1)], a[each, np.nanargmax(b, 1)]]))


@lru_cache(maxsize=1)
def _halves(main: bytes, halvings: int, seed: int) -> np.ndarray:
    """Return which groups are in one half, 0 or 1 (halvings, G). main: the class of each group, int64."""
    rng, of_class = np.random.default_rng(seed), np.frombuffer(main, np.int64)
    one = np.zeros((halvings, len(of_class)))
    for half in one:
        order = rng.permutation(len(of_class))
        order = order[np.argsort(of_class[order], kind="stable")]
        half[order[rng.integers(2) :: 2]] = 1
    one.flags.writeable = False
    return one


def _balanced(right: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Return (B, M) from right (B, M K) and total (B, K); a class without items takes no part."""
    B, K = total.shape
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nanmean(right.reshape(B, -1, K) / np.where(total > 0, total, np.nan)[:, None], 2)
