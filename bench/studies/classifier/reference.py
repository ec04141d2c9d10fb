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

from bench.seeds import keyed_uniform
from bench.statistics.conformal import p_values

MOST = 10_000  # rows that are remembered
NEAREST = 5
SHOWN = 3
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

    def nearest(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (the nearest rows int (N, SHOWN), nearest first; how far each of X (N, d) is, float64 (N,))."""
        found = [self._block(X[i : i + BLOCK]) for i in range(0, len(X), BLOCK)]
        shown, far = zip(*found, strict=True) if found else ([np.empty((0, SHOWN), int)], [np.empty(0)])
        return np.concatenate(shown), np.concatenate(far)

    def unlike(self, far: np.ndarray) -> np.ndarray:
        """Return the p-value (N,) of a row that is so far (N,) for being an item of a new group of what is known."""
        known = np.isfinite(self.distance)
        return p_values(far, self.distance[known], self.group[known]) if known.any() else np.ones(len(far))

    def _block(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        squared = _squared(X, self.rows, self._square)
        k = min(NEAREST, squared.shape[1])
        near = np.argsort(squared, axis=1, kind="stable")[:, :k]
        far = np.sqrt(np.take_along_axis(squared, near, 1)).mean(1)
        return near[:, :SHOWN], far.astype(np.float64)


def remember(rows: np.ndarray, label: np.ndarray, group: np.ndarray, names: tuple[str, ...]) -> Reference:
    """Return the reference of scaled rows (n, d); of more than `MOST` a share of every group, drawn by name."""
    if len(rows) > MOST:
        _, which, size = np.unique(group, return_inverse=True, return_counts=True)
        place = keyed_uniform(("reference",), names) * size[which]  # small groups keep their rows
        kept = np.sort(np.argsort(place, kind="stable")[:MOST])
        rows, label, group, names = rows[kept], label[kept], group[kept], tuple(names[i] for i in kept)
    rows = rows.astype(np.float16).astype(np.float32)  # as it is stored, so that a stored one answers the same
    distance, square = np.empty(len(rows)), np.vecdot(rows, rows)
    for i in range(0, len(rows), BLOCK):
        squared = _squared(rows[i : i + BLOCK], rows, square)
        squared[group[i : i + BLOCK, None] == group] = np.inf
        k = min(NEAREST, len(rows) - 1) if len(rows) > 1 else 1
        near = np.sort(np.partition(squared, k - 1, axis=1)[:, :k], axis=1)
        known = np.isfinite(near)
        many = known.sum(1)
        total = np.sqrt(np.where(known, near, 0)).sum(1)
        distance[i : i + BLOCK] = np.where(many > 0, total / np.maximum(many, 1), np.inf)
    return Reference(rows=rows, label=label, group=group, distance=distance, names=names)


def _squared(X: np.ndarray, rows: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Return squared distances (p, r) of rows; not negative."""
    product = X.astype(np.float32) @ rows.T
    out: np.ndarray = np.maximum(np.vecdot(X, X)[:, None] + square - 2 * product, 0)
    return out
