"""Quantiles without scipy.stats are those of scipy.stats."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.statistics.quantiles import binomial, normal, student, student_above

DF = np.array([1.0, 2.5, 10, 300, 1e6])


@pytest.mark.parametrize("q", [1e-6, 0.025, 0.5, 0.8, 0.975])
def test_student_and_normal(q):
    np.testing.assert_allclose(student(q, DF), stats.t.ppf(q, DF), rtol=1e-9, atol=1e-12)
    assert normal(q) == pytest.approx(stats.norm.ppf(q), abs=1e-12)


@pytest.mark.parametrize("x", [-3.0, 0.0, 2.0, 40.0, np.inf])
def test_how_likely_student_is_above(x):
    np.testing.assert_allclose(student_above(np.full(len(DF), x), DF), stats.t.sf(x, DF), rtol=1e-9, atol=1e-300)


def test_binomial():
    for n, p in ((1, 0.2), (5, 0.4), (44, 0.2), (1100, 0.05)):
        assert [binomial(q, n, p) for q in (0.05, 0.5, 0.95)] == stats.binom.ppf([0.05, 0.5, 0.95], n, p).tolist()
