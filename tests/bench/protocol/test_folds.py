"""Folds are those of scikit-learn, of every seed at once, and do not depend on its version."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.protocol import folds
from bench.protocol.folds import deal_groups


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000), K=st.integers(2, 20), groups=st.integers(6, 60), size=st.integers(1, 8),
    n_folds=st.integers(2, 5), pure=st.booleans(),
)  # fmt: skip
def test_every_seed_deals_groups_as_scikit_learn_does(seed, K, groups, size, n_folds, pure):
    model_selection = pytest.importorskip("sklearn", "1.9").model_selection
    rng = np.random.default_rng(seed)
    group = np.unique(rng.integers(0, groups, groups * size), return_inverse=True)[1]
    y = np.unique(group % K if pure else rng.integers(0, K, len(group)), return_inverse=True)[1]
    counts = np.zeros((group.max() + 1, y.max() + 1), int)
    np.add.at(counts, (group, y), 1)
    if (counts.sum(0) < n_folds).all() or len(counts) < n_folds or counts.shape[1] < 2:
        return
    fold = deal_groups(counts, n_folds, range(3))
    for one in range(3):
        peer = model_selection.StratifiedGroupKFold(n_folds, shuffle=True, random_state=one)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes with fewer rows than folds
            for i, (_, test) in enumerate(peer.split(y, y, group)):
                assert np.array_equal(np.flatnonzero(fold[one][group] == i), test)


def test_a_seed_is_dealt_alike_alone_and_among_others():
    counts = np.random.default_rng(0).integers(0, 5, (40, 3))
    together = deal_groups(counts, 5, range(10))
    for seed in range(10):
        assert np.array_equal(deal_groups(counts, 5, [seed])[0], together[seed])
    assert len({tuple(row) for row in together}) == 10


def test_folds_are_as_they_were_when_they_were_written_down():
    counts = np.array([[3, 0], [0, 3], [2, 2], [1, 0], [0, 1], [5, 1], [1, 5], [4, 4]])
    assert deal_groups(counts, 3, [0, 1]).tolist() == [[2, 2, 2, 0, 1, 1, 0, 0], [2, 2, 0, 0, 1, 1, 0, 2]]


def test_few_seeds_are_dealt_as_they_are_among_many():
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 3, (60, 4)) + (rng.integers(0, 4, 60)[:, None] == np.arange(4))
    many = deal_groups(counts, 5, range(20))
    assert len(many) > folds.FEW
    for seed in range(20):
        assert (deal_groups(counts, 5, [seed])[0] == many[seed]).all()
