"""Forecasts of learning curves: what the law says, what points change, and that labels are told from slides."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit, ndtr, ndtri
from scipy.stats import binom

from bench.statistics.curve_law import independent_labels, kept, power_law
from bench.statistics.curve_prior import PRIOR
from bench.statistics.learning_curve import (
    Curve,
    Forecast,
    falls,
    first_reached,
    forecast,
    room,
)

THETA = np.array([[np.log(3.0), np.log(3.0), np.log(0.7), logit(0.5), 1.0, -np.log(2) / 2]])


def curve(n, score, per_slide=1.0, luck=1e-4, classes=3, noise=0.0):
    n = np.array(n, float)
    return Curve(n=n, per_slide=np.ones_like(n) * per_slide, score=np.array(score, float), luck=np.full(len(n), luck),
                 classes=classes, noise=noise)  # fmt: skip


def law(n, per_slide=1.0, noise=0.0, classes=3, theta=THETA):
    n = np.array(n, float)
    return expit(power_law(theta, n, np.ones_like(n) * per_slide, np.full(len(n), noise), classes))[0]


def test_the_law_starts_at_guessing_rises_and_ends_at_its_ceiling():
    score = law([1e-9, 1, 10, 1e12])
    assert score[0] == pytest.approx(1 / 3, abs=1e-6) and (np.diff(score) > 0).all()
    drawn = np.random.default_rng(0).standard_normal((200_000, 3)) + np.array([3.0, 0, 0])
    assert score[-1] == pytest.approx((drawn.argmax(1) == 0).mean(), abs=3e-3)  # d_max is 3


def test_of_two_classes_the_law_is_a_power_law_of_the_probit():
    n = np.array([1, 4, 16.0])
    score = law(n, classes=2)
    assert ndtri(score) * np.sqrt(2) == pytest.approx(3 * (1 + 3 / n) ** -0.7, abs=1e-3)


def test_wrong_labels_take_away_what_right_ones_bring_and_never_all_of_it():
    assert kept(0.5, 2) == kept(0.9, 2) == 0.05 and kept(0.0, 2) == 1
    means = np.random.default_rng(0).choice([-1.0, 1.0], p=[0.2, 0.8], size=(4000, 50)).mean(1)  # 20% are of the other class
    assert means.mean() == pytest.approx(kept(0.2, 2), abs=0.01)


def test_of_classes_that_are_far_apart_the_label_is_found_by_vote():
    far = THETA + np.array([[np.log(1000), 0, 0, 0, 0, 0]])
    n = np.array([9, 25, 101])
    voted = binom.sf(n // 2, n, 0.6)  # of two labels the right one, 60% of them, is the more frequent
    assert law(n, noise=0.4, classes=2, theta=far) == pytest.approx(voted, abs=0.01) and (law(n, theta=far) > 0.99).all()


def test_labels_of_one_slide_are_never_worth_more_than_slides_over_rho():
    assert independent_labels(1e9, 1e9 / 5, 0.25) == pytest.approx(5 / 0.25, rel=1e-6)
    assert independent_labels(12.0, 1.0, 0.9) == 12


def test_a_forecast_holds_a_curve_of_its_own_law_and_is_wider_the_farther_it_looks():
    n = np.array([1, 2, 4, 8, 16.0])
    ahead = np.array([16, 32, 64.0])
    low, middle, high = forecast(curve(n, law(n)), ahead, np.ones(3), PRIOR).interval()
    assert (low < law(ahead)).all() and (law(ahead) < high).all() and np.abs(middle - law(ahead)).max() < 0.03
    assert (np.diff(high - low) > 0).all()


def test_more_points_and_better_known_ones_make_it_narrower():
    n = np.array([1, 2, 4, 8, 16.0])
    width = [
        np.ptp(forecast(one, np.array([64.0]), np.ones(1), PRIOR).interval()[:, 0])
        for one in (curve(n, law(n)), curve(n[3:], law(n[3:])), curve(n, law(n), luck=2e-2))
    ]
    assert width[0] < width[1] and width[0] < width[2]


def test_where_points_tell_slides_apart_more_slides_are_worth_what_they_are():
    n, per_slide = np.array([4, 4, 16, 16, 16.0]), np.array([1, 4, 1, 4, 16.0])
    shown = Curve(n=n, per_slide=per_slide, score=law(n, per_slide), luck=np.full(5, 1e-5), classes=3)
    few, many = forecast(shown, np.array([32.0, 32.0]), np.array([8.0, 1.0]), PRIOR).interval()[1]
    assert many - few == pytest.approx(law([32.0])[0] - law([32.0], 8.0)[0], abs=0.03) and many > few + 0.03


def test_a_forecast_has_the_same_bits_again():
    one = curve([1, 2, 4], [0.4, 0.5, 0.6])
    first, again = (forecast(one, np.array([8.0]), np.ones(1), PRIOR).paths(0.01) for _ in range(2))
    assert (first == again).all()


def test_paths_have_the_quantiles_of_the_forecast():
    found = forecast(curve([1, 2, 4], [0.4, 0.5, 0.6]), np.array([8.0, 16.0]), np.ones(2), PRIOR)
    assert np.abs(np.quantile(found.paths(0.02), [0.05, 0.5, 0.95], axis=0) - found.interval(0.02)).max() < 0.02


def test_quantiles_are_those_of_the_mixture_to_the_last_atom():
    rng = np.random.default_rng(0)
    centre, weight = rng.normal(0, 2, (500, 2)), rng.dirichlet(np.ones(500))
    found = Forecast(centre=centre, covariance=np.diag([0.04, 1.0]), weight=weight).quantiles(np.array([0.05, 0.5, 0.95]))
    below = ndtr((logit(found)[:, None] - centre) / np.array([0.2, 1.0]))  # (3, 500, 2)
    assert np.abs(np.einsum("a,iaq->iq", weight, below) - np.array([[0.05], [0.5], [0.95]])).max() < 1e-3


def test_a_score_of_one_is_within_reach_of_a_curve_that_is_all_but_there():
    low, middle, high = forecast(curve([4, 8, 16], [0.99, 1.0, 1.0]), np.array([64.0]), np.ones(1), PRIOR).interval()[:, 0]
    assert high == 1.0 and low <= middle <= 0.995
    assert forecast(curve([4, 8, 16], [0.5, 0.6, 0.65]), np.array([64.0]), np.ones(1), PRIOR).interval()[2, 0] < 0.99


def test_near_guessing_a_curve_bends_less():
    assert room(curve([1], [0.34])) < room(curve([1], [0.6])) < room(curve([1], [0.95])) < 1
    n = np.array([1, 2, 4.0])
    flat, high = (np.ptp(forecast(curve(n, s), np.array([16.0]), np.ones(1), PRIOR).interval()[[0, 2], 0])
                  for s in ([0.34, 0.34, 0.345], [0.7, 0.75, 0.8]))  # fmt: skip
    assert flat < high


def test_a_path_that_never_reaches_the_goal_needs_more_labels_than_there_are():
    paths = np.array([[0.5, 0.6, 0.7], [0.5, 0.5, 0.5], [0.9, 0.4, 0.4]])
    assert first_reached(np.array([1.0, 4.0, 16.0]), paths, 0.65) == pytest.approx([8.0, np.inf, 1.0])


def test_a_curve_falls_where_it_loses_more_than_the_draws_explain():
    assert falls(curve([1, 2, 4], [0.5, 0.6, 0.5]))
    assert not falls(curve([1, 2, 4], [0.5, 0.6, 0.59]))
    assert not falls(curve([1, 2, 4], [0.5, 0.6, 0.5], luck=0.01))


def test_a_curve_of_wrong_labels_is_known_better_with_the_clean_one_beside_it():
    n, ahead = np.array([1, 2, 4, 8.0]), (np.array([32.0]), np.ones(1))
    wrong, clean = curve(n, law(n, noise=0.4), noise=0.4), curve(n, law(n))
    alone, both = (forecast(wrong, *ahead, PRIOR, beside).interval()[:, 0] for beside in ([], [clean]))
    true = law([32.0], noise=0.4)[0]
    assert both[2] - both[0] < 0.8 * (alone[2] - alone[0]) and both[0] < true < both[2]


def test_curves_of_as_many_wrong_labels_or_more_tell_nothing():
    n, ahead = np.array([1, 2, 4, 8.0]), (np.array([32.0]), np.ones(1))
    clean, wrong = curve(n, law(n)), curve(n, law(n, noise=0.4), noise=0.4)
    alone, both = (forecast(clean, *ahead, PRIOR, beside).interval() for beside in ([], [clean, wrong]))
    assert (alone == both).all()


def test_without_a_score_yet_wrong_labels_take_more_of_them():
    seen = [curve([1.0], [0.5], luck=10.0, noise=noise) for noise in (0.0, 0.4)]  # so uncertain that the prior decides
    clean, wrong = (forecast(one, np.array([16.0]), np.ones(1), PRIOR).interval()[1, 0] for one in seen)
    assert wrong < clean - 0.1
