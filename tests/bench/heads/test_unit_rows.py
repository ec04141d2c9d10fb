"""Rows that are known to have length 1 are not brought to it again, and their cosines are products that others take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.fitting.fit import rows_of
from bench.fitting.tasks import inputs_of
from bench.heads.pool import Pool
from bench.heads.support import FEW, Support
from bench.products import unit_rows
from bench.protocol.protocol import Protocol


@pytest.mark.parametrize("n", [20, FEW + 10])
def test_cosines_are_those_of_rows_brought_to_length_1(n):
    X = unit_rows(np.random.default_rng(0).normal(size=(n + 30, 40)))
    X[3] = 0
    known, asked = (Support(X[:n], X[n:], is_centred=True, is_unit=is_unit) for is_unit in (True, False))
    assert known.unit[0] is known.X and known.unit[1] is known.X_test
    for cosine in (known.cosine, Pool(X, is_unit=True).support(np.arange(n), np.arange(n, n + 30)).cosine):
        np.testing.assert_allclose(cosine, asked.cosine, atol=1e-6)
        assert (cosine[:, 3] == 0).all() and cosine.flags.c_contiguous


def test_few_rows_share_their_products_with_the_test_rows():
    X = unit_rows(np.random.default_rng(1).normal(size=(30, 40)))
    support = Support(X[:20], X[20:], is_centred=True, is_unit=True)
    assert np.array_equal(support.cosine, support.of_rows[0].T)
    own_mean = Support(X[:20], X[20:], is_unit=True)  # products are of shifted rows, cosines are not
    assert not np.allclose(own_mean.cosine, own_mean.inner.T)


@pytest.mark.parametrize("scale_by", ["pool", "support"])
def test_rows_are_taken_for_unit_ones_only_where_their_scaling_says_so(scale_by, make_sweep, tmp_path):
    sweep, views = make_sweep(Protocol(shots=(3,), draws=2, scale_by=scale_by), ["knn"])
    split = sweep.plan.repeats[0][0]
    for scaling, is_unit in (("unit", True), ("standard", False)):
        view = replace(views["strong"], scaling=scaling)
        support = rows_of(view, split, inputs_of(sweep, tmp_path)).support(split.train[:6], split.test)
        assert (support.unit[0] is support.X) == is_unit
        np.testing.assert_allclose(np.linalg.norm(support.unit[0], axis=1), 1, atol=1e-5)
