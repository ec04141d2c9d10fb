"""Which strategy is taken for how many labels, and what a model has to know for that."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from bench.studies.label_next.models import left_out_skill
from bench.studies.label_next.page import advice
from bench.studies.label_next.rule import FIRST, LATER, strategy_for


@pytest.mark.parametrize(
    ("labels", "classes", "skill", "taken"),
    [(0, 0, 0.9, FIRST), (99, 2, 0.9, FIRST), (100, 2, 0.9, LATER), (100, 2, 0.1, FIRST), (329, 33, 0.9, FIRST)],
)
def test_what_a_model_is_unsure_of_is_asked_for_where_it_has_labels_and_skill(labels, classes, skill, taken):
    assert strategy_for(labels, classes, lambda: skill) == taken


def test_skill_is_not_asked_where_labels_are_few():
    assert strategy_for(10, 2, lambda: pytest.fail("asked")) == FIRST


def rows(apart: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows of two classes so far apart on 20 slides, each with a mean of its own."""
    rng = np.random.default_rng(0)
    y, group = np.arange(200) % 2, np.arange(200) // 10
    Z = rng.normal(size=(200, 8)) + 2 * rng.normal(size=(20, 8))[group] + apart * np.eye(8)[0] * y[:, None]
    return Z.astype(np.float32) / 10, y, group


def test_skill_is_near_1_where_classes_are_apart_and_near_0_where_they_are_not():
    assert left_out_skill(*rows(12.0), 2) > 0.95
    assert abs(left_out_skill(*rows(0.0), 2)) < 0.25


def test_classes_of_one_label_do_not_hide_that_the_others_are_told_apart():
    Z, y, group = rows(12.0)
    rare = np.arange(len(y)) % 50 == 0  # four labels of two more classes
    Z[rare], y = np.random.default_rng(1).normal(size=(4, 8)), y.copy()
    y[rare] = [2, 2, 3, 3]
    assert left_out_skill(Z, y, group, 4) > 0.8


def test_what_a_slide_tells_of_itself_is_no_skill():
    Z, y, group = rows(0.0)
    y = group % 2  # the class is that of the slide
    assert left_out_skill(Z, y, group, 2) + 0.3 < left_out_skill(Z, y, np.arange(len(y)), 2)


def test_one_class_or_one_slide_shows_no_skill():
    Z, y, group = rows(12.0)
    assert left_out_skill(Z, 0 * y, group, 1) == left_out_skill(Z, y, 0 * group, 2) == 0


def test_why_picks_do_not_follow_the_model_is_said():
    found = SimpleNamespace(automatic=True, strategy=FIRST, labels=120, classes=2)
    assert "does not yet tell the classes apart well on unseen slides" in advice(found)
    found.labels = 20
    assert "With few labels" in advice(found)
