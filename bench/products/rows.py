"""Inner products of many rows with many others, such that rows that are equal have products that are equal.

The rows of `products` are those of images, in single precision; `product` is of coordinates and weights.
"""

from __future__ import annotations

import numpy as np

from bench.products.backend import NUMPY, WIDE, fast_products

BLOCK = 256  # rows multiplied at a time
FEW = 2**24  # multiplications below which double precision costs little, and less than the import of compiled loops


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

    Few products are made in double precision and rounded.
    """
    (p, d), q = A.shape, len(B)
    out = np.empty((p, q), np.float32)
    if p * d * q < FEW:
        turned = B.T.astype(np.float64)
        for i in range(0, p, BLOCK):
            out[i : i + BLOCK] = A[i : i + BLOCK].astype(np.float64) @ turned
        return out
    from bench.loops.tiles import multiply_panels, panels_of_rows

    for j in range(0, q, WIDE):
        panels = panels_of_rows(np.ascontiguousarray(B[j : j + WIDE]))
        for i in range(0, p, WIDE):
            some = np.ascontiguousarray(A[i : i + WIDE])
            place = np.empty((len(some), min(WIDE, q - j)), np.float32)
            multiply_panels(some, panels, place)
            out[i : i + WIDE, j : j + WIDE] = place
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
