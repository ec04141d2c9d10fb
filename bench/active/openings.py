"""Which rows may still be picked: of no slide more than its share, so that one odd slide does not get all labels."""

from __future__ import annotations

import numpy as np


class Openings:
    """Rows that may be picked, as picks are made.

    may bool (N,): rows that are not labelled and no copy of one. group int (N,): the slide of each, from 0. count: the
    picks to come, dealt so that no slide gets more than its share of them: as many as its part of the rows that may be
    picked, rounded up. Equal shares of slides of very different sizes would miss what most images look like. Where
    every slide has its share and picks are still to be made, all shares grow by one.
    """

    def __init__(self, may: np.ndarray, group: np.ndarray, count: int) -> None:
        self._may, self._group = may.copy(), group
        size = np.bincount(group[may], minlength=int(group.max(initial=0)) + 1)
        self._taken = np.zeros(len(size), np.int64)
        self._share = -(-count * size // max(int(size.sum()), 1))

    @property
    def rows(self) -> np.ndarray:
        """The rows that may be picked now, bool (N,); none where nothing is left."""
        if not self._may.any():
            return self._may
        while True:
            now = self._may & (self._taken < self._share)[self._group]
            if now.any():
                return now
            self._share += 1

    def take(self, row: int) -> None:
        """Count a row as picked."""
        self._may[row] = False
        self._taken[self._group[row]] += 1
