"""A linear head that has learned: P = softmax(X W' + b)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.heads.contract import softmax
from bench.heads.state import State, new_rows
from bench.heads.support import Support
from bench.products import lengths

KIND = "linear"


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearFit:
    """Weights W float64 (K, d) and offsets b float64 (K,), minus infinity for a class without labels.

    unit: rows are brought to length 1 first.
    """

    W: np.ndarray
    b: np.ndarray
    unit: bool = False

    def scores(self, X: Any) -> np.ndarray:
        """Return probabilities float64 (N, K); see `bench.heads.state.Fitted`."""
        rows = new_rows(X, self.W.shape[1]).astype(np.float64, copy=False)
        logits = rows @ self.W.T  # (N, K)
        if self.unit:
            length = lengths(rows)
            logits /= np.where(length > 0, length, 1)[:, None]
        logits += self.b
        return softmax(logits, overwrite=True)

    def state(self) -> State:
        """Return W and b."""
        return State(arrays={"W": self.W, "b": self.b}, about={"kind": KIND, "unit": self.unit})


def load(state: State) -> LinearFit:
    """Return the linear head of this state; BenchError for a state of anything else."""
    state.check_kind(KIND)
    unit = state.about.get("unit")
    if not isinstance(unit, bool):
        raise BenchError(f"Got unit={unit!r} in a state; expected true or false. Fit the head again.")
    W = state.array("W", "f", (None, None))
    b = state.array("b", "f", (len(W),))
    if not (np.isfinite(W).all() and (np.isfinite(b) | (b == -np.inf)).all() and np.isfinite(b).any()):
        raise BenchError("Got a state with weights that are not finite; expected finite ones. Fit the head again.")
    return LinearFit(W=W, b=b, unit=unit)


def of_shifted(support: Support, y: np.ndarray, W: np.ndarray, b: np.ndarray) -> LinearFit:
    """Return the linear head of W (K, d) and b (K,) for the rows as they are.

    W and b are for rows minus the mean of the support (`Support.shifted`), learned from labels y (n,).
    """
    absent = (y != np.arange(len(W))[:, None]).all(1)
    return LinearFit(W=np.ascontiguousarray(W, np.float64), b=np.where(absent, -np.inf, b - W @ support.mean))
