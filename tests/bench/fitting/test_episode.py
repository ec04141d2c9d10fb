"""The folds of a draw's groups: none is on both sides, and every class is in each."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.fitting.episode import Episode
from bench.heads.left_out import fold_of
from bench.heads.support import Support


def test_no_group_is_on_both_sides_of_an_inner_fold_and_every_class_is_in_every_fold():
    groups = np.array([f"{k}{i % 4}" for k in "abc" for i in range(10)])
    fold = fold_of(groups, 4)
    assert fold.max() == 3
    assert all(len(set(fold[groups == g])) == 1 for g in set(groups))
    assert all(set(fold[i : i + 10]) == {0, 1, 2, 3} for i in (0, 10, 20))
    assert set(fold_of(np.arange(12).astype(str), 12)) == set(range(5))  # however many groups there are


@settings(max_examples=30)
@given(sizes=st.lists(st.integers(1, 6), min_size=6, max_size=14), seed=st.integers(0, 99))
def test_no_group_of_any_size_is_on_both_sides_of_an_inner_fold(sizes, seed):
    """Groups of equal size, in order, would be dealt alike by rows."""
    groups = np.random.default_rng(seed).permutation(np.repeat([f"g{i}" for i in range(len(sizes))], sizes))
    y = np.array([int(name[1:]) % 2 for name in groups])
    drawn = Episode(Support(np.eye(len(y)), np.eye(len(y))[:1]), y[None], 2, groups, drawn=y)
    assert (np.sum([held for held, _ in drawn.folds], axis=0) == 1).all()
    for held, support in drawn.folds:
        learned = set(groups[support.X.argmax(1)])
        assert learned and learned.isdisjoint(groups[held])


def test_folds_of_a_support_with_unequally_many_rows_per_class_hold_every_class():
    groups = np.array(["a0"] * 5 + ["a1"] * 3 + ["a2"] * 2 + ["b0", "b1", "b2", "b2"])
    y = np.repeat([0, 1], [10, 4])
    drawn = Episode(Support(np.eye(14), np.eye(14)[:2]), y[None], 2, groups, drawn=y)
    assert drawn.fewest_groups == 3
    assert len(drawn.folds) == 3 and all(set(y[held]) == {0, 1} for held, _ in drawn.folds)
