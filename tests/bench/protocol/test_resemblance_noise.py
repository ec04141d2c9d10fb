"""Noise by resemblance: a wrong label names what the item looks like, by means of the training side alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fitting.plan import plan_sweep
from bench.protocol.noise_inputs import find_noise_inputs
from bench.protocol.protocol import Protocol
from bench.protocol.resemblance_noise import class_features, pick, resemblance


def line(n: int = 400, K: int = 4, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """n rows (n, 3) of K classes that lie on a line, and their classes."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % K
    return np.c_[y + noise * rng.normal(size=n), rng.normal(size=(n, 2))], y


def test_the_neighbours_on_a_line_are_named_and_the_far_end_hardly_ever():
    X, y = line()
    P = resemblance({"a": X}, {"a": class_features(X, y, 4)}, y)
    assert np.allclose(P.sum(1), 1) and (P[np.arange(len(y)), y] == 0).all()
    assert P[y == 0].mean(0)[1] > 0.7 and P[y == 0].mean(0)[3] < 0.05
    assert (P.argmax(1) == np.abs(np.where(y[:, None] == np.arange(4), np.inf, X[:, :1] - np.arange(4))).argmin(1)).mean() > 0.9


def test_a_typical_item_is_taken_for_the_nearest_class_e_times_as_often_as_for_the_next():
    X, y = line()
    P = np.sort(resemblance({"a": X}, {"a": class_features(X, y, 4)}, y), 1)
    assert np.median(P[:, -1] / P[:, -2]) == pytest.approx(np.e, rel=1e-4)


@given(rows=st.sets(st.integers(0, 99), min_size=1))
def test_a_row_does_not_depend_on_the_others(rows):
    X, y = line(100)
    features, own = {"a": X, "b": X[:, ::-1]}, np.array(sorted(rows))
    classes = {name: class_features(Z, y, 4) for name, Z in features.items()}
    some = resemblance({name: Z[own] for name, Z in features.items()}, classes, y[own])
    assert np.array_equal(some, resemblance(features, classes, y)[own])


def test_a_class_without_items_is_never_named_and_two_classes_name_each_other():
    X, y = line(60, 3)
    P = resemblance({"a": X}, {"a": class_features(X, y, 5)}, y)
    assert (P[:, 3:] == 0).all() and np.allclose(P.sum(1), 1)
    X, y = line(60, 2)
    assert (resemblance({"a": X}, {"a": class_features(X, y, 2)}, y).argmax(1) == 1 - y).all()


@given(u=st.floats(0, 1, exclude_max=True), weights=st.lists(st.integers(0, 4), min_size=2, max_size=6).filter(any))
def test_what_cannot_be_named_is_not_picked(u, weights):
    [k] = pick(np.array([weights], float), np.array([u]))
    assert weights[k] > 0


def test_columns_are_picked_as_often_as_their_share():
    P = np.tile([0.0, 0.2, 0.5, 0.3], (10000, 1))
    assert np.allclose(np.bincount(pick(P, (np.arange(10000) + 0.5) / 10000), minlength=4) / 10000, P[0], atol=1e-3)


def test_classes_look_like_their_items_of_the_training_side(make_table, make_view):
    table, classes = make_table("abc", 12, 6), ("a", "b", "c")
    protocol = Protocol(shots=(2,), noise=(0.4,), noise_kinds=("resemblance",), draws=2)
    spaces = {name: make_view(table, name, 1.0) for name in protocol.spaces()}
    sweep = plan_sweep(table, classes, protocol, {"one": ("k1", "unit")}, ["knn"], spaces)
    [unit] = sweep.blocks
    assert all(view.key in str(unit.identity["noise"]) for view in spaces.values())
    split = sweep.plan.repeats[0][0]
    y = sweep.y.copy()
    y[split.test] = 0  # test labels are not looked at
    group = table["group"].to_numpy(str)
    again = find_noise_inputs(sweep.plan, y, group, classes, kinds=["resemblance"], spaces=spaces)
    for space, own in again.classes[split.name].items():
        before = sweep.noise_inputs.classes[split.name][space]
        assert np.array_equal(own.mean, before.mean) and own.t == before.t
