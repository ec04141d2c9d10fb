"""What the batched solver needs of an array library: numpy on a CPU, torch on a GPU.

The two name most things alike (`xp.add(a, b, out=c)`, `xp.exp`, `xp.amax`); here is what they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

import numpy as np

from bench.products.calls import Array, Layout, find_layout, in_calls, telling

LARGE = 2**16  # numbers of the rows learned from, from which torch's products are worth its import
TILED = 2**16  # numbers of a factor, from which compiled products are worth theirs
ROWS = 128  # in a call of a product that is made once
# Columns of a factor at a time: what tells how a call rounds is as large as the factor. It is fixed, as a part may be
# rounded in another way than the whole.
WIDE = 2**15


@dataclass(frozen=True)
class Backend:
    """Arrays of one library on one device.

    xp: the library. matmul(A, B, out): A @ B of two matrices. together: problems in one call of a product: enough
    to fill the device, few enough to avoid padding, as a sweep has about four noise rates. send, fetch: an array to the
    device, and back to numpy. set_at(A, at, values): assign where `at` points in the flattened A, as `xp.take` reads.
    dots(a, b): inner products of float32 a and b (P, ...), to numpy float64 (P,). row_means: means over the last axis,
    summed in float64, to numpy. float32: of that type.
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

    def zeros(self, *shape: int) -> Array:
        """Return zeros, float32."""
        return self.send(np.zeros(shape, np.float32))

    def layout(self, K: int, r: int, c: int) -> Layout:
        """Return the calls of `product` for problems of K rows and a factor (r, c), float32."""
        return _layout(self, K, r, c, self.together, False, np.float32)

    def product(self, A: Array, B: Array, layout: Layout | None = None) -> Array:
        """Return A @ B of A (P, K, r) and B (r, c) as (P, K, c), each problem's bits whatever P is.

        layout: that of `layout`, if it is known; else one of more rows, for a product that is made once. With a large
        factor in single precision it is made by `bench.loops.tiles` on a CPU.
        """
        (P, K, r), c = A.shape, B.shape[1]
        is_numpy = isinstance(B, np.ndarray)
        if layout is None and is_numpy and c > WIDE:
            return self._wide_product(A, B)
        if layout is None and is_numpy and A.dtype == B.dtype == np.float32 and r * c >= TILED:
            return _in_tiles(A.reshape(P * K, r), B).reshape(P, K, c)
        if layout is None:
            dtype = A.dtype.type if is_numpy else np.float32
            layout = _layout(self, K, r, c, max(self.together, ROWS // K), is_numpy and not B.flags.c_contiguous, dtype)
        return in_calls(self.matmul, A.reshape(P * K, r), B, layout).reshape(P, K, c)

    def _wide_product(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        """Return `product` of a factor of many columns, some of them at a time."""
        out = np.empty((*A.shape[:2], B.shape[1]), A.dtype)
        for j in range(0, B.shape[1], WIDE):
            some = B[:, j : j + WIDE]
            out[..., j : j + WIDE] = self.product(A, np.ascontiguousarray(some) if B.flags.c_contiguous else some)
        return out


def _in_tiles(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    from bench.loops.tiles import multiply_panels, panels_of, panels_of_rows

    panels = panels_of_rows(B.T) if B.T.flags.c_contiguous else panels_of(np.ascontiguousarray(B))
    out = np.empty((len(A), B.shape[1]), np.float32)
    multiply_panels(np.ascontiguousarray(A), panels, out)
    return out


@lru_cache(maxsize=1024)
def _layout(on: Backend, K: int, r: int, c: int, together: int, is_turned: bool, dtype: type) -> Layout:
    def trials() -> Iterator[tuple[Array, Array]]:
        for row, factor in telling(r, c, dtype):
            yield on.send(row), np.asfortranarray(factor) if is_turned else on.send(factor)

    return find_layout(on.matmul, trials, K, together)


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
    )


NUMPY = _numpy()


@cache
def _numpy_and_torch() -> Backend:
    import torch

    def matmul(A: np.ndarray, B: np.ndarray, out: np.ndarray) -> None:
        torch.matmul(torch.from_numpy(A), torch.from_numpy(B), out=torch.from_numpy(out))

    return replace(NUMPY, matmul=matmul)


@cache
def _thread_pools() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let numpy's products take one thread: with several, a row may be rounded by where it was split off."""
    with _thread_pools().limit(limits=1):
        yield


@contextmanager
def fast_products(on: Backend, size: int) -> Iterator[Backend]:
    """Give a backend for the products of rows of so many numbers: on a CPU torch's, half as long, of numpy's arrays.

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
