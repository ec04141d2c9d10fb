"""Multinomial logistic regression with an L2 penalty in the mean-loss form.

    minimise over W (K, d), b (K):   (1/n) sum_i -log softmax(W x_i + b)[y_i]  +  (l2 / 2) ||W||^2

l2 does not drift with n; scikit-learn's C is 1 / (l2 n), and 2 / (l2 n) with two classes, for which it keeps one
weight vector and not two of opposite sign. The optimal W lies in the span of the support rows, so the problem is
solved exactly in the coordinates of `Support.span`, for all label vectors and all l2 at once (`bench.linalg`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bench.heads.contract import Head, Params, Scored, softmax
from bench.heads.support import Support
from bench.linalg import LADDER_TOP, Loss, Rows, cross_entropy, minimise

GRID = tuple({"l2": float(10 ** (-2 * j / 3))} for j in range(10))  # 1 to 1e-6; 0.01 is the fourth


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return probabilities (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    return fit_and_score(support, Y, n_classes, [g["l2"] for g in grid])


def fit_and_score(
    support: Support,
    Y: np.ndarray,
    n_classes: int,
    l2: Sequence[float],
    loss: Loss = cross_entropy,
    top: float = LADDER_TOP,
    weight: np.ndarray | None = None,
) -> Scored:
    """Return probabilities (m, len(l2), n_test, K) of the linear model with this loss; see `bench.linalg.minimise`."""
    span = support.span
    solved = minimise(Rows.of(span.Z, span.e), Y, n_classes, l2, loss, top, weight)
    m, L, K, r = solved.W.shape
    W = solved.W.reshape(m * L * K, r).astype(np.float64)
    intercept = W[:, -1] - np.vecdot(W[:, :-1], span.Z.mean(0))
    S = (span.at_test(W[:, :-1].T).T + intercept[:, None]).reshape(m, L, K, -1)
    absent = (Y[:, None, :] != np.arange(K)[:, None]).all(2)  # (m, K)
    S.swapaxes(1, 2)[absent] = -np.inf
    return Scored(softmax(S, 2).swapaxes(2, 3), solved.gap, solved.steps)


def scores_by(
    parameter: str,
    make_loss: Callable[[float], Loss],
    top: float,
    support: Support,
    Y: np.ndarray,
    n_classes: int,
    grid: Sequence[Params],
) -> Scored:
    """Return `Scores` for settings of l2 and of a parameter of the loss; settings that share it are solved at once."""
    parts: list[Scored] = []
    order: list[int] = []
    for value in sorted({float(g[parameter]) for g in grid}):
        own = [j for j, g in enumerate(grid) if float(g[parameter]) == value]
        parts.append(fit_and_score(support, Y, n_classes, [grid[j]["l2"] for j in own], make_loss(value), top))
        order += own
    place = np.argsort(order)
    return Scored(*(np.concatenate(arrays, 1)[:, place] for arrays in zip(*parts, strict=True)))


HEAD = Head("logreg", "multinomial logistic regression, L2", scores, {"l2": 0.01}, version=3, grid=GRID)
