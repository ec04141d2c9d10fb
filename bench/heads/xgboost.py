"""Gradient-boosted trees (Chen and Guestrin 2016) at one published setting that holds from 1 label up.

Two library defaults make a constant predictor of one label a class: min_child_weight = 1 exceeds the
whole Hessian of a leaf, and reg_lambda = 1 shrinks what is left. Both therefore grow with n here, up
to the library's values at 50 labels a class. 16 bins: with few rows there are few distinct cuts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.heads.contract import Head, Params, Scored
from bench.heads.support import Support

FULL_AT = 50  # labels a class from which the library's own regularisation is used


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return probabilities (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    X, X_test = support.X.astype(np.float32), support.X_test.astype(np.float32)
    return Scored(np.stack([np.stack([_fit(X, y, X_test, n_classes, g) for g in grid]) for y in Y]))


def _fit(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, n_classes: int, setting: Params) -> np.ndarray:
    import xgboost

    P = np.zeros((len(X_test), n_classes))
    present, target = np.unique(y, return_inverse=True)
    if len(present) == 1:
        P[:, present] = 1.0
        return P
    share = min(1.0, len(y) / (len(present) * FULL_AT))
    options = {
        "objective": "multi:softprob",
        "num_class": len(present),
        "tree_method": "hist",
        "max_bin": 16,
        "max_depth": int(setting["max_depth"]),
        "eta": float(setting["eta"]),
        "colsample_bynode": float(setting["colsample_bynode"]),
        "min_child_weight": share,
        "reg_lambda": share,
        "nthread": 1,
        "seed": 0,
        "verbosity": 0,
    }
    train = xgboost.QuantileDMatrix(X, label=target, max_bin=16, nthread=1)
    model = xgboost.train(options, train, num_boost_round=int(setting["rounds"]))
    P[:, present] = model.inplace_predict(X_test)
    return P / P.sum(1, keepdims=True)


HEAD = Head(
    "xgboost",
    "gradient-boosted trees",
    scores,
    {"rounds": 50, "max_depth": 3, "eta": 0.3, "colsample_bynode": 0.25},
)
