"""Multinomial logistic regression with an L2 penalty in the mean-loss form.

    minimise over W (d, K), b (K):   (1/n) sum_i -log softmax(x_i W + b)[y_i]  +  (l2 / 2) ||W||^2

l2 does not drift with n; scikit-learn's C is 1 / (l2 n). The optimal W lies in the span of the
support rows, so the problem is solved exactly in the coordinates of `Support.span`, which serve every
label vector and every l2.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from bench.heads.contract import Head, Params, Scored
from bench.heads.support import Support

TOLERANCE = 1e-6  # on the largest component of the gradient of the mean loss


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return probabilities (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    span = support.span
    return Scored(
        np.stack([np.stack([_fit(span.Z, y, span.Z_test, n_classes, float(g["l2"])) for g in grid]) for y in Y])
    )


def _fit(Z: np.ndarray, y: np.ndarray, Z_test: np.ndarray, n_classes: int, l2: float) -> np.ndarray:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    P = np.zeros((len(Z_test), n_classes))
    present = np.unique(y)
    if len(present) == 1:
        P[:, present] = 1.0
        return P
    model = LogisticRegression(C=1.0 / (l2 * len(y)), tol=TOLERANCE, max_iter=2000)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model.fit(Z, y)
    P[:, present] = model.predict_proba(Z_test)
    return P


HEAD = Head("logreg", "multinomial logistic regression, L2", scores, {"l2": 0.01}, version=2)
