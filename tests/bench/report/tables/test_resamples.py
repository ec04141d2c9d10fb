"""Rows of a run are resampled with the same test groups, and as far apart as few groups demand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from bench.protocol.level import Level
from bench.report.tables.resamples import censored_interval, first_crossing, resample, resample_rows, row_names
from bench.runs.blocks import FitBlock
from bench.statistics.hits import Hits, two_way_bootstrap
from bench.statistics.spread import of_scores, spread_of


def hits(G: int, seed: int = 0, S: int = 4) -> Hits:
    rng = np.random.default_rng(seed)
    total = np.full((G, 2), 6)
    p = np.clip(0.7 + 0.2 * rng.standard_normal((1, 1, G, 1)), 0, 1)
    return Hits(rng.binomial(6, p, (2, S, G, 2)).astype(float), total)


def again(own: Hits) -> np.ndarray:
    return resample(own, spread_of(own))


def test_levels_with_the_same_answers_have_the_same_resamples():
    assert np.array_equal(again(hits(12)), again(hits(12)))
    assert np.corrcoef(again(hits(12))[0], again(hits(12, seed=1))[0])[0, 1] < 0.9


def test_resamples_have_the_middle_of_the_bootstrap_and_the_variance_of_the_score_with_the_tails_of_t():
    for G in (6, 200):
        own = hits(G)
        variance, df = spread_of(own).errors(of_scores)
        found = again(own)
        assert found.mean(1) == pytest.approx(two_way_bootstrap(own, resamples=500).mean(1))
        assert found.std(1) == pytest.approx(np.sqrt(variance) * t.ppf(0.975, df) / norm.ppf(0.975))


def test_rows_are_called_as_in_the_leaderboard():
    unit = FitBlock(
        encoder="e", head="knn", level=Level(5), draws=4, rates=(0.0, 0.2), noise_kind="group", selection="fixed", made_of={}
    )
    other = replace(unit, head="ridge")
    clean, wrong = (resample_rows([unit, other], rate, hits(12), spread_of(hits(12))) for rate in (0.0, 0.2))
    named = {"encoder": "e", "head": "knn", "selection": "fixed", "series": "balanced", "shots": 5}
    assert row_names(pd.DataFrame([named | {"noise_kind": "none", "noise": 0.0}]))[0] in clean
    assert row_names(pd.DataFrame([named | {"noise_kind": "group", "noise": 0.2}]))[0] in wrong
    assert len(clean) == 2 and all(own.shape == (500,) for own in clean.values())


def test_a_curve_that_starts_above_its_goal_or_never_reaches_it_is_known_to_one_side_only():
    x, Y = np.array([0.0, 1.0, 2.0]), np.array([[0.5, 0.6, 0.8], [0.1, 0.2, 0.3], [0.1, 0.5, 0.4], [0.1, np.nan, 0.9]])
    assert first_crossing(x, Y, np.full(4, 0.4))[:3] == pytest.approx([-np.inf, np.inf, 0.75])
    assert np.isnan(first_crossing(x, Y, np.full(4, 0.4))[3]) and np.isnan(first_crossing(x, Y, np.full(4, np.nan))).all()


def test_the_ends_of_an_interval_are_open_where_values_are_not_known():
    inside = np.linspace(2, 3, 101)
    assert censored_interval(inside, 1, 8, least=0) == pytest.approx((2.02, 2.98), abs=0.011)
    assert censored_interval(np.r_[inside, np.full(9, -np.inf)], 1, 8, least=0)[0] == 0
    assert censored_interval(np.r_[inside, np.full(9, np.inf)], 1, 8, least=0)[1] == np.inf
    assert censored_interval(np.r_[inside, np.full(9, np.nan)], 1, 8, least=0) == (0, np.inf)
    assert censored_interval(np.full(9, np.inf), 1, 8, least=0) == (8, np.inf)
    assert censored_interval(np.full(9, -np.inf), 1, 8, least=0) == (0, 1)
