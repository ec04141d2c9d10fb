"""What is drawn at random stands for all rows, whatever a strategy picked in between."""

from __future__ import annotations

import numpy as np
import pytest

from bench.active.pool import Pool
from bench.active.propose import propose
from bench.active.strategies import STRATEGIES

N = 200


def pool_of(labelled: np.ndarray) -> Pool:
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(N, 4)).astype(np.float32)
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    return Pool(Z=Z, labelled=labelled, P=rng.dirichlet(np.ones(3), size=(2, N)))


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("count", [1, 7, 20])
def test_at_least_a_quarter_is_drawn_by_lot_and_the_first_place_with_it(name, count):
    made = propose(
        pool_of(np.empty(0, int)),
        np.ones(N, bool),
        np.arange(N),
        np.random.default_rng(1).random(N),
        count=count,
        strategy=name,
    )
    assert len(made.rows) == len(set(made.rows.tolist())) == count
    assert made.by_lot[0] and made.by_lot.sum() >= count / 4
    assert name != "random" or made.by_lot.all()


@pytest.mark.parametrize("name", ["margin", "maxherding"])
def test_what_counts_as_drawn_is_the_start_of_one_random_order_round_after_round(name):
    order = np.random.default_rng(2).random(N)
    known, drawn = np.empty(0, int), np.empty(0, int)
    for _ in range(7):
        may = np.ones(N, bool)
        may[known] = False
        made = propose(pool_of(known), may, np.zeros(N, int), order, count=20, strategy=name)
        drawn = np.concatenate([made.rows[made.by_lot], made.counts])
        assert set(drawn.tolist()) == set(np.argsort(order)[: len(drawn)].tolist())
        known = np.concatenate([known, made.rows])
    assert len(made.counts) > 6 * 5  # some that the strategy had picked have come into it


def test_rows_that_are_left_out_are_never_proposed():
    may = np.ones(N, bool)
    may[::2] = False
    made = propose(
        pool_of(np.empty(0, int)),
        may,
        np.zeros(N, int),
        np.random.default_rng(1).random(N),
        count=50,
        strategy="maxherding",
    )
    assert (made.rows % 2 == 1).all()
