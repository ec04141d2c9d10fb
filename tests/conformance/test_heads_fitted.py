"""A head that is fitted scores rows as the batched way does, and is the same after its state was written and read.

Not to the bit: the batched way multiplies test rows with the support in float32, in coordinates of its own, where a
fitted head holds weights of the dimensions in float64. Measured on these rows at these settings, probabilities differ by
4e-6 at most (ridge regression at its weakest penalty; logistic regression 2e-6, discriminant analysis 8e-7, centroids
1e-15), and neighbours and trees by nothing.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load, save

from bench.errors import BenchError
from bench.heads import Head, Params, all_heads
from bench.heads.contract import KeptSupport
from bench.heads.state import Fitted, State
from bench.heads.support import Support

ATOL = 2e-5
SOLVED = 2e-3  # to which logistic regression is solved, which starts anew for rows in another order
TIE = 1e-4  # two classes nearer than this may change places
HEADS = pytest.mark.parametrize("head", all_heads().values(), ids=lambda head: head.name)
SHAPES = {"n < d": (30, 80), "n near d": (40, 41), "n > d": (150, 12), "many rows and dimensions": (300, 320)}
K = 3


def draw(n: int, d: int, seed: int = 0, n_test: int = 61) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows near their class and unit length, labels of which some are wrong, and test rows."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % K
    means = rng.normal(size=(K, d))
    X, X_test = (0.5 * means[labels] + rng.normal(size=(len(labels), d)) for labels in (y, np.arange(n_test) % K))
    wrong = rng.random(n) < 0.15
    X, X_test = ((A / np.linalg.norm(A, axis=1, keepdims=True)).astype(np.float32) for A in (X, X_test))
    return X, np.where(wrong, rng.integers(0, K, n), y), X_test


def settings_of(head: Head) -> list[Params]:
    """Return the default and some of the grid, among them its ends."""
    grid = list(head.grid)
    return [head.default, *grid[:1], *grid[len(grid) // 2 : len(grid) // 2 + 1], *grid[-1:]]


def batched(
    head: Head, X: np.ndarray, y: np.ndarray, X_test: np.ndarray, setting: Params, classes: int = K
) -> np.ndarray:
    return head.scores(Support(X, X_test), y[None], classes, [setting]).P[0, 0]


def assert_agree(P: np.ndarray, wanted: np.ndarray) -> None:
    assert P.shape == wanted.shape and P.dtype in (np.float32, np.float64)
    np.testing.assert_allclose(P.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(P, wanted, atol=ATOL)
    best = np.sort(wanted, axis=1)
    is_clear = best[:, -1] - best[:, -2] > TIE if wanted.shape[1] > 1 else np.ones(len(wanted), bool)
    assert (P.argmax(1) == wanted.argmax(1))[is_clear].all()
    assert ((P == 0) == (wanted == 0)).all(0).tolist() == [True] * wanted.shape[1]


def read_again(head: Head, fitted: Fitted) -> Fitted:
    """Return the head of the state after a way through safetensors and JSON."""
    state = fitted.state()
    arrays = load(save({name: np.ascontiguousarray(array) for name, array in state.arrays.items()}))
    return head.restore(State(arrays=arrays, about=json.loads(json.dumps(state.about, allow_nan=False))))


@HEADS
@pytest.mark.parametrize("shape", SHAPES)
def test_a_fitted_head_scores_as_the_batched_way(head: Head, shape: str):
    X, y, X_test = draw(*SHAPES[shape])
    for setting in settings_of(head):
        assert_agree(head.fit(X, y, K, setting).scores(X_test), batched(head, X, y, X_test, setting))


@HEADS
@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_state_makes_is_the_same_to_the_bit(head: Head, shape: str):
    X, y, X_test = draw(*SHAPES[shape])
    for setting in settings_of(head)[:2]:
        fitted = head.fit(X, y, K, setting)
        P = fitted.scores(X_test)
        again = read_again(head, fitted)
        assert again.scores(X_test).tobytes() == P.tobytes()
        assert read_again(head, again).scores(X_test).tobytes() == P.tobytes()


@HEADS
def test_a_state_holds_arrays_of_numbers_and_json_alone(head: Head):
    X, y, _ = draw(30, 20)
    state = head.fit(X, y, K).state()
    assert {array.dtype.kind for array in state.arrays.values()} <= set("fiu")
    assert json.loads(json.dumps(state.about)) == state.about


@HEADS
@pytest.mark.parametrize("shape", ["n < d", "n > d"])
def test_what_a_row_gets_does_not_depend_on_the_rows_beside_it(head: Head, shape: str):
    X, y, X_test = draw(*SHAPES[shape])
    fitted = head.fit(X, y, K)
    P = fitted.scores(X_test)
    np.testing.assert_allclose(np.concatenate([fitted.scores(row[None]) for row in X_test[:9]]), P[:9], atol=1e-5)
    np.testing.assert_allclose(fitted.scores(X_test[::-1])[::-1], P, atol=1e-5)
    np.testing.assert_allclose(fitted.scores(np.tile(X_test, (9, 1))), np.tile(P, (9, 1)), atol=1e-5)
    assert fitted.scores(X_test[:0]).shape == (0, K)


@HEADS
@pytest.mark.parametrize("shape", ["n < d", "n > d"])
def test_rows_in_another_order_are_fitted_as_the_batched_way_does(head: Head, shape: str):
    X, y, X_test = draw(*SHAPES[shape])
    order = np.random.default_rng(5).permutation(len(X))
    fitted = head.fit(X[order], y[order], K, head.default)
    assert_agree(fitted.scores(X_test), batched(head, X[order], y[order], X_test, head.default))
    if head.name not in ("prune-refit", "xgboost"):  # whose folds and draws of features go by the order
        np.testing.assert_allclose(fitted.scores(X_test), head.fit(X, y, K, head.default).scores(X_test), atol=SOLVED)


@HEADS
@pytest.mark.parametrize(("n", "d"), [(1, 5), (6, 20), (30, 4)])
def test_one_class_alone_has_all_the_probability(head: Head, n: int, d: int):
    X, _, X_test = draw(n, d)
    y = np.full(n, 1)
    fitted = head.fit(X, y, K, head.default)
    assert_agree(fitted.scores(X_test), batched(head, X, y, X_test, head.default))
    assert fitted.scores(X_test).argmax(1).tolist() == [1] * len(X_test)
    assert read_again(head, fitted).scores(X_test).tobytes() == fitted.scores(X_test).tobytes()


@HEADS
@pytest.mark.parametrize("length", [0, 1])
def test_rows_that_are_all_alike_are_fitted_as_the_batched_way_does(head: Head, length: float):
    rng = np.random.default_rng(0)
    X = np.repeat(length * rng.normal(size=(1, 10)), 9, axis=0).astype(np.float32)
    y, X_test = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2]), np.r_[X[:2], rng.normal(size=(3, 10)), np.zeros((1, 10))]
    X_test = X_test.astype(np.float32)
    for setting in settings_of(head):
        assert_agree(head.fit(X, y, K, setting).scores(X_test), batched(head, X, y, X_test, setting))


@HEADS
@pytest.mark.parametrize("shape", ["n < d", "n > d"])
def test_a_class_without_labels_stays_at_what_the_batched_way_gives(head: Head, shape: str):
    X, y, X_test = draw(*SHAPES[shape])
    fitted = head.fit(X, y, 5, head.default)
    assert_agree(fitted.scores(X_test), batched(head, X, y, X_test, head.default, classes=5))
    assert (fitted.scores(X_test)[:, 3:] == 0).all()


@HEADS
def test_a_mean_far_from_zero_costs_a_fitted_head_no_precision(head: Head):
    X, y, X_test = draw(60, 20)
    far = 100 * np.random.default_rng(3).normal(size=20)
    X, X_test = X + far, X_test + far  # float64
    assert_agree(head.fit(X, y, K, head.default).scores(X_test), batched(head, X, y, X_test, head.default))


@HEADS
def test_the_published_setting_is_taken_where_none_is_given(head: Head):
    X, y, X_test = draw(30, 20)
    published = head.fit(X, y, K, head.published(30, K, 20)).scores(X_test)
    assert head.fit(X, y, K).scores(X_test).tobytes() == published.tobytes()


@HEADS
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"X": np.zeros((4, 3, 1))}, "shape \\(4, 3, 1\\)"), ({"X": np.full((4, 3), np.nan)}, "NaN"),
        ({"X": np.array([["a"]] * 4)}, "expected numbers"), ({"X": np.zeros((4, 0))}, "at least one"),
        ({"y": np.array([0, 1, 2])}, "one for each of the 4"), ({"y": np.array([0.0, 1, 1, 0])}, "whole numbers"),
        ({"y": np.array([0, 1, 3, 0])}, "from 0 to 3; expected 0 to 2"), ({"y": np.array([0, 1, -1, 0])}, "from -1"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_from_is_refused(head: Head, change: dict, words: str):
    given = {"X": np.eye(4, 3), "y": np.array([0, 1, 2, 0])} | change
    with pytest.raises(BenchError, match=words):
        head.fit(given["X"], given["y"], K)


@HEADS
def test_new_rows_of_other_columns_are_refused(head: Head):
    X, y, _ = draw(12, 6)
    fitted = head.fit(X, y, K)
    with pytest.raises(BenchError, match=r"shape \(2, 5\); expected \(N, 6\)"):
        fitted.scores(np.zeros((2, 5)))
    with pytest.raises(BenchError, match="NaN or infinity"):
        fitted.scores(np.full((2, 6), np.inf))


@HEADS
def test_a_state_that_is_incomplete_or_of_another_head_is_refused(head: Head):
    X, y, _ = draw(12, 6)
    state = head.fit(X, y, K).state()
    for name, array in state.arrays.items():
        without = {other: values for other, values in state.arrays.items() if other != name}
        with pytest.raises(BenchError, match=f"without the array '{name}'"):
            head.restore(replace(state, arrays=without))
        with pytest.raises(BenchError, match=f"'{name}' of type"):
            head.restore(replace(state, arrays={**state.arrays, name: array[None]}))
        with pytest.raises(BenchError, match=f"'{name}'.*of type bool"):
            head.restore(replace(state, arrays={**state.arrays, name: np.zeros(array.shape, bool)}))
    for name in state.about:
        with pytest.raises(BenchError, match=name):
            head.restore(replace(state, about={**state.about, name: "another"}))
    with pytest.raises(BenchError, match="'W' of type object"):
        State(arrays={"W": np.array([None])}, about={})


def test_trees_that_are_no_model_are_refused_in_a_sentence():
    head = all_heads()["xgboost"]
    X, y, _ = draw(12, 6)
    state = head.fit(X, y, K).state()
    for model in (
        np.frombuffer(b"{}", np.uint8),
        np.frombuffer(b"no model at all", np.uint8),
        state.arrays["model"][:99],
    ):
        with pytest.raises(BenchError, match="this xgboost cannot read"):
            head.restore(replace(state, arrays={**state.arrays, "model": model}))
    with pytest.raises(BenchError, match="Got trees of 6 features and 3 classes"):
        head.restore(replace(state, arrays={**state.arrays, "present": np.array([0, 1])}))
    with pytest.raises(BenchError, match="rising numbers from 0 to 5"):
        head.restore(replace(state, arrays={**state.arrays, "columns": np.arange(6) + 1}))


def test_weights_that_are_not_finite_are_refused():
    head = all_heads()["ridge"]
    X, y, _ = draw(12, 6)
    state = head.fit(X, y, K).state()
    for name in ("W", "b"):
        with pytest.raises(BenchError, match="not finite"):
            head.restore(replace(state, arrays={**state.arrays, name: np.full_like(state.arrays[name], np.nan)}))


def test_every_head_of_ours_has_a_fitted_form_and_a_head_without_keeps_its_support():
    X, y, X_test = draw(30, 20)
    for head in all_heads().values():
        assert not isinstance(head.fit(X, y, K), KeptSupport), head.name
        bare = Head(head.name, "", head.scores, head.default)
        fitted = bare.fit(X, y, K)
        wanted = batched(head, X, y, X_test, head.default)
        assert fitted.scores(X_test).tobytes() == read_again(bare, fitted).scores(X_test).tobytes() == wanted.tobytes()


def test_neighbours_of_many_rows_are_found_in_blocks(monkeypatch):
    head = all_heads()["knn"]
    X, y, X_test = draw(30, 20)
    fitted = head.fit(X, y, K)
    P = fitted.scores(X_test)
    monkeypatch.setattr("bench.heads.knn.COSINES", 30 * 7)
    np.testing.assert_allclose(fitted.scores(X_test), P, atol=1e-6)
