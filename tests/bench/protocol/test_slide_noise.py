"""Noise by slides: a slide is right or wrong as a whole, whichever draw takes whichever examples of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fitting.fit import Drawn, parts_of, rows_of
from bench.fitting.tasks import inputs_of
from bench.protocol.order import REGIMES
from bench.protocol.protocol import Protocol
from bench.protocol.slide_noise import Slides, flip_slides, places, slides_of
from bench.protocol.splits import plan_splits
from bench.protocol.supports import draw_supports

SIZES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12)


def rows(sizes: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Items (groups, classes): of two classes, so many in every slide."""
    groups = [f"s{g}" for g, (a, b) in enumerate(sizes) for _ in range(a + b)]
    return np.array(groups, str), np.array([k for a, b in sizes for k in [0] * a + [1] * b], np.int64)


@given(sizes=SIZES, rate=st.floats(0, 0.99), K=st.integers(2, 5), seed=st.integers(0, 9))
def test_a_slide_is_wrong_as_a_whole_and_in_one_way(sizes, rate, K, seed):
    groups, y = rows(sizes)
    noisy = flip_slides(slides_of(groups, y, K), groups, y, K, rate=rate, seed=seed)
    for name in np.unique(groups):
        assert len(set(((noisy - y) % K)[groups == name])) == 1


@given(sizes=SIZES, rate=st.floats(0, 0.99), seed=st.integers(0, 9), some=st.sets(st.integers(0, 200), min_size=1))
def test_what_else_a_draw_takes_changes_no_label(sizes, rate, seed, some):
    groups, y = rows(sizes)
    slides = slides_of(groups, y, 3)
    own = np.array(sorted(some & set(range(len(y)))), int)
    alone = flip_slides(slides, groups[own], y[own], 3, rate=rate, seed=seed)
    assert np.array_equal(alone, flip_slides(slides, groups, y, 3, rate=rate, seed=seed)[own])


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=15), rate=st.floats(0, 0.99), seed=st.integers(0, 9))
def test_of_the_training_sides_items_the_rate_is_wrong_give_or_take_one_slide(sizes, rate, seed):
    groups, y = rows([(n, 0) for n in sizes])
    wrong = flip_slides(slides_of(groups, y, 2), groups, y, 2, rate=rate, seed=seed) != y
    assert abs(wrong.sum() - rate * len(y)) <= max(sizes) + 1e-9


def test_every_slide_is_wrong_with_the_same_probability_whatever_its_size():
    slides = Slides(np.array(["large", "middle", "small"]), np.zeros(3, int), np.array([90, 9, 1]))
    wrong = np.mean([places(slides, seed) < 0.3 for seed in range(4000)], axis=0)
    assert np.abs(wrong - 0.3).max() < 4 * np.sqrt(0.3 * 0.7 / 4000)


def test_rows_of_no_class_are_no_slides():
    slides = slides_of(np.array(["a", "b", "b"]), np.array([-1, 1, 0]), 2)
    assert slides.names.tolist() == ["b"] and slides.size.tolist() == [2]


@pytest.mark.parametrize("regime", list(REGIMES))
def test_whole_slides_go_wrong_in_a_sweep_alike_at_all_numbers_of_shots(make_sweep, tmp_path, regime):
    protocol = Protocol(shots=(1, 5, 10), noise=(0.0, 0.3, 0.6), noise_kinds=("group",), draws=12, support_groups=regime)
    sweep, views = make_sweep(protocol, ["knn"], groups=15, items=4)
    inputs = inputs_of(sweep, tmp_path)
    group = sweep.table["group"].to_numpy(str)
    realised = []
    for unit in sweep.blocks:
        for seed in range(unit.draws):
            for split in sweep.plan.splits(seed):
                taken = sweep.draws["class"].supports[unit.shots, seed, split.name]
                most = sweep.draws["class"].supports[10, seed, split.name]
                pool = rows_of(views["strong"], split, inputs)
                labels = {}
                for name, own in (("own", taken), ("most", most)):
                    [part] = parts_of(unit, Drawn(seed, split, own, pool), inputs)
                    labels[name] = part.episode.Y
                wrong = labels["own"] != sweep.y[taken]  # (rates, n)
                assert (wrong[1] <= wrong[2]).all() and not wrong[0].any()
                assert pd.DataFrame(wrong.T).groupby(group[taken]).nunique().to_numpy().max() == 1
                at = [most.tolist().index(row) for row in taken]
                assert np.array_equal(labels["own"], labels["most"][:, at]), "nested over shots"
                realised.append(wrong.mean(1))
    assert np.abs(np.mean(realised, axis=0) - [0, 0.3, 0.6]).max() < 0.06


def test_draws_of_one_example_a_slide_still_have_slides_that_are_wrong_at_every_larger_draw(make_table):
    table = make_table("ab", 12, 6)
    y, group = (table["label"] == "b").to_numpy(int), table["group"].to_numpy(str)
    plan = plan_splits(table, "ab")
    supports = draw_supports(table, "ab", plan, [2, 20], draws=2).supports
    for seed in range(2):
        for split in plan.splits(seed):
            slides = slides_of(group[split.train], y[split.train], 2)
            few, many = (supports[n, seed, split.name] for n in (2, 20))
            wrong = [flip_slides(slides, group[own], y[own], 2, rate=0.4, seed=seed) != y[own] for own in (few, many)]
            bad = [set(group[own][flipped]) for own, flipped in zip((few, many), wrong, strict=True)]
            assert bad[0] == bad[1] & set(group[few])


def test_a_slide_is_of_the_class_that_most_of_its_items_have():
    groups, y = np.repeat(["s", "t"], [5, 4]), np.array([1, 1, 1, 0, 2, 0, 2, 2, -1])
    slides = slides_of(groups, y, 3)
    assert slides.class_of.tolist() == [1, 2] and slides.size.tolist() == [5, 3]
