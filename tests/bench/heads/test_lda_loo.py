"""LDA without each group, in closed form: the probabilities of a refit, for every setting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.heads import all_heads
from bench.heads.support import Support

HEAD = all_heads()["lda"]


def refits(X: np.ndarray, Y: np.ndarray, groups: np.ndarray, K: int) -> np.ndarray:
    """Return the probabilities (m, L, n, K) of every row by an analysis of the rows outside its group."""
    P = np.full((len(Y), len(HEAD.grid), len(X), K), 1 / K)
    for group in np.unique(groups):
        held, rest = groups == group, groups != group
        if rest.any():
            P[:, :, held] = HEAD.scores(Support(X[rest], X[held]), Y[:, rest], K, HEAD.grid).P
    return P


def left_out(X: np.ndarray, Y: np.ndarray, groups: np.ndarray, K: int) -> np.ndarray:
    assert HEAD.loo is not None
    return HEAD.loo(Support(X, X[:1], groups=groups), Y, K, HEAD.grid).P


def rows(n: int, d: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) / np.sqrt(1 + np.arange(d))


@settings(max_examples=60)
@given(
    n=st.integers(2, 24), d=st.integers(1, 40), K=st.integers(2, 5), share=st.integers(1, 4), seed=st.integers(0, 99)
)
def test_every_setting_is_that_of_a_refit_whatever_the_groups(n, d, K, share, seed):
    rng = np.random.default_rng(seed)
    Y, groups = rng.integers(0, K, (2, n)), rng.integers(0, max(1, n // share), n)
    X = rows(n, d, seed)
    np.testing.assert_allclose(left_out(X, Y, groups, K), refits(X, Y, groups, K), atol=1e-7)


@pytest.mark.parametrize(("n", "d"), [(60, 200), (120, 20)])
def test_groups_of_several_rows_and_of_several_classes_are_left_out_whole(n, d):
    Y = np.stack([np.arange(n) % 3, np.arange(n) // 7 % 3])
    groups = np.repeat(np.arange(n), 1 + np.arange(n) % 5)[:n]
    X = rows(n, d)
    P = left_out(X, Y, groups, 3)
    np.testing.assert_allclose(P, refits(X, Y, groups, 3), atol=1e-8)
    assert not np.allclose(P, left_out(X, Y, np.arange(n), 3), atol=1e-3)


def test_a_class_that_goes_with_its_group_has_no_probability_in_it():
    y, groups = np.repeat([0, 1, 2], [8, 8, 3]), np.r_[np.arange(16), 16, 16, 16]
    X = rows(19, 30)
    P = left_out(X, y[None], groups, 3)
    assert (P[..., 16:, 2] == 0).all() and (P[..., :16, 2] > 0).all()
    np.testing.assert_allclose(P, refits(X, y[None], groups, 3), atol=1e-8)


@pytest.mark.parametrize("per_class", [1, 2])
def test_without_scatter_within_classes_the_rest_is_scattered_about_its_mean(per_class):
    y = np.repeat(np.arange(4), per_class)
    X = rows(len(y), 12)
    P = left_out(X, y[None], y, 4)
    np.testing.assert_allclose(P, refits(X, y[None], y, 4), atol=1e-8)
    assert (P[..., np.arange(len(y)), y] == 0).all()


@pytest.mark.parametrize(("length", "mean"), [(1, 1), (1, 0), (100, 0)])
def test_rows_of_zeros_are_all_that_is_left_without_the_others(length, mean):
    y, groups = np.arange(12) % 3, np.r_[np.zeros(8), np.arange(1, 5)]
    for seed in range(8):
        X = length * rows(12, 20, seed)
        X[8:] = 0
        if mean == 0:  # and so what is left lies where all rows lie in the mean
            X[4:8] = -X[:4]
        np.testing.assert_allclose(left_out(X, y[None], groups, 3), refits(X, y[None], groups, 3), atol=1e-8)


def test_a_support_of_one_group_leaves_all_classes_alike_likely():
    for n in (1, 4):
        np.testing.assert_allclose(left_out(rows(n, 6), np.zeros((1, n), int), np.zeros(n), 3), 1 / 3)


def test_two_rows_of_one_class_have_a_covariance_with_an_inverse():
    for seed in range(200):  # of rows alike about their mean Ledoit and Wolf's shrinkage is 0
        X = rows(2, 9, seed)
        P = HEAD.scores(Support(X, X), np.ones((1, 2), int), 2, [{"shrinkage": "auto"}]).P
        assert (P[..., 1] == 1).all()
