"""Scores of stored predictions: pure functions of probabilities and true labels.

Every metric maps P (..., N, K), class probabilities, and y (N,), true class indices, to an array (...):
leading axes (seeds, noise rates) are scored at once. A column of the leaderboard is one entry of
`METRICS`. Classes absent from y take no part in the averages over classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

Metric = Callable[[np.ndarray, np.ndarray], np.ndarray]
EPS = 1e-7  # probabilities are clipped here in log_loss: a vote share of 0 costs 16 nats, not infinity


def confusion(P: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return counts (..., K, K): true class by predicted class (ties go to the first class)."""
    n_classes = P.shape[-1]
    pair = y * n_classes + P.argmax(-1)
    flat = pair.reshape(-1, pair.shape[-1])
    counts = np.stack([np.bincount(row, minlength=n_classes**2) for row in flat])
    return counts.reshape(*pair.shape[:-1], n_classes, n_classes)


def recalls(P: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return per-class recall (..., K); NaN for a class absent from y."""
    counts = confusion(P, y)
    total = counts.sum(-1)
    with np.errstate(invalid="ignore"):
        return np.diagonal(counts, axis1=-2, axis2=-1) / np.where(total > 0, total, np.nan)


def balanced_accuracy(P: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean recall over the classes present; in [0, 1]."""
    return np.nanmean(recalls(P, y), -1)


def macro_f1(P: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean over the classes present of 2 TP / (2 TP + FP + FN); in [0, 1]."""
    counts = confusion(P, y)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    f1 = 2 * hits / np.maximum(counts.sum(-1) + counts.sum(-2), 1)
    return f1[..., np.unique(y)].mean(-1)


def mcc(P: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Multi-class Matthews correlation (Gorodkin 2004); in [-1, 1], 0 when one class is always predicted."""
    counts = confusion(P, y).astype(float)
    n = counts.sum((-2, -1))
    true, predicted = counts.sum(-1), counts.sum(-2)
    covariance = n * np.trace(counts, axis1=-2, axis2=-1) - (true * predicted).sum(-1)
    scale = np.sqrt((n**2 - (predicted**2).sum(-1)) * (n**2 - (true**2).sum(-1)))
    return np.where(scale > 0, covariance / np.where(scale > 0, scale, 1), 0.0)


def auroc(P: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Macro one-vs-rest area under the ROC curve (Mann-Whitney, ties count half); in [0, 1]."""
    areas = []
    for k in np.unique(y):
        positive = y == k
        n_pos, n_neg = int(positive.sum()), int((~positive).sum())
        if n_neg == 0:
            return np.full(P.shape[:-2], np.nan)
        scores = P[..., k].reshape(-1, len(y)).astype(np.promote_types(P.dtype, np.float32))  # half sorts slowly
        ranks = [_ranks_within(own[positive], own).sum() for own in scores]
        areas.append((np.reshape(ranks, P.shape[:-2]) - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg))
    return np.mean(areas, axis=0)


def _ranks_within(some: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the rank from 1 of some of the values (n,), where equal ones share the mean of theirs."""
    values = np.sort(values)
    return (np.searchsorted(values, some, "left") + np.searchsorted(values, some, "right") + 1) / 2


def log_loss(P: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean negative log probability of the true class, in nats, clipped at EPS; in [0, 16.2]."""
    own = np.take_along_axis(P.astype(np.float64), np.broadcast_to(y[:, None], (*P.shape[:-1], 1)), -1)[..., 0]
    return -np.log(np.clip(own, EPS, 1)).mean(-1)


def brier(P: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean squared distance between the probabilities and the one-hot truth (Brier 1950); in [0, 2]."""
    truth = np.eye(P.shape[-1])[y]
    return ((P.astype(np.float64) - truth) ** 2).sum(-1).mean(-1)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "balanced_accuracy": balanced_accuracy,
        "macro_f1": macro_f1,
        "mcc": mcc,
        "auroc": auroc,
        "log_loss": log_loss,
        "brier": brier,
    }
)
