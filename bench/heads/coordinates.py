"""Coordinates of a support in which linear heads are solved at once for every label vector and strength.

X X' = U diag(e) U' (n < d), or X'X = V diag(e) V' (n >= d); in both cases Z = X V has r = min(n, d) orthogonal columns
of squared length e, and a test row x becomes x V. Inner products with the support are kept, so an L2-regularised
optimum is found exactly in r coordinates. Where (X'X + s I)^-1 is all that is asked for, no V is needed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property, lru_cache, reduce
from typing import NamedTuple

import numpy as np

from bench.solvers.backend import NUMPY, ROWS, fast_products
from bench.solvers.calls import Apply, Layout, find_layout, in_calls, telling_triangle

# Systems of SINGLE_FROM rows or more are solved in single precision where the matrix's norm is SINGLE[0] to SINGLE[1]
# times the shift. What is solved is then a matrix at a relative distance of some 2^-24 (Higham, Accuracy and Stability
# of Numerical Algorithms, 2002, section 10.1), and what ridge regression minimises grows by a share of about
# (2^-24 norm / shift)^2: 3e-6 at the end of the range; measured, 1e-8. NORMS keep far from the ends of the type.
SINGLE = (0.1, 3e4)
SINGLE_FROM = 128
NORMS = (1e-20, 1e20)


class Solutions(NamedTuple):
    """C (A + s I)^-1 float64 (L, c, r) for L shifts s, and which of them are in single precision, (L,)."""

    of_rows: np.ndarray
    single: np.ndarray


def product(A: np.ndarray, B: np.ndarray, size: int = 0, dtype: type = np.float64) -> np.ndarray:
    """Return A (p, q) @ B (q, c), each column contiguous and bitwise independent of the other columns of B.

    size: the numbers of the support, by which the library is chosen. dtype: of the terms and the product.
    """
    rows: np.ndarray = np.ascontiguousarray(B.T, dtype)
    with fast_products(NUMPY, size) as on:
        return on.product(rows[:, None], A.astype(dtype, copy=False).T)[:, 0].T


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


def solve_shifted(
    A: np.ndarray, shifts: np.ndarray, first: np.ndarray, B: np.ndarray, exact: bool = False
) -> Solutions:
    """Return C (A + s I)^-1, where C has the row `first` (r,) and those of B (c, r), for all s of shifts.

    A (r, r) is symmetric, not negative. By one Cholesky factor a shift: ten of them take no longer than eigenvectors.
    s is floored at eps * trace(A); below that the system is numerically singular. A row of C is bitwise independent of
    the others and of the other shifts. In single precision where that is half as long and enough, unless `exact`: see
    `SINGLE`.
    """
    from scipy.linalg import get_lapack_funcs

    least = len(A) * float(np.finfo(np.float64).eps) * max(float(np.trace(A)), 1e-300)
    single = _in_single(A, shifts) & (not exact)
    C = np.concatenate([first[None], B])
    out, diagonal = np.empty((len(shifts), *C.shape)), A.diagonal()
    with fast_products(NUMPY, A.size) as on:
        solve = _solve_by_lapack if on is NUMPY else _solve_by_torch
        for dtype, chosen in ((np.float32, single), (np.float64, ~single)):
            if not chosen.any():
                continue
            factorise = get_lapack_funcs("potrf", dtype=dtype)
            shifted, rows, layout = A.astype(dtype), C.astype(dtype, copy=False), _layout(solve, len(A), dtype)
            for at in np.flatnonzero(chosen):
                np.fill_diagonal(shifted, diagonal + max(shifts[at], least))
                factor, _ = factorise(shifted.T, lower=1, clean=0)
                out[at] = in_calls(solve, rows, factor, layout)
    return Solutions(out, single)


def _in_single(A: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Return for which shifts single precision is enough, (L,); see `SINGLE`."""
    norm = np.linalg.norm(A) if len(A) >= SINGLE_FROM else 0
    is_usual = NORMS[0] < norm < NORMS[1]
    return is_usual & (norm >= SINGLE[0] * shifts) & (norm <= SINGLE[1] * shifts)


def _solve_by_lapack(C: np.ndarray, factor: np.ndarray, out: np.ndarray) -> None:
    """Set out to C (L L')^-1, all (n, r) but the lower factor L (r, r)."""
    from scipy.linalg import get_lapack_funcs

    out[:] = get_lapack_funcs("potrs", (factor,))(factor, C.T, lower=1)[0].T


def _solve_by_torch(C: np.ndarray, factor: np.ndarray, out: np.ndarray) -> None:
    """Do the same in half the time, where there are many numbers."""
    import torch

    solve, L, done = torch.linalg.solve_triangular, torch.from_numpy(factor), torch.from_numpy(out)
    solve(L.mT, torch.from_numpy(C), upper=True, left=False, out=done)
    solve(L, done, upper=False, left=False, out=done)


@lru_cache(maxsize=256)
def _layout(solve: Apply, r: int, dtype: type) -> Layout:
    def trials() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for row, L in telling_triangle(r):
            yield row.astype(dtype), np.asfortranarray(L, dtype)

    return find_layout(solve, trials, 1, ROWS)


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
