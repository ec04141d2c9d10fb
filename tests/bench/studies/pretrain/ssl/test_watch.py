"""What a training is watched by, against its formulas, and what is said of it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from bench.studies.pretrain.ssl.watch import Watched, left_out_accuracy, rankme, read_watched, spread, verdict


def row(step: int = 0, loss: float = 1.0, rank: float = 20.0, spread: float = 0.9, knn: float = math.nan) -> Watched:
    return Watched(step=step, loss=loss, rank=rank, spread=spread, knn=knn)


def test_rankme_is_the_exponential_of_the_entropy_of_singular_values():
    Z = np.random.default_rng(0).normal(size=(30, 6)) * [5, 3, 2, 1, 0.5, 0.1]
    squared = np.linalg.eigvalsh(Z.T @ Z)
    total = sum(math.sqrt(value) for value in squared)
    entropy = -sum((p := math.sqrt(value) / total) * math.log(p) for value in squared)
    assert rankme(Z) == pytest.approx(math.exp(entropy), rel=1e-4)


def test_rankme_of_equal_directions_is_their_number_and_of_one_is_one():
    assert rankme(np.eye(8)) == pytest.approx(8, rel=1e-4)
    assert rankme(np.outer(np.arange(1, 9), np.ones(5))) == pytest.approx(1, rel=1e-4)
    assert np.isfinite(rankme(np.zeros((4, 3))))


def test_spread_is_1_for_random_directions_and_0_for_one():
    rng = np.random.default_rng(0)
    assert spread(rng.normal(size=(4000, 32))) == pytest.approx(1, abs=0.02)
    assert spread(np.full((50, 8), 3.0) * rng.uniform(1, 2, (50, 1))) == pytest.approx(0, abs=1e-6)


def test_neighbours_of_the_same_group_have_no_vote():
    """Two rows of a group are alike and of one class; the groups themselves say nothing of it."""
    rng = np.random.default_rng(0)
    base = np.repeat(rng.normal(size=(60, 16)), 2, axis=0)
    Z = base + 0.01 * rng.normal(size=base.shape)
    labels, groups = np.repeat(rng.permutation(["a", "b"] * 30), 2), np.repeat(np.arange(60).astype(str), 2)
    assert left_out_accuracy(Z, labels, np.arange(120).astype(str), k=1) > 0.95
    assert 0.25 < left_out_accuracy(Z, labels, groups, k=1) < 0.75


def test_neighbours_find_classes_and_count_them_alike():
    rng = np.random.default_rng(1)
    labels = np.array(["many"] * 40 + ["few"] * 4)
    Z = rng.normal(size=(44, 8)) + 6 * (labels == "few")[:, None] * np.eye(8)[0] - 2 * np.eye(8)[1]
    groups = np.arange(44).astype(str)
    assert left_out_accuracy(Z, labels, groups, k=3) > 0.95
    Z[labels == "few"] = Z[:4]
    assert left_out_accuracy(Z, labels, groups, k=3) <= 0.55
    assert math.isnan(left_out_accuracy(Z, labels, np.array(["one"] * 44)))


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (row(8, spread=0.02), "The network collapsed: since step 4"), (row(8, rank=1.1), "effective rank 1.1"),
        (row(8, spread=math.nan, rank=1.1), "The network collapsed"), (row(8, knn=0.3), "worse than before it learned"),
    ],
)  # fmt: skip
def test_what_went_wrong_is_said_with_what_to_do(last, said):
    text = verdict([row(0, knn=0.5), row(4), last])
    assert said in text and "Give " in text and text.endswith(".")


def test_nothing_is_said_of_a_healthy_training():
    assert verdict([row(0, rank=2, spread=0.05), row(4), row(8, knn=0.6)]) == ""
    assert verdict([row(0, spread=math.nan), row(4, spread=math.nan, rank=5)]) == ""


def test_a_network_that_never_told_images_apart_is_not_said_to_have_collapsed_but_to_need_more_steps():
    text = verdict([row(0, spread=0.05), row(4, spread=0.04), row(8, rank=1.1)])
    assert "collapsed" not in text and text.startswith("After 8 steps") and "as it did before it learned" in text
    assert "more --steps" in text
    solved = [row(0, spread=0.05), row(4, spread=0.04, loss=0.2), row(8, spread=0.02, loss=0.001)]
    assert verdict(solved).startswith("The network collapsed: since step 0")  # the same of every image solves its task


def test_a_row_survives_json():
    one = row(3, loss=0.1 + 0.2, knn=math.nan)
    again = read_watched(json.loads(json.dumps(one.as_json())))
    assert again.loss == one.loss and math.isnan(again.knn) and again.step == 3
