"""Picks of what models are unsure of: by the margin of one model, by models that differ, and by both doubt and
distance.

margin     1 - (p_1 - p_2), the two likeliest classes (Scheffer, Decomain and Wrobel 2001)
balanced   the same of r_k = p_k / pi_k, which are not scaled to a sum of 1: sum_k r_k - (r_1 - r_2), with pi_k the
           share of class k among the rows without a label, as the model predicts it. In balanced accuracy an error on
           a class costs 1 over its size, so doubt about a rare class is worth more (costs by class: Elkan 2001). Of
           classes of equal shares it picks as margin does
committee  the mean divergence of M models from what they say in the mean (McCallum and Nigam 1998)
badge      k-means++ on the gradient of the last layer at the likeliest label, g = (p - e_1) (x) z (Ash et al. 2020),
           whose products are those of p - e_1 times those of z, so that no g is ever made
"""

from __future__ import annotations

import numpy as np

from bench.active.covering import drawn_by, herd
from bench.active.openings import Openings
from bench.active.pool import Pool, one_by_one


def doubt(P: np.ndarray) -> np.ndarray:
    """Return 1 - (p_1 - p_2) of probabilities P (N, K), float (N,) in [0, 1], 1 where two classes are as likely."""
    found: np.ndarray = 1 - _lead(P)
    return found


def doubt_by_class(P: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the doubt of P (N, K) where a class counts 1 over its share (K,), float (N,); `doubt` times K of equal
    ones."""
    R = P / share
    found: np.ndarray = R.sum(1) - _lead(R)
    return found


def _lead(P: np.ndarray) -> np.ndarray:
    """Return by how much the largest of every row (K,) is above the next one, (N,)."""
    top = np.partition(P, P.shape[1] - 2, axis=1)[:, -2:]
    found: np.ndarray = top[:, 1] - top[:, 0]
    return found


def shares(P: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Return the share of each class among the rows without a label, as P (N, K) predicts it, at least one row of
    them, float (K,)."""
    rest = np.delete(P, labelled, axis=0)
    found: np.ndarray = np.maximum(rest.mean(0), 1 / len(rest))
    return found


def divergence(P: np.ndarray) -> np.ndarray:
    """Return how far models P (M, N, K) differ: the mean of KL(p_m || mean), in nats, float (N,)."""
    mean = P.mean(0)
    entropy = -(mean * np.log(np.maximum(mean, 1e-12))).sum(-1)
    within = -(P * np.log(np.maximum(P, 1e-12))).sum(-1).mean(0)
    found: np.ndarray = np.maximum(entropy - within, 0)
    return found


def margin(pool: Pool, openings: Openings, count: int) -> list[int]:
    """Pick the rows between whose two likeliest classes the first model tells least."""
    assert pool.P is not None
    return one_by_one(doubt(pool.P[0]), openings, count)


def balanced(pool: Pool, openings: Openings, count: int) -> list[int]:
    """Pick the rows between whose two likeliest classes the first model tells least, those of rare classes first."""
    assert pool.P is not None
    return one_by_one(doubt_by_class(pool.P[0], shares(pool.P[0], pool.labelled)), openings, count)


def committee(pool: Pool, openings: Openings, count: int) -> list[int]:
    """Pick the rows of which the models differ most."""
    assert pool.P is not None
    return one_by_one(divergence(pool.P), openings, count)


def uncertainty_herding(pool: Pool, openings: Openings, count: int) -> list[int]:
    """Pick rows that cover the doubtful ones; see `bench.active.covering`."""
    assert pool.P is not None
    return herd(pool, openings, count, weight=doubt(pool.P[0]))


def badge(pool: Pool, openings: Openings, count: int) -> list[int]:
    """Pick rows that a model would learn much of, in different directions."""
    assert pool.P is not None
    Z, A = pool.Z, pool.P[0].astype(np.float32)
    A[np.arange(len(A)), A.argmax(1)] -= 1  # (N, K)
    own = np.einsum("ij,ij->i", A, A)  # as long as g, since z has length 1
    rng = np.random.default_rng(pool.seed)
    far, picked = own.astype(np.float64), list[int]()
    while len(picked) < count and (rows := openings.rows).any():
        picked.append(drawn_by(np.where(rows, far, 0), rows, rng))
        openings.take(picked[-1])
        last = picked[-1]
        apart = own + own[last] - 2 * (A @ A[last]) * (Z @ Z[last])
        far = np.maximum(apart, 0).astype(np.float64) if len(picked) == 1 else np.minimum(far, np.maximum(apart, 0))
    return picked
