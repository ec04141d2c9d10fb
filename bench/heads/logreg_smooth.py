"""Logistic regression on smoothed labels (Szegedy et al. 2016, sec. 7; against label noise: Lukasik et al. 2020).

A label keeps 1 - smoothing of its weight and the rest is shared by all classes that have a label. The loss is convex.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.heads.contract import Head, Params, Scored
from bench.heads.logreg import scores_by
from bench.heads.support import Support
from bench.linalg import LADDER_TOP, Loss


def smoothed(smoothing: float) -> Loss:
    """Return the `bench.linalg.Loss` of cross-entropy with labels smoothed by a share in [0, 1)."""

    def loss(S: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        flat = S.reshape(-1)
        present = np.isfinite(S[:, :, :1])
        each = (smoothing / present.sum(1, keepdims=True) * present).astype(np.float32)  # (P, K, 1)
        S -= S.max(1)[:, None]
        aim = np.float32(1 - smoothing) * flat[own] + (each * np.where(present, S, 0)).sum(1)
        np.exp(S, out=S)
        total = S.sum(1)
        S /= total[:, None]
        w = S.mean(2) - np.vecdot(S, S) / S.shape[2]
        S -= each
        flat[own] -= np.float32(1 - smoothing)
        return np.log(total) - aim, w

    return loss


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return probabilities (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    return scores_by("smoothing", smoothed, LADDER_TOP, support, Y, n_classes, grid)


HEAD = Head(
    "logreg-smooth",
    "logistic regression on smoothed labels",
    scores,
    {"l2": 0.01, "smoothing": 0.1},
    grid=tuple({"l2": l2, "smoothing": smoothing} for smoothing in (0.1, 0.3) for l2 in (1e-1, 1e-2, 1e-3, 1e-4)),
)
