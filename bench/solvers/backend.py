"""What the batched solver needs of an array library: numpy on a CPU, torch on a GPU.

The two name most things alike (`xp.add(a, b, out=c)`, `xp.exp`, `xp.amax`); here is what they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

Array = Any  # numpy.ndarray or torch.Tensor

REGISTERS = 16  # of most BLAS, a multiple of this many rows leaves no remainder that is rounded in another way
LARGE = 2**16  # numbers in a factor from which torch's products are the faster ones, its import aside
ROWS = 128  # in a call of a product that is made once
EXACT = 5  # problems, below which a call of just their rows is tried
TRIES = ((256, 6), (32, 16), (0, 64))  # numbers in a row from which a call is tried by so many rows: if one column
# alone is summed in another order, a fifth of the rows of 81 numbers do not show it, none of 300, and most of 5


@dataclass(frozen=True)
class Backend:
    """Arrays of one library on one device.

    xp: the library. matmul(A, B, out): A @ B of two matrices. together: problems in one call of a product: what keeps
    the device busy and is not often left empty, as a sweep has about four noise rates. send, fetch: an array to the
    device, and back to numpy. set_at(A, at, values): assign where `at` points in the flattened A, as `xp.take` reads.
    dots(a, b): inner products of float32 a and b (P, ...), to numpy float64 (P,). row_means: means over the last axis,
    summed in float64, to numpy. float32: of that type. room(A, shape): uninitialised, of the type and the place of A.
    """

    xp: Any
    together: int
    matmul: Callable[[Array, Array, Array], object]
    send: Callable[[np.ndarray], Array]
    fetch: Callable[[Array], np.ndarray]
    set_at: Callable[[Array, Array, Array], None]
    dots: Callable[[Array, Array], np.ndarray]
    row_means: Callable[[Array], np.ndarray]
    float32: Callable[[Array], Array]
    room: Callable[[Array, tuple[int, ...]], Array]

    def zeros(self, *shape: int) -> Array:
        """Return zeros, float32."""
        return self.send(np.zeros(shape, np.float32))

    def layout(self, K: int, r: int, c: int) -> Layout:
        """Return the shapes of calls of `product` for problems of K rows and a factor (r, c)."""
        return _layout(self, K, r, c, self.together, False)

    def product(self, A: Array, B: Array, layout: Layout | None = None) -> Array:
        """Return A @ B of A (P, K, r) and B (r, c) as (P, K, c), each problem's bits whatever P is.

        layout: that of `layout`, if it is known; else one of more rows, for a product that is made once.
        """
        (P, K, r), c = A.shape, B.shape[1]
        if layout is None:
            is_turned = isinstance(B, np.ndarray) and not B.flags.c_contiguous
            layout = _layout(self, K, r, c, max(self.together, ROWS // K), is_turned)
        out, filled = self.room(A, (P, K, c)), None
        for i in range(0, P, layout.together):
            some = A[i : i + layout.together]
            count = len(some)
            if count in layout.exact:
                self.matmul(some.reshape(count * K, r), B, out[i : i + count].reshape(count * K, c))
                continue
            if filled is None:
                filled, made = self.room(A, (layout.rows, r)), self.room(A, (layout.rows, c))
            filled[count * K :] = 0
            filled[: count * K] = some.reshape(count * K, r)
            self.matmul(filled, B, made)
            out[i : i + count] = made[: count * K].reshape(count, K, c)
        return out


class Layout(NamedTuple):
    """Problems in a call of a product at most, the rows it is filled up to, and numbers that need no filling up."""

    together: int
    rows: int
    exact: frozenset[int]


@lru_cache(maxsize=1024)
def _layout(on: Backend, K: int, r: int, c: int, together: int, is_turned: bool) -> Layout:
    """Find by trying which calls round every row alike; see `Backend.layout`.

    BLAS may round a row by its place among the others (OpenBLAS for AVX2 has two kinds of places, for AVX-512 one), and
    in calls of few rows in another way. So the largest call is taken in which equal rows come out equal wherever they
    stand, and smaller ones where they give the same.
    """
    while together > 1:
        for rows in dict.fromkeys((-(-together * K // REGISTERS) * REGISTERS, together * K)):
            counts = {count for count in (*range(1, EXACT), together) if count <= together}
            exact = _alike(on, r, c, is_turned, rows, {count * K for count in counts})
            if exact is not None:
                return Layout(together, rows, frozenset(count // K for count in exact))
        together //= 2
    return Layout(1, K, frozenset({1}))


def telling(r: int, c: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows (r,) and factors (r, c), float32, whose products tell in which order they were summed.

    In every other one the terms cancel out, which leaves their rounding; the order of two terms tells only without.
    Every column is another one each time.
    """
    rng = np.random.default_rng(0)
    half, order = r // 2, rng.permutation(r)
    B = rng.standard_normal((r, c), np.float32)
    B[half : 2 * half] = -B[:half]
    B = B[order]
    for turn in range(next(tries for least, tries in TRIES if r >= least)):
        row = rng.standard_normal(r, np.float32)
        if turn % 2:
            row[half : 2 * half], row[2 * half :] = row[:half], 0
        yield row[order], np.roll(B, turn, axis=1)


def _alike(on: Backend, r: int, c: int, is_turned: bool, rows: int, fewer: set[int]) -> set[int] | None:
    """Return which calls of fewer rows give, wherever a row stands, what one of `rows` does, if it rounds alike."""
    for row, factor in telling(r, c):
        B = on.send(np.asfortranarray(factor)) if is_turned else on.send(factor)
        A, out = on.room(B, (rows, r)), on.room(B, (rows, c))
        A[:] = on.send(row)
        on.matmul(A, B, out)
        first = on.room(B, (c,))
        first[:] = out[0]
        if not (out == first).all():
            return None
        for count in sorted(fewer - {rows}):
            on.matmul(A[:count], B, out[:count])
            if not (out[:count] == first).all():
                fewer = fewer - {count}
    return fewer


def _numpy() -> Backend:
    return Backend(
        xp=np,
        together=4,
        matmul=lambda A, B, out: np.matmul(A, B, out=out),
        send=np.asarray,
        fetch=np.asarray,
        set_at=np.put,
        dots=lambda a, b: np.vecdot(a.reshape(len(a), -1), b.reshape(len(b), -1)).astype(np.float64),
        row_means=lambda a: a.mean(-1, dtype=np.float64),
        float32=lambda a: a.astype(np.float32),
        room=lambda A, shape: np.empty(shape, A.dtype),
    )


@cache
def _torch(device: str) -> Backend:
    import torch

    return Backend(
        xp=torch,
        together=64,
        matmul=lambda A, B, out: torch.matmul(A, B, out=out),
        send=lambda a: torch.from_numpy(np.ascontiguousarray(a)).to(device),
        fetch=lambda a: a.cpu().numpy(),
        set_at=lambda A, at, values: A.put_(at, values),
        dots=lambda a, b: (a * b).flatten(1).sum(1, dtype=torch.float64).cpu().numpy(),
        row_means=lambda a: a.mean(-1, dtype=torch.float64).cpu().numpy(),
        float32=lambda a: a.float(),
        room=lambda A, shape: A.new_empty(shape),
    )


NUMPY = _numpy()


@cache
def _numpy_and_torch() -> Backend:
    import torch

    def matmul(A: np.ndarray, B: np.ndarray, out: np.ndarray) -> None:
        torch.matmul(torch.from_numpy(A), torch.from_numpy(B), out=torch.from_numpy(out))

    return replace(NUMPY, matmul=matmul)


@contextmanager
def fast_products(on: Backend, size: int) -> Iterator[Backend]:
    """Give a backend for many products by a factor of so many numbers: torch's are numpy's, half as long, on a CPU.

    On one thread and in single precision, whatever the process has set, which is restored.
    """
    if on is not NUMPY or size < LARGE:
        yield on
        return
    import torch

    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    try:
        yield _numpy_and_torch()
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)


def backend_of(what: Array | str) -> Backend:
    """Return the backend of an array, or of a device: "cpu" is numpy, anything else torch's name of it."""
    if isinstance(what, np.ndarray) or what == "cpu":
        return NUMPY
    return _torch(what if isinstance(what, str) else str(what.device))
