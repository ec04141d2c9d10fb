"""What is left of the labels when a group of rows is left out."""

from __future__ import annotations

import numpy as np


def rows_left(Y: np.ndarray, groups: np.ndarray, n_classes: int) -> np.ndarray:
    """Return how many rows of every class are outside a row's group, (m, n, K), of labels Y (m, n) and groups (n,)."""
    size = (int(groups.max()) + 1) * n_classes
    inside = [np.bincount(groups * n_classes + y, minlength=size).reshape(-1, n_classes)[groups] for y in Y]
    counts = [np.bincount(y, minlength=n_classes) for y in Y]
    return np.stack(counts)[:, None] - np.stack(inside)
