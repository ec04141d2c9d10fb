"""Any head as a plain scikit-learn classifier, for pipelines, cross-validation and one's own data."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from bench.errors import BenchError, did_you_mean
from bench.heads import Head, get_heads
from bench.heads.choice import choose_setting, may_leave_out
from bench.heads.state import check_size
from bench.heads.support import Support
from bench.heads.temperature import soften

SELECT = ("auto", "fixed")


def _one_of_each_row(groups: ArrayLike, n: int) -> np.ndarray:
    """Return groups (n,); BenchError where they are not one for every row, or one is missing."""
    given = np.asarray(groups)
    if given.shape != (n,):
        raise BenchError(f"Got groups of shape {given.shape}; expected ({n},), one for every row of X.")
    missing = np.asarray(pd.isna(given))
    if missing.any():
        raise BenchError(
            f"Got no group for {int(missing.sum()):,} of {n:,} rows, the first of them row {int(missing.argmax())}; "
            "expected the slide of every row. Give a row of unknown slide a group of its own."
        )
    return given


def _check_labels(y: ArrayLike) -> None:
    """Raise BenchError for labels of objects of which one is missing, or that cannot be sorted together."""
    labels = np.asarray(y)
    if labels.dtype != object or labels.ndim != 1:
        return  # scikit-learn says the rest
    missing = np.asarray(pd.isna(labels))
    if missing.any():
        raise BenchError(
            f"Got no label for {int(missing.sum()):,} of {len(labels):,} rows, the first of them row "
            f"{int(missing.argmax())}; expected one for every row. Leave such rows out."
        )
    kinds = sorted({_kind(label) for label in labels})
    if len(kinds) > 1:
        raise BenchError(f"Got labels of several types ({', '.join(kinds)}); expected all texts or all numbers.")


def _kind(label: object) -> str:
    """Return what labels are compared as: "text", "number", or the name of another type."""
    return "text" if isinstance(label, str) else "number" if isinstance(label, Number) else type(label).__name__


class HeadClassifier(ClassifierMixin, BaseEstimator):
    """A head as a scikit-learn classifier, for pipelines, cross-validation and vectors of any origin.

    Parameters
    ----------
    head : str, default="logreg"
        Name of the head, e.g. "knn", "logreg", "centroid", "xgboost"; `bench.list_heads` lists them. "my.py:NAME" is a
        classifier of scikit-learn in a file, which is run.
    params : dict, optional
        A setting of your own: hyper-parameters that differ from the head's default. None lets `select` say.
    select : {"auto", "fixed"}, default="auto"
        "auto": the setting and the temperature that predict rows best which were left out with their group, near the
        published one where labels are few; the published one where a class has a single group, or the head has no
        way to leave rows out. "fixed": the published one.

    Attributes
    ----------
    classes_ : numpy.ndarray of shape (K,)
        The labels, sorted.
    setting_ : dict
        The setting that is used.
    temperature_ : float
        What its probabilities are softened by.
    chosen_by_ : {"left-out groups", "rule", "params"}
        How the setting was chosen.
    fitted_ : Fitted
        What was learned: `fitted_.scores(X)` are the probabilities before they are softened, `fitted_.state()` plain
        arrays and JSON that `Head.restore` makes the same of.
    n_features_in_ : int
        The number d of columns that it learned from.

    See Also
    --------
    bench.embed : Vectors of images to learn from.
    bench.run : Which head and encoder to take.

    Notes
    -----
    Rows are used as given. `bench.run` centres them on the training pool and scales them to unit length first
    (`bench.fitting.scaling.scale_rows`). The published setting is a rule of the number of labels, classes and columns;
    what the rules are worth is measured in `results/settings`. Probabilities are softened by one temperature [1]_.

    References
    ----------
    .. [1] Guo, Pleiss, Sun, Weinberger (2017). On Calibration of Modern Neural Networks. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> import bench
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["neuron", "rbc"], 20)
    >>> X = rng.normal(size=(40, 8)) + 2 * (y == "rbc")[:, None]  # (n, d)
    >>> slides = np.tile(np.arange(10), 4)
    >>> clf = bench.HeadClassifier("ridge").fit(X, y, groups=slides)
    >>> clf.predict(X[:2])
    array(['neuron', 'neuron'], dtype='<U6')
    >>> clf.predict_proba(X[:2]).shape
    (2, 2)
    >>> clf.chosen_by_
    'left-out groups'

    It goes where any classifier goes:

    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> model = make_pipeline(StandardScaler(), bench.HeadClassifier("knn"))
    >>> cross_val_score(model, X, y, cv=4).shape
    (4,)
    """

    def __init__(self, head: str = "logreg", params: dict[str, Any] | None = None, select: str = "auto") -> None:
        self.head = head
        self.params = params
        self.select = select

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> HeadClassifier:
        """Learn from labelled rows.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Rows, converted to float64.
        y : array-like of shape (n,)
            Labels, texts or numbers. Of a single class, every row is predicted to be of it.
        groups : array-like of shape (n,), optional
            What must not be apart when rows are left out to choose a setting, such as slides. None: every row is a
            group.

        Returns
        -------
        HeadClassifier
            Itself.

        Raises
        ------
        BenchError
            For an unknown head, parameter or `select`, for groups that do not name one of every row, and for labels
            that are missing or of types that cannot be sorted together.
        ValueError
            For rows or labels that scikit-learn does not take, such as rows with NaN or labels that are fractions.
        """
        if not isinstance(self.select, str):
            kind = type(self.select).__name__
            raise BenchError(f"Got select of type {kind}; expected one of: {', '.join(SELECT)}.")
        if self.select not in SELECT:
            hint = did_you_mean(self.select, SELECT) or "."
            raise BenchError(f"Got select '{self.select}'{hint} Expected one of: {', '.join(SELECT)}.")
        _check_labels(y)
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        rows = np.asarray(X)
        check_size(rows)
        head = self._head()
        K, (n, d) = len(self.classes_), rows.shape
        self.setting_, self.chosen_by_ = dict(head.published(n, K, d)), "rule"
        self.temperature_ = head.published_temperature(n, K, d)
        support = Support(rows, rows[:0], None if groups is None else _one_of_each_row(groups, n))
        if self.params is not None:
            self.setting_, self.chosen_by_ = {**head.default, **self.params}, "params"
        elif self.select == "auto" and head.loo and head.grid and may_leave_out(support.groups, codes, K):
            P = head.loo(support, codes[None], K, head.grid).P[0]
            at, self.temperature_ = choose_setting(head, P, codes, support.groups, support.shape)
            self.setting_, self.chosen_by_ = dict(head.grid[at]), "left-out groups"
        self.fitted_ = head.fit_support(support, codes, K, self.setting_)
        return self

    def _head(self) -> Head:
        """Return the head that is asked for; BenchError for one that is not there, or parameters that it has not."""
        if not isinstance(self.head, str):
            raise BenchError(f"Got head={self.head!r}; expected the name of a head as text, e.g. 'knn'.")
        [head] = get_heads([self.head])
        if self.params is None:
            return head
        if not isinstance(self.params, Mapping):
            raise BenchError(f"Got params={self.params!r}; expected a dict of settings, or None.")
        head.check(self.params)
        return head

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Predict the probability of every class.

        Parameters
        ----------
        X : array-like of shape (n_test, d)
            Rows of as many columns as were learned from.

        Returns
        -------
        numpy.ndarray of shape (n_test, K)
            Probabilities in the order of `classes_`; each row sums to 1.
        """
        check_is_fitted(self)
        X_test = np.asarray(validate_data(self, X, dtype=np.float64, reset=False))
        check_size(X_test)
        return soften(self.fitted_.scores(X_test), self.temperature_)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_test, d)
            Rows of as many columns as were learned from.

        Returns
        -------
        numpy.ndarray of shape (n_test,)
            Labels, of the type that was learned from.
        """
        P = self.predict_proba(X)
        return self.classes_[P.argmax(1)]
