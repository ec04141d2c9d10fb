"""Picks that cover the pool: rows such that every other one has a picked or labelled row near it.

k-means++ (Arthur and Vassilvitskii 2007, section 2.2) draws each next row with a probability that grows with its
squared distance to what is there already. MaxHerding (Bae, Noh and Sutherland 2024, algorithm 1) takes the row that
gains most of

    C(S) = sum_x w_x max_{s in S} k(x, s),     k(x, s) = exp(-gamma ||x - s||^2),

with w_x = 1. C is submodular: what a row gains never grows, so that an old gain bounds the new one and few have to be
computed again (Minoux 1978). With w_x the uncertainty of a model about x it is Uncertainty Herding (Bae, Oliveira and
Sutherland 2025).
"""

from __future__ import annotations

import numpy as np

from bench.active.openings import Openings
from bench.active.pool import Pool
from bench.active.similar import BLOCK, rbf, sample, squared_distances, to_nearest

MOST = 6000  # rows that are to be covered, and rows that may cover them: of more, so many are drawn
GAMMA = 1.0  # of rows of length 1, whose squared distances are 2 in the mean


def plus_plus(pool: Pool, openings: Openings, count: int) -> list[int]:
    """Pick rows as the seeding of k-means++ does, with the labelled rows as the first seeds."""
    rng = np.random.default_rng(pool.seed)
    far = to_nearest(pool.Z, pool.labelled).astype(np.float64)
    picked: list[int] = []
    while len(picked) < count and (rows := openings.rows).any():
        picked.append(drawn_by(np.where(rows, far, 0), rows, rng))
        openings.take(picked[-1])
        np.minimum(far, squared_distances(pool.Z, pool.Z[picked[-1]]), out=far)
    return picked


def drawn_by(weight: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> int:
    """Return a row that is drawn with a probability by its weight (N,); by none, any of `rows` bool (N,)."""
    total = np.cumsum(weight)
    if total[-1] <= 0:
        return int(rng.choice(np.flatnonzero(rows)))
    return int(np.searchsorted(total, rng.random() * total[-1], side="right"))


def herd(
    pool: Pool, openings: Openings, count: int, weight: np.ndarray | None = None, gamma: float = GAMMA
) -> list[int]:
    """Pick rows that gain most coverage. weight float32 (N,): of every row that is to be covered; None: all alike.

    More than MOST rows are covered by a sample of them, of candidates of which each slide keeps some.
    """
    Z, wanted = pool.Z, openings.rows
    unlabelled = np.setdiff1d(np.arange(len(Z)), pool.labelled)
    cover = sample(unlabelled, MOST, pool.seed)
    at = cover[wanted[cover]] if wanted[cover].any() else sample(np.flatnonzero(wanted), MOST, pool.seed)
    covered = np.zeros(len(cover), np.float32)
    for i in range(0, len(cover) if len(pool.labelled) else 0, BLOCK):
        covered[i : i + BLOCK] = rbf(Z[cover[i : i + BLOCK]], Z[pool.labelled], gamma).max(1)
    w = np.ones(len(cover), np.float32) if weight is None else weight[cover].astype(np.float32)
    K = rbf(Z[at], Z[cover], gamma)  # (candidates, covered)
    bound = np.array([gain(row, covered, w) for row in K])
    picked: list[int] = []
    while len(picked) < count and (rows := openings.rows).any():
        if not (may := rows[at]).any():  # the sample has no row of the slides that are left
            return picked + herd_more(pool, openings, count - len(picked), picked)
        best = _best(K, covered, w, np.where(may, bound, -np.inf), bound)
        picked.append(int(at[best]))
        openings.take(picked[-1])
        np.maximum(covered, K[best], out=covered)
    return picked


def herd_more(pool: Pool, openings: Openings, count: int, picked: list[int]) -> list[int]:
    """Go on where the sample is used up, with the rows that are farthest from what was picked."""
    far = to_nearest(pool.Z, np.concatenate([pool.labelled, picked]).astype(np.int64))
    more: list[int] = []
    while len(more) < count and (rows := openings.rows).any():
        more.append(int(np.argmax(np.where(rows, far, -1))))
        openings.take(more[-1])
        np.minimum(far, squared_distances(pool.Z, pool.Z[more[-1]]), out=far)
    return more


def gain(k: np.ndarray, covered: np.ndarray, w: np.ndarray) -> float:
    """Return what a row adds to the coverage: k (n,) its kernel with the rows to cover, covered (n,) and w (n,)."""
    return float(np.maximum(k - covered, 0) @ w)


def _best(K: np.ndarray, covered: np.ndarray, w: np.ndarray, limit: np.ndarray, bound: np.ndarray) -> int:
    """Return the candidate of the largest gain, the first of equals; `bound` takes the gains that were computed."""
    order = np.argsort(-limit, kind="stable")
    best, most = -1, -np.inf
    for c in order:
        if limit[c] < most or limit[c] == -np.inf:
            break
        bound[c] = gain(K[c], covered, w)
        if bound[c] > most or (bound[c] == most and c < best):
            best, most = int(c), bound[c]
    return best
