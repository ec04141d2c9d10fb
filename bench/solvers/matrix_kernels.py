"""Products and sums of small matrices in compiled loops, which are made a part of whatever calls them."""

from __future__ import annotations

import numpy as np

from bench.loops.compiling import compiled

ZERO = np.float32(0)


@compiled
def multiply(A: np.ndarray, B: np.ndarray, out: np.ndarray) -> None:
    """Write A (K, p) @ B (p, q) to out; four rows of B at a time, so that out is loaded and stored less."""
    K, p = A.shape
    q, by_four = B.shape[1], p - p % 4
    for k in range(K):
        row = out[k]
        for i in range(q):
            row[i] = ZERO
    for j in range(0, by_four, 4):
        first, second, third, fourth = B[j], B[j + 1], B[j + 2], B[j + 3]
        for k in range(K):
            a, b, c, d, row = A[k, j], A[k, j + 1], A[k, j + 2], A[k, j + 3], out[k]
            for i in range(q):
                row[i] += a * first[i] + b * second[i] + c * third[i] + d * fourth[i]
    for j in range(by_four, p):
        first = B[j]
        for k in range(K):
            a, row = A[k, j], out[k]
            for i in range(q):
                row[i] += a * first[i]


@compiled
def dot(A: np.ndarray, B: np.ndarray) -> float:
    """Return the inner product of A and B (K, r)."""
    total = ZERO
    for k in range(len(A)):
        a, b = A[k], B[k]
        for j in range(len(a)):
            total += a[j] * b[j]
    return float(total)


@compiled
def add(A: np.ndarray, by: float, B: np.ndarray) -> None:
    """Add `by` times B to A, both (K, r)."""
    factor = np.float32(by)
    for k in range(len(A)):
        a, b = A[k], B[k]
        for j in range(len(a)):
            a[j] += factor * b[j]


@compiled
def add_and_dot(A: np.ndarray, by: float, B: np.ndarray, C: np.ndarray) -> float:
    """Add `by` times B to A and return its inner product with C, all (K, r)."""
    total, factor = ZERO, np.float32(by)
    for k in range(len(A)):
        a, b, c = A[k], B[k], C[k]
        for j in range(len(a)):
            a[j] += factor * b[j]
            total += a[j] * c[j]
    return float(total)


@compiled
def copy(A: np.ndarray, B: np.ndarray) -> None:
    """Write A (K, r) to B."""
    for k in range(len(A)):
        a, b = A[k], B[k]
        for j in range(len(a)):
            b[j] = a[j]


@compiled
def transpose(A: np.ndarray) -> np.ndarray:
    """Return A' of A (p, q), row by row in memory."""
    p, q = A.shape
    B = np.empty((q, p), np.float32)
    for i in range(p):
        for j in range(q):
            B[j, i] = A[i, j]
    return B
