"""Rows that say little, nothing or the same twice: every head gives the right answer at every published setting.

A head's rows are about 1 long (`bench.fitting.scaling.scale_rows`), and what is asked of it elsewhere is said with the test.
Warnings are errors here, and so is a word on stderr, which is how LAPACK refuses its arguments.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from bench.heads import all_heads
from bench.heads.estimator import HeadClassifier
from bench.heads.support import Support

pytestmark = pytest.mark.filterwarnings("error")
HEADS = pytest.mark.parametrize("name", sorted(all_heads()))


@pytest.fixture(autouse=True)
def _no_word_on_stderr(capfd) -> Iterator[None]:
    yield
    assert capfd.readouterr().err == ""


def unit(X: np.ndarray) -> np.ndarray:
    return X / np.linalg.norm(X, axis=-1, keepdims=True)


def directions(K: int, d: int, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(K, d)))


def near(means: np.ndarray, y: np.ndarray, spread: float, seed: int = 1) -> np.ndarray:
    """Return a row of length 1 for every label, near the mean of its class."""
    noise = np.random.default_rng(seed).normal(size=(len(y), means.shape[1]))
    return unit(means[y] + spread * noise / np.sqrt(means.shape[1]))


def predict(name: str, X: np.ndarray, y: np.ndarray, X_test: np.ndarray, K: int) -> np.ndarray:
    """Return probabilities (L, n_test, K) at the default and all of the grid, after a look that they are some."""
    head = all_heads()[name]
    support = Support(X.astype(np.float32), X_test.astype(np.float32))
    P = head.scores(support, np.asarray(y)[None], K, [head.default, *head.grid]).P[0]
    assert np.isfinite(P).all() and (P >= 0).all()
    np.testing.assert_allclose(P.sum(-1), 1, atol=8 * np.finfo(P.dtype).eps)
    return P


@HEADS
@pytest.mark.parametrize("times", [2, 5])
def test_a_row_given_several_times_with_one_label_has_that_label(name, times):
    A = directions(4, 20)
    P = predict(name, np.tile(A, (times, 1)), np.tile(np.arange(4), times), A, 4)
    assert (P.argmax(-1) == np.arange(4)).all()


@HEADS
@pytest.mark.parametrize("order", ["in turn", "by class"])
@pytest.mark.parametrize("times", [1, 5, 20])
def test_a_row_given_equally_often_with_two_labels_has_both_alike_and_others_less(name, times, order):
    A = directions(2, 20)
    X, y = np.repeat(A, [2 * times, times], axis=0), np.r_[np.tile([0, 1], times), np.full(times, 2)]
    if order == "by class":
        X, y = X[np.argsort(y, kind="stable")], np.sort(y)
    P = predict(name, X, y, A, 3)
    np.testing.assert_allclose(P[:, 0, 0], P[:, 0, 1], atol=0.01)
    assert (P[:, 0, 2] < P[:, 0, 0]).all()
    assert (P[:, 1].argmax(-1) == 2).all()


@HEADS
def test_a_row_given_thrice_with_one_label_and_once_with_another_has_the_first(name):
    A = directions(2, 20)
    P = predict(name, np.repeat(A, 4, axis=0), np.array([1, 0, 0, 0, 1, 1, 0, 1]), A, 2)
    assert (P.argmax(-1) == [0, 1]).all()


@HEADS
@pytest.mark.parametrize("length", [0, 1])
@pytest.mark.parametrize("counts", [(6, 3, 2), (2, 3, 9), (4, 4, 4), (1, 1, 1), (8, 20, 3)])
def test_rows_that_are_all_alike_teach_the_largest_class_or_none(name, counts, length):
    X = np.repeat(length * directions(1, 20), sum(counts), axis=0)
    X_test = np.r_[X[:1], directions(3, 20, seed=5), np.zeros((1, 20))]
    P = predict(name, X, np.repeat(np.arange(3), counts), X_test, 3)
    np.testing.assert_allclose(P, np.broadcast_to(P[:, :1], P.shape), atol=1e-6)  # the same for every row
    assert (P[:, 0, np.argmax(counts)] > P[:, 0].max(-1) - 1e-6).all()
    if len(set(counts)) == 1:
        np.testing.assert_allclose(P, 1 / 3, atol=1e-6)


@HEADS
def test_a_feature_that_is_always_zero_changes_hardly_anything(name):
    means, y = directions(3, 20), np.arange(60) % 3
    X, X_test = near(means, y, 0.8), near(means, y, 0.8, seed=2)
    without = predict(name, X, y, X_test, 3)
    P = predict(name, np.insert(X, 7, 0, axis=1), y, np.insert(X_test, 7, 0, axis=1), 3)
    assert (P.argmax(-1) == without.argmax(-1)).mean() > 0.9  # boosting draws other features
    assert abs((P.argmax(-1) == y).mean() - (without.argmax(-1) == y).mean()) < 0.05


@pytest.mark.parametrize("name", ["lda", "logreg", "logreg-gce", "logreg-smooth", "prune-refit", "ridge"])
@pytest.mark.parametrize(("n", "d"), [(60, 200), (300, 400), (90, 20)])
def test_a_mean_far_longer_than_what_rows_differ_by_changes_nothing_for_heads_with_an_intercept(name, n, d):
    means, y = directions(3, d), np.arange(n) % 3
    X, X_test, far = near(means, y, 0.8), near(means, y, 0.8, seed=2), 1000 * directions(1, d, seed=3)
    np.testing.assert_allclose(predict(name, X + far, y, X_test + far, 3), predict(name, X, y, X_test, 3), atol=0.01)


@HEADS
def test_rows_of_length_zero_stop_nobody(name):
    means, y = directions(3, 20), np.arange(30) % 3
    X = near(means, y, 0.5)
    X[[0, 1, 2]] = 0
    P = predict(name, X, y, np.r_[near(means, y, 0.5, seed=2), np.zeros((1, 20))], 3)
    assert ((P[:, :-1].argmax(-1) == y).mean(1) > 0.95).all()


@HEADS
@pytest.mark.parametrize("K", [2, 8])
def test_one_label_a_class_in_a_thousand_dimensions_is_known_again(name, K):
    A = directions(K, 1000)
    P = predict(name, A, np.arange(K), np.r_[A, near(A, np.arange(K), 0.1)], K)
    assert (P.argmax(-1) == np.tile(np.arange(K), 2)).all()


@HEADS
def test_two_thousand_labels_in_five_dimensions_are_learned(name):
    means, y = directions(4, 5), np.arange(2000) % 4
    P = predict(name, near(means, y, 0.3), y, near(means, y[:400], 0.3, seed=2), 4)
    assert ((P.argmax(-1) == y[:400]).mean(1) > 0.97).all()


@HEADS
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("n", [2, 4, 40])
def test_one_or_two_dimensions_have_a_boundary_in_the_middle(name, n, d):
    y = np.arange(n) % 2
    X = np.zeros((n, d))
    X[:, 0] = np.where(y, 1, -1) * np.linspace(1, 1.1, n)
    X_test = np.zeros((4, d))
    X_test[:, 0] = [-1, -0.5, 0.6, 1]
    assert (predict(name, X, y, X_test, 2).argmax(-1) == [0, 0, 1, 1]).all()


@HEADS
@pytest.mark.parametrize(("n", "d"), [(16, 40), (64, 9)])
def test_classes_without_a_label_are_never_above_the_others(name, n, d):
    present = np.array([1, 4, 6])
    y = present[np.arange(n) % 3]
    means = directions(8, d)
    P = predict(name, near(means, y, 0.8), y, near(means, np.arange(40) % 8, 0.8, seed=2), 8)
    gone = np.delete(P, present, axis=-1)
    assert (gone.max(-1) <= P[..., present].min(-1)).all()
    assert (P[..., present].sum(-1) > 0.999).all()


@HEADS
@pytest.mark.parametrize(("n", "d"), [(1, 1), (1, 20), (6, 20), (30, 4)])
def test_a_support_of_one_class_is_sure_of_it(name, n, d):
    P = predict(name, directions(n, d), np.full(n, 1), np.r_[directions(5, d, seed=3), np.zeros((1, d))], 3)
    np.testing.assert_allclose(P[..., 1], 1, atol=1e-12)


@HEADS
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
def test_rows_far_from_length_1_are_known_again_or_all_alike(name, scale):
    """A penalty on weights sees no difference between rows that are all tiny; more is not promised."""
    means, y = directions(3, 20), np.arange(30) % 3
    X = scale * near(means, y, 0.3)
    P = predict(name, X, y, X, 3)
    assert ((P.argmax(-1) == y) | (np.ptp(P, axis=-1) < 0.01)).all()


@pytest.mark.parametrize(("n", "d"), [(1, 1), (5, 1), (2, 2), (9, 2), (3, 3), (2, 5)])
@pytest.mark.parametrize("length", [0, 1])
def test_coordinates_of_few_dimensions_are_found_without_a_word_from_lapack(n, d, length):
    X, B = length * directions(n, d), np.ones((1, d))
    support = Support(X, X, is_centred=True)
    np.testing.assert_allclose(support.span.Z @ support.span.Z_test.T, X @ X.T, atol=1e-12)
    plain = support.plain
    np.testing.assert_allclose(plain.Z @ plain.Z_test.T, X @ X.T, atol=1e-12)
    [solved] = plain.solve(np.array([0.5]), B[0], B[1:]).of_rows
    np.testing.assert_allclose(solved @ (plain.Z.T @ plain.Z + 0.5 * np.eye(d)), B, atol=1e-12)


def test_the_order_of_equally_near_neighbours_decides_nothing():
    A = directions(3, 6)
    X, y = np.repeat(A, 9, axis=0), np.tile([0, 1, 2, 0, 1, 0, 2, 2, 0], 3)
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(X)) for _ in range(5)]
    P = [predict("knn", X[order], y[order], A, 3) for order in orders]
    for other in P[1:]:
        np.testing.assert_allclose(other, P[0], atol=1e-12)
    votes = np.array([4, 2, 3]) / 9  # k = 1 is all that tie
    np.testing.assert_allclose(P[0][1], np.tile((votes + 0.3) / 1.9, (3, 1)), atol=1e-12)


def test_equally_near_neighbours_share_their_vote_when_a_row_is_left_out_as_well():
    X, y = np.repeat(directions(2, 6), 8, axis=0).astype(np.float32), np.random.default_rng(0).integers(0, 3, 16)
    head = all_heads()["knn"]
    assert head.loo is not None
    P = head.loo(Support(X, X), y[None], 3, head.grid).P[0]
    for i in range(len(X)):
        rest = np.arange(len(X)) != i
        np.testing.assert_allclose(P[:, i], predict("knn", X[rest], y[rest], X[[i]], 3)[1:, 0], atol=1e-12)


@HEADS
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_estimator_refuses_what_is_not_finite(name, bad):
    X, y = directions(6, 5), np.arange(6) % 2
    broken = X.copy()
    broken[2, 3] = bad
    with pytest.raises(ValueError, match="NaN|infinity"):
        HeadClassifier(name).fit(broken, y)
    model = HeadClassifier(name).fit(X, y)
    with pytest.raises(ValueError, match="NaN|infinity"):
        model.predict_proba(broken)
