"""Inner products of many rows with many others, such that rows that are equal have products that are equal."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from bench.solvers.calls import REGISTERS, telling

BLOCK = 256  # rows multiplied at a time
FEW = 2**18  # multiplications below which double precision costs nothing: rows give the same in any company
COLUMNS = 64  # that a place is tried by at most


def lengths(X: np.ndarray) -> np.ndarray:
    """Return the length of every row of X (n, d), float64 (n,)."""
    return np.sqrt(np.einsum("ij,ij->i", X, X, dtype=np.float64))


def unit_rows(X: np.ndarray) -> np.ndarray:
    """Return the rows of X (n, d) at length 1, float32; a row of length 0 stays."""
    length = lengths(X)[:, None]
    return np.ascontiguousarray(X / np.where(length > 0, length, 1), dtype=np.float32)


def products(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return A B' (p, q) for A (p, d) and B (q, d), all float32.

    Few products, and those that single precision may round by their place, are made in double precision and rounded.
    """
    (p, d), q = A.shape, len(B)
    step, wide = min(BLOCK, _filled(p)), _filled(q)
    out = np.empty((p, q), np.float32)
    if p * d * q < FEW or not _alike_in_every_place(step, d, wide):
        whole = B.T.astype(np.float64)
        for i in range(0, p, BLOCK):
            out[i : i + BLOCK] = A[i : i + BLOCK].astype(np.float64) @ whole
        return out
    if wide > q:
        B = np.concatenate([B, np.zeros((wide - q, d), np.float32)])
    filled, made = np.zeros((step, d), np.float32), np.empty((step, wide), np.float32)
    for i in range(0, p, step):
        rows = A[i : i + step]
        if len(rows) < step:  # the shape that was tried
            filled[: len(rows)] = rows
            rows = filled
        np.matmul(rows, B.T, out=made)
        out[i : i + step] = made[: p - i, :q]
    return out


def _filled(n: int) -> int:
    return -(-n // REGISTERS) * REGISTERS


@lru_cache(maxsize=1024)
def _alike_in_every_place(p: int, d: int, q: int) -> bool:
    for row, columns in telling(d, COLUMNS):
        same = np.tile(row, (p, 1)) @ np.tile(columns[:, 0], (q, 1)).T
        if not (same == same[0, 0]).all():
            return False
    return True
