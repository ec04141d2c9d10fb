from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import check_grad

from bench.errors import BenchError
from bench.studies.granularity.bags import (
    bag_means,
    bag_softmax,
    join_bags,
    make_bags,
    mean_log_odds,
    mean_probability,
    vote,
)
from bench.studies.granularity.heads import Draw
from bench.studies.granularity.heads.contract import no_bags
from bench.studies.granularity.heads.mean_pool import MeanPoolFit, pooled
from bench.studies.granularity.heads.pooled_logits import (
    log_sum_exp,
    log_sum_exp_loss,
    noisy_or,
    noisy_or_loss,
    objective,
)

membership = st.integers(1, 6).flatmap(
    lambda B: st.permutations(range(B)).flatmap(
        lambda order: st.lists(st.integers(0, B - 1), max_size=20).map(lambda more: (B, [*order, *more]))
    )
)


@given(membership, st.randoms(use_true_random=False))
def test_means_are_those_of_a_loop(drawn, random):
    B, bag = drawn
    values = np.array([[random.random(), random.random()] for _ in bag])
    bag = np.array(bag)
    bags = make_bags(bag, np.arange(B))
    expected = np.stack([values[bag == b].mean(0) for b in range(B)])
    np.testing.assert_allclose(bag_means(values[bags.rows], bags), expected)
    which = np.array([random.randrange(B) for _ in range(4)])
    some = bags.take(which)
    np.testing.assert_allclose(bag_means(values[some.rows], some), expected[which])
    np.testing.assert_array_equal(some.y, which)
    both = join_bags(some, bags)
    np.testing.assert_allclose(bag_means(values[both.rows], both), np.concatenate([expected[which], expected]))


def test_softmax_over_a_bag_does_not_overflow():
    bags = make_bags(np.array([0, 0, 1]), np.array([0, 1]))
    top, share = bag_softmax(np.array([[1000.0], [1000.0], [-1000.0]]), bags)
    np.testing.assert_allclose(top[:, 0], [1000, -1000])
    np.testing.assert_allclose(share[:, 0], [0.5, 0.5, 1])


def test_three_ways_to_hear_the_cells():
    P = np.array([[0.6, 0.4], [0.6, 0.4], [0.01, 0.99]])
    bags = make_bags(np.zeros(3, int), np.array([0]))
    np.testing.assert_allclose(vote(P, bags), [[2 / 3, 1 / 3]])
    np.testing.assert_allclose(mean_probability(P, bags), [P.mean(0)])
    odds = np.log(P[:, 0] / P[:, 1]).mean()
    np.testing.assert_allclose(mean_log_odds(P, bags)[0, 0], 1 / (1 + np.exp(-odds)))


def test_a_class_that_no_cell_has_gets_none_of_the_log_odds():
    P = np.array([[0.5, 0.5, 0], [1.0, 0, 0]])
    found = mean_log_odds(P, make_bags(np.zeros(2, int), np.array([0])))
    assert found[0, 2] == 0
    assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize("bag", [[0, 2], [0, 1, 2, 3]])
def test_a_bag_without_cells_or_label_is_refused(bag):
    with pytest.raises(BenchError, match="without members or label"):
        make_bags(np.array(bag), np.zeros(3, int))


@pytest.mark.parametrize("unsaid", [False, True])
@pytest.mark.parametrize("loss", [noisy_or_loss, log_sum_exp_loss])
def test_the_gradient_is_that_of_the_loss(loss, unsaid):
    """Also where the labels of two images say nothing of the last class."""
    rng = np.random.default_rng(0)
    told = np.ones((5, 3), bool)
    told[:2, 2] = not unsaid
    bags = make_bags(np.repeat(np.arange(5), [1, 3, 2, 4, 2]), np.array([0, 1, 2, 0, 1]))
    Z, weight = rng.standard_normal((12, 4)), rng.random(5) + 0.5
    told_loss = partial(objective, weight=weight, loss=lambda S, bags: loss(S, bags, 5.0, told), l2=0.1)
    for scale in (0.1, 3):
        theta = rng.standard_normal(15) * scale
        error = check_grad(lambda t: told_loss(t, Z, bags)[0], lambda t: told_loss(t, Z, bags)[1], theta)
        assert error < 1e-5


UNEQUAL = np.repeat(np.arange(4), [1, 5, 2, 9])  # the bag of every member


def test_images_of_unlike_numbers_of_cells_are_pooled_each_over_its_own_cells():
    rng = np.random.default_rng(0)
    P, S = rng.dirichlet([1, 1, 1], len(UNEQUAL)), rng.standard_normal((len(UNEQUAL), 3))
    bags, r = make_bags(UNEQUAL, np.array([0, 1, 2, 0])), 5.0
    for b, own in enumerate([b == UNEQUAL for b in range(4)]):
        np.testing.assert_allclose(mean_probability(P, bags)[b], P[own].mean(0))
        np.testing.assert_allclose(vote(P, bags)[b], np.bincount(P[own].argmax(1), minlength=3) / own.sum())
        geometric = np.exp(np.log(P[own]).mean(0))
        np.testing.assert_allclose(mean_log_odds(P, bags)[b], geometric / geometric.sum())
        soft = np.exp(np.log(np.exp(r * S[own]).mean(0)) / r)
        np.testing.assert_allclose(log_sum_exp(S, bags, r)[b], soft / soft.sum())
        either = 1 - (1 - 1 / (1 + np.exp(-S[own]))).prod(0)
        np.testing.assert_allclose(noisy_or(S, bags, r)[b], either / either.sum())


def test_the_mean_of_an_image_is_over_its_own_cells_whatever_the_others_have():
    X = np.random.default_rng(1).standard_normal((len(UNEQUAL), 5)).astype("f4")
    bags = make_bags(UNEQUAL, np.array([0, 1, 2, 0]))
    found, divisor = pooled(Draw(X, bags, no_bags(), 3, bags, np.array([3])), bags)
    means = np.stack([X[b == UNEQUAL].mean(0) for b in range(4)])
    length = np.sqrt((means**2).sum(1).mean())
    np.testing.assert_allclose(found.X, means / length, rtol=1e-5)
    assert divisor == pytest.approx(length, rel=1e-5)


def test_means_of_scored_images_and_scored_cells_are_divided_by_the_length_of_what_was_learned_from():
    class Kept:
        def scores(self, X):
            return X

    X = np.random.default_rng(1).standard_normal((len(UNEQUAL), 5)).astype("f4")
    bags = make_bags(UNEQUAL, np.array([0, 1, 2, 0]))
    found = MeanPoolFit(base=Kept(), length=2.0).scored(X, bags, np.array([3]))
    np.testing.assert_allclose(found.bags, np.stack([X[b == UNEQUAL].mean(0) for b in range(4)]) / 2, rtol=1e-5)
    np.testing.assert_allclose(found.cells, X[3:4] / 2)
