"""What every head publishes: a setting and a temperature for every size of support, and an estimator that chooses."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import BenchError
from bench.heads import all_heads
from bench.heads.choice import PRIOR, may_leave_out, with_prior
from bench.heads.estimator import HeadClassifier

HEADS = sorted(all_heads())
SIZES = [(2, 2, 27), (20, 2, 1280), (400, 2, 1280), (33, 33, 192), (330, 33, 1280), (8000, 40, 768)]


@pytest.mark.parametrize("name", HEADS)
def test_the_published_setting_is_one_that_selection_can_choose_and_tuning_can_find(name):
    head = all_heads()[name]
    for size in SIZES:
        setting = head.published(*size)
        assert setting.keys() == head.default.keys()
        assert setting == head.default or setting in head.grid
        for key, space in head.space.items():
            assert setting[key] in space.choices or space.low <= setting[key] <= space.high
        assert 0 < head.published_temperature(*size) < 300


@pytest.mark.parametrize("name", ["logreg", "logreg-smooth", "logreg-gce", "prune-refit"])
def test_many_classes_get_a_weaker_penalty(name):
    head = all_heads()[name]
    two, many = (head.published(10 * K, K, 1280)["l2"] for K in (2, 22))
    assert many < two / 5


@pytest.mark.parametrize(
    ("name", "scale", "by_labels", "by_classes"),
    [("logreg", 4, -0.3, -0.17), ("ridge", 18, -0.36, -0.8), ("lda", 180, -0.9, -0.47), ("centroid", 13, -0.58, -0.44),
     ("knn", 3.3, -0.23, -0.22)],
)  # fmt: skip
def test_the_published_temperature_is_the_power_of_labels_and_classes_that_was_fitted(name, scale, by_labels, by_classes):
    head = all_heads()[name]
    for n, K, d in SIZES[:-1]:
        assert head.published_temperature(n, K, d) == pytest.approx(scale * (n / K) ** by_labels * K**by_classes)


def test_no_number_of_labels_makes_an_lda_more_certain_than_it_is():
    assert all_heads()["lda"].published_temperature(100_000, 2, 768) == 1


def test_few_labels_are_less_certain_than_many():
    for name in ("logreg", "ridge", "lda", "centroid", "knn"):
        head = all_heads()[name]
        assert head.published_temperature(4, 2, 100) > head.published_temperature(400, 2, 100)


def test_the_prior_costs_least_at_the_published_setting_and_less_with_more_labels():
    head = all_heads()["ridge"]
    published = head.published(20, 2, 100)
    for n in (20, 2000):
        cost = with_prior(np.zeros((1, len(head.grid))), head, head.grid, published, n)[0]
        away = np.log([setting["alpha"] / published["alpha"] for setting in head.grid])
        np.testing.assert_allclose(cost, PRIOR * away**2 / n, atol=1e-12)
    assert with_prior(np.ones((2, 1)), all_heads()["xgboost"], [{}], {}, 5).tolist() == [[1], [1]]  # which has no place


def test_a_group_of_every_class_has_to_be_left():
    y = np.array([0, 0, 1, 1])
    assert may_leave_out(np.array([0, 1, 0, 1]), y, 2)
    assert not may_leave_out(np.array([0, 1, 2, 2]), y, 2)
    assert not may_leave_out(np.array([0, 1, 0, 1]), y, 3)


def blobs(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = 0.5 * np.random.default_rng(9).normal(size=(3, 30))[y] + rng.normal(size=(n, 30))
    return X / np.linalg.norm(X, axis=1, keepdims=True), y


@pytest.mark.parametrize("name", HEADS)
def test_the_estimator_leaves_rows_out_where_it_can_and_says_so(name):
    X, y = blobs(60)
    head, model = all_heads()[name], HeadClassifier(name).fit(X, y)
    assert model.chosen_by_ == ("left-out groups" if head.loo else "rule")
    assert model.setting_ in [*map(dict, head.grid), dict(head.default)] and model.temperature_ > 0
    assert HeadClassifier(name).fit(X[:3], y[:3]).chosen_by_ == "rule"  # one row a class
    assert HeadClassifier(name, select="fixed").fit(X, y).setting_ == dict(head.published(60, 3, 30))
    one_slide_each = HeadClassifier(name).fit(X, y, groups=y)
    assert one_slide_each.chosen_by_ == "rule"
    X_test, truth = blobs(300, seed=1)
    fixed, auto = (HeadClassifier(name, select=select).fit(X, y).predict_proba(X_test) for select in ("fixed", "auto"))
    loss = [-np.log(np.maximum(P[np.arange(300), truth], 1e-7)).mean() for P in (fixed, auto)]
    assert loss[1] < loss[0] + 0.05


def test_the_estimator_refuses_another_way_to_select():
    with pytest.raises(BenchError, match="Got select 'atuo', did you mean 'auto'"):
        HeadClassifier("ridge", select="atuo").fit(*blobs(6))
