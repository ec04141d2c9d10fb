"""Vectorised metrics equal scikit-learn's on every slice."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.statistics import metrics

ORACLES = {
    "balanced_accuracy": lambda P, y: reference.balanced_accuracy_score(y, P.argmax(1)),
    "macro_f1": lambda P, y: reference.f1_score(y, P.argmax(1), average="macro", labels=np.unique(y), zero_division=0),
    "mcc": lambda P, y: reference.matthews_corrcoef(y, P.argmax(1)),
    "auroc": lambda P, y: np.mean([reference.roc_auc_score(y == k, P[:, k]) for k in np.unique(y)]),
    "log_loss": lambda P, y: -np.mean(np.log(np.clip(P[np.arange(len(y)), y], metrics.EPS, 1))),
    "brier": lambda P, y: np.mean(((P - np.eye(P.shape[1])[y]) ** 2).sum(1)),
}


@pytest.mark.parametrize("name", metrics.METRICS)
@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), n_classes=st.integers(2, 5), n=st.integers(6, 40), rounded=st.booleans())
def test_a_metric_equals_its_reference_on_every_slice(name, seed, n_classes, n, rounded):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.ones(n_classes), size=(2, 3, n))
    if rounded:  # ties
        P = np.round(P, 1)
    y = np.r_[0, 1, rng.integers(0, n_classes, n - 2)]
    got = metrics.METRICS[name](P, y)
    assert got.shape == (2, 3)
    expected = [[ORACLES[name](P[i, j], y) for j in range(3)] for i in range(2)]
    np.testing.assert_allclose(got, expected, atol=1e-9)


def test_every_metric_has_an_oracle():
    assert set(metrics.METRICS) == set(ORACLES)


def test_a_class_absent_from_the_truth_takes_no_part():
    P = np.eye(3)[[0, 1, 1, 2]]
    assert metrics.balanced_accuracy(P, np.array([0, 1, 1, 1])) == pytest.approx((1 + 2 / 3) / 2)
    assert np.isnan(metrics.recalls(P, np.array([0, 1, 1, 1]))[2])
