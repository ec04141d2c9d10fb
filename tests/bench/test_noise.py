"""Label noise is nested over rates, paired over draws, and leaves everything else alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.noise import KINDS, check_noise, flip_labels

ITEMS = [f"item{i}" for i in range(3000)]


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 5), low=st.floats(0, 0.5), more=st.floats(0, 0.45), n_classes=st.integers(2, 6))
def test_a_higher_rate_keeps_every_flip_of_a_lower_one(kind, seed, low, more, n_classes):
    y = np.arange(200) % n_classes
    items = ITEMS[:200]
    few = flip_labels(y, items, n_classes, kind=kind, rate=low, seed=seed)
    many = flip_labels(y, items, n_classes, kind=kind, rate=low + more, seed=seed)
    flipped = few != y
    assert np.array_equal(few[flipped], many[flipped])
    assert many.min() >= 0
    assert many.max() < n_classes


@pytest.mark.parametrize("kind", KINDS)
def test_the_realised_rate_is_the_rate_asked_for(kind):
    y = np.arange(len(ITEMS)) % 4
    for rate in (0.1, 0.4):
        realised = np.mean(flip_labels(y, ITEMS, 4, kind=kind, rate=rate, seed=1) != y)
        assert abs(realised - rate) < 4 * np.sqrt(rate * (1 - rate) / len(ITEMS))


def test_symmetric_noise_reaches_every_other_class_equally_often():
    y = np.zeros(len(ITEMS), int)
    noisy = flip_labels(y, ITEMS, 4, kind="symmetric", rate=0.9, seed=0)
    counts = np.bincount(noisy, minlength=4)[1:]
    assert counts.min() > 0.85 * counts.mean()


def test_a_label_is_flipped_alike_in_whatever_company_it_is_drawn():
    y = np.arange(100) % 3
    whole = flip_labels(y, ITEMS[:100], 3, kind="symmetric", rate=0.5, seed=3)
    part = flip_labels(y[40:60], ITEMS[40:60], 3, kind="symmetric", rate=0.5, seed=3)
    assert np.array_equal(whole[40:60], part)


def test_wrong_kinds_and_rates_are_named():
    with pytest.raises(BenchError, match="did you mean 'symmetric'"):
        check_noise("symetric", [0.1])
    with pytest.raises(BenchError, match=r"Got noise rate 1\.5"):
        check_noise("symmetric", [1.5])
