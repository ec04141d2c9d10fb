"""Every labelled row as heads see it that learned without its group, at every setting of a head.

Heads with a closed form (`Head.loo`) give that at the price of a fit, each group left out by itself. It grows with the
square of the rows and more, so that from `MOST` rows on groups are left out by folds, and the head is fitted once per
fold. So it is for heads without a closed form, and those whose form is too rough to judge by (`Head.loo_only_chooses`).

Rows of a group that holds much of its class are answered by a head that was fitted without it, and with the shares of
classes that all rows have (`bench.heads.left_out`): `tests/simulation/large_slides.py` shows what that is worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.fitting.scaling import scale_rows
from bench.heads.choice import choose_setting, may_leave_out
from bench.heads.contract import Head, Params
from bench.heads.left_out import large_groups, rows_left, with_shares
from bench.heads.support import Support
from bench.protocol.folds import deal_groups
from bench.studies.classifier.temperature import settled_temperature

MOST = 4000  # rows up to which groups are left out in closed form
FOLDS = 10


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Rows of one encoder and their labels. X (n, d): as it gives them; y int (n,) in [0, K); group (n,): codes from 0.

    scaling: what heads want done to X, see `bench.fitting.scaling`. fold (n,): of the group, see `deal_folds`.
    """

    X: np.ndarray
    y: np.ndarray
    group: np.ndarray
    fold: np.ndarray
    n_classes: int
    scaling: str

    def support(self) -> Support:
        """Return all rows, scaled by all, as heads learn from them."""
        every = np.arange(len(self.y))
        rows = scale_rows(self.X, every, self.group, self.scaling)
        return Support(rows, rows[:0], self.group)


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """P (L, n, K): of every row by the head that learned without its group, at L settings. part (n,): what was left out
    together. chosen: whether there is anything to choose from; else the one setting is the published one.
    """

    head: Head
    settings: tuple[Params, ...]
    P: np.ndarray
    part: np.ndarray
    shape: tuple[int, int]
    chosen: bool

    def settle(self, y: np.ndarray, among: np.ndarray | None = None) -> tuple[int, float]:
        """Return which setting some rows choose, and the temperature. y (n,): labels; among bool (n,): None for all."""
        K = self.P.shape[-1]
        published = self.head.published_temperature(self.shape[0], K, self.shape[1])
        if not self.chosen:
            return 0, published
        at, _ = choose_setting(self.head, self.P, y, self.part, self.shape, among=among)
        rows = rows_left(y[None], self.part, K)[0, np.arange(len(y)), y] > 0
        if among is not None:
            rows &= among
        return at, settled_temperature(self.P[at, rows], y[rows], published)


def deal_folds(y: np.ndarray, group: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the fold of every row, int (n,): groups dealt so that folds hold about the same share of every class.

    As many as there are groups, at most `FOLDS`.
    """
    G = int(group.max()) + 1
    counts = np.zeros((G, n_classes))
    np.add.at(counts, (group, y), 1)
    return np.asarray(deal_groups(counts, min(G, FOLDS), [0])[0][group])


def leave_out(rows: Labelled, head: Head, support: Support) -> LeftOut:
    """Return what a head says of every row without having learned from its group. support: of `rows`, see there."""
    n, K = len(rows.y), rows.n_classes
    chosen = bool(head.grid) and may_leave_out(rows.group, rows.y, K)
    settings = head.grid if chosen else (head.published(n, K, rows.X.shape[1]),)
    if head.loo is not None and not head.loo_only_chooses and n <= MOST:
        P, part = head.loo(support, rows.y[None], K, settings).P[0], rows.group
        again = large_groups(rows.y, rows.group, K)
    else:
        P, part = np.zeros((len(settings), n, K)), rows.fold
        again = np.unique(part)
    for one in again:
        if (part != one).any():
            P[:, part == one] = _without(rows, head, settings, part == one)
    return LeftOut(head=head, settings=settings, P=P, part=part, shape=(n, rows.X.shape[1]), chosen=chosen)


def _without(rows: Labelled, head: Head, settings: tuple[Params, ...], out: np.ndarray) -> np.ndarray:
    """Return P (L, q, K) of the q rows `out` bool (n,) by a head that was fitted without them."""
    train, test = np.flatnonzero(~out), np.flatnonzero(out)
    scaled = scale_rows(rows.X, train, rows.group, rows.scaling)
    train = with_shares(rows.y, train, rows.n_classes)
    support = Support(scaled[train], scaled[test], rows.group[train])
    return np.asarray(head.scores(support, rows.y[None, train], rows.n_classes, settings).P[0])
