"""The temperature of a classifier is as sure as it is right, also where hardly a row is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from bench.fitting.scaling import scaling_of
from bench.heads import get_heads
from bench.heads.choice import choose_setting
from bench.heads.contract import softmax
from bench.heads.support import Support
from bench.heads.temperature import LARGEST, fit_temperature, soften
from bench.statistics.metrics import brier
from bench.studies.classifier.left_out import Labelled, deal_folds, leave_out
from bench.studies.classifier.temperature import EASY, WEIGHT, settled_temperature


def rows(scale: float, n: int = 60, wrong: int = 0, K: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities (n, K) and labels (n,), of which so many are wrong; the more certain the larger the scale."""
    rng = np.random.default_rng(n)
    called = np.arange(n) % K
    P = softmax(scale * (3 * np.eye(K)[called] + rng.random((n, K))))
    return P, np.where(np.arange(n) < wrong, (called + 1) % K, called)


def by_log_loss(P: np.ndarray, y: np.ndarray, published: float) -> float:
    T, _ = fit_temperature(P[None, None], y[None], np.ones((1, len(y)), bool), np.full((1, 1), published))
    return float(T[0, 0])


def sure(P: np.ndarray, T: float) -> float:
    return float(soften(P, T).max(1).mean())


@pytest.mark.parametrize("published", [1.0, 20.0])
@pytest.mark.parametrize("scale", [0.3, 1.0, 30.0])
@pytest.mark.parametrize("wrong", [0, 1, 20])
def test_it_is_the_least_of_what_is_written_down(published, scale, wrong):
    P, y = rows(scale, wrong=wrong)
    n, end = len(y), np.log(LARGEST)
    right = (n - wrong + 0.5) / (n + 1)
    prior, e = published, (wrong + 1) / (n + 2)
    if e < EASY and sure(P, published) < right:
        places = np.exp(np.linspace(-end, end, 20001))
        equal = places[np.argmin([abs(sure(P, T) - right) for T in places])]
        prior = max(published * (e / EASY) ** 2, equal)

    def cost(u: float) -> float:
        Q = soften(P, np.exp(-u))
        c = np.clip(Q.max(1).mean(), 1e-12, 1 - 1e-12)
        loss = -np.log(np.maximum(Q[np.arange(n), y], 1e-300)).sum()
        return loss - n * (right * np.log(c) + (1 - right) * np.log(1 - c)) + WEIGHT / 2 * (u + np.log(prior)) ** 2

    best = minimize_scalar(cost, bounds=(-end, end), method="bounded", options={"xatol": 1e-9})
    assert cost(-np.log(settled_temperature(P, y, published))) <= best.fun + 1e-4


def test_what_is_unsure_and_all_right_becomes_surer():
    P, y = rows(1.0, n=15)
    old, new = by_log_loss(P, y, 10.0), settled_temperature(P, y, 10.0)
    assert sure(P, old) < 0.9 < 0.95 < sure(P, new) < 15.5 / 16


def test_what_is_too_sure_and_all_right_becomes_less_sure():
    P, y = rows(30.0)
    old, new = by_log_loss(P, y, 3.0), settled_temperature(P, y, 3.0)
    assert sure(P, old) > 0.999999 > 0.9999 > sure(P, new) > 60.5 / 61


def test_where_a_third_is_wrong_it_is_about_that_of_the_log_loss():
    P, y = rows(0.5, n=300, wrong=100)
    assert np.log(settled_temperature(P, y, 2.0)) == pytest.approx(np.log(by_log_loss(P, y, 2.0)), abs=0.1)


def test_no_rows_and_impossible_ones_are_survived():
    none = np.zeros((0, 3)), np.zeros(0, int)
    assert settled_temperature(*none, 5.0) == pytest.approx(5)
    assert settled_temperature(*none, 1e9) == pytest.approx(LARGEST)
    P = np.eye(3)[np.arange(9) % 3]
    for y in (np.arange(9) % 3, (np.arange(9) + 1) % 3):
        for kind in (np.float32, np.float64):
            assert 1 / LARGEST <= settled_temperature(P.astype(kind), y, 1.0) <= LARGEST


@pytest.mark.parametrize("name", ["centroid", "ridge", "lda"])
def test_five_labels_a_class_that_are_hardly_ever_wrong_give_better_probabilities_than_by_log_loss(name):
    [head] = get_heads([name])
    scores = []
    for seed in range(12):
        y, group = np.arange(315) % 3, np.arange(15)
        X = (np.random.default_rng(seed).normal(size=(315, 16)) + 4 * np.eye(3, 16)[y]).astype(np.float32)
        own = labelled(X[:15], y[:15], group)
        left = leave_out(own, head, own.support())
        at, new = left.settle(y[:15])
        again, old = choose_setting(head, left.P, y[:15], left.part, left.shape)
        scale = scaling_of(X[:15], group, group, "unit")
        fitted = head.fit_support(Support(scale.of(X[:15]), scale.of(X[:0]), group), y[:15], 3, left.settings[at])
        P = fitted.scores(scale.of(X[15:]))
        scores.append([float(brier(soften(P, T), y[15:])) for T in (new, old)])
        assert at == again
    by_both, by_loss = np.mean(scores, axis=0)
    assert by_both < 0.95 * by_loss


def test_rows_that_may_not_judge_do_not(learned):
    data, _ = learned(apart=3.0)
    own = labelled(data.embedded["e0"], data.y, data.group)
    [head] = get_heads(["ridge"])
    left, among = leave_out(own, head, own.support()), data.group > 3
    at, T = left.settle(data.y, among)
    published = head.published_temperature(len(data.y), 3, own.X.shape[1])
    assert settled_temperature(left.P[at, among], data.y[among], published) == T
    assert settled_temperature(left.P[at], data.y, published) != T


def labelled(X: np.ndarray, y: np.ndarray, group: np.ndarray) -> Labelled:
    K = int(y.max()) + 1
    return Labelled(X=X, y=y, group=group, fold=deal_folds(y, group, K), n_classes=K, scaling="unit")
