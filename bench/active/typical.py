"""TypiClust (Hacohen, Dekel and Weinshall 2022, section 3): the most typical row of each region without a label.

The pool is cut into as many clusters as there will be labels, at most MOST_CLUSTERS. Of the largest cluster without a
label the row of the highest typicality is picked, that is of the least mean distance to its K nearest in the cluster.
"""

from __future__ import annotations

import numpy as np

from bench.active.openings import Openings
from bench.active.pool import Pool
from bench.active.similar import BLOCK, sample

MOST_CLUSTERS = 500
LEAST_SIZE = 5  # of a cluster; of smaller ones no row is typical
NEIGHBOURS = 20
MOST = 5_000  # rows that clusters are made of
TYPICAL = 2000  # rows of a cluster that its rows are held against
STEPS = 15


def typiclust(pool: Pool, openings: Openings, count: int) -> list[int]:
    """Pick the most typical row of each of the largest clusters without a label."""
    Z = pool.Z
    k = min(len(pool.labelled) + count, MOST_CLUSTERS, max(1, len(Z) // 2))
    cluster = clusters(Z, k, pool.seed)
    size = np.bincount(cluster, minlength=k)
    labels = np.bincount(cluster[pool.labelled], minlength=k)  # and picks, as they are made
    typicality: dict[int, np.ndarray] = {}
    picked: list[int] = []
    while len(picked) < count and (rows := openings.rows).any():
        left = np.bincount(cluster[rows], minlength=k) > 0
        # Clusters without a label first, the largest first; then those with the fewest.
        order = np.lexsort((-size, labels, size < LEAST_SIZE, ~left))
        c = int(order[0])
        inside = np.flatnonzero(cluster == c)
        if c not in typicality:
            typicality[c] = typical(Z, inside, pool.seed)
        best = int(inside[np.argmax(np.where(rows[inside], typicality[c], -np.inf))])
        openings.take(best)
        labels[c] += 1
        picked.append(best)
    return picked


def typical(Z: np.ndarray, inside: np.ndarray, seed: int) -> np.ndarray:
    """Return the typicality (n,) of the rows `inside` (n,) of a cluster: 1 over the mean distance to the nearest."""
    others = sample(inside, TYPICAL, seed)
    k = min(NEIGHBOURS, len(others) - 1)
    if k < 1:
        return np.ones(len(inside))
    out = np.empty(len(inside))
    is_other = np.isin(inside, others)
    for i in range(0, len(inside), BLOCK):
        far = np.sqrt(np.maximum(2 - 2 * (Z[inside[i : i + BLOCK]] @ Z[others].T), 0))
        near = np.sort(np.partition(far, k, axis=1)[:, : k + 1], axis=1)
        # Of a row that is among the others the nearest is itself.
        nearest = np.where(is_other[i : i + BLOCK, None], near[:, 1:], near[:, :k])
        out[i : i + BLOCK] = nearest.sum(1, dtype=np.float64) / k
    return 1 / np.maximum(out, 1e-9)


def clusters(Z: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Return the cluster (N,) in [0, k) of every row: k-means on at most MOST rows, the others to the nearest
    centre."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    rows = Z[sample(np.arange(len(Z)), MOST, seed)]
    with threadpool_limits(1, user_api="openmp"):  # threads add up in the order in which they end
        model = KMeans(min(k, len(rows)), n_init=1, max_iter=STEPS, random_state=seed % 2**32).fit(rows)
    centres = model.cluster_centers_.astype(np.float32)
    half = (centres**2).sum(1) / 2
    return np.concatenate([np.argmax(Z[i : i + BLOCK] @ centres.T - half, 1) for i in range(0, len(Z), BLOCK)])
