"""How alike rows of length 1 are, in blocks of single precision: Z float32 (N, d), of which no (N, N) is ever made."""

from __future__ import annotations

import numpy as np

BLOCK = 8192  # rows of a block


def squared_distances(Z: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Return ||z - row||^2 of every row of Z (N, d) of length 1 to one (d,) of length 1, float32 (N,) in [0, 4]."""
    found: np.ndarray = np.maximum(2 - 2 * (Z @ row), 0)
    return found


def to_nearest(Z: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the squared distance (N,) of every row of Z (N, d) to the nearest of some of them; 4, the most, of
    none."""
    out = np.full(len(Z), 4.0, np.float32)
    for i in range(0, len(Z) if len(rows) else 0, BLOCK):
        out[i : i + BLOCK] = 2 - 2 * (Z[i : i + BLOCK] @ Z[rows].T).max(1)
    return np.maximum(out, 0)


def nearest(Z: np.ndarray, of: np.ndarray, among: np.ndarray, k: int) -> np.ndarray:
    """Return the k rows `among` (m,) that are nearest to each row `of` (n,), int (n, min(k, m)), the nearest first."""
    k = min(k, len(among))
    out = np.empty((len(of), k), np.int64)
    for i in range(0, len(of), BLOCK):
        cosine = Z[of[i : i + BLOCK]] @ Z[among].T
        out[i : i + BLOCK] = among[np.argsort(-cosine, axis=1, kind="stable")[:, :k]]
    return out


def rbf(A: np.ndarray, B: np.ndarray, gamma: float) -> np.ndarray:
    """Return exp(-gamma ||a - b||^2), float32 (p, q), of rows of length 1, A (p, d) and B (q, d)."""
    K = A @ B.T
    K -= 1
    K *= 2 * gamma
    np.minimum(K, 0, out=K)
    return np.exp(K, out=K)


def sample(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Return some of the rows, at most so many, rising, drawn without replacement by `seed`."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
