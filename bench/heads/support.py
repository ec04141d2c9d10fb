"""What the heads of one draw share: the support rows, the test rows, and the products of the two.

With n support rows in d dimensions, everything a linear or a distance-based head needs lies in the span of the
support. X X' = U diag(e) U' (n < d), or X'X = V diag(e) V' (n >= d); in both cases Z = X V has r = min(n, d)
orthogonal columns of squared length e, and a test row x becomes x V. Inner products with the support are kept, so
an L2-regularised optimum is found exactly in r coordinates, for every label vector and every strength.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Span:
    """Coordinates in the span of the support, float64.

    Z (n, r) and Z_test (n_test, r), r >= 1; e (r,) rising, Z'Z = diag(e).
    """

    Z: np.ndarray
    Z_test: np.ndarray
    e: np.ndarray


class Support:
    """Support rows X (n, d) and test rows X_test (n_test, d), float; their products are made when first asked for.

    gram, cross: slices of a matrix of inner products that somebody has already, (n, n) and (n_test, n).
    """

    def __init__(
        self, X: np.ndarray, X_test: np.ndarray, gram: np.ndarray | None = None, cross: np.ndarray | None = None
    ) -> None:
        self.X = X
        self.X_test = X_test
        self._gram = gram
        self._cross = cross

    @cached_property
    def gram(self) -> np.ndarray:
        """Inner products of the support, float64 (n, n), symmetric to the bit."""
        if self._gram is not None:
            return self._gram.astype(np.float64)
        X = self.X.astype(np.float64)
        return X @ X.T

    @cached_property
    def cross(self) -> np.ndarray:
        """Inner products of test rows with support rows, (n_test, n), in the type of the rows."""
        return self.X_test @ self.X.T if self._cross is None else self._cross

    @cached_property
    def cosine(self) -> np.ndarray:
        """Cosines of test rows with support rows, float64 (n_test, n); 0 for a row of length 0."""
        return self.cross / _lengths(self.X_test)[:, None] / _lengths(self.X)

    @cached_property
    def span(self) -> Span:
        """Coordinates in the span of the support; directions without length (to rounding) are left out."""
        n, d = self.X.shape
        if n < d:
            e, U = np.linalg.eigh(self.gram)
            kept = _kept(e, n)
            e, U = e[kept], U[:, kept]
            root = np.sqrt(np.where(e > 0, e, 1))  # 0 where all rows have length 0
            return Span(U * np.sqrt(e), self.cross.astype(np.float64) @ (U / root), e)
        X = self.X.astype(np.float64)
        e, V = np.linalg.eigh(X.T @ X)
        kept = _kept(e, n)
        e, V = e[kept], V[:, kept]
        return Span(X @ V, self.X_test.astype(np.float64) @ V, e)


def _kept(e: np.ndarray, n: int) -> np.ndarray:
    """Return which eigenvalues (rising) are more than rounding of the largest; that one always."""
    np.maximum(e, 0, out=e)
    kept = e > e[-1] * n * np.finfo(np.float64).eps
    kept[-1] = True
    return kept


def _lengths(X: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(X.astype(np.float64), axis=1)
    return np.where(norm > 0, norm, 1)
