"""Inner products of many rows with many others, such that rows that are equal have products that are equal.

The rows of `products` are those of images, in single precision; `product` is of coordinates and weights.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from bench.products.backend import NUMPY, WIDE, fast_products
from bench.products.calls import REGISTERS, telling

BLOCK = 256  # rows multiplied at a time
FEW = 2**18  # multiplications below which double precision costs nothing: a row's product does not depend on the batch
COLUMNS = 64  # that a place is tried by at most


def lengths(X: np.ndarray) -> np.ndarray:
    """Return the length of every row of X (n, d), float64 (n,)."""
    return np.sqrt(np.einsum("ij,ij->i", X, X, dtype=np.float64))


def unit_rows(X: np.ndarray) -> np.ndarray:
    """Return the rows of X (n, d) at length 1, float32; a row of length 0 stays."""
    length = lengths(X)[:, None]
    safe, out = np.where(length > 0, length, 1), np.empty(X.shape, np.float32)
    for i in range(0, len(X), BLOCK):
        out[i : i + BLOCK] = X[i : i + BLOCK] / safe[i : i + BLOCK]
    return out


def products(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return A B' (p, q) for A (p, d) and B (q, d), all float32.

    Few products, and those that single precision may round by their place, are made in double precision and rounded.
    """
    (p, d), q = A.shape, len(B)
    out = np.empty((p, q), np.float32)
    shapes = ((min(BLOCK, p), q), (_side(p), _side(q))) if p * d * q >= FEW else ()
    shape = next((shape for shape in shapes if _alike_in_every_place(shape[0], d, shape[1])), None)
    if shape is None:
        turned = B.T.astype(np.float64)
        for i in range(0, p, BLOCK):
            out[i : i + BLOCK] = A[i : i + BLOCK].astype(np.float64) @ turned
        return out
    height, width = shape
    for j in range(0, q, width):
        columns = _filled(B[j : j + width], width).T
        for i in range(0, p, height):
            out[i : i + height, j : j + width] = (_filled(A[i : i + height], height) @ columns)[: p - i, : q - j]
    return out


def product(A: np.ndarray, B: np.ndarray, size: int = 0, dtype: type = np.float64) -> np.ndarray:
    """Return A (p, q) @ B (q, c), each column contiguous and bitwise independent of the other columns of B.

    size: the numbers of the support, by which the library is chosen. dtype: of the terms and the product.
    """
    rows: np.ndarray = np.ascontiguousarray(B.T, dtype)
    out: np.ndarray = np.empty((len(rows), len(A)), dtype)
    with fast_products(NUMPY, size) as on:
        for i in range(0, len(A), WIDE):
            out[:, i : i + WIDE] = on.product(rows[:, None], A[i : i + WIDE].astype(dtype, copy=False).T)[:, 0]
    return out.T


def _side(n: int) -> int:
    """Return how many rows are multiplied at a time where the remainder would be rounded in another way."""
    return min(BLOCK, -(-n // REGISTERS) * REGISTERS)


def _filled(rows: np.ndarray, n: int) -> np.ndarray:
    """Return n rows, those that are missing of zeros: calls have the shape that was tried."""
    return rows if len(rows) == n else np.concatenate([rows, np.zeros((n - len(rows), rows.shape[1]), np.float32)])


@lru_cache(maxsize=1024)
def _alike_in_every_place(p: int, d: int, q: int) -> bool:
    for row, columns in telling(d, COLUMNS):
        same = np.tile(row, (p, 1)) @ np.tile(columns[:, 0], (q, 1)).T
        if not (same == same[0, 0]).all():
            return False
    return True
