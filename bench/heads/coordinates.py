"""Coordinates of a support in which linear heads are solved at once for every label vector and strength.

X X' = U diag(e) U' (n < d), or X'X = V diag(e) V' (n >= d); in both cases Z = X V has r = min(n, d) orthogonal columns
of squared length e, and a test row x becomes x V. Inner products with the support are kept, so an L2-regularised
optimum is found exactly in r coordinates. Where (X'X + s I)^-1 is all that is asked for, no V is needed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property, reduce

import numpy as np

from bench.products import Solutions, product, solve_shifted


class Coordinates(ABC):
    """Coordinates of the support Z (n, r) and of the test rows Z_test (n_test, r), float64, r >= 1.

    They come as one to three factors to be multiplied; the methods go through the factors, which for a few columns is
    cheaper than Z itself.
    """

    def __init__(self, factors: tuple[np.ndarray, ...], test_factors: tuple[np.ndarray, ...]) -> None:
        self._factors = factors
        self._test_factors = test_factors
        self._size = len(factors[0]) * factors[-1].shape[1]

    @cached_property
    def Z(self) -> np.ndarray:
        """Coordinates of the support, (n, r)."""
        return reduce(np.matmul, self._factors)

    @cached_property
    def Z_test(self) -> np.ndarray:
        """Coordinates of the test rows, (n_test, r)."""
        return reduce(np.matmul, self._test_factors)

    def project(self, T: np.ndarray) -> np.ndarray:
        """Return Z' T (r, c) of T (n, c), each column bitwise independent of the others."""
        return reduce(lambda done, factor: product(factor.T, done, self._size), self._factors, T)

    def total(self) -> np.ndarray:
        """Return Z' 1, the sum of the coordinates of all rows, (r,)."""
        return reduce(lambda done, factor: factor.T @ done, self._factors, np.ones(len(self._factors[0])))

    def at_support(self, W: np.ndarray) -> np.ndarray:
        """Return Z W (n, c) of W (r, c), each column bitwise independent of the others."""
        return reduce(lambda done, factor: product(factor, done, self._size), reversed(self._factors), W)

    def at_test(self, W: np.ndarray) -> np.ndarray:
        """Return Z_test W (n_test, c) of W (r, c), each column bitwise independent of the others."""
        return reduce(lambda done, factor: product(factor, done, self._size), reversed(self._test_factors), W)

    def in_dimensions(self, W: np.ndarray) -> np.ndarray:
        """Return weights of the dimensions (d, c) that score rows as W (r, c) scores their coordinates."""
        return reduce(lambda done, factor: product(factor, done, self._size), reversed(self._test_factors[1:]), W)

    @abstractmethod
    def solve(self, shifts: np.ndarray, first: np.ndarray, B: np.ndarray, exact: bool = False) -> Solutions:
        """Return C (Z'Z + s I)^-1 for all s > 0; see `solve_shifted`."""


class Span(Coordinates):
    """Orthogonal coordinates in the span of the support: Z'Z = diag(e), e (r,) rising."""

    def __init__(self, e: np.ndarray, factors: tuple[np.ndarray, ...], test_factors: tuple[np.ndarray, ...]) -> None:
        super().__init__(factors, test_factors)
        self.e = e

    @property
    def dual(self) -> np.ndarray:
        """What makes coordinates W (r, c) weights of the support rows, X' dual W of the dimensions; (n, r), n < d."""
        return self._test_factors[-1]

    def solve(self, shifts: np.ndarray, first: np.ndarray, B: np.ndarray, exact: bool = False) -> Solutions:
        """Return C (Z'Z + s I)^-1; see `Coordinates`."""
        C = np.concatenate([first[None], B])
        return Solutions(C * (1 / (self.e + shifts[:, None]))[:, None], np.zeros(len(shifts), bool))


class Plain(Coordinates):
    """The rows themselves, X (n, d) and X_test: Z = X, of scatter X'X (d, d)."""

    def __init__(self, X: np.ndarray, X_test: np.ndarray) -> None:
        super().__init__((X,), (X_test,))
        self.scatter = X.T @ X

    def solve(self, shifts: np.ndarray, first: np.ndarray, B: np.ndarray, exact: bool = False) -> Solutions:
        """Return C (X'X + s I)^-1; see `Coordinates`."""
        return solve_shifted(self.scatter, shifts, first, B, exact)

    def span(self) -> Span:
        """Return the orthogonal coordinates of the same support."""
        (X,), (X_test,) = self._factors, self._test_factors
        e, V = _kept(*np.linalg.eigh(self.scatter), len(X))
        return Span(e, (X, V), (X_test, V))


def span_of_gram(gram: np.ndarray, X: np.ndarray, X_test: np.ndarray) -> Span:
    """Return the span of support rows X (n, d), of inner products gram (n, n), and of test rows X_test (n_test, d)."""
    e, U = _kept(*np.linalg.eigh(gram), len(gram))
    root = np.sqrt(np.where(e > 0, e, 1))  # e is 0 where all rows have length 0
    return Span(e, (U * np.sqrt(e),), (X_test, X.T, U / root))


def _kept(e: np.ndarray, vectors: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues (rising) that are more than rounding of the largest; that one always."""
    e = np.maximum(e, 0)
    kept = e > e[-1] * n * np.finfo(np.float64).eps
    kept[-1] = True
    return e[kept], vectors[:, kept]
