"""Which methods differ from the best one, against values worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.tables.across import holm
from bench.report.tables.pairs import COLUMNS, pairs_with_best
from bench.statistics.hits import Hits
from bench.statistics.ranks import compare_all
from bench.statistics.spread import spread_of


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.4, np.nan, 0.9, 0.01]))[[0, 2, 3]] == pytest.approx([0.8, 0.9, 0.03])
    assert holm(np.array([])).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_lies_between_no_correction_and_bonferroni(p):
    p = np.array(p)
    adjusted, order = holm(p), np.argsort(p, kind="stable")
    assert (adjusted >= p).all() and (adjusted <= np.minimum(p * len(p), 1) + 1e-12).all()
    assert (np.diff(adjusted[order]) >= 0).all()


def test_every_method_is_held_against_the_best_one_the_closest_first():
    rng = np.random.default_rng(0)
    total = np.full((30, 2), 8)
    right = np.stack([rng.binomial(total, p, (6, 30, 2)) for p in (0.6, 0.9, 0.85)]).astype(float)
    right = np.concatenate([right, right[1:2]])  # the last one is the best one once more
    units = [SimpleNamespace(encoder=f"e{i}", head="h", selection="fixed", shots=5) for i in range(4)]
    spread = spread_of(Hits(right, total))
    pairs = pairs_with_best(units, spread, compare_all(spread), 0.0)
    assert list(pairs.columns) == COLUMNS
    assert pairs["encoder_a"].eq("e1").all() and pairs["encoder_b"].tolist() == ["e3", "e2", "e0"]
    same = pairs.iloc[0]
    assert (same["difference"], same["ci_low"], same["ci_high"], same["p"], same["p_joint"]) == (0, 0, 0, 1, 1)
    assert pairs["difference"].iloc[2] == pytest.approx(spread.mean[1] - spread.mean[0])
    assert (pairs["p_joint"] >= pairs["p"] / 2).all()  # p_joint asks for one side alone
    assert pairs["p_joint"].iloc[2] <= 0.05
