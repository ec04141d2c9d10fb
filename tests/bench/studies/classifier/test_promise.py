"""What is promised of new slides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.statistics.hits import Hits, tally
from bench.statistics.intervals import score_intervals
from bench.statistics.spread import spread_of
from bench.studies.classifier.card import card
from bench.studies.classifier.promise import make_promise

CLASSES = ("a", "b")


def answers(right: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return P (n, 2) that is right where it is to be."""
    return np.eye(2)[np.where(right, y, 1 - y)] * 0.8 + 0.1


def test_the_interval_is_that_of_a_run_in_folds_and_that_of_as_many_new_slides_is_wider():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(20), 10)
    y = np.arange(200) % 2
    right = rng.random(200) < 0.7 + 0.2 * rng.normal(size=20)[group]
    promise = make_promise(answers(right, y), y, group, CLASSES)
    hits, total = tally(right, y, group, 2)
    as_run = Hits(hits[None, None], total)
    low, high = score_intervals(as_run, spread_of(as_run, in_turn=True))
    wrong = np.mean([1 - right[y == k].mean() for k in range(2)])
    assert promise.low == low[0] and promise.high == pytest.approx(high[0] + wrong / 20)  # one of 20 groups was left out
    assert promise.next_low < promise.low < promise.balanced_accuracy < promise.high < promise.next_high
    assert promise.accuracy == right.mean() and not promise.exact
    assert promise.groups == {"a": 20, "b": 20}


def test_a_class_of_few_groups_may_do_better_than_without_one_of_them():
    y, group = np.repeat([0, 0, 0, 1], 10), np.array([*range(30), *np.repeat([30, 31], 5)])
    right = np.append(np.arange(30) % 10 > 0, np.arange(10) < 5)
    few = make_promise(answers(right, y), y, group, CLASSES)
    many = make_promise(answers(right, y), y, np.arange(40), CLASSES)
    assert few.balanced_accuracy == many.balanced_accuracy == pytest.approx(0.7)
    assert few.high > 0.7 + (0.5 / 2 + 0.1 / 30) / 2 and few.next_high <= 1


def test_few_groups_have_exact_limits_and_half_as_many_give_wider_ones():
    y, group = np.array([0, 0, 0, 1, 1, 1]), np.arange(6)
    promise = make_promise(answers(np.array([1, 1, 0, 1, 1, 1], bool), y), y, group, CLASSES)
    assert promise.exact
    assert promise.next_low < promise.low < 5 / 6 < promise.high <= promise.next_high


def test_a_class_of_a_single_group_takes_no_part_and_its_recall_is_not_known():
    y, group = np.array([0] * 12 + [1] * 12 + [1] * 3), np.array([*range(12), *range(12), *[3] * 3])
    alone = make_promise(np.eye(3)[np.append(y, 0)], np.append(y, 2), np.append(group, 20), ("a", "b", "c"))
    assert np.isnan(alone.recall["c"]) and alone.recall["a"] == 1
    assert alone.balanced_accuracy == pytest.approx(1.0)
    assert alone.groups["c"] == 1


def test_where_every_class_lies_in_one_slide_nothing_is_expected(learned):
    y, group = np.array([0, 0, 1]), np.array([0, 0, 1])
    promise = make_promise(np.eye(2)[1 - y], y, group, CLASSES)
    assert np.isnan(promise.balanced_accuracy) and (promise.low, promise.next_high) == (0, 1)
    assert all(np.isnan(value) for value in promise.recall.values())


def test_where_only_one_class_lies_in_several_slides_nothing_is_expected_either():
    """Whoever answers that class always would be right, which is no evidence of anything."""
    y, group = np.array([0, *[1] * 12]), np.array([0, *range(12)])
    promise = make_promise(np.eye(2)[np.ones(13, int)], y, group, CLASSES)
    assert np.isnan(promise.balanced_accuracy) and np.isnan(promise.accuracy) and (promise.low, promise.next_high) == (0, 1)


def test_hardly_an_error_promises_no_narrow_interval_of_the_next_slides():
    y, group = np.arange(400) % 2, np.arange(400) // 10
    right = np.ones(400, bool)
    right[:2] = False
    promise = make_promise(answers(right, y), y, group, CLASSES)
    assert promise.exact and promise.next_low < 0.95 < promise.balanced_accuracy < promise.next_high == 1
    assert promise.next_low < promise.low < promise.balanced_accuracy < promise.high <= 1


def test_the_card_of_a_classifier_of_whole_images_promises_nothing_of_cells(made):
    _, model = made
    text = " ".join(card(model).split())
    assert "contains the true one for 90% of the instances of new slides, all classes together," in text and "cell" not in text.partition("## Use it")[0]


def test_recalls_have_exact_limits_of_their_groups_and_a_class_of_one_has_none():
    y, group = np.repeat([0, 1, 2], [40, 2, 3]), np.array([*range(40), 50, 51, *[60] * 3])
    promise = make_promise(np.eye(3)[y], y, group, ("many", "few", "one"))
    assert promise.recall["few"] == 1 and promise.recall_limits["few"] == pytest.approx((0.158, 1), abs=1e-3)
    assert promise.recall_limits["many"][0] > 0.9
    assert np.isnan(promise.recall_limits["one"]).all()


def test_the_card_says_of_each_class_how_often_its_sets_hold_it(made):
    _, model = made
    n, K = 400, len(model.about.classes)
    y, hard = np.arange(n) % 10 == 0, np.arange(n) % 20 == 0  # every second row of the rare class looks like the other
    P = np.full((n, K), 0.02 / (K - 2))
    P[:, :2] = np.where((y & ~hard)[:, None], [0.03, 0.95], [0.95, 0.03])
    some = replace(model, left_out=P.astype(np.float32), y=y.astype(int), group=np.arange(n))
    held = some.sets_hold(0.9)
    first, second, third = model.about.classes[:3]
    assert held[first] == 1 and held[second] == 0.5 and np.isnan(held[third])
    text = card(some)
    assert f"| {second} | 40 | 50.0 | 34-66 | 50 |" in text and "of all classes together" in " ".join(text.split())
