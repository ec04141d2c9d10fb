"""Calls of BLAS that round a row alike whatever the other rows are: which sizes do is found by trying.

A library may round a row by its place among the others (OpenBLAS for AVX2 has two kinds of places, for AVX-512 one), in
calls of few rows in another way, and in the last columns of a factor in a third. So the largest call is taken in which
equal rows come out equal wherever they stand, and smaller ones where they give the same; rows that fit none of them are
filled up with zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

Array = Any  # numpy.ndarray or torch.Tensor
Apply = Callable[[Array, Array, Array], object]  # rows (n, r), a factor and out (n, c), which is set

REGISTERS = 16  # of most BLAS, a multiple of this many rows leaves no remainder that is rounded in another way
FILLED = (1, 2, 3, 4, 6)  # times as many rows, which calls are filled up to
EXACT = 5  # problems, below which a call of just their rows is tried
# Numbers in a row from which a call is tried by so many rows: if one column alone is summed in another order, a fifth
# of the rows of 81 numbers do not show it, few of 300, and most of 5.
TRIES = ((1024, 6), (256, 12), (32, 24), (0, 64))


class Layout(NamedTuple):
    """Rows in a call at most, and the sizes of calls, rising, the last of which holds them."""

    most: int
    sizes: tuple[int, ...]


def find_layout(apply: Apply, trials: Callable[[], Iterable[tuple[Array, Array]]], K: int, together: int) -> Layout:
    """Return calls for rows that come K at a time, of `together` times as many at most.

    trials: gives rows (1, r) and factors that tell how they are rounded; see `telling`.
    """
    while together > 1:
        most = together * K
        problems = {count * K for count in range(1, min(EXACT, together))}
        fewer = problems | {REGISTERS * j for j in FILLED} | {most}
        for size in dict.fromkeys((-(-most // REGISTERS) * REGISTERS, most)):
            alike = _alike(apply, trials(), size, {rows for rows in fewer if rows < size})
            if alike is not None:
                return Layout(most, tuple(sorted(alike | {size})))
        together //= 2
    return Layout(K, (K,))


def _alike(apply: Apply, trials: Iterable[tuple[Array, Array]], size: int, fewer: set[int]) -> set[int] | None:
    """Return which calls of fewer rows give, wherever a row stands, what one of `size` does, if that rounds alike."""
    for row, factor in trials:
        A = np.tile(row, (size, 1)) if isinstance(row, np.ndarray) else row.tile(size, 1)
        out = _apply_to(apply, A, factor)
        if not (out == out[:1]).all():
            return None
        fewer = {rows for rows in fewer if (_apply_to(apply, A[:rows], factor) == out[:1]).all()}
    return fewer


def _apply_to(apply: Apply, A: Array, factor: Array) -> Array:
    """Return what is made of all rows in one call, in a new array."""
    out = _empty(A, (len(A), factor.shape[1]))
    apply(A, factor, out)
    return out


def _empty(A: Array, shape: tuple[int, ...]) -> Array:
    """Return an array of the library, the type and the place of A, uninitialised."""
    return np.empty(shape, A.dtype) if isinstance(A, np.ndarray) else A.new_empty(shape)


def in_calls(apply: Apply, A: Array, factor: Array, layout: Layout) -> Array:
    """Return what is made of rows A (n, r), contiguous, by the factor (r, c): (n, c), a row's bits whatever n is."""
    n, r = A.shape
    out = _empty(A, (n, factor.shape[1]))
    for start in range(0, n, layout.most):
        some, place = A[start : start + layout.most], out[start : start + layout.most]
        size = next(size for size in layout.sizes if size >= len(some))
        if size == len(some):
            apply(some, factor, place)
            continue
        filled = _empty(A, (size, r))
        filled[: len(some)], filled[len(some) :] = some, 0
        place[:] = _apply_to(apply, filled, factor)[: len(some)]
    return out


def telling(r: int, c: int, dtype: type = np.float32) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows (1, r) and factors (r, c) whose products tell in which order they were summed.

    In every other one the terms cancel out, which leaves their rounding; the order of two terms tells only without.
    Every column is another one each time.
    """
    rng = np.random.default_rng(0)
    half, order = r // 2, rng.permutation(r)
    B = rng.standard_normal((r, c), dtype)
    B[half : 2 * half] = -B[:half]
    B = B[order]
    for at in range(_tries(r)):
        row = rng.standard_normal(r, dtype)
        if at % 2:
            row[half : 2 * half], row[2 * half :] = row[:half], 0
        yield row[None, order], np.roll(B, at, axis=1)


def telling_triangle(r: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows (1, r) and lower triangles (r, r), which do not let numbers grow, float64."""
    rng = np.random.default_rng(0)
    L = np.tril(rng.standard_normal((r, r)) / np.sqrt(r), -1) + np.eye(r)
    for _ in range(_tries(r)):
        yield rng.standard_normal((1, r)), L


def _tries(r: int) -> int:
    return next(tries for least, tries in TRIES if r >= least)
