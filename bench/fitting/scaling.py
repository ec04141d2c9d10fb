"""How rows of an encoder are scaled before heads see them, by statistics of the training rows alone.

Which rows these are is a choice that a user has to know of, `--scale-by`:

    pool      all rows of the training side, labelled or not: images are at hand long before labels are
    support   the labelled examples of the draw alone, for whoever has no other images of the kind
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from bench.errors import BenchError
from bench.heads.axes import Axes
from bench.heads.support import Support

SCALING = ("unit", "standard")
BLOCK = 128  # rows at a time, few enough to stay in a core's cache in double precision
ROUNDING = 1e-9  # a deviation this small, as a share of the mean, is the rounding of equal numbers


def scale_rows(X: np.ndarray, train: np.ndarray, groups: np.ndarray, scaling: str) -> np.ndarray:
    """Return X (N, d) scaled by statistics of the training rows alone, in its own type; labels are not used.

    Every training group weighs the same, so that one large image cut into hundreds of tiles does not
    set the centre. train: positions; groups: (N,).
    unit: minus the training mean, then each row to length 1 (SimpleShot's CL2N, Wang et al. 2019).
    standard: each feature to mean 0 and variance 1, divided by sqrt(d), for descriptors whose
    features have unlike units; both give rows of about length 1. A feature that is constant on the
    training rows, and a row that is their mean, becomes 0.
    """
    return scaling_of(X, train, groups, scaling).of(X)


@dataclass(frozen=True)
class Scaling:
    """What training rows say of how to scale a row: minus mean (d,), over divisor (d,) or, without one, to length 1."""

    mean: np.ndarray
    divisor: np.ndarray | None

    def of(self, X: np.ndarray) -> np.ndarray:
        """Return rows X (p, d) scaled, in their own type; what becomes of a row does not depend on the others."""
        out = np.empty(X.shape, X.dtype)
        least = ROUNDING * np.linalg.norm(self.mean)
        for i in range(0, len(X), BLOCK):
            centred = X[i : i + BLOCK] - self.mean
            if self.divisor is not None:
                centred /= self.divisor
            else:
                norm = np.sqrt(np.vecdot(centred, centred))[:, None]
                centred /= np.where(norm > least, norm, np.inf)
            out[i : i + BLOCK] = centred
        return out


def scaling_of(X: np.ndarray, train: np.ndarray, groups: np.ndarray, scaling: str) -> Scaling:
    """Return the statistics of the training rows that `scale_rows` scales by."""
    if scaling not in SCALING:
        raise BenchError(f"Got scaling '{scaling}'; expected one of {', '.join(SCALING)}.")
    _, group, size = np.unique(groups[train], return_inverse=True, return_counts=True)
    weight = 1 / (len(size) * size[group])

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:  # read again where they are asked for twice, and not kept
        for i in range(0, len(train), BLOCK):
            yield weight[i : i + BLOCK], X[train[i : i + BLOCK]]

    mean = np.sum([w @ rows for w, rows in blocks()], axis=0)
    if scaling == "unit":
        return Scaling(mean, None)
    deviation = np.sqrt(np.sum([w @ (rows - mean) ** 2 for w, rows in blocks()], axis=0))
    varies = deviation > ROUNDING * np.abs(mean)
    return Scaling(mean, np.where(varies, deviation * np.sqrt(X.shape[1]), np.inf))


class ScaledRows(Protocol):
    """The rows of a split, from which the supports of its draws are made."""

    def support(self, rows: np.ndarray, test: np.ndarray, groups: np.ndarray | None = None) -> Support:
        """Return the draw of these support rows (n,) and test rows, as heads see it; groups (n,): of the support."""


@dataclass(frozen=True)
class ScaledBySplit:
    """Rows that are scaled by the training side of a split when a draw asks for them; the test rows are kept.

    With many splits, each serves few draws, and these see only some of the rows. Where one split serves all draws,
    `bench.heads.pool.Pool` scales all rows once.

    take: positions of rows (p,) to these rows scaled, (p, d). groups: (N,). axes, is_unit: see `Support`.
    """

    take: Callable[[np.ndarray], np.ndarray]
    groups: np.ndarray
    axes: Callable[[], Axes]
    device: str = "cpu"
    is_unit: bool = False
    kept: dict[bytes, np.ndarray] = field(default_factory=dict)

    def support(self, rows: np.ndarray, test: np.ndarray, groups: np.ndarray | None = None) -> Support:
        """Return the draw of these support rows (n,) and test rows, as heads see it; groups (n,): of the support."""
        key = test.tobytes()
        if key not in self.kept:
            self.kept.clear()
            self.kept[key] = self.take(test)
        groups = self.groups[rows] if groups is None else groups
        return Support(
            self.take(rows), self.kept[key], groups, self.axes, is_centred=True, device=self.device,
            is_unit=self.is_unit,
        )  # fmt: skip


@dataclass(frozen=True)
class ScaledByDraw:
    """Rows that every draw scales by its own examples.

    take: (rows (p,), the rows (n,) to scale by, their groups (n,)) to the former scaled, (p, d). groups: (N,). is_unit:
    see `Support`.
    """

    take: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    groups: np.ndarray
    device: str = "cpu"
    is_unit: bool = False

    def support(self, rows: np.ndarray, test: np.ndarray, groups: np.ndarray | None = None) -> Support:
        """Return the draw of these support rows (n,) and test rows, as heads see it; groups (n,): of the support."""
        groups = self.groups[rows] if groups is None else groups
        X = self.take(np.concatenate([rows, test]), rows, groups)
        return Support(X[: len(rows)], X[len(rows) :], groups, device=self.device, is_unit=self.is_unit)
