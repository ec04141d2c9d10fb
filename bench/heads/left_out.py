"""What is left of the labels when a group of rows is left out."""

from __future__ import annotations

import numpy as np

from bench.loops.late import compiled_when_called


def groups_of_classes(y: np.ndarray, groups: np.ndarray, n_classes: int) -> np.ndarray:
    """Return in how many groups every class lies, int (K,), of labels y (n,) and groups (n,) of any type."""
    pairs = np.unique(np.unique(groups, return_inverse=True)[1] * n_classes + y)
    return np.bincount(pairs % n_classes, minlength=n_classes)


def rows_left(Y: np.ndarray, groups: np.ndarray, n_classes: int) -> np.ndarray:
    """Return how many rows of every class are outside a row's group, (m, n, K), of labels Y (m, n) and groups (n,)."""
    inside = np.zeros((len(Y), int(groups.max()) + 1, n_classes), np.int64)
    _count(np.array(Y, np.int64), np.array(groups, np.int64), inside)
    return inside.sum(1, keepdims=True) - inside[:, groups]


@compiled_when_called
def _count(Y: np.ndarray, groups: np.ndarray, inside: np.ndarray) -> None:
    for j in range(len(Y)):
        for i in range(len(groups)):
            inside[j, groups[i], Y[j, i]] += 1
