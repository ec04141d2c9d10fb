"""What is handed to a solver and what comes back: the rows that problems share, their loss, and the weights found.

The letters are those of `bench.solvers.linalg`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench.products import Array, backend_of


@dataclass(frozen=True)
class Loss:
    """A loss of scores. of_all: for many problems at once; one: the same for one, where it is of the family below.

    of_all(S, own) turns S (P, K, n), the scores, into its derivative by S in place, given where the own labels' scores
    lie in the flattened S, (P, n). It returns the losses (P, n) and the curvature w (P, K).
    one: (smoothing, 0) of cross-entropy with smoothed labels, or (0, q) of (1 - p^q) / q; see `bench.solvers.kernels`.
    """

    of_all: Callable[[Array, Array], tuple[Array, Array]]
    one: tuple[float, float] | None = None


@dataclass(frozen=True)
class Rows:
    """What the problems share, float32: Z' (r, n), Z / n (n, r), and curvature (r,) with Z'Z / n ~ diag(curvature)."""

    Zt: Array
    mean_Z: Array
    curvature: Array

    @classmethod
    def of(cls, Z: np.ndarray, e: np.ndarray, device: str = "cpu") -> Rows:
        """Centre coordinates Z (n, r - 1) of squared lengths e and add the constant 1.

        Only the intercepts notice the centring, and it makes the constant orthogonal to the rest.
        """
        n, send = len(Z), backend_of(device).send
        mean, rows = mean_row(Z), np.ones((n, Z.shape[1] + 1), np.float32)
        np.subtract(Z, mean, out=rows[:, :-1], casting="same_kind")
        curvature = np.append(np.maximum(e / n - mean**2, 0), 1).astype(np.float32)
        Zt = np.ascontiguousarray(rows.T)
        rows /= np.float32(n)
        return cls(send(Zt), send(rows), send(curvature))


def mean_row(Z: np.ndarray) -> np.ndarray:
    """Return the mean of the rows of Z (n, r), of its type; of equal rows it is that row, to the bit."""
    return Z.mean(0, dtype=np.float64).astype(Z.dtype)


class Solved(NamedTuple):
    """W float32 (P, L, K, r); gap and steps (P, L): see `minimise`."""

    W: np.ndarray
    gap: np.ndarray
    steps: np.ndarray
