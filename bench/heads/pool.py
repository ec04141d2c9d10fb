"""The rows of one split, and what its draws share: made once, sliced by every draw."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from bench.heads.axes import Axes, axes_of
from bench.heads.support import Support
from bench.products import Array, backend_of, products, unit_rows

BUDGET = 2**31  # bytes of cosines a pool may keep, enough for 23,000 rows
SMALL_SHARE = 16  # a draw of less than one in so many of the pool's rows makes its cosines itself


def keeps_products(N: int, budget: int = BUDGET) -> bool:
    """Return whether the cosines of N rows with each other are few enough to be kept."""
    return budget >= 4 * N**2


class Pool:
    """All rows X (N, d) of one split, scaled and so centred, and what its draws share: made once, sliced by every draw.

    groups: (N,), see `Support`. budget: bytes; 4 N^2 are needed for the cosines with the test rows to be kept. Without
    them every draw makes its own. axes: gives those that rows are turned to; None: the pool's own. is_unit: see
    `Support`.
    """

    def __init__(
        self,
        X: np.ndarray,
        groups: np.ndarray | None = None,
        budget: int = BUDGET,
        device: str = "cpu",
        axes: Callable[[], Axes] | None = None,
        *,
        is_unit: bool = False,
    ) -> None:
        self.X = X
        self.is_unit = is_unit
        self._axes = axes
        self.groups = groups
        self.device = device
        self.keeps_products = keeps_products(len(X), budget)
        self._tested: TestRows | None = None

    def support(self, rows: np.ndarray, test: np.ndarray, groups: np.ndarray | None = None) -> Support:
        """Return the draw of these support rows and test rows, both positions in the pool.

        groups (n,): of the support rows, where they are not to be the pool's.
        """
        if groups is None and self.groups is not None:
            groups = self.groups[rows]
        if self.keeps_products:
            return _Drawn(self, rows, test, groups)
        return Support(
            self.X[rows], self.X[test], groups, lambda: self.axes, is_centred=True, device=self.device,
            is_unit=self.is_unit,
        )  # fmt: skip

    @cached_property
    def axes(self) -> Axes:
        """Axes on which the rows are nearly uncorrelated."""
        return axes_of(self.X) if self._axes is None else self._axes()

    @cached_property
    def unit(self) -> np.ndarray:
        """All rows at length 1, float32 (N, d)."""
        return self.X.astype(np.float32, copy=False) if self.is_unit else unit_rows(self.X)

    def tested(self, test: np.ndarray) -> TestRows:
        """Return what all draws with these test rows share; that of the last test rows asked for is kept."""
        if self._tested is None or not np.array_equal(self._tested.rows, test):
            self._tested = TestRows(self, test.copy())
        return self._tested


class TestRows:
    """Test rows of a pool."""

    def __init__(self, pool: Pool, rows: np.ndarray) -> None:
        self._pool = pool
        self.rows = rows

    @cached_property
    def X(self) -> np.ndarray:
        """The rows, (n_test, d)."""
        return self._pool.X[self.rows]

    @cached_property
    def weighed(self) -> Array:
        """Them, float32 (d, n_test) on the device; see `Support.tested`."""
        return backend_of(self._pool.device).send(self.X.astype(np.float32, copy=False).T)

    @cached_property
    def unit(self) -> np.ndarray:
        """Them at length 1, float32 (n_test, d)."""
        return self._pool.unit[self.rows]

    @cached_property
    def cosine(self) -> np.ndarray:
        """Their cosines with all rows of the pool, float32 (n_test, N)."""
        return products(self.unit, self._pool.unit)


class _Drawn(Support):
    """A support whose rows and products are slices of a pool's, taken when first asked for."""

    def __init__(self, pool: Pool, rows: np.ndarray, test: np.ndarray, groups: np.ndarray | None) -> None:
        self._pool = pool
        self._rows = rows
        self._test = test
        self._groups = groups
        self._is_centred = True
        self._is_unit = pool.is_unit
        self.device = pool.device

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._rows), self._pool.X.shape[1]

    @cached_property
    def X(self) -> np.ndarray:  # type: ignore[override]
        return self._pool.X[self._rows]

    @cached_property
    def X_test(self) -> np.ndarray:  # type: ignore[override]
        return self._pool.tested(self._test).X

    @cached_property
    def axes(self) -> Axes:
        return self._pool.axes

    @cached_property
    def tested(self) -> Array:
        return self._pool.tested(self._test).weighed

    @cached_property
    def unit(self) -> tuple[np.ndarray, np.ndarray]:
        return self._pool.unit[self._rows], self._pool.tested(self._test).unit

    @cached_property
    def cosine(self) -> np.ndarray:
        if SMALL_SHARE * len(self._rows) < len(self._pool.X):
            return super().cosine
        return np.take(self._pool.tested(self._test).cosine, self._rows, axis=1)
