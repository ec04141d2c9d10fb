"""What heads learn from: the embeddings of an encoder, and how they are scaled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol as Interface

import numpy as np

from bench.errors import BenchError
from bench.fitting.scaling import Scaling, scale_rows, scaling_of
from bench.heads.axes import SAMPLE, Axes, axes_of

Scale = Callable[[np.ndarray], np.ndarray]  # positions of rows (p,) to these rows scaled, (p, d)


class View(Interface):
    """What heads learn from: one encoder's embeddings, or several made one; see `bench.fitting.ensembles`."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    @property
    def key(self) -> str:
        """What names it by content."""

    @property
    def scaling(self) -> str:
        """How it is scaled."""

    @property
    def width(self) -> int:
        """Columns d."""

    def scaled(self, train: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return the rows as heads see them, (N, d), scaled by statistics of the training rows."""

    def take(self, rows: np.ndarray, by: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return some rows (p,) scaled by the rows `by` (n,), whose groups are (n,): (p, d)."""

    def scaler(self, train: np.ndarray, groups: np.ndarray) -> Scale:
        """Return what gives some rows of `scaled`, to the bit."""

    def broken(self) -> int:
        """Return how many rows hold a number that is not finite."""


@dataclass(frozen=True)
class Embedded:
    """One encoder's view of the instance table."""

    name: str
    key: str
    scaling: str  # 'unit' | 'standard', see `scale_rows`
    X: np.ndarray  # float32 (N, d), row i for row i of the table
    known: dict[bytes, Scaling] = field(default_factory=dict, init=False, repr=False, compare=False)  # by training rows

    @property
    def width(self) -> int:
        """Columns d."""
        return self.X.shape[1]

    def scaled(self, train: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return the rows as heads see them, (N, d); see `scale_rows`."""
        return scale_rows(self.X, train, groups, self.scaling)

    def take(self, rows: np.ndarray, by: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return some rows (p,) scaled by the rows `by` (n,), whose groups are (n,): (p, d)."""
        return scaling_of(self.X[by], np.arange(len(by)), groups, self.scaling).of(self.X[rows])

    def scaler(self, train: np.ndarray, groups: np.ndarray) -> Scale:
        """Return what gives some rows of `scaled`, to the bit."""
        key = blake2b(train.tobytes() + groups[train].tobytes(), digest_size=16).digest()
        scaling = self.known.get(key) or scaling_of(self.X, train, groups, self.scaling)
        self.known[key] = scaling  # a sweep is cut into tasks, and each asks for the same splits
        return lambda rows: scaling.of(self.X[rows])

    def broken(self) -> int:
        """Return how many rows hold a number that is not finite."""
        return sum(int((~np.isfinite(self.X[i : i + 8192])).any(1).sum()) for i in range(0, len(self.X), 8192))


def axes_of_view(view: View, count: int) -> Axes:
    """Return the axes for all supports of a view of `count` rows.

    Test rows may be among those that they are found from: axes decide how soon a fit is found, and not what it is.
    """
    some = np.arange(0, count, -(-count // SAMPLE))
    return axes_of(view.take(some, some, np.arange(len(some))))


def check_finite(views: Sequence[View]) -> None:
    """Raise BenchError for the first view with numbers that are not finite."""
    for view in views:
        if count := view.broken():
            raise BenchError(
                f"Got {count} embeddings of '{view.name}' that hold NaN or infinity; expected finite numbers. "
                "Check the images they are of, or leave the encoder out."
            )
