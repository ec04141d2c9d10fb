"""One draw with its noisy labels, as a way to choose settings sees it: support, labels, folds of its groups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.heads import Head, Params
from bench.heads.choice import FEWEST, effective_rows, weights_of
from bench.heads.left_out import fold_of
from bench.heads.support import Support
from bench.runs.tested import Tested


@dataclass(frozen=True)
class Truth:
    """What the test rows of a draw are, for 'oracle' alone.

    tested: how they are scored, of these rows. share (n_items,): what a right answer adds to the balanced accuracy of
    all splits of the draw, times their number.
    """

    tested: Tested
    share: np.ndarray

    @classmethod
    def of(cls, tested: Tested, counts: np.ndarray, splits: int = 1) -> Truth:
        """Return the truth of scored items. counts (K,): items of each class in all `splits` of the draw."""
        return cls(tested, splits / (counts[tested.y] * (counts > 0).sum()))


@dataclass(frozen=True)
class Episode:
    """One draw with its m noisy label vectors.

    Y: int (m, n) in [0, K). groups (n,): group of each support row; drawn (n,): its class before labels go wrong, None
    where the rows are those of the first class, then of the second, ..., equally many. truth: None for all but
    'oracle'. weigh: whether rows weigh by their class where settings are judged, as those of a budget do.
    """

    support: Support
    Y: np.ndarray
    n_classes: int
    groups: np.ndarray
    truth: Truth | None = None
    drawn: np.ndarray | None = None
    weigh: bool = False

    @cached_property
    def folds(self) -> tuple[tuple[np.ndarray, Support], ...]:
        """Which rows are held out, bool (n,), and the support of the others; made once, for every head."""
        fold, X = self.fold, self.support.X
        # Products sliced from those of the whole support would not pay: heads share these, and the time is in solving.
        return tuple((fold == f, Support(X[fold != f], X[fold == f])) for f in range(fold.max() + 1))

    @cached_property
    def fold(self) -> np.ndarray:
        """The fold of every support row, (n,)."""
        return fold_of(self.groups, self.fewest_groups)

    @cached_property
    def fewest_groups(self) -> int:
        """How many groups the class with the fewest has."""
        n, K = len(self.groups), self.n_classes
        y = np.repeat(np.arange(K), n // K) if self.drawn is None else self.drawn
        return count_fewest_groups(self.groups, y, K)

    @cached_property
    def weights(self) -> np.ndarray | None:
        """What every row weighs where settings are judged, (m, n); None for all alike."""
        return weights_of(self.Y, self.n_classes) if self.weigh else None

    @property
    def effective_rows(self) -> float | np.ndarray:
        """How many rows the support tells as much as, (m, 1) where rows weigh differently."""
        return self.Y.shape[1] if self.weights is None else effective_rows(self.weights)[:, None]

    @property
    def can_leave_out(self) -> bool:
        """Whether every class has groups enough to leave one out."""
        return self.fewest_groups >= FEWEST

    def published(self, head: Head) -> Params:
        """Return the head's published setting for a support of this size."""
        n, d = self.support.shape
        return head.published(n, self.n_classes, d)

    def temperatures(self, head: Head, settings: int) -> np.ndarray:
        """Return the head's published temperature for it, (m, L)."""
        n, d = self.support.shape
        return np.full((len(self.Y), settings), head.published_temperature(n, self.n_classes, d))


def count_fewest_groups(groups: np.ndarray, y: np.ndarray, n_classes: int) -> int:
    """Return how many groups the class with the fewest has. groups, y: (n,)."""
    return min(len(np.unique(groups[y == k])) for k in range(n_classes))
