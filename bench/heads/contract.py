"""The contract every head keeps.

A head turns one support matrix and many label vectors into class probabilities for a test matrix.
Letters: n support rows, d dimensions, m label vectors (noise rates share their rows), L grid points,
K classes. K is fixed by the dataset: a class that noise removed from a support set keeps its column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Params = Mapping[str, Any]


class Scores(Protocol):
    """The batched function of a head."""

    def __call__(
        self, X: np.ndarray, Y: np.ndarray, X_test: np.ndarray, n_classes: int, grid: Sequence[Params]
    ) -> np.ndarray:
        """Return class probabilities (m, L, n_test, K), float64, rows summing to 1.

        X: float (n, d). Y: int (m, n) in [0, K). X_test: float (n_test, d). grid: L settings, each
        with every hyper-parameter of the head.
        """
        ...


@dataclass(frozen=True)
class Head:
    """One classical model on embeddings: one file in `bench/heads`, which binds it to the name HEAD.

    default: the published setting used under selection 'fixed'. version: raised when the numbers the
    head gives change, so that results of an older version are never mistaken for current ones.
    """

    name: str
    summary: str
    scores: Scores
    default: Params
    version: int = 1


def one_hot(Y: np.ndarray, n_classes: int) -> np.ndarray:
    """Return float64 (..., n, K) with a single 1 per row of Y (..., n)."""
    return np.eye(n_classes)[Y]


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return exp(scores) normalised over the last axis, computed without overflow."""
    shifted = np.exp(scores - scores.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)
