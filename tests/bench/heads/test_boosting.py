"""Boosting: one binning for a whole batch, trees shared between settings, and not a constant at one label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.heads.contract import Range
from bench.heads.support import Support
from bench.heads.xgboost import HEAD, MOST, _columns


def blobs(n: int, d: int, n_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    y = np.arange(n) % n_classes
    means = np.random.default_rng(99).normal(size=(n_classes, d))
    X = means[y] + 1.5 * np.random.default_rng(seed).normal(size=(n, d))
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32), y


@pytest.mark.parametrize("K", [2, 3, 4, 8])
def test_a_label_vector_and_a_setting_are_scored_alike_alone_and_among_others_to_the_bit(K):
    X, y = blobs(5 * K, 30, K)
    X_test = blobs(12, 30, K, 1)[0]
    lost = np.where(y == K - 1, 0, y)  # the last class is gone
    Y = np.stack([y, lost, (y + 1) % K, np.zeros_like(y), np.roll(y, 2)])
    batch = HEAD.scores(Support(X, X_test), Y, K, HEAD.grid).P
    for m in range(len(Y)):
        for at in (0, 3, 7):
            alone = HEAD.scores(Support(X, X_test), Y[m : m + 1], K, [HEAD.grid[at]]).P
            assert np.array_equal(alone[0, 0], batch[m, at])


@settings(max_examples=15)
@given(st.integers(2, 5), st.data())
def test_classes_without_a_label_have_no_probability_and_the_others_share_all_of_it(K, data):
    y = np.array(data.draw(st.lists(st.integers(0, K - 1), min_size=2, max_size=9)))
    X = blobs(len(y), 6, 2, seed=int(y.sum()))[0]
    P = HEAD.scores(Support(X, X), y[None], K, [HEAD.default]).P[0, 0]
    gone = np.setdiff1d(np.arange(K), y)
    assert (P[:, gone] == 0).all()
    np.testing.assert_allclose(P.sum(1), 1)


@pytest.mark.parametrize("setting", [HEAD.default, *HEAD.grid], ids=str)
def test_every_published_setting_learns_from_one_label_a_class(setting):
    K = 4
    X, y = blobs(K, 128, K)
    X_test, truth = blobs(200, 128, K, 1)
    P = HEAD.scores(Support(X, X_test), y[None], K, [setting]).P[0, 0]
    assert (P.argmax(1) == truth).mean() > 1.4 / K


def test_every_published_setting_names_the_same_parameters_and_lies_in_the_space_that_is_tuned():
    for setting in (HEAD.default, *HEAD.grid):
        assert setting.keys() == HEAD.default.keys() == HEAD.space.keys()
        for name, value in setting.items():
            assert isinstance(HEAD.space[name], Range)
            assert HEAD.space[name].low <= value <= HEAD.space[name].high
    assert len({tuple(setting.items()) for setting in HEAD.grid}) == len(HEAD.grid)


def test_more_labels_make_it_better():
    scores = []
    X_test, truth = blobs(300, 40, 3, 1)
    for n in (3, 30, 300):
        X, y = blobs(n, 40, 3)
        P = HEAD.scores(Support(X, X_test), y[None], 3, [HEAD.default]).P[0, 0]
        scores.append((P.argmax(1) == truth).mean())
    assert scores[0] < scores[1] < scores[2]
    assert scores[2] > 0.9


def test_a_wide_embedding_is_read_in_part_and_the_same_part_whatever_the_rows():
    X, y = blobs(30, 2000, 3)
    X_test = blobs(9, 2000, 3, 1)[0]
    used = _columns(2000)
    assert len(np.unique(used)) == MOST == len(_columns(MOST + 1))
    other, other_test = np.zeros_like(X), np.ones_like(X_test)
    other[:, used], other_test[:, used] = X[:, used], X_test[:, used]
    own, same = (
        HEAD.scores(Support(*rows), y[None], 3, [HEAD.default]).P for rows in ((X, X_test), (other, other_test))
    )
    assert np.array_equal(own, same)


def test_a_split_lies_in_the_middle_between_two_rows():
    X, y = np.array([[0.0], [1.0]], np.float32), np.array([0, 1])
    X_test = np.array([[0.4], [0.6]], np.float32)
    P = HEAD.scores(Support(X, X_test), y[None], 2, [HEAD.default]).P[0, 0]
    assert (P.argmax(1) == y).all()
