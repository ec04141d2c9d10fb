"""What every head promises on ordinary rows; a new head file is tested here, and beside, without being named."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import check_estimator

from bench.errors import BenchError
from bench.heads import all_heads, get_heads
from bench.heads.estimator import HeadClassifier
from bench.heads.support import Support
from bench.heads.temperature import soften

HEADS = sorted(all_heads())


def blobs(n: int, d: int, n_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = np.random.default_rng(99).normal(size=(n_classes, d))[y] + rng.normal(size=(n, d))
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32), y


def score(name: str, X: np.ndarray, Y: np.ndarray, X_test: np.ndarray, n_classes: int) -> np.ndarray:
    head = all_heads()[name]
    return head.scores(Support(X, X_test), Y, n_classes, [head.default]).P


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize(("n", "d", "K"), [(3, 40, 3), (40, 6, 2), (30, 30, 4), (60, 200, 3)])
def test_a_head_gives_probabilities_of_the_promised_shape(name, n, d, K):
    X, y = blobs(n, d, K)
    P = score(name, X, np.stack([y, (y + 1) % K]), blobs(7, d, K, 1)[0], K)
    assert P.shape == (2, 1, 7, K)
    assert np.isfinite(P).all()
    np.testing.assert_allclose(P.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("name", [name for name, head in all_heads().items() if head.loo])
def test_leaving_out_gives_probabilities_of_every_row_of_the_support(name):
    X, y = blobs(30, 6, 3)
    head, support = all_heads()[name], Support(X, X[:4], groups=np.arange(30) // 5)
    assert head.loo is not None
    P = head.loo(support, np.stack([y, (y + 1) % 3]), 3, head.grid).P
    assert P.shape == (2, len(head.grid), 30, 3) and np.isfinite(P).all() and (P >= 0).all()
    np.testing.assert_allclose(P.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("name", HEADS)
def test_a_head_learns_from_one_label_a_class(name):
    X, y = blobs(3, 64, 3)
    X_test, truth = blobs(150, 64, 3, 1)
    P = score(name, X, y[None], X_test, 3)[0, 0]
    recall = np.mean([(P.argmax(1) == k)[truth == k].mean() for k in range(3)])
    assert recall > 0.4


@pytest.mark.parametrize("name", HEADS)
def test_the_estimator_agrees_with_the_batched_head_and_keeps_label_names(name):
    X, y = blobs(40, 16, 3)
    X_test = blobs(11, 16, 3, 1)[0]
    labels = np.array(["neuron", "rbc", "xylem"])[y]
    head = all_heads()[name]
    model = HeadClassifier(name, select="fixed").fit(X, labels)
    assert (model.setting_, model.chosen_by_) == (dict(head.published(40, 3, 16)), "rule")
    P = head.scores(Support(X, X_test), y[None], 3, [model.setting_]).P[0, 0]
    wanted = soften(P, head.published_temperature(40, 3, 16))
    np.testing.assert_allclose(model.predict_proba(X_test), wanted, atol=1e-5, rtol=1e-4)
    assert set(model.predict(X_test)) <= set(labels)
    mine = HeadClassifier(name, params=dict(head.default)).fit(X, labels)
    assert (mine.setting_, mine.chosen_by_) == (dict(head.default), "params")
    for setting in head.grid:
        head.check(setting)


@pytest.mark.parametrize("name", HEADS)
def test_the_estimator_passes_the_checks_of_scikit_learn(name):
    failed = [r["check_name"] for r in check_estimator(HeadClassifier(name), on_fail=None) if r["status"] == "failed"]
    assert failed == []


def test_knn_equals_scikit_learn():
    X, y = blobs(60, 12, 3)
    X_test = blobs(25, 12, 3, 1)[0]
    reference = KNeighborsClassifier(5, metric="cosine", weights=lambda d: np.exp((1 - d) / 0.07)).fit(X, y)
    wanted = (5 * reference.predict_proba(X_test) + 0.3) / 5.9  # three tenths of a vote to every class
    np.testing.assert_allclose(score("knn", X, y[None], X_test, 3)[0, 0], wanted, atol=1e-4)


def test_knn_by_faiss_equals_knn_by_matrix_product(monkeypatch):
    X, y = blobs(200, 12, 3)
    X_test = blobs(25, 12, 3, 1)[0]
    product = score("knn", X, y[None], X_test, 3)
    monkeypatch.setattr("bench.heads.knn.FAISS_FROM", 1)
    np.testing.assert_allclose(score("knn", X, y[None], X_test, 3), product, atol=1e-4)


@pytest.mark.parametrize("n", [12, 120])
def test_logistic_regression_in_the_span_reaches_the_loss_of_scikit_learn_in_full(n):
    X, y = blobs(n, 60, 3)
    X = X.astype(np.float64)
    l2 = all_heads()["logreg"].default["l2"]
    reference = LogisticRegression(C=1 / (l2 * n), tol=1e-10, max_iter=10_000).fit(X, y)
    X_test, truth = blobs(90, 60, 3, 1)
    ours = score("logreg", X, y[None], X_test.astype(np.float64), 3)[0, 0]
    np.testing.assert_allclose(ours, reference.predict_proba(X_test), atol=3e-3)
    assert log_loss(truth, ours) == pytest.approx(log_loss(truth, reference.predict_proba(X_test)), rel=3e-3)


def test_an_unknown_head_is_named_with_the_nearest_one():
    with pytest.raises(BenchError, match="Got head 'logre', did you mean 'logreg'"):
        get_heads(["logre"])
