"""Neighbours whose labels are believed by how well they agree with their own neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.errors import BenchError
from bench.heads import all_heads
from bench.heads.knn import GIVEN, TEMPERATURE
from bench.heads.knn_reliable import worths
from bench.heads.support import Support

HEAD, PLAIN = all_heads()["knn-reliable"], all_heads()["knn"]


def rows(n: int, d: int = 12, K: int = 3, seed: int = 0, signal: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % K
    X = signal * np.random.default_rng(9).normal(size=(K, d))[y] + rng.normal(size=(n, d))
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32), y


def with_wrong(y: np.ndarray, K: int, share: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(y)) < share, (y + rng.integers(1, K, len(y))) % K, y)


def shares(head, support: Support, y: np.ndarray, K: int, k: int = 5) -> np.ndarray:
    return head.scores(support, y[None], K, [{"k": k}]).P[0, 0]


def reference(X: np.ndarray, X_test: np.ndarray, y: np.ndarray, groups: np.ndarray, K: int, k: int) -> np.ndarray:
    """Return vote shares, one row and one neighbour after the other, in double precision; without ties."""
    X, X_test = X.astype(float), X_test.astype(float)

    def share_of(x: np.ndarray, known: np.ndarray, worth: np.ndarray) -> np.ndarray:
        similarity = X[known] @ x
        order = np.argsort(-similarity)[:k]
        votes, given = np.zeros(K), np.zeros(K)
        for i in order:
            votes[y[known[i]]] += worth[known[i]] * np.exp((similarity[i] - similarity.max()) / TEMPERATURE)
        given[np.unique(y[known])] = GIVEN
        voters = min(k, len(known))
        return (votes / votes.sum() * voters + given) / (voters + given.sum())

    n = len(y)
    r = np.array([share_of(X[i], np.flatnonzero(groups != groups[i]), np.ones(n))[y[i]] for i in range(n)])
    w = np.array([r[i] / r[y == y[i]].mean() for i in range(n)])
    return np.stack([share_of(x, np.arange(n), w) for x in X_test])


@pytest.mark.parametrize("k", [1, 4, 7])
@pytest.mark.parametrize("grouped", [False, True], ids=["each on its own", "groups"])
def test_it_is_what_a_loop_over_rows_and_neighbours_gives(k, grouped):
    X, y = rows(36)
    y, X_test = with_wrong(y, 3, 0.25), rows(20, seed=5)[0]
    groups = np.arange(36) // 4 if grouped else np.arange(36)
    P = shares(HEAD, Support(X, X_test, groups), y, 3, k)
    np.testing.assert_allclose(P, reference(X, X_test, y, groups, 3, k), atol=1e-5)


def test_with_one_label_per_class_it_is_knn_to_the_bit():
    X, y = rows(6, K=6)
    support = Support(X, rows(40, K=6, seed=3)[0])
    assert shares(HEAD, support, y, 6).tobytes() == shares(PLAIN, support, y, 6).tobytes()


def test_labels_of_one_group_do_not_vouch_for_each_other():
    X, y = rows(30)
    groups = np.where(y == 0, 0, np.arange(30))  # all of class 0 are of one slide
    worth = worths(Support(X, X[:0], groups), y[None], 3, [{"k": 5}])[0, 0]
    np.testing.assert_array_equal(worth[y == 0], 1.0)
    assert worth[y == 1].std() > 0.1
    copies = np.repeat(X, 2, axis=0), np.repeat(with_wrong(y, 3, 0.3), 2)
    alone = worths(Support(X, X[:0]), copies[1][::2][None], 3, [{"k": 1}])[0, 0]
    pairs = worths(Support(copies[0], X[:0], np.arange(60) // 2), copies[1][None], 3, [{"k": 2}])[0, 0]
    np.testing.assert_allclose(pairs[::2] > 1, alone > 1)


def test_labels_of_a_class_are_worth_one_in_the_mean():
    X, y = rows(60, K=4)
    Y = np.stack([with_wrong(y, 4, share, seed=2) for share in (0.0, 0.2, 0.4)])
    worth = worths(Support(X, X[:0]), Y, 4, [{"k": 3}, {"k": 10}])
    assert worth.shape == (3, 2, 60)
    for labels, own in zip(Y, worth, strict=True):
        for label in range(4):
            np.testing.assert_allclose(own[:, labels == label].mean(-1), 1.0)


def test_wrong_labels_are_worth_less_and_cost_less_than_they_cost_knn():
    X, truth = rows(300, d=40, K=4, signal=0.5)
    y, test = with_wrong(truth, 4, 0.35)[:180], slice(180, 300)
    support = Support(X[:180], X[test])
    worth = worths(support, y[None], 4, [{"k": 15}])[0, 0]
    wrong = y != truth[:180]
    assert worth[wrong].mean() < 0.6 * worth[~wrong].mean()
    right = [(shares(head, support, y, 4, 15).argmax(1) == truth[test]).mean() for head in (PLAIN, HEAD)]
    assert right[1] > right[0] + 0.05


def test_the_order_of_the_labelled_rows_decides_nothing_where_rows_are_equally_near():
    corners = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], np.float32)
    X = np.concatenate([corners, corners]) / np.float32(np.sqrt(3))
    y = np.array([0, 1, 0, 1, 2, 2, 1, 0] * 2)
    X_test = np.concatenate([corners, np.eye(3, dtype=np.float32)])
    P = shares(HEAD, Support(X, X_test), y, 3, 4)
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(16)
        np.testing.assert_allclose(shares(HEAD, Support(X[order], X_test), y[order], 3, 4), P, atol=1e-6)


def test_many_classes_with_few_labels_each_are_told_apart():
    X, y = rows(200, d=60, K=40, signal=1.0)
    X_test, truth = rows(120, d=60, K=40, seed=8, signal=1.0)
    P = HEAD.scores(Support(X, X_test), y[None], 40, [HEAD.published(200, 40, 60)]).P[0, 0]
    assert (P.argmax(1) == truth).mean() > 0.8
    assert (P > 0).all()


def test_faiss_gives_the_same_neighbours(monkeypatch):
    X, y = rows(120)
    y, support = with_wrong(y, 3, 0.3), Support(X, rows(25, seed=4)[0])
    P = shares(HEAD, support, y, 3)
    monkeypatch.setattr("bench.heads.knn.FAISS_FROM", 1)
    np.testing.assert_allclose(shares(HEAD, support, y, 3), P, atol=1e-5)


@pytest.mark.parametrize("value", [-0.1, np.nan])
def test_a_state_with_labels_of_no_worth_is_refused(value):
    X, y = rows(12)
    state = HEAD.fit(X, y, 3).state()
    broken = np.where(np.arange(12) == 3, value, state.arrays["worth"])
    with pytest.raises(BenchError, match="worth below 0, or no number"):
        HEAD.restore(replace(state, arrays={**state.arrays, "worth": broken}))


def test_where_no_neighbour_is_worth_anything_all_classes_are_alike_likely():
    X, y = rows(12)
    state = HEAD.fit(X, y, 3).state()
    nothing = HEAD.restore(replace(state, arrays={**state.arrays, "worth": np.zeros(12)}))
    np.testing.assert_allclose(nothing.scores(X), 1 / 3)
