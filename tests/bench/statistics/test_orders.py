"""Kendall's tau is that of scipy, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from bench.statistics.orders import kendall_tau

SCORES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=40)


@given(SCORES)
def test_tau_is_that_of_scipy_with_ties_and_without(pairs):
    a, b = np.array(pairs, float).T
    np.testing.assert_array_equal(kendall_tau(a, b), kendalltau(a, b).statistic)
    spread = np.arange(len(a)) / 100  # no ties
    np.testing.assert_array_equal(kendall_tau(a + spread, b - spread), kendalltau(a + spread, b - spread).statistic)


@pytest.mark.parametrize("scores", [([], []), ([1.0], [1.0]), ([1.0, 1.0], [1.0, 2.0]), ([np.nan, 1.0], [1.0, 2.0])])
def test_without_an_order_there_is_no_agreement(scores):
    assert np.isnan(kendall_tau(*map(np.array, scores)))
