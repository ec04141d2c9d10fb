"""Any head as a plain scikit-learn classifier, for pipelines, cross-validation and one's own data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from bench.errors import BenchError, did_you_mean
from bench.heads import get_heads
from bench.heads.choice import least, leave_groups_out, may_leave_out, with_prior
from bench.heads.support import Support
from bench.heads.temperature import soften

SELECT = ("auto", "fixed")


class HeadClassifier(ClassifierMixin, BaseEstimator):
    """A head behind fit / predict_proba / predict.

    Parameters
    ----------
    head : str
        Name of the head, e.g. "knn", "logreg", "centroid", "xgboost".
    params : dict or None
        A setting of your own: hyper-parameters that differ from the head's default. None lets `select` say.
    select : str
        "auto": the setting and the temperature that predict rows best which were left out with their group, near the
        published one where labels are few; the published one where a class has a single group, or the head has no
        way to leave rows out. "fixed": the published one.

    Attributes
    ----------
    setting_ : dict
        The setting that is used.
    temperature_ : float
        What its probabilities are softened by; see `bench.heads.temperature`.
    chosen_by_ : str
        "left-out groups", "rule" or "params".

    Notes
    -----
    Rows are used as given. `bench run` centres them on the training pool and scales them to unit
    length first (`bench.fitting.scaling.scale_rows`).
    """

    def __init__(self, head: str = "logreg", params: dict[str, Any] | None = None, select: str = "auto") -> None:
        self.head = head
        self.params = params
        self.select = select

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> HeadClassifier:
        """Keep X (n, d), labels y (n,) and a setting that suits them. groups (n,): None is every row its own."""
        if self.select not in SELECT:
            hint = did_you_mean(self.select, SELECT) or "."
            raise BenchError(f"Got select '{self.select}'{hint} Expected one of: {', '.join(SELECT)}.")
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, self.y_ = np.unique(y, return_inverse=True)
        self.X_ = np.asarray(X)
        [head] = get_heads([self.head])
        K, (n, d) = len(self.classes_), self.X_.shape
        self.setting_, self.chosen_by_ = dict(head.published(n, K, d)), "rule"
        self.temperature_ = head.published_temperature(n, K, d)
        support = Support(self.X_, self.X_[:0], None if groups is None else np.asarray(groups))
        if self.params is not None:
            self.setting_, self.chosen_by_ = {**head.default, **self.params}, "params"
        elif self.select == "auto" and head.loo and head.grid and may_leave_out(support.groups, self.y_, K):
            judged = leave_groups_out(head, support, self.y_[None], K, head.grid)
            published = head.published(n, K, d)
            losses = with_prior(judged.losses, head, head.grid, published, n)
            at = int(least(losses, head.grid, published)[0])
            self.setting_, self.chosen_by_ = dict(head.grid[at]), "left-out groups"
            self.temperature_ = float(judged.temperatures[0, at])
        return self

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return class probabilities (n_test, K) in the order of `classes_`."""
        check_is_fitted(self)
        X_test = np.asarray(validate_data(self, X, dtype=np.float64, reset=False))
        [head] = get_heads([self.head])
        scored = head.scores(Support(self.X_, X_test), self.y_[None], len(self.classes_), [self.setting_])
        return soften(scored.P[0, 0], self.temperature_)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the most probable class of each row, (n_test,)."""
        P = self.predict_proba(X)
        return self.classes_[P.argmax(1)]
