"""How alike this engine and a loop are: equal classes, the loss they reach, the accuracy they give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bench.heads.logreg import CROSS_ENTROPY
from bench.heads.support import Support
from bench.solvers.linalg import minimise
from bench.statistics.metrics import balanced_accuracy


def equal_share(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return the share of equal classes (m, L) of predictions (m, L, n_test); NaN where the library refused."""
    return np.where((theirs >= 0).all(-1), (ours == theirs).mean(-1), np.nan)


def accuracy(predicted: np.ndarray, y: np.ndarray, K: int) -> np.ndarray:
    """Return the balanced accuracy (m, L), in percent, of predictions (m, L, n_test)."""
    return 100 * balanced_accuracy(np.eye(K)[predicted], y)


class Solved(NamedTuple):
    """Of logistic regression: the largest (f - f') / f', the largest that the engine tells, mean evaluations a fit."""

    gap: float
    told: float
    evaluations: float


def losses(support: Support, Y: np.ndarray, K: int, l2: Sequence[float], models: Sequence[Any]) -> Solved:
    """Compare the losses f of this engine's weights and f' of the library's models, (m, L) of them in order.

    f is the mean loss and the penalty, float64, of float32 weights in the coordinates they were found in: centred, and
    the last the 1 of the intercept. f' is that of the rows themselves.
    """
    rows = support.linear.rows
    solved = minimise(rows, Y, K, l2, CROSS_ENTROPY)
    W = solved.W.astype(np.float64)
    Z, X = rows.Zt[:-1].T.astype(np.float64), support.X.astype(np.float64)
    worst = -np.inf
    for at, model in enumerate(models):
        if model is None:  # one class is left
            continue
        i, j = divmod(at, len(l2))
        present, y = np.unique(Y[i], return_inverse=True)
        own = W[i, j][present]
        f = objective(Z, y, l2[j], own[:, :-1], own[:, -1])
        A, b = model.coef_, model.intercept_
        if len(present) == 2:
            A, b = np.vstack([-A, A]) / 2, np.append(-b, b) / 2
        least = objective(X, y, l2[j], A, b)
        worst = max(worst, (f - least) / least)
    return Solved(worst, float(solved.gap.max()), float(solved.steps.mean()))


def objective(X: np.ndarray, y: np.ndarray, l2: float, W: np.ndarray, b: np.ndarray) -> float:
    """Return the mean loss and the penalty, float64."""
    S = X @ W.T + b
    top = S.max(1)
    own = S[np.arange(len(y)), y]
    return float((top + np.log(np.exp(S - top[:, None]).sum(1)) - own).mean() + l2 / 2 * (W**2).sum())
