"""What more slides, items and draws make of an interval."""

from __future__ import annotations

import numpy as np
import pytest

from bench.statistics.precision import Parts, parts

NOW = Parts(draws=1e-4, slides=9e-4, items=4e-4, df=20, n_slides=20, n_items=400)


def test_parts_add_up_to_the_variance():
    found = parts((2e-3, 1e-4, 8e-4), df=18, icc=0.1, size=(20, 400))
    assert found.draws + found.slides + found.items == pytest.approx(2e-3)
    assert found.items == pytest.approx(8e-4 * (0.9 / 20) / (0.1 + 0.9 / 20))
    assert sum(found.shares()) == pytest.approx(1)


def test_twice_the_slides_halve_all_but_the_draws_and_twice_the_items_halve_the_items():
    assert NOW.variance(slides=20) == pytest.approx(1e-4 + (9e-4 + 4e-4) / 2)
    assert NOW.variance(items=400) == pytest.approx(1e-4 + 9e-4 + 2e-4)
    assert NOW.reach(slides=20) < NOW.reach(items=400) < NOW.reach()


def test_where_every_item_is_a_slide_nothing_lies_within_slides():
    found = parts((1e-3, 0.0, 1e-3), df=99, icc=float("nan"), size=(100, 100))
    assert found.items == 0 and found.slides == pytest.approx(1e-3)


def test_where_a_third_is_tested_from_more_slides_on_these_narrow_it_less():
    now = parts((2.7e-3, 0.0, 1e-3), df=20, icc=0.5, size=(24, 480), third_from=30)
    assert now.variance(slides=5) == pytest.approx(2.7e-3 * 24 / 29)
    assert now.variance(slides=6) == pytest.approx(3.75e-3 * 24 / 30)
    assert now.reach(slides=6) > now.reach(slides=5)


def test_the_smallest_difference_is_found_in_eight_of_ten_studies():
    found, rng = NOW.found(), np.random.default_rng(0)
    from scipy.stats import t

    gaps = found + np.sqrt(NOW.variance()) * rng.standard_normal(20000)
    deviation = np.sqrt(NOW.variance() * rng.chisquare(NOW.df, 20000) / NOW.df)
    assert (gaps / deviation > t.ppf(0.975, NOW.df)).mean() == pytest.approx(0.8, abs=0.02)
