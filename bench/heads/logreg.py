"""Multinomial logistic regression with an L2 penalty in the mean-loss form.

    minimise over W (d, K), b (K):   (1/n) sum_i -log softmax(x_i W + b)[y_i]  +  (l2 / 2) ||W||^2

l2 does not drift with n; scikit-learn's C is 1 / (l2 n). The optimal W lies in the span of the
support rows, so for n < d the problem is solved exactly in n coordinates: with the thin SVD
X = U diag(s) V', the rows become U diag(s) and a test row x becomes x V. One decomposition serves
every label vector and every l2.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from bench.heads.contract import Head, Params

TOLERANCE = 1e-6  # on the largest component of the gradient of the mean loss


def in_span(X: np.ndarray, X_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (Z (n, r), Z_test (n_test, r)): coordinates in the row space of X; inner products with X kept."""
    if X.shape[0] >= X.shape[1]:
        return X, X_test
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    kept = s > s[0] * max(X.shape) * np.finfo(s.dtype).eps if s[0] > 0 else np.arange(len(s)) == 0
    return U[:, kept] * s[kept], X_test @ Vt[kept].T


def scores(X: np.ndarray, Y: np.ndarray, X_test: np.ndarray, n_classes: int, grid: Sequence[Params]) -> np.ndarray:
    """Return probabilities (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    Z, Z_test = in_span(X.astype(np.float64), X_test.astype(np.float64))
    return np.stack([np.stack([_fit(Z, y, Z_test, n_classes, float(g["l2"])) for g in grid]) for y in Y])


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


HEAD = Head("logreg", "multinomial logistic regression, L2", scores, {"l2": 0.01})
