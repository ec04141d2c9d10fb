"""Flip rates have the mean that is asked for and rise with it; targets follow what an item looks like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fitting.plan import plan_sweep
from bench.protocol.instance_noise import flip_rates, targets
from bench.protocol.protocol import Protocol

GRID = (np.arange(20000) + 0.5) / 20000


@pytest.mark.parametrize("rate", [0, 1e-6, 0.001, 0.05, 0.2, 0.5, 0.7, 0.95, 1])
def test_the_mean_of_the_flip_rates_is_the_rate(rate):
    own = flip_rates(GRID, rate)
    assert abs(own.mean() - rate) < 1e-4 + 1e-3 * min(rate, 1 - rate)
    assert own.min() >= 0 and own.max() <= 1


def test_far_from_0_and_1_flip_rates_have_the_published_spread():
    assert abs(flip_rates(GRID, 0.4).std() - 0.1) < 1e-3


@given(u=st.floats(0, 1, exclude_max=True), low=st.floats(0, 1), high=st.floats(0, 1))
def test_no_flip_rate_falls_as_the_noise_rises(u, low, high):
    low, high = sorted((low, high))
    one, other = flip_rates(np.array([u]), low), flip_rates(np.array([u]), high)
    assert one[0] <= other[0] + 1e-9  # the quantiles of scipy, far out


@given(seed=st.integers(0, 20), K=st.integers(2, 6), n=st.integers(1, 40))
def test_nothing_is_taken_for_what_it_is(seed, K, n):
    rng = np.random.default_rng(seed)
    y, features = rng.integers(0, K, n), {"a": 30 * rng.normal(size=(n, 4)), "b": np.zeros((n, 2))}
    wrong = targets(features, y, [f"i{i}" for i in range(n)], K, seed)
    assert (wrong != y).all() and wrong.min() >= 0 and wrong.max() < K


def test_items_that_look_alike_are_taken_for_the_same_class_more_often_than_others():
    rng = np.random.default_rng(0)
    centre = np.repeat(rng.normal(size=(40, 50)), 10, 0)  # 40 kinds of features, 10 items each
    names, y = [f"i{i}" for i in range(400)], np.zeros(400, int)
    alike, spread = (
        np.mean([[len(set(own)) for own in targets({"a": X}, y, names, 6, seed).reshape(40, 10)] for seed in range(5)])
        for X in (centre, rng.normal(size=centre.shape))
    )
    assert alike < 0.6 * spread


def test_every_space_has_its_say():
    rng = np.random.default_rng(0)
    X, Z, y, names = (
        rng.normal(size=(300, 40)),
        rng.normal(size=(300, 40)),
        np.zeros(300, int),
        list(map(str, range(300))),
    )
    one, other, both = (targets(features, y, names, 5, 0) for features in ({"a": X}, {"b": Z}, {"a": X, "b": Z}))
    assert 0.3 < (both == one).mean() < 0.9 and 0.3 < (both == other).mean() < 0.9


def test_a_sweep_names_what_its_noise_looked_at_and_flips_the_same_labels_for_every_encoder(make_table, make_view):
    table, classes = make_table("abc", 12, 6), ("a", "b", "c")
    protocol = Protocol(shots=(2,), noise=(0.0, 0.4), noise_kinds=("instance-dependent",), draws=2)
    spaces = {name: make_view(table, name, 1.0) for name in protocol.spaces()}
    keys = {"one": ("k1", "unit"), "other": ("k2", "unit")}
    sweep = plan_sweep(table, classes, protocol, keys, ["knn"], spaces)
    [noise] = {str(unit.identity["noise"]) for unit in sweep.blocks}
    assert all(view.key in noise for view in spaces.values())
    assert all(abs(float(X.std()) - 1) < 0.3 for X in sweep.noise_inputs.features.values())
