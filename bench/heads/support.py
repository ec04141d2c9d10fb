"""What the heads of one draw share: the support rows, the test rows, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bench.heads.axes import Axes, axes_of
from bench.heads.coordinates import Plain, Span, span_of_gram
from bench.products import Array, Backend, backend_of, one_thread, products, unit_rows
from bench.solvers.left_out import Geometry
from bench.solvers.rows import Rows, mean_row

FEW = 256  # support rows up to which their products with the test rows cost less than weights of every dimension
SPANNED = 0.5  # of the dimensions: fewer support rows are solved in their span, whose coordinates take n^3 to find


@dataclass(frozen=True)
class Linear:
    """What `bench.solvers.linalg` solves linear heads with, and the way from there to the test rows.

    mean float32 (r,): what the rows were centred by. factors: whose product is the test rows' (r, n_test), float32.
    back: what turns weights back to the dimensions first, see `Axes.factors`; None where rows are not turned.
    """

    rows: Rows
    mean: np.ndarray
    factors: tuple[Array, ...]
    device: str
    back: tuple[Array, Array] | None = None

    def scores(self, W: np.ndarray) -> np.ndarray:
        """Return the scores of the test rows, float32 (P, K, n_test), for W float32 (P, K, r + 1).

        Those of a problem are bitwise independent of the other problems in the batch.
        """
        weights = np.ascontiguousarray(W[..., :-1])
        offset = W[..., -1] - np.vecdot(weights, self.mean)
        with one_thread():
            return weigh(weights, self.factors, backend_of(self.device), self.back) + offset[..., None]


def weigh(
    W: np.ndarray, factors: tuple[Array, ...], on: Backend, back: tuple[Array, Array] | None = None
) -> np.ndarray:
    """Return W (P, K, r) times every factor in turn, float32 (P, K, n_test), bitwise independent of the other problems.

    on: where products are made. back: see `Linear`.
    """
    done = on.send(W.astype(np.float32, copy=False))
    if back is not None:
        done = done - on.product(on.product(done, back[0]), back[1])
    for factor in factors:
        done = on.product(done, factor)
    return on.fetch(done)


class Support:
    """Support rows X (n, d) and test rows X_test (n_test, d), float; their products are made when first asked for.

    groups (n,): rows of one group are left out together when a head says what it is worth without them (`Head.loo`);
    None: each on its own. axes: gives those that rows are turned to; None: the rows' own. is_centred: the rows are few
    of many whose mean is 0. device: where heads that can do their work, "cpu" or torch's name of a GPU. is_unit: all
    rows have length 1 or 0, but for rounding.
    """

    def __init__(
        self,
        X: np.ndarray,
        X_test: np.ndarray,
        groups: np.ndarray | None = None,
        axes: Callable[[], Axes] | None = None,
        is_centred: bool = False,
        device: str = "cpu",
        *,
        is_unit: bool = False,
    ) -> None:
        self.X = X
        self.X_test = X_test
        self._is_unit = is_unit
        self._groups = groups
        self._axes = axes
        self._is_centred = is_centred
        self.device = device

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimensions of the support, (n, d)."""
        return self.X.shape  # type: ignore[return-value]

    @property
    def size(self) -> int:
        """Numbers of the support in its span."""
        n, d = self.shape
        return n * min(n, d)

    @cached_property
    def groups(self) -> np.ndarray:
        """Which rows are left out together: a number from 0 for every row, (n,)."""
        if self._groups is None:
            return np.arange(self.shape[0])
        return np.unique(self._groups, return_inverse=True)[1]

    @cached_property
    def mean(self) -> np.ndarray:
        """The mean of the rows, float64 (d,); 0 if they are centred."""
        return np.zeros(self.shape[1]) if self._is_centred else self.X.mean(0, dtype=np.float64)

    @cached_property
    def shifted(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and test rows minus the mean of the rows, or as they are if they are centred; of their type.

        What is made of these is for heads with an intercept, to which a shift is nothing: in single precision a mean
        that is a thousand times as long as what rows differ by would leave nothing of that.
        """
        if self._is_centred:
            return self.X, self.X_test
        return tuple((rows - self.mean).astype(rows.dtype, copy=False) for rows in (self.X, self.X_test))  # type: ignore[return-value]

    @cached_property
    def gram(self) -> np.ndarray:
        """Inner products of the shifted rows, float64 (n, n), symmetric to the bit."""
        X = self.shifted[0].astype(np.float64, copy=False)
        return X @ X.T

    @cached_property
    def unit(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and test rows at length 1, float32 (n, d) and (n_test, d)."""
        if self._is_unit:
            return self.X.astype(np.float32, copy=False), self.X_test.astype(np.float32, copy=False)
        return unit_rows(self.X), unit_rows(self.X_test)

    @cached_property
    def cosine(self) -> np.ndarray:
        """Cosines of test rows with support rows, float32 (n_test, n); see `bench.products`."""
        if self._is_unit and self._is_centred and self.shape[0] <= FEW:
            return np.ascontiguousarray(self.inner.T)
        unit, unit_test = self.unit
        return products(unit_test, unit)

    @cached_property
    def own_cosine(self) -> np.ndarray:
        """Cosines of the support with itself, float32 (n, n)."""
        unit, _ = self.unit
        return products(unit, unit)

    @cached_property
    def plain(self) -> Plain:
        """The shifted rows as coordinates, with their scatter X'X."""
        X, X_test = self.shifted
        return Plain(X.astype(np.float64, copy=False), X_test)

    @cached_property
    def span(self) -> Span:
        """Coordinates in the span of the shifted rows; directions without length (to rounding) are left out."""
        n, d = self.shape
        return self.plain.span() if n >= d else span_of_gram(self.gram, *self.shifted)

    @cached_property
    def axes(self) -> Axes:
        """Orthonormal axes on which the rows are nearly uncorrelated."""
        return axes_of(self.shifted[0]) if self._axes is None else self._axes()

    @cached_property
    def tested(self) -> Array:
        """The shifted test rows, float32 (d, n_test) on the device."""
        return backend_of(self.device).send(self.shifted[1].astype(np.float32, copy=False).T)

    @cached_property
    def of_rows(self) -> tuple[Array, ...]:
        """What makes weights of the support rows (P, K, n) scores of the test rows: the factors of X X_test', shifted.

        Of few rows it is one factor, their products. Of more it is two, so that the weights become those of the d
        dimensions, and no product is made of every row with every test row.
        """
        send = backend_of(self.device).send
        if self.shape[0] > FEW:
            return send(self.shifted[0].astype(np.float32, copy=False)), self.tested
        return (send(self.inner),)

    @cached_property
    def inner(self) -> np.ndarray:
        """Inner products of the shifted rows with the shifted test rows, float32 (n, n_test)."""
        X, X_test = (rows.astype(np.float32, copy=False) for rows in self.shifted)
        return products(X, X_test)

    @cached_property
    def geometry(self) -> Geometry:
        """What leaving groups out of linear heads takes; see `bench.solvers.left_out`."""
        return Geometry.of(self.span.Z, self.span.e, self.groups)

    @cached_property
    def solved(self) -> dict[Hashable, Any]:
        """Fits that are kept for a second use, by what they are of."""
        return {}

    @property
    def is_spanned(self) -> bool:
        """Whether linear heads are solved in the span of the rows, of which there are few."""
        n, d = self.shape
        return n < SPANNED * d

    @cached_property
    def linear(self) -> Linear:
        """The support for linear heads: in the span of few rows, else turned onto `axes`; both lose nothing."""
        send = backend_of(self.device).send
        if self.is_spanned:
            Z, e, back = self.span.Z, self.span.e, None
            factors: tuple[Array, ...] = (send(np.ascontiguousarray(self.span.dual.T, np.float32)), *self.of_rows)
        else:
            Z = self.axes.turn(self.shifted[0])
            e = np.einsum("ij,ij->j", Z, Z).astype(np.float64)
            A, B = (send(np.ascontiguousarray(factor, np.float32)) for factor in self.axes.factors)
            factors, back = (self.tested,), (A, B)
        return Linear(Rows.of(Z, e, self.device), mean_row(Z).astype(np.float32), factors, self.device, back)

    def in_dimensions(self, W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (K, d) and offsets (K,), float64, of the shifted rows for W (K, r + 1) of `linear`."""
        weights = W[:, :-1].astype(np.float64)
        offset = W[:, -1] - weights @ self.linear.mean
        return (self.span.in_dimensions(weights.T).T if self.is_spanned else self.axes.back(weights)), offset
