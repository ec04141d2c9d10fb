"""Several encoders as one: side by side before a head, or averaged after it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.errors import BenchError
from bench.fitting.ensembles import Concat, Ensemble, Means, mean_probabilities
from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import plan_sweep
from bench.protocol.protocol import Protocol
from bench.runs.predictions import read_unit

BOTH = {"weak": 0.5, "strong": 3.0}


def test_every_part_of_a_concatenation_is_scaled_by_itself_and_weighs_the_same(make_table, make_view):
    table = make_table("abc", 6, 3)
    one, other = make_view(table, "one", 1.0, d=8), make_view(table, "other", 1.0, d=40)
    both = Concat("concat(one, other)", (one, other))
    train, groups = np.arange(30), table["group"].to_numpy(str)
    X = both.scaled(train, groups)
    assert both.width == 48 and X.shape == (len(table), 48) and X.dtype == np.float32
    np.testing.assert_allclose(X[:, :8], one.scaled(train, groups) / np.sqrt(2), rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(X[:, :8], axis=1), np.linalg.norm(X[:, 8:], axis=1), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(X, axis=1), 1, rtol=1e-5)
    assert both.key != Concat("concat(other, one)", (other, one)).key


def test_a_concatenation_is_swept_like_an_encoder(make_table, make_view, tmp_path):
    table = make_table("abc", 8, 4)
    parts = tuple(make_view(table, name, signal) for name, signal in BOTH.items())
    views = {view.name: view for view in (*parts, Concat("concat(weak, strong)", parts))}
    keys = {name: (view.key, view.scaling) for name, view in views.items()}
    sweep = plan_sweep(table, "abc", Protocol(shots=(2,), draws=2), keys, ["centroid", "ridge"])
    assert HeadFits(views=views, workers=2).make(sweep, sweep.blocks, tmp_path) == (0, 6)
    assert HeadFits(views=views).make(sweep, sweep.blocks, tmp_path) == (6, 0)


@given(arrays(float, (3, 2, 5, 4), elements=st.floats(0, 1)))
def test_the_mean_of_log_probabilities_is_the_geometric_mean_made_to_sum_to_1(raw):
    parts = list((raw + 0.01) / (raw + 0.01).sum(-1, keepdims=True))
    found = mean_probabilities(parts)
    expected = np.prod(parts, axis=0) ** (1 / 3)
    np.testing.assert_allclose(found, expected / expected.sum(-1, keepdims=True), atol=1e-6)


def test_one_member_that_excludes_a_class_does_not_make_the_mean_undefined():
    P = mean_probabilities([np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])])
    np.testing.assert_allclose(P, 0.5)


def test_a_mean_is_made_from_what_is_stored_and_once(make_sweep, tmp_path):
    protocol = Protocol(shots=(1, 2), noise=(0.0, 0.4), noise_kinds=("symmetric", "group"), draws=2, select=("fixed", "oracle"))
    sweep, views = make_sweep(protocol, ["knn", "ridge"], encoders=BOTH)
    means = Means(ensembles=[Ensemble("mean", ("weak", "strong"))])
    blocks = means.plan(sweep)
    assert len(blocks) == 2 * 2 * 2 * 2
    with pytest.raises(BenchError, match=r"Predictions of weak are missing"):
        means.make(sweep, blocks, tmp_path)
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    assert means.make(sweep, blocks, tmp_path) == (0, 16)
    assert means.make(sweep, blocks, tmp_path) == (16, 0)
    for unit in blocks:
        members = [one for one in sweep.blocks if one.name in unit.made_of["mean"]]
        assert [one.encoder for one in members] == ["weak", "strong"]
        alike = {(m.head, m.level, m.selection, m.noise_kind) for m in members}
        assert alike == {(unit.head, unit.level, unit.selection, unit.noise_kind)}
        P = mean_probabilities([read_unit(tmp_path, member).P for member in members])
        np.testing.assert_allclose(read_unit(tmp_path, unit).P, P, atol=1e-3)


@pytest.mark.parametrize(("kind", "members"), [("sum", ("a", "b")), ("mean", ("a",)), ("concat", ()), ("", ("a", "a"))])
def test_an_ensemble_of_one_or_of_an_unknown_kind_is_refused(kind, members):
    with pytest.raises(BenchError, match="expected concat or mean of at least two encoders"):
        Ensemble(kind, members)
