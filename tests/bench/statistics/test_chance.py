"""The permutation test holds its level where slides are all there is, and finds skill where there is some."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.statistics import chance
from bench.statistics.chance import chance_test, find_blocks, share_of_answers
from bench.statistics.metrics import balanced_accuracy


def answers(rng: np.random.Generator, n_groups: int, alike: float, classes: int = 4, items: int = 20) -> np.ndarray:
    """Shares (N, K) of answers that know nothing of the classes and are alike within a group."""
    group = np.repeat(np.arange(n_groups), items)
    common = rng.integers(0, classes, n_groups)[group]
    own = rng.integers(0, classes, (5, len(group)))
    answer = np.where(rng.random((5, len(group))) < alike, common, own)
    return share_of_answers(np.eye(classes)[answer])


def renamed(y: np.ndarray, group: np.ndarray, K: int, count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Return the new class of every item and the weight of its block, each (count, N)."""
    blocks = find_blocks(y, group, K)
    [weights] = chance._renamed(blocks, K, count, 0)
    names = weights.indices.reshape(count, -1) % K
    return names[:, blocks.of_item], weights.data.reshape(count, -1)[:, blocks.of_item]


@pytest.mark.parametrize("alike", [0.1, 0.8])
def test_the_best_of_several_that_know_nothing_is_rarely_called_better_than_chance(alike):
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(12), 20)
    claims = []
    for seed in range(200):
        shares = np.stack([answers(rng, 12, alike) for _ in range(3)])
        found = chance_test(shares, group % 4, group.astype(str), permutations=199, seed=seed)
        assert (found.best >= found.alone).all()
        claims.append((found.best.min() <= 0.05, (found.alone <= 0.05).mean()))
    any_row, each_row = np.mean(claims, 0)
    assert any_row <= 0.09 and 0.02 <= each_row <= 0.08


def test_answers_that_differ_by_class_and_slide_are_no_skill():
    """Every block of a slide is taken for one class or another as a whole: the slide's names say nothing."""
    rng = np.random.default_rng(1)
    group, y = np.repeat(np.arange(12), 20), np.tile(np.repeat([0, 1], 10), 12)
    claims = 0
    for seed in range(200):
        taken = rng.integers(0, 2, (12, 2))[group, y]
        shares = np.eye(2, dtype=np.float32)[taken][None]
        claims += chance_test(shares, y, group, permutations=199, seed=seed).alone[0] <= 0.05
    assert claims / 200 <= 0.08


def test_slides_of_one_class_exchange_it_and_slides_of_several_exchange_their_sets_and_rename_their_blocks():
    y = np.array([0, 0, 0, 1, 1, 2, 0, 0, 1, 1, 1, 2])
    group = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 4, 4, 4])  # three of one class, {0, 1} and {1, 2}
    names, _ = renamed(y, group, 3, 600)
    alone = names[:, [0, 3, 5]]
    assert (np.sort(alone, 1) == [0, 1, 2]).all() and len({tuple(row) for row in alone}) == 6
    for row in names:
        assert row[0] == row[1] == row[2] and row[6] == row[7] != row[8] and row[9] == row[10] != row[11]
        assert {frozenset(row[6:9].tolist()), frozenset(row[9:].tolist())} == {frozenset({0, 1}), frozenset({1, 2})}
    assert len({tuple(row) for row in names}) == 6 * 2 * 2 * 2


def test_a_block_keeps_its_weight_when_only_its_slide_renames_it():
    y, group = np.tile([0] * 9 + [1], 4), np.repeat(np.arange(4), 10)
    names, weight = renamed(y, group, 2)
    assert np.allclose(weight[:, y == 0], 1 / 72) and np.allclose(weight[:, y == 1], 1 / 8)
    assert 0.4 < (names[:, 0] == 0).mean() < 0.6


def test_where_every_slide_has_one_class_the_score_is_the_balanced_accuracy_of_the_new_names():
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(9), [1, 2, 3, 4, 5, 6, 7, 8, 9])
    y, answer = (group % 3), rng.integers(0, 3, len(group))
    P = np.eye(3, dtype=np.float32)[answer]
    names, weight = renamed(y, group, 3)
    expected = [balanced_accuracy(P, row) for row in names]
    assert ((names == answer) * weight).sum(1) == pytest.approx(expected)


@given(st.integers(0, 10**6))
def test_an_answer_that_is_always_the_same_is_never_better_than_chance(seed):
    rng = np.random.default_rng(seed)
    N = int(rng.integers(6, 40))
    y, group = np.r_[0, 1, 2, rng.integers(0, 3, N - 3)], rng.integers(0, 6, N)
    shares = np.broadcast_to(np.eye(3, dtype=np.float32)[0], (1, N, 3))
    found = chance_test(shares, y, group, permutations=99, in_turn=bool(rng.integers(2)))
    if all(len(set(y[group == g].tolist())) == 1 for g in set(group.tolist())):
        assert found.alone[0] == 1
    assert found.alone[0] >= found.least - 1e-12


def test_one_stray_item_in_every_slide_does_not_hide_skill():
    group = np.repeat(np.arange(40), 30)
    y = np.where(np.arange(1200) % 30 == 0, 1 - group % 2, group % 2)
    right = np.eye(2, dtype=np.float32)[group % 2]  # what the slide is, whatever the stray item is called
    found = chance_test(right[None], y, group)
    assert found.alone[0] == found.best[0] == found.least == 1 / 2000


def test_the_least_p_counts_the_ways_to_give_out_names():
    def least(y: list[int], group: list[int]) -> float:
        shares = np.eye(3, dtype=np.float32)[y][None]
        return chance_test(shares, np.array(y), np.array(group)).least

    assert least([0, 1, 2], [0, 1, 2]) == pytest.approx(1 / 6)
    assert least([0, 0, 1, 1], [0, 1, 2, 3]) == pytest.approx(1 / 6)
    assert least([0, 1] * 4, [0, 0, 1, 1, 2, 2, 3, 3]) == pytest.approx(1 / 16)
    assert least([0, 1, 1, 2], [0, 0, 1, 1]) == pytest.approx(1 / 8)
    assert least([0, 1] * 20, list(range(40))) == 1 / 2000


def test_skill_is_found_and_does_not_depend_on_how_many_permutations_are_made_at_once_or_kept(monkeypatch):
    rng = np.random.default_rng(2)
    y, group = np.repeat(np.arange(3), 40), np.arange(120) // 4
    y[::7], group[::5] = 0, 3
    skilled = np.eye(3, dtype=np.float32)[np.where(rng.random(120) < 0.6, y, rng.integers(0, 3, 120))]
    shares = np.stack([skilled, np.full((120, 3), 1 / 3, np.float32)])
    found = chance_test(shares, y, group.astype(str), permutations=499)
    assert found.best[0] == 1 / 500 and found.alone[1] == found.best[1] == 1
    for name, value in (("KEPT", 0), ("BLOCK", 7 * len(find_blocks(y, group, 3).size))):
        monkeypatch.setattr(f"bench.statistics.chance.{name}", value)
        again = chance_test(shares, y, group.astype(str), permutations=499)
        assert np.array_equal(found.alone, again.alone) and np.array_equal(found.best, again.best)


def test_names_that_were_given_out_are_kept_for_the_next_level_of_a_run_unless_they_are_too_many(monkeypatch):
    y, group = np.tile([0, 1], 20), np.arange(40) // 2
    for most, kept in ((99 * 40, 1), (99 * 40 - 1, 0)):  # of 40 blocks
        monkeypatch.setattr(chance, "KEPT", most)
        chance._kept.cache_clear()
        chance_test(np.eye(2)[y][None], y, group, permutations=99)
        assert chance._kept.cache_info().currsize == kept


def test_what_was_learned_from_in_turn_needs_more_to_be_called_better_but_the_most_there_can_be_suffices():
    group = np.repeat(np.arange(24), 4)
    y = group % 2
    own = np.where(np.random.default_rng(0).random(24) < 0.65, 0.9, 0.15)[group] + np.arange(24)[group] / 500
    some = np.where(np.eye(2)[y] > 0, own[:, None], 1 - own[:, None])
    shares = np.stack([some, np.eye(2)[y]]).astype(np.float32)
    p = {turn: chance_test(shares, y, group, in_turn=turn).alone for turn in (False, True)}
    assert 0.01 < p[False][0] < p[True][0] < 0.25
    assert p[False][1] == p[True][1] < 0.001


@pytest.mark.parametrize("seed", range(6))
def test_in_turn_too_no_p_is_below_the_least_that_so_few_slides_can_give(seed):
    y, group = np.array([0, 0, 1, 1]), np.arange(4)
    found = chance_test(np.eye(2, dtype=np.float32)[y][None], y, group, in_turn=True, seed=seed)
    assert abs(found.least - 1 / 6) < 1e-9 and found.alone[0] > 0.13 and found.best[0] > 0.13  # 1 / 6 but for luck
