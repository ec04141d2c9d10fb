"""What learned from labels of images, as a head: it answers for cells, and for images as sets of cells.

A cell is an image of one to it. What it keeps is what the bag head keeps, see `bench.studies.granularity.heads`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.heads.state import State, new_rows
from bench.studies.granularity.bags import Bags
from bench.studies.granularity.heads.contract import BagFitted, no_bags

NONE = "none of these"  # the answer for a cell that is of none of the classes
UNLIKE = "unlike"  # what a cell without an answer is called where cells of an image are counted


@dataclass(frozen=True, kw_only=True, eq=False)
class FromImages:
    """bags: what has learned; d: the columns of its rows."""

    bags: BagFitted
    d: int

    def scores(self, X: Any) -> np.ndarray:
        """Return probabilities (N, K) of cells X (N, d); see `bench.heads.state.Fitted`."""
        rows = new_rows(X, self.d)
        return self.bags.scored(rows, no_bags(), np.arange(len(rows))).cells

    def images(self, X: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Return probabilities (B, K) of images whose cells are rows of X (M, d), from `start` int (B,) on."""
        rows = new_rows(X, self.d)
        bags = Bags(np.arange(len(rows)), np.asarray(start, np.int64), np.zeros(len(start), np.int64))
        return self.bags.scored(rows, bags, np.zeros(0, np.int64)).bags

    def state(self) -> State:
        """Return the state of the bag head."""
        return self.bags.state()
