"""Gradient-boosted trees (Chen and Guestrin 2016) at published settings that hold from 1 label a class up.

Two library defaults make a constant predictor of one label a class: min_child_weight = 1 exceeds the
whole Hessian of a leaf, and reg_lambda = 1 shrinks what is left. Both therefore grow with n here, up
to the library's values at `full_at` labels a class.

Time goes into histograms and splits: features x bins x classes x rounds. 16 bins, as few rows have few
distinct cuts. A twentieth of the features, and at least LEAST of them, is drawn for every split, which is faster than
all of them and, at few labels, far better: with all of them every tree asks the same question. Trees in the
coordinates of `Support.span` would be faster still and lose up to nine points at 5 labels a class, measured on
networks' embeddings: they start from the same few axes.
The rows are binned once for all label vectors and settings, and settings that differ in rounds share their trees.
A split lies in the middle between two rows. The library puts it at the upper one, which gives the class of the lower
one all of the gap, and with it about a point of accuracy away at 1 label a class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.heads.contract import Head, Params, Range, Scored
from bench.heads.support import Support

if TYPE_CHECKING:
    import xgboost

BINS = 16
LEAST = 5  # features drawn for a split: a twentieth of a descriptor's 27 would be one


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return probabilities (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    import xgboost

    X = _middles(np.asarray(support.X, np.float32))
    X_test = np.ascontiguousarray(support.X_test, dtype=np.float32)
    binned = xgboost.QuantileDMatrix(X, max_bin=BINS, nthread=1)
    P = np.zeros((len(Y), len(grid), len(X_test), n_classes))
    for m, y in enumerate(Y):
        present, target = np.unique(y, return_inverse=True)
        if len(present) == 1:
            P[m, :, :, present] = 1.0
            continue
        binned.set_label(target)
        for setting, alike in _by_trees(grid):
            rounds = {at: int(grid[at]["rounds"]) for at in alike}
            model = _grow(binned, len(present), setting, max(rounds.values()))
            for at, count in rounds.items():
                P[m, at][:, present] = _predict(model, X_test, count)
    return Scored(P / P.sum(-1, keepdims=True))


def _middles(X: np.ndarray) -> np.ndarray:
    """Return X float32 (n, d), every value the middle between itself and the next smaller one of its column.

    The library splits at values of the rows it is given: at these, the rows of X fall as they did.
    """
    order = np.argsort(X, axis=0)
    rising = np.take_along_axis(X, order, 0)
    below, own = rising[:-1], rising[1:]
    middle = below / 2 + own / 2
    cut = rising.copy()
    cut[1:] = np.where(middle > below, middle, own)
    first = np.zeros(X.shape, np.intp)  # place of the first row of the same value
    first[1:] = np.where(own > below, np.arange(1, len(X))[:, None], 0)
    out = np.empty(X.shape, np.float32)
    np.put_along_axis(out, order, np.take_along_axis(cut, np.maximum.accumulate(first, 0), 0), 0)
    return out


def _by_trees(grid: Sequence[Params]) -> list[tuple[Params, list[int]]]:
    """Return the settings without their rounds, each with the grid points that share it."""
    found: list[tuple[Params, list[int]]] = []
    for at, setting in enumerate(grid):
        rest = {name: value for name, value in setting.items() if name != "rounds"}
        alike = next((points for other, points in found if other == rest), None)
        if alike is None:
            found.append((rest, [at]))
        else:
            alike.append(at)
    return found


def _grow(binned: xgboost.QuantileDMatrix, n_classes: int, setting: Params, rounds: int) -> xgboost.Booster:
    import xgboost

    share = min(1.0, binned.num_row() / (n_classes * float(setting["full_at"])))
    objective: dict[str, Any] = {"objective": "multi:softprob", "num_class": n_classes}
    if n_classes == 2:
        objective = {"objective": "binary:logistic"}  # one tree a round, not two
    options = {
        **objective,
        "base_score": 0.5,
        "tree_method": "hist",
        "max_bin": BINS,
        "max_depth": int(setting["max_depth"]),
        "eta": float(setting["eta"]),
        "colsample_bynode": min(1.0, max(float(setting["colsample_bynode"]), LEAST / binned.num_col())),
        "min_child_weight": share,
        "reg_lambda": share,
        "nthread": 1,
        "seed": 0,
        "verbosity": 0,
    }
    model = xgboost.Booster(options, [binned])
    for i in range(rounds):  # xgboost.train copies the model at the end, a third of the time at one label a class
        model.update(binned, i)
    return model


def _predict(model: xgboost.Booster, X_test: np.ndarray, rounds: int) -> np.ndarray:
    P = model.inplace_predict(X_test, iteration_range=(0, rounds)).astype(np.float64)
    return np.stack([1 - P, P], 1) if P.ndim == 1 else P


DEFAULT: Params = {"rounds": 40, "max_depth": 3, "eta": 0.2, "colsample_bynode": 0.05, "full_at": 50}
HEAD = Head(
    "xgboost",
    "gradient-boosted trees",
    scores,
    DEFAULT,
    version=3,
    grid=tuple(
        {**DEFAULT, "eta": eta, "full_at": full_at, "rounds": rounds}
        for eta in (0.1, 0.2)
        for full_at in (10, 50)
        for rounds in (20, 40)
    ),
    space={
        "rounds": Range(5, 100, log=True),
        "max_depth": Range(1, 5),
        "eta": Range(0.05, 0.6, log=True),
        "colsample_bynode": Range(0.01, 1.0, log=True),
        "full_at": Range(5, 500, log=True),
    },
)
