"""Any head as a plain scikit-learn classifier, for pipelines, cross-validation and one's own data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from bench.heads import get_heads
from bench.heads.support import Support


class HeadClassifier(ClassifierMixin, BaseEstimator):
    """A head behind fit / predict_proba / predict.

    Parameters
    ----------
    head : str
        Name of the head, e.g. "knn", "logreg", "centroid", "xgboost".
    params : dict or None
        Hyper-parameters that differ from the head's published default.

    Notes
    -----
    Rows are used as given. `bench run` centres them on the training pool and scales them to unit
    length first (`bench.fitting.sweep.scale_rows`).
    """

    def __init__(self, head: str = "logreg", params: dict[str, Any] | None = None) -> None:
        self.head = head
        self.params = params

    def fit(self, X: ArrayLike, y: ArrayLike) -> HeadClassifier:
        """Keep the support X (n, d) and labels y (n,)."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, self.y_ = np.unique(y, return_inverse=True)
        self.X_ = np.asarray(X)
        return self

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return class probabilities (n_test, K) in the order of `classes_`."""
        check_is_fitted(self)
        X_test = np.asarray(validate_data(self, X, dtype=np.float64, reset=False))
        [head] = get_heads([self.head])
        grid = [{**head.default, **(self.params or {})}]
        return head.scores(Support(self.X_, X_test), self.y_[None], len(self.classes_), grid).P[0, 0]

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the most probable class of each row, (n_test,)."""
        P = self.predict_proba(X)
        return self.classes_[P.argmax(1)]
