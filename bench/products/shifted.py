"""Symmetric systems at several shifts: a row of the solution is bitwise independent of the others and of the shifts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from bench.products.backend import NUMPY, ROWS, fast_products
from bench.products.calls import Apply, Layout, find_layout, in_calls, telling_triangle

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
