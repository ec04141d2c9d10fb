"""What the heads of one draw share: the support rows, the test rows, and the products of the two.

With n support rows in d dimensions, everything a linear or a distance-based head needs lies in the span of the
support. X X' = U diag(e) U' (n < d), or X'X = V diag(e) V' (n >= d); in both cases Z = X V has r = min(n, d)
orthogonal columns of squared length e, and a test row x becomes x V. Inner products with the support are kept, so
an L2-regularised optimum is found exactly in r coordinates, for every label vector and every strength.

A `Pool` holds the rows of one split; its inner products are made once and sliced by every draw.
"""

from __future__ import annotations

from functools import cached_property, reduce

import numpy as np

BUDGET = 2**31  # bytes of inner products a pool may keep, enough for 13,000 rows
BLOCK = 2048  # rows of the pool multiplied at a time
TILE = 32  # columns of a right-hand side multiplied at a time


def product(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return A (p, q) @ B (q, c), float64.

    Every call of BLAS is of one shape, (p, q) @ (q, TILE), because a product of another width may round a column
    differently: so a column of the answer is the same to the bit whatever the other columns of B are.
    """
    q, c = B.shape
    tiles = -(-c // TILE)
    padded = np.zeros((q, tiles * TILE))
    padded[:, :c] = B
    done = A.astype(np.float64, copy=False) @ np.ascontiguousarray(padded.reshape(q, tiles, TILE).swapaxes(0, 1))
    return done.swapaxes(0, 1).reshape(len(A), -1)[:, :c]


class Span:
    """Coordinates in the span of the support, float64: Z (n, r), Z_test (n_test, r), r >= 1.

    e (r,) rising, Z'Z = diag(e). Z and Z_test come as one or two factors to be multiplied; the methods go through
    the factors, which for a few columns is cheaper than Z itself.
    """

    def __init__(self, e: np.ndarray, factors: tuple[np.ndarray, ...], test_factors: tuple[np.ndarray, ...]) -> None:
        self.e = e
        self._factors = factors
        self._test_factors = test_factors

    @cached_property
    def Z(self) -> np.ndarray:
        """Coordinates of the support, (n, r)."""
        return reduce(np.matmul, self._factors)

    @cached_property
    def Z_test(self) -> np.ndarray:
        """Coordinates of the test rows, (n_test, r)."""
        return reduce(np.matmul, self._test_factors)

    def project(self, T: np.ndarray) -> np.ndarray:
        """Return Z' T (r, c) of T (n, c), each column alike to the bit whatever the others."""
        return reduce(lambda done, factor: product(factor.T, done), self._factors, T)

    def at_support(self, W: np.ndarray) -> np.ndarray:
        """Return Z W (n, c) of W (r, c), each column alike to the bit whatever the others."""
        return reduce(lambda done, factor: product(factor, done), reversed(self._factors), W)

    def at_test(self, W: np.ndarray) -> np.ndarray:
        """Return Z_test W (n_test, c) of W (r, c), each column alike to the bit whatever the others."""
        return reduce(lambda done, factor: product(factor, done), reversed(self._test_factors), W)


class Support:
    """Support rows X (n, d) and test rows X_test (n_test, d), float; their products are made when first asked for.

    gram, cross: inner products that somebody has already, (n, n) and (n_test, n). groups (n,): rows of one group
    are left out together when a head says what it is worth without them (`Head.loo`); None: each on its own.
    """

    def __init__(
        self,
        X: np.ndarray,
        X_test: np.ndarray,
        gram: np.ndarray | None = None,
        cross: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> None:
        self.X = X
        self.X_test = X_test
        self._given = (gram, cross)
        self._groups = groups

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
    def span(self) -> Span:
        """Coordinates in the span of the support; directions without length (to rounding) are left out."""
        n, d = self.shape
        if n < d:
            e, U = np.linalg.eigh(self.gram)
            kept = _kept(e, n)
            e, U = e[kept], U[:, kept]
            root = np.sqrt(np.where(e > 0, e, 1))  # e is 0 where all rows have length 0
            return Span(e, (U * np.sqrt(e),), (self.cross, U / root))
        X = self.X.astype(np.float64, copy=False)
        e, V = np.linalg.eigh(X.T @ X)
        kept = _kept(e, n)
        V = V[:, kept]
        return Span(e[kept], (X, V), (self.X_test.astype(np.float64, copy=False), V))


class Pool:
    """All rows X (N, d) of one split, scaled, and their inner products: made once, sliced by every draw.

    groups: (N,), see `Support`. budget: bytes; 12 N^2 are needed for the products to be kept, float64 of all pairs
    and float32 of the cosines with the test rows. Without them every draw makes its own, which needs the rows alone.
    """

    def __init__(self, X: np.ndarray, groups: np.ndarray | None = None, budget: int = BUDGET) -> None:
        self.X = X
        self.groups = groups
        self.keeps_products = 12 * len(X) ** 2 <= budget
        self._tested: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def support(self, rows: np.ndarray, test: np.ndarray) -> Support:
        """Return the draw of these support rows and test rows, both positions in the pool."""
        groups = None if self.groups is None else self.groups[rows]
        if self.keeps_products:
            return _Drawn(self, rows, test, groups)
        return Support(self.X[rows], self.X[test], groups=groups)

    @cached_property
    def gram(self) -> np.ndarray:
        """Inner products of all pairs, float64 (N, N), symmetric to the bit."""
        N = len(self.X)
        gram = np.empty((N, N))
        blocks = [slice(i, min(i + BLOCK, N)) for i in range(0, N, BLOCK)]
        for i, a in enumerate(blocks):
            A = self.X[a].astype(np.float64, copy=False)
            gram[a, a] = A @ A.T
            for b in blocks[:i]:
                gram[a, b] = A @ self.X[b].astype(np.float64, copy=False).T
                gram[b, a] = gram[a, b].T
        return gram

    def tested(self, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the test rows (n_test, d) and their cosines with all rows, float32 (n_test, N); the last are kept."""
        if self._tested is None or not np.array_equal(self._tested[0], test):
            length = np.sqrt(np.maximum(self.gram.diagonal(), 0))
            cosine = np.empty((len(test), len(self.X)), np.float32)
            for i in range(0, len(test), BLOCK):
                block = test[i : i + BLOCK]
                cosine[i : i + BLOCK] = _cosine(self.gram[block], length[block], length)
            self._tested = (test.copy(), self.X[test], cosine)
        return self._tested[1:]


class _Drawn(Support):
    """A support whose rows and products are slices of a pool's, taken when first asked for."""

    def __init__(self, pool: Pool, rows: np.ndarray, test: np.ndarray, groups: np.ndarray | None) -> None:
        self._pool = pool
        self._rows = rows
        self._test = test
        self._groups = groups

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._rows), self._pool.X.shape[1]

    @cached_property
    def X(self) -> np.ndarray:  # type: ignore[override]
        return self._pool.X[self._rows]

    @cached_property
    def X_test(self) -> np.ndarray:  # type: ignore[override]
        return self._pool.tested(self._test)[0]

    @cached_property
    def gram(self) -> np.ndarray:
        return self._pool.gram[np.ix_(self._rows, self._rows)]

    @cached_property
    def cross(self) -> np.ndarray:
        return self._pool.gram[np.ix_(self._test, self._rows)]

    @cached_property
    def cosine(self) -> np.ndarray:
        return np.take(self._pool.tested(self._test)[1], self._rows, axis=1)


def lengths(X: np.ndarray) -> np.ndarray:
    """Return the length of every row of X (n, d), float64 (n,)."""
    return np.sqrt(np.einsum("ij,ij->i", X, X, dtype=np.float64))


def _cosine(inner: np.ndarray, length: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return inner products (p, q) over the lengths (p,) and (q,) of their rows, float32; 0 where one is 0."""
    scaled = inner / np.where(other > 0, other, 1)
    scaled /= np.where(length > 0, length, 1)[:, None]
    return scaled.astype(np.float32)


def _kept(e: np.ndarray, n: int) -> np.ndarray:
    """Return which eigenvalues (rising) are more than rounding of the largest; that one always."""
    np.maximum(e, 0, out=e)
    kept = e > e[-1] * n * np.finfo(np.float64).eps
    kept[-1] = True
    return kept
