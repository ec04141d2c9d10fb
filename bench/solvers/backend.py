"""What the batched solver needs of an array library: numpy on a CPU, torch on a GPU.

The two name most things alike (`xp.add(a, b, out=c)`, `xp.exp`, `xp.amax`); here is what they do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

Array = Any  # numpy.ndarray or torch.Tensor

REGISTERS = 16  # of most BLAS, a multiple of this many rows leaves no remainder that is rounded in another way
FEW = 4096  # numbers in a factor below which one row may come out alike by chance


@dataclass(frozen=True)
class Backend:
    """Arrays of one library on one device.

    xp: the library. together: problems in one call of a matrix product: what keeps the device busy and is not often
    left empty, as a sweep has about four noise rates. send, fetch: an array to the device, and back to numpy.
    set_at(A, at, values): assign where `at` points in the flattened A, as `xp.take` reads. dots(a, b): inner products
    of float32 a and b (P, ...), to numpy float64 (P,). row_means: means over the last axis, summed in float64, to
    numpy. float32, float64: of another type. room(A, shape): uninitialised, of the type and the place of A.
    """

    xp: Any
    together: int
    send: Callable[[np.ndarray], Array]
    fetch: Callable[[Array], np.ndarray]
    set_at: Callable[[Array, Array, Array], None]
    dots: Callable[[Array, Array], np.ndarray]
    row_means: Callable[[Array], np.ndarray]
    float32: Callable[[Array], Array]
    float64: Callable[[Array], Array]
    room: Callable[[Array, tuple[int, ...]], Array]

    def zeros(self, *shape: int) -> Array:
        """Return zeros, float32."""
        return self.send(np.zeros(shape, np.float32))

    def layout(self, K: int, B: Array) -> tuple[int, int]:
        """Return how many problems of K rows share a call of `product` by B (r, c), and the rows of the call.

        BLAS may round a row by its place among the others (OpenBLAS for AVX2 has two kinds of places, for AVX-512 one).
        So the largest call is taken in which equal rows come out equal wherever they stand, as it is found by trying.
        """
        together = self.together
        while together > 1:
            for rows in dict.fromkeys((-(-together * K // REGISTERS) * REGISTERS, together * K)):
                if self._alike_in_every_place(rows, B):
                    return together, rows
            together //= 2
        return 1, K

    def _alike_in_every_place(self, rows: int, B: Array) -> bool:
        r, c = B.shape
        for seed in range(1 if r * c > FEW else 8):
            A = self.room(B, (rows, r))
            A[:] = self.send(np.random.default_rng(seed).standard_normal(r, np.float32))
            out = self.xp.matmul(A, B)
            if not (out == out[:1]).all():
                return False
        return True

    def product(self, A: Array, B: Array, layout: tuple[int, int] | None = None) -> Array:
        """Return A @ B for A (P, K, r) and B (r, c) as (P, K, c), each problem's bits whatever P is.

        The rows are cut into calls of one shape, filled up with zeros. layout: that of `layout`, if it is known.
        """
        (P, K, r), c = A.shape, B.shape[1]
        together, rows = layout or self.layout(K, B)
        calls = -(-P // together)
        if P % together == 0 and together * K == rows:
            filled = A.reshape(calls, rows, r)
        else:
            filled, whole = self.room(A, (calls, rows, r)), P // together
            filled[:] = 0
            filled[:whole, : together * K] = A[: whole * together].reshape(whole, together * K, r)
            if whole < calls:
                filled[whole, : (P - whole * together) * K] = A[whole * together :].reshape(-1, r)
        out = self.room(A, (calls, rows, c))
        for one, place in zip(filled, out, strict=True):
            self.xp.matmul(one, B, out=place)
        return out[:, : together * K].reshape(-1, K, c)[:P]


def _numpy() -> Backend:
    return Backend(
        xp=np,
        together=4,
        send=np.asarray,
        fetch=np.asarray,
        set_at=np.put,
        dots=lambda a, b: np.vecdot(a.reshape(len(a), -1), b.reshape(len(b), -1)).astype(np.float64),
        row_means=lambda a: a.mean(-1, dtype=np.float64),
        float32=lambda a: a.astype(np.float32),
        float64=lambda a: a.astype(np.float64),
        room=lambda A, shape: np.empty(shape, A.dtype),
    )


@cache
def _torch(device: str) -> Backend:
    import torch

    return Backend(
        xp=torch,
        together=64,
        send=lambda a: torch.from_numpy(np.ascontiguousarray(a)).to(device),
        fetch=lambda a: a.cpu().numpy(),
        set_at=lambda A, at, values: A.put_(at, values),
        dots=lambda a, b: (a * b).flatten(1).sum(1, dtype=torch.float64).cpu().numpy(),
        row_means=lambda a: a.mean(-1, dtype=torch.float64).cpu().numpy(),
        float32=lambda a: a.float(),
        float64=lambda a: a.double(),
        room=lambda A, shape: A.new_empty(shape),
    )


NUMPY = _numpy()


def backend_of(what: Array | str) -> Backend:
    """Return the backend of an array, or of a device: "cpu" is numpy, anything else torch's name of it."""
    if isinstance(what, np.ndarray) or what == "cpu":
        return NUMPY
    return _torch(what if isinstance(what, str) else str(what.device))
