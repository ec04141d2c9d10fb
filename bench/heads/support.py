"""What the heads of one draw share: the support rows, the test rows, and the products of the two.

A `Pool` holds the rows of one split; its inner products are made once and sliced by every draw.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from bench.heads.span import Plain, Span, span_of_gram
from bench.solvers.backend import Array, backend_of
from bench.solvers.linalg import Rows, mean_row

BUDGET = 2**31  # bytes of inner products a pool may keep, enough for 13,000 rows
BLOCK = 512  # test rows whose cosines are made at a time


class Support:
    """Support rows X (n, d) and test rows X_test (n_test, d), float; their products are made when first asked for.

    gram, cross: inner products that somebody has already, (n, n) and (n_test, n). groups (n,): rows of one group
    are left out together when a head says what it is worth without them (`Head.loo`); None: each on its own. pool:
    whose axes to use. device: where heads that can do their work, "cpu" or torch's name of a GPU.
    """

    def __init__(
        self,
        X: np.ndarray,
        X_test: np.ndarray,
        gram: np.ndarray | None = None,
        cross: np.ndarray | None = None,
        groups: np.ndarray | None = None,
        pool: Pool | None = None,
        device: str = "cpu",
    ) -> None:
        self.X = X
        self.X_test = X_test
        self._given = (gram, cross)
        self._groups = groups
        self._axes_of = pool
        self.device = device

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimensions of the support, (n, d)."""
        return self.X.shape  # type: ignore[return-value]

    @cached_property
    def groups(self) -> np.ndarray:
        """Which rows are left out together: a number from 0 for every row, (n,)."""
        if self._groups is None:
            return np.arange(self.shape[0])
        return np.unique(self._groups, return_inverse=True)[1]

    @cached_property
    def gram(self) -> np.ndarray:
        """Inner products of the support, float64 (n, n), symmetric to the bit."""
        if self._given[0] is not None:
            return self._given[0].astype(np.float64, copy=False)
        X = self.X.astype(np.float64, copy=False)
        return X @ X.T

    @cached_property
    def cross(self) -> np.ndarray:
        """Inner products of test rows with support rows, float64 (n_test, n)."""
        if self._given[1] is not None:
            return self._given[1].astype(np.float64, copy=False)
        return self.X_test.astype(np.float64, copy=False) @ self.X.astype(np.float64, copy=False).T

    @cached_property
    def cosine(self) -> np.ndarray:
        """Cosines of test rows with support rows, float32 (n_test, n); 0 for a row of length 0.

        Multiplied in float64: after rounding to float32, rows that are equal have cosines that are equal.
        """
        return _cosine(self.cross, lengths(self.X_test), lengths(self.X))

    @cached_property
    def own_cosine(self) -> np.ndarray:
        """Cosines of the support with itself, float32 (n, n); 0 for a row of length 0."""
        length = np.sqrt(np.maximum(self.gram.diagonal(), 0))
        return _cosine(self.gram, length, length)

    @cached_property
    def plain(self) -> Plain:
        """The rows as coordinates, with their scatter X'X."""
        return Plain(self.X.astype(np.float64, copy=False), self.X_test.astype(np.float64, copy=False))

    @cached_property
    def span(self) -> Span:
        """Coordinates in the span of the support; directions without length (to rounding) are left out."""
        n, d = self.shape
        return self.plain.span() if n >= d else span_of_gram(self.gram, self.cross)

    @cached_property
    def turned(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and test rows on axes where the rows of the pool are uncorrelated, float32 (n, d) and (n_test, d).

        On these axes the support's rows are nearly so. They are made once for all draws, and so take a draw nothing.
        """
        axes = principal_axes(self.X) if self._axes_of is None else self._axes_of.axes
        return turn(self.X, axes), turn(self.X_test, axes)

    @cached_property
    def linear(self) -> tuple[Rows, Array]:
        """What `bench.solvers.linalg` solves linear heads with: the rows, and the test rows alike, float32 (r, n_test).

        In the span of fewer rows than dimensions, else turned; both keep every inner product. The last is the 1 of
        the intercept.
        """
        n, d = self.shape
        if n < d:
            Z, Z_test, e = self.span.Z, self.span.Z_test, self.span.e
        else:
            Z, Z_test = self.turned
            e = np.vecdot(Z.T, Z.T).astype(np.float64)
        centred = np.ones((Z.shape[1] + 1, len(Z_test)), np.float32)
        np.subtract(Z_test.T, mean_row(Z)[:, None], out=centred[:-1], casting="same_kind")
        return Rows.of(Z, e, self.device), backend_of(self.device).send(centred)


class Pool:
    """All rows X (N, d) of one split, scaled, and their inner products: made once, sliced by every draw.

    groups: (N,), see `Support`. budget: bytes; 12 N^2 are needed for the products to be kept, float64 of all pairs
    and float32 of the cosines with the test rows. Without them every draw makes its own, which needs the rows alone.
    """

    def __init__(
        self, X: np.ndarray, groups: np.ndarray | None = None, budget: int = BUDGET, device: str = "cpu"
    ) -> None:
        self.X = X
        self.groups = groups
        self.device = device
        self.keeps_products = 12 * len(X) ** 2 <= budget
        self._tested: Tested | None = None

    def support(self, rows: np.ndarray, test: np.ndarray, groups: np.ndarray | None = None) -> Support:
        """Return the draw of these support rows and test rows, both positions in the pool.

        groups (n,): of the support rows, where they are not to be the pool's.
        """
        if groups is None and self.groups is not None:
            groups = self.groups[rows]
        if self.keeps_products:
            return _Drawn(self, rows, test, groups)
        return Support(self.X[rows], self.X[test], groups=groups, pool=self, device=self.device)

    @cached_property
    def gram(self) -> np.ndarray:
        """Inner products of all pairs, float64 (N, N), symmetric to the bit."""
        X = self.X.astype(np.float64, copy=False)
        return X @ X.T

    @cached_property
    def axes(self) -> np.ndarray:
        """Orthonormal axes on which the rows are uncorrelated, float64 (d, d)."""
        return principal_axes(self.X)

    @cached_property
    def turned(self) -> np.ndarray:
        """All rows on these axes, float32 (N, d)."""
        return turn(self.X, self.axes)

    def tested(self, test: np.ndarray) -> Tested:
        """Return what all draws with these test rows share; that of the last test rows asked for is kept."""
        if self._tested is None or not np.array_equal(self._tested.rows, test):
            self._tested = Tested(self, test.copy())
        return self._tested


class Tested:
    """Test rows of a pool."""

    def __init__(self, pool: Pool, rows: np.ndarray) -> None:
        self._pool = pool
        self.rows = rows

    @cached_property
    def X(self) -> np.ndarray:
        """The rows, (n_test, d)."""
        return self._pool.X[self.rows]

    @cached_property
    def turned(self) -> np.ndarray:
        """Them on the pool's axes, float32 (n_test, d)."""
        return self._pool.turned[self.rows]

    @cached_property
    def cosine(self) -> np.ndarray:
        """Their cosines with all rows of the pool, float32 (n_test, N)."""
        gram = self._pool.gram
        length = np.sqrt(np.maximum(gram.diagonal(), 0))
        cosine = np.empty((len(self.rows), len(gram)), np.float32)
        for i in range(0, len(self.rows), BLOCK):
            block = self.rows[i : i + BLOCK]
            cosine[i : i + BLOCK] = _cosine(gram[block], length[block], length)
        return cosine


class _Drawn(Support):
    """A support whose rows and products are slices of a pool's, taken when first asked for."""

    def __init__(self, pool: Pool, rows: np.ndarray, test: np.ndarray, groups: np.ndarray | None) -> None:
        self._pool = pool
        self._rows = rows
        self._test = test
        self._groups = groups
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
    def gram(self) -> np.ndarray:
        return self._pool.gram[np.ix_(self._rows, self._rows)]

    @cached_property
    def cross(self) -> np.ndarray:
        return self._pool.gram[np.ix_(self._rows, self._test)].T  # symmetric; reads n rows

    @cached_property
    def turned(self) -> tuple[np.ndarray, np.ndarray]:
        return self._pool.turned[self._rows], self._pool.tested(self._test).turned

    @cached_property
    def cosine(self) -> np.ndarray:
        return np.take(self._pool.tested(self._test).cosine, self._rows, axis=1)


def principal_axes(X: np.ndarray) -> np.ndarray:
    """Return the eigenvectors of X'X for X (N, d), as columns, float64 (d, d)."""
    X = X.astype(np.float64, copy=False)
    return np.linalg.eigh(X.T @ X)[1]


def turn(X: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return X (N, d) on these axes, float32 (N, d); multiplied in float64, so that equal rows stay equal."""
    return (X.astype(np.float64, copy=False) @ axes).astype(np.float32)


def lengths(X: np.ndarray) -> np.ndarray:
    """Return the length of every row of X (n, d), float64 (n,)."""
    return np.sqrt(np.einsum("ij,ij->i", X, X, dtype=np.float64))


def _cosine(inner: np.ndarray, length: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return inner products (p, q) over the lengths (p,) and (q,) of their rows, float32; 0 where one is 0."""
    scaled = inner / np.where(other > 0, other, 1)
    scaled /= np.where(length > 0, length, 1)[:, None]
    return scaled.astype(np.float32)
