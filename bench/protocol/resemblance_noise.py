"""Label noise by resemblance: a wrong label names a class that the item looks like.

In every space of cheap descriptors (none of which competes) a class j is the mean mu_j of its items on the training
side of a split, and an item x of class y is given class j != y with probability

    P(j | x) = exp(-|x - mu_j|^2 / t) / sum over i != y of exp(-|x - mu_i|^2 / t)

t: the median, over the items of the training side, of how much nearer the nearest other class is than the next one (in
squared distance), so that for a typical item these two are named as e to 1. P is the mean over the spaces. `targets` of
`bench.protocol.instance_noise` lets looks matter as well, but through random weights: there items that look alike are
taken for the same class, whichever it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

BLOCK = 4096  # rows whose distances are made at a time


@dataclass(frozen=True)
class ClassFeatures:
    """What the classes look like in one space: mean (K, d), NaN of a class without items, and t, above 0."""

    mean: np.ndarray
    t: float


def class_features(X: np.ndarray, y: np.ndarray, n_classes: int) -> ClassFeatures:
    """Return what the classes look like from rows X (n, d) of classes y (n,) in [0, K)."""
    X = X.astype(np.float64, copy=False)
    mean = np.full((n_classes, X.shape[1]), np.nan)
    for k in np.unique(y).tolist():
        mean[k] = X[y == k].mean(0)
    there = np.unique(y)
    shift = (mean[there] ** 2).sum(1)
    gaps = []
    for i in range(0, len(X), BLOCK):
        away = shift - 2 * (X[i : i + BLOCK] @ mean[there].T)  # squared distances, less |x|^2
        away[y[i : i + BLOCK, None] == there] = np.inf
        away.sort(1)
        gaps.append(away[:, 1] - away[:, 0] if len(there) > 2 else np.zeros(0))
    gap = np.concatenate(gaps)
    gap = gap[gap > 0]
    return ClassFeatures(mean, float(np.median(gap)) if len(gap) else 1.0)


def resemblance(features: Mapping[str, np.ndarray], classes: Mapping[str, ClassFeatures], y: np.ndarray) -> np.ndarray:
    """Return the probability of each class to be named where the label of an item is wrong, float64 (n, K).

    features: space to the items' rows in it, (n, d); classes: the same spaces to what the classes look like there; y
    (n,): the true classes, whose own probability is 0. A row does not depend on the other rows.
    """
    P = np.zeros((len(y), len(next(iter(classes.values())).mean)))
    for space, X in features.items():
        away = _others(X.astype(np.float64), y, classes[space].mean)
        away[np.isinf(away).all(1)] = 0  # nothing to resemble: any class, but for its own
        away[np.arange(len(y)), y] = np.inf
        weight = np.exp((away.min(1, keepdims=True) - away) / classes[space].t)
        P += weight / weight.sum(1, keepdims=True)
    return P / len(features)


def _others(X: np.ndarray, y: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return squared distances of rows X (n, d) to the means, (n, K); infinite to their own class and missing ones."""
    away = np.stack([np.einsum("nd,nd->n", X - one, X - one) for one in mean], 1)
    away[np.isnan(away)] = np.inf
    away[np.arange(len(y)), y] = np.inf
    return away


def pick(P: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Return the column (n,) that u (n,) in [0, 1) points to, each as often as its share of its row of P (n, K)."""
    below = np.cumsum(P, 1)
    place = (below <= (u * below[:, -1])[:, None]).sum(1)
    last = P.shape[1] - 1 - (P[:, ::-1] > 0).argmax(1)  # rounding never leads beyond what can be named
    return np.minimum(place, last)
