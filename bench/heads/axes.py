"""Axes on which the rows of an encoder are nearly uncorrelated, found at little cost, and rows turned onto them.

The first axes are the leading principal ones, by a randomised subspace iteration (Halko, Martinsson and Tropp 2011,
algorithm 4.4). The others are any that are orthogonal to them and to each other. Turning rows keeps all their inner
products. So a head learns the same on any axes; only the number of steps differs. It is small here, because what varies
much is uncorrelated, and the rest is small beside the penalty. An eigendecomposition takes longer than the whole fit.

The axes Q = I - V T V' are kept as Householder vectors of the first ones (compact form, Schreiber and Van Loan 1989):
no matrix (d, d) is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.products import NUMPY

LEADING = 64  # principal axes; of 32 a fit takes a quarter more steps, of 128 as many
SAMPLE = 2048  # rows that they are found from
ROUNDS = 3  # of the iteration
OVER = 16  # directions more that are followed than kept
SMALL = 256  # dimensions up to which all principal axes are found exactly
MANY = 2**16  # numbers of axes, from which compiled products pay


@dataclass(frozen=True, kw_only=True, eq=False)
class Axes:
    """Orthonormal axes Q = I - V T V', columns. V (d, q), T (q, q): float64, q <= d."""

    V: np.ndarray
    T: np.ndarray

    def turn(self, X: np.ndarray) -> np.ndarray:
        """Return X Q, float32 (n, d), for X (n, d); equal rows stay equal.

        Single precision is multiplied as it is where axes are many numbers, anything else in double precision.
        """
        if X.dtype == np.float32 and self.V.size >= MANY:
            A, B = (np.ascontiguousarray(factor, np.float32) for factor in (self.V, self.T @ self.V.T))
            return X - NUMPY.product(NUMPY.product(X[:, None], A), B)[:, 0]  # type: ignore[no-any-return]
        X = X.astype(np.float64, copy=False)
        return (X - (X @ self.V) @ (self.T @ self.V.T)).astype(np.float32)

    def back(self, W: np.ndarray) -> np.ndarray:
        """Return W Q' (k, d): weights of the dimensions, of W (k, d) of what is turned; in W's type."""
        A, B = (factor.astype(W.dtype) for factor in self.factors)
        return W - (W @ A) @ B  # type: ignore[no-any-return]

    @property
    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """A (d, q) and B (q, d) with W Q' = W - W A B."""
        return self.V, self.T.T @ self.V.T


def axes_of(X: np.ndarray) -> Axes:
    """Return axes on which rows X (N, d), whose mean is about 0, are nearly uncorrelated; d >= 1.

    The same rows give the same axes; of more than `SAMPLE` rows as many are looked at, evenly spread.

    Examples
    --------
    >>> import numpy as np
    >>> from bench.heads.axes import axes_of
    >>> X = np.random.default_rng(0).normal(size=(50, 3)) * (3, 2, 1)
    >>> turned = axes_of(X).turn(X)
    >>> np.round(np.corrcoef(turned.T), 1).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    rows = np.ascontiguousarray(X[:: -(-len(X) // SAMPLE) or 1])
    return reflections(_leading(rows))


def _leading(X: np.ndarray) -> np.ndarray:
    """Return leading principal axes of rows X (N, d), nearly orthonormal columns, float64 (d, q), largest first."""
    d = X.shape[1]
    if d <= SMALL:
        X = X.astype(np.float64, copy=False)
        return np.linalg.eigh(X.T @ X)[1][:, ::-1]
    X = X.astype(np.float32, copy=False)
    Q = np.random.default_rng(0).standard_normal((d, LEADING + OVER), np.float32)
    for _ in range(ROUNDS):
        Q = np.linalg.qr(X.T @ (X @ Q))[0]
    B = (X @ Q).astype(np.float64)
    return (Q @ np.linalg.eigh(B.T @ B)[1][:, ::-1])[:, :LEADING]


def reflections(A: np.ndarray) -> Axes:
    """Return axes whose first q are those of A (d, q), q <= d, but for their signs, from its QR decomposition."""
    raw, tau = np.linalg.qr(A.astype(np.float64, copy=False), mode="raw")
    V = np.tril(raw.T, -1)[:, : len(tau)]
    V[np.arange(len(tau)), np.arange(len(tau))] = 1
    V, tau = V[:, tau != 0], tau[tau != 0]  # a reflection that does nothing
    T = np.linalg.inv(np.triu(V.T @ V, 1) + np.diag(1 / tau))
    return Axes(V=V, T=T)
