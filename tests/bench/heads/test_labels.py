"""What labels a head takes as a scikit-learn classifier, and how others are refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.errors import BenchError
from bench.heads.estimator import HeadClassifier

MISSING = (
    np.array(["a", None], object), pd.Series(["a", pd.NA], dtype="string"), pd.Categorical(["a", None]),
    np.array([1, np.nan], object),
)  # fmt: skip


@pytest.mark.parametrize("labels", MISSING)
def test_a_label_that_is_missing_is_named_by_its_row(labels):
    y = np.asarray(labels).repeat(3)
    with pytest.raises(BenchError, match="Got no label for 3 of 6 rows, the first of them row 3"):
        HeadClassifier("knn").fit(np.eye(6), y)


def test_labels_that_cannot_be_sorted_together_are_refused_and_spellings_of_one_type_are_not():
    with pytest.raises(BenchError, match=r"labels of several types \(number, text\)"):
        HeadClassifier("knn").fit(np.eye(4), np.array(["a", 1, "a", 1], object))
    mixed = np.array(["a", np.str_("b"), "a", np.str_("b")], object)
    assert HeadClassifier("knn").fit(np.eye(4), mixed).classes_.tolist() == ["a", "b"]


@pytest.mark.parametrize("head", ["centroid", "knn", "lda", "logreg", "ridge", "xgboost"])
def test_of_a_single_class_every_row_is_predicted_to_be(head):
    clf = HeadClassifier(head).fit(np.eye(4), ["a"] * 4)
    assert clf.predict(np.eye(4)).tolist() == ["a"] * 4
    np.testing.assert_array_equal(clf.predict_proba(np.eye(4)), np.ones((4, 1)))
