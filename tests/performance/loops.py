"""The loops of library fits that a user would write instead: every label vector and every setting by itself.

A loop maps support rows X (n, d), labels Y (m, n), test rows and the settings of a head to `Comparison`. `LOOPS` has
those of a head by name, the one that answers are compared with first, and the type of the rows that it is given.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from bench.heads import get_heads
from bench.heads.contract import Params
from bench.heads.knn import TEMPERATURE

TIGHT = 1e-8
TUNED_DOWN = {"n_estimators": 50, "max_depth": 3, "max_bin": 16}


class Comparison(NamedTuple):
    """Predicted classes (m, L, n_test), -1 where the library refuses; models: those of logistic regression, in order."""

    predicted: np.ndarray
    models: list[Any]


class Loop(NamedTuple):
    """What is run, and the type of the rows."""

    run: Callable[[np.ndarray, np.ndarray, np.ndarray, Sequence[Params]], Comparison]
    dtype: type


Make = Callable[[Params, np.ndarray], Any]  # setting and labels -> an estimator to fit, None where it would refuse


def each(
    make: Make, X: np.ndarray, Y: np.ndarray, X_test: np.ndarray, settings: Sequence[Params], keep: bool = False
) -> Comparison:
    """Fit and predict one by one."""
    predicted, models = np.full((len(Y), len(settings), len(X_test)), -1), []
    for i, y in enumerate(Y):
        present, target = np.unique(y, return_inverse=True)
        for j, setting in enumerate(settings):
            model = make(setting, y) if len(present) > 1 else None
            if model is not None:
                predicted[i, j] = present[model.fit(X, target).predict(X_test)]
            elif len(present) == 1:
                predicted[i, j] = present[0]
            if keep:
                models.append(model)
    return Comparison(predicted, models)


def logreg(options: Mapping[str, Any], setting: Params, y: np.ndarray) -> LogisticRegression:
    """Make one of the same penalty; see `bench.heads.logreg`."""
    two = 2 if len(np.unique(y)) == 2 else 1
    return LogisticRegression(C=two / (setting["l2"] * len(y)), **options)


def knn(setting: Params, y: np.ndarray) -> KNeighborsClassifier:
    """Make one that weighs votes as the head does."""
    return KNeighborsClassifier(min(setting["k"], len(y)), metric="cosine", weights=_vote_of_distance)


def _vote_of_distance(distance: np.ndarray) -> np.ndarray:
    return np.exp(-distance / TEMPERATURE)


def faiss_knn(X: np.ndarray, Y: np.ndarray, X_test: np.ndarray, settings: Sequence[Params]) -> Comparison:
    """Search once, and count the votes of every k and label vector. The rows are of length 1."""
    import faiss

    faiss.omp_set_num_threads(1)
    ks = [min(setting["k"], len(X)) for setting in settings]
    index = faiss.IndexFlatIP(X.shape[1])
    index.add(X)
    similarity, neighbour = index.search(X_test, max(ks))
    weight, classes = np.exp((similarity - 1) / TEMPERATURE), np.arange(Y.max() + 1)
    predicted = np.empty((len(Y), len(ks), len(X_test)), int)
    for i, y in enumerate(Y):
        votes = (y[neighbour][:, :, None] == classes) * weight[:, :, None]  # (n_test, k, K)
        for j, k in enumerate(ks):
            predicted[i, j] = votes[:, :k].sum(1).argmax(1)
    return Comparison(predicted, [])


def centroid(setting: Params, y: np.ndarray) -> NearestCentroid:
    """Make the Euclidean one."""
    return NearestCentroid()


def ridge(setting: Params, y: np.ndarray) -> RidgeClassifier:
    """Make one of the same penalty; see `bench.heads.ridge`."""
    return RidgeClassifier(len(y) * setting["alpha"])


def lda(setting: Params, y: np.ndarray) -> LinearDiscriminantAnalysis | None:
    """Make one of the same covariance; the library refuses one row a class."""
    if len(np.unique(y)) == len(y):
        return None
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=setting["shrinkage"])


def xgboost(options: Mapping[str, Any], setting: Params, y: np.ndarray) -> Any:
    """Make the library's own model, whatever the head's setting: its defaults, or less by `options`."""
    from xgboost import XGBClassifier

    return XGBClassifier(n_jobs=1, **options)


tight = {"tol": TIGHT, "max_iter": 100_000}
LOOPS: Mapping[str, Mapping[str, Loop]] = MappingProxyType(
    {
        "logreg": {
            "scikit-learn, float64, tol 1e-8": Loop(partial(each, partial(logreg, tight), keep=True), np.float64),
            "scikit-learn, float32, defaults": Loop(partial(each, partial(logreg, {})), np.float32),
        },
        "knn": {
            "scikit-learn, float64": Loop(partial(each, knn), np.float64),
            "faiss, float32": Loop(faiss_knn, np.float32),
        },
        "centroid": {
            "scikit-learn, float64": Loop(partial(each, centroid), np.float64),
            "scikit-learn, float32": Loop(partial(each, centroid), np.float32),
        },
        "ridge": {
            "scikit-learn, float64": Loop(partial(each, ridge), np.float64),
            "scikit-learn, float32": Loop(partial(each, ridge), np.float32),
        },
        "lda": {
            "scikit-learn, float64": Loop(partial(each, lda), np.float64),
            "scikit-learn, float32": Loop(partial(each, lda), np.float32),
        },
        "xgboost": {
            "XGBClassifier, defaults": Loop(partial(each, partial(xgboost, {})), np.float32),
            "XGBClassifier, tuned down": Loop(partial(each, partial(xgboost, TUNED_DOWN)), np.float32),
        },
    }
)


def settings_of(name: str) -> list[Params]:
    """Return the settings of a head that the libraries have too."""
    [head] = get_heads([name])
    if name == "centroid":
        return [next(setting for setting in head.grid if setting["metric"] == "euclidean")]
    if name == "xgboost":
        return [head.default]  # its time is that of its trees, and the library has other settings
    return [setting for setting in head.grid if setting.get("shrinkage") != "auto"]


def quieten() -> None:
    """Leave out what the libraries warn of: fits that stop early, classes of one row."""
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    warnings.filterwarnings("ignore", module="sklearn")
