"""The labelled rows that a classifier remembers: which of them a new row is nearest to, and whether it is near to any.

How far a row is = mean Euclidean distance to its `NEAREST` nearest remembered rows of other groups, as heads see rows.
That of every remembered row is kept, so that the distance of a new row becomes a p-value for "an item of a new slide of
the same kind" (`bench.statistics.conformal`). Distances to neighbours need no shape of the classes, which a covariance
of many dimensions and few slides would (Sun et al. 2022, arXiv 2204.06507, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.products import products
from bench.seeds import keyed_uniform
from bench.statistics.conformal import p_values

MOST = 10_000  # rows that are remembered
NEAREST = 5
SHOWN = 3
DIFFERENT = 0.9  # share of the remembered rows that differ from each other at least, where an equal one tells anything
BLOCK = 1024  # rows whose distances are in memory at once


@dataclass(frozen=True, kw_only=True)
class Reference:
    """rows float32 (r, d), scaled; label int (r,); group int (r,): codes; distance float64 (r,): see above, infinite
    where all rows are of one group; names: of every row, what a user finds it by.
    """

    rows: np.ndarray
    label: np.ndarray
    group: np.ndarray
    distance: np.ndarray
    names: tuple[str, ...]

    @cached_property
    def _square(self) -> np.ndarray:
        return np.vecdot(self.rows, self.rows)

    @cached_property
    def _differ(self) -> bool:
        return len({row.tobytes() for row in self.rows}) >= DIFFERENT * len(self.rows)

    def nearest(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest rows of X (N, d), int (N, SHOWN), nearest first, and their p-values (N,).

        The p-value is that of an item of a new group of what is known; 1 where there is a single group.
        """
        found = [self._block(X[i : i + BLOCK]) for i in range(0, len(X), BLOCK)]
        if not found:
            return np.empty((0, SHOWN), int), np.empty(0)
        shown, p = zip(*found, strict=True)
        return np.concatenate(shown), np.concatenate(p)

    def holds(self, X: np.ndarray, nearest: np.ndarray) -> np.ndarray:
        """Return which rows of X (N, d) are remembered ones themselves, bool (N,). nearest (N, SHOWN): see `nearest`.

        None where more than a tenth of the remembered rows equal another: there an equal row tells little.
        """
        if not self._differ:
            return np.zeros(len(X), bool)
        return np.asarray((_as_kept(X) == self.rows[nearest[:, 0]]).all(1))

    def _block(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        squared = _squared(X, self.rows, self._square)
        k = min(max(NEAREST, SHOWN), squared.shape[1])
        near = np.argpartition(squared, k - 1, axis=1)[:, :k]
        near = np.take_along_axis(near, np.lexsort((near, np.take_along_axis(squared, near, 1)), axis=1), 1)
        if not np.isfinite(self.distance).all():
            return near[:, :SHOWN], np.ones(len(X))
        return near[:, :SHOWN], p_values(_mean_distance(squared), self.distance, self.group)


def remember(rows: np.ndarray, label: np.ndarray, group: np.ndarray, names: tuple[str, ...]) -> Reference:
    """Return the reference of scaled rows (n, d); of more than `MOST` a share of every group, drawn by name."""
    if len(rows) > MOST:
        _, which, size = np.unique(group, return_inverse=True, return_counts=True)
        place = keyed_uniform(("reference",), names) * size[which]  # small groups keep their rows
        kept = np.sort(np.argsort(place, kind="stable")[:MOST])
        rows, label, group, names = rows[kept], label[kept], group[kept], tuple(names[i] for i in kept)
    rows = _as_kept(rows)
    group = np.unique(group, return_inverse=True)[1]
    distance, square = np.empty(len(rows)), np.vecdot(rows, rows)
    for g in np.unique(group):
        own, others = np.flatnonzero(group == g), np.flatnonzero(group != g)
        distance[own] = _mean_distance(_squared(rows[own], rows[others], square[others])) if len(others) else np.inf
    return Reference(rows=rows, label=label, group=group, distance=distance, names=names)


def _as_kept(rows: np.ndarray) -> np.ndarray:
    """Return rows as they are stored, so that a stored reference answers the same, float32."""
    return rows.astype(np.float16).astype(np.float32)


def _mean_distance(squared: np.ndarray) -> np.ndarray:
    """Return the mean of the least NEAREST distances, float64 (p,), of squared ones (p, r)."""
    k = min(NEAREST, squared.shape[1])
    least = np.sort(np.partition(squared, k - 1, axis=1)[:, :k].astype(np.float64), axis=1)
    return np.asarray(np.sqrt(least).mean(1))


def _squared(X: np.ndarray, rows: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Return squared distances (p, r) of rows, not negative; those of a row do not depend on the other rows of X."""
    X = np.ascontiguousarray(X, np.float32)
    out: np.ndarray = np.maximum(np.vecdot(X, X)[:, None] + square - 2 * products(X, rows), 0)
    return out
