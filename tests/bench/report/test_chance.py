"""The permutation test holds its level where groups are all there is, and finds skill where there is some."""

from __future__ import annotations

import numpy as np
import pytest

from bench.report.chance import _permuted, chance_test, share_of_answers


def answers(rng: np.random.Generator, n_groups: int, alike: float, classes: int = 4, items: int = 20) -> np.ndarray:
    """Shares (N, K) of answers that know nothing of the classes and are alike within a group."""
    group = np.repeat(np.arange(n_groups), items)
    common = rng.integers(0, classes, n_groups)[group]
    own = rng.integers(0, classes, (5, len(group)))
    answer = np.where(rng.random((5, len(group))) < alike, common, own)
    return share_of_answers(np.eye(classes)[answer])


@pytest.mark.parametrize("alike", [0.1, 0.8])
def test_the_best_of_several_that_know_nothing_is_rarely_called_better_than_chance(alike):
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(12), 20)
    claims = 0
    for seed in range(200):
        shares = np.stack([answers(rng, 12, alike) for _ in range(3)])
        claims += chance_test(shares, group % 4, group.astype(str), permutations=199, seed=seed).min() <= 0.05
    assert claims / 200 <= 0.09


def test_items_of_groups_with_several_classes_change_places_within_their_group():
    rng = np.random.default_rng(1)
    y, group = rng.integers(0, 3, 60), np.repeat(np.arange(6), 10)
    y[:10], y[10:20] = 0, 1  # two groups of one class
    [labels] = _permuted(y, group.astype(str), 50, 0, 50)
    for row in labels:
        for g in range(2, 6):
            assert sorted(row[group == g]) == sorted(y[group == g])
        assert {row[0], row[10]} == {0, 1}
        assert len(set(row[:10])) == 1
    assert len({tuple(row) for row in labels}) > 40


def test_skill_is_found_and_does_not_depend_on_how_many_permutations_are_held_at_once(monkeypatch):
    rng = np.random.default_rng(2)
    y, group = np.repeat(np.arange(3), 40), np.arange(120) // 4
    skilled = np.eye(3, dtype=np.float32)[np.where(rng.random(120) < 0.6, y, rng.integers(0, 3, 120))]
    shares = np.stack([skilled, np.full((120, 3), 1 / 3, np.float32)])
    p = chance_test(shares, y, group.astype(str), permutations=499)
    assert p[0] == 1 / 500
    assert p[1] == 1
    monkeypatch.setattr("bench.report.chance.BLOCK", 120 * 499)
    assert np.array_equal(p, chance_test(shares, y, group.astype(str), permutations=499))
