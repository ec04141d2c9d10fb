"""Sets and p-values for items of new groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.statistics.conformal import groups_to_tell, least_groups, limit, p_values


def test_a_set_of_90_percent_takes_nine_groups_and_with_fewer_has_no_limit():
    assert (least_groups(0.9), least_groups(0.8), least_groups(0.95)) == (9, 4, 19)
    group = np.arange(8)
    assert limit(np.arange(8.0), group, 0.9) == np.inf
    assert limit(np.arange(9.0), np.arange(9), 0.9) == 8.0


def test_a_group_of_many_items_weighs_no_more_than_one_of_few():
    scores = np.concatenate([np.zeros(1000), np.arange(1.0, 20.0)])
    group = np.concatenate([np.zeros(1000, int), np.arange(1, 20)])
    few = limit(np.arange(20.0), np.arange(20), 0.8)
    assert limit(scores, group, 0.8) == few
    assert limit(scores, np.arange(len(scores)), 0.8) == 0.0  # as if every item were a group


def test_items_of_new_groups_are_below_the_limit_at_the_rate_and_rows_taken_as_independent_are_not():
    rng, held, naive = np.random.default_rng(0), [], []
    for _ in range(400):
        of_group = rng.normal(size=(21, 1))
        scores = of_group + 0.3 * rng.normal(size=(21, 15))
        known, group = scores[:-1].ravel(), np.repeat(np.arange(20), 15)
        held.append((scores[-1] <= limit(known, group, 0.9)).mean())
        naive.append((scores[-1] <= np.quantile(known, 0.9)).mean())
    assert 0.88 <= np.mean(held) <= 0.95
    assert np.mean(naive) < np.mean(held)


def test_p_values_count_groups_alike_and_are_never_less_than_can_be_told():
    scores, group = np.array([1.0, 2.0, 3.0, 3.0, 3.0]), np.array([0, 1, 2, 2, 2])
    own = 7 / 9  # of the new item: groups of one, one and three
    expected = [(groups + own / 2) / (3 + own) for groups in (3, 2, 1)]
    np.testing.assert_allclose(p_values(np.array([0.5, 1.5, 2.5, 9.0]), scores, group), [*expected, 1 / 8])
    assert groups_to_tell(0.05) == 9
    assert p_values(np.array([9.0]), np.zeros(9), np.arange(9))[0] == pytest.approx(0.05)


@pytest.mark.parametrize("groups", [19, 20, 25, 40])
def test_of_images_that_are_groups_by_themselves_one_in_twenty_is_called_unlike_and_not_one_in_ten(groups):
    rng = np.random.default_rng(groups)
    scores = rng.normal(size=(4000, groups + 1))
    p = [p_values(own[-1:], own[:-1], np.arange(groups))[0] for own in scores]
    assert 0.03 <= np.mean(np.array(p) <= 0.05) <= 0.065


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 4)), min_size=1, max_size=30), st.floats(-6, 6))
def test_a_larger_score_never_has_a_larger_p_value(items, new):
    scores, group = np.array([score for score, _ in items]), np.array([g for _, g in items])
    p = p_values(np.array([new, new + 1]), scores, group)
    assert 0 < p[1] <= p[0] <= 1
