"""What every strategy keeps, and each against its definition or another implementation."""

from __future__ import annotations

import numpy as np
import pytest

from bench.active.covering import GAMMA, herd
from bench.active.openings import Openings
from bench.active.pool import Pool
from bench.active.similar import nearest, rbf, sample, to_nearest
from bench.active.strategies import STRATEGIES
from bench.active.typical import NEIGHBOURS, TYPICAL, typical
from bench.active.uncertain import badge, divergence, doubt, doubt_by_class, shares


def unit(seed: int, n: int, d: int = 6) -> np.ndarray:
    Z = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


def pool_of(n: int = 120, labelled: int = 10, seed: int = 0) -> tuple[Pool, np.ndarray]:
    P = np.random.default_rng(seed).dirichlet(np.ones(3), size=(2, n))
    may = np.ones(n, bool)
    may[:labelled] = False
    return Pool(Z=unit(seed, n), labelled=np.arange(labelled), P=P, seed=seed), may


PICKS = [name for name in STRATEGIES if name != "random"]


@pytest.mark.parametrize("name", PICKS)
def test_a_strategy_picks_rows_that_may_be_picked_each_once_and_the_same_again(name):
    pool, may = pool_of()
    picked = STRATEGIES[name].pick(pool, Openings(may, np.zeros(120, int), 30), 30)
    assert len(set(picked)) == 30 and may[picked].all()
    assert picked == STRATEGIES[name].pick(pool, Openings(may, np.zeros(120, int), 30), 30)


@pytest.mark.parametrize("name", PICKS)
def test_no_slide_gets_more_than_its_part_of_the_rows(name):
    pool, may = pool_of(labelled=8)
    group = np.arange(120) % 4
    picked = STRATEGIES[name].pick(pool, Openings(may, group, 20), 20)
    assert np.bincount(group[picked]).tolist() == [5, 5, 5, 5]
    unequal = np.where(np.arange(120) < 36, 0, 1)  # 28 and 84 rows that may be picked
    picked = STRATEGIES[name].pick(pool, Openings(may, unequal, 20), 20)
    assert np.bincount(unequal[picked]).tolist() == [5, 15]
    picked = STRATEGIES[name].pick(pool, Openings(may & (unequal == 1), unequal, 20), 20)
    assert np.bincount(unequal[picked]).tolist() == [0, 20]


@pytest.mark.parametrize("name", PICKS)
def test_where_fewer_rows_are_left_all_of_them_are_picked(name):
    pool, may = pool_of()
    may[15:] = False
    assert sorted(STRATEGIES[name].pick(pool, Openings(may, np.zeros(120, int), 20), 20)) == list(range(10, 15))


@pytest.mark.parametrize("labelled", [0, 7])
def test_maxherding_picks_what_scikit_activeml_picks_on_the_same_kernel(labelled):
    pytest.importorskip("skactiveml")
    from skactiveml.pool import MaxHerding

    for seed in range(5):
        Z = unit(seed, 150)
        may = np.ones(150, bool)
        may[:labelled] = False
        ours = herd(Pool(Z=Z, labelled=np.arange(labelled)), Openings(may, np.zeros(150, int), 12), 12)
        y = np.full(150, np.nan)
        y[:labelled] = 0
        theirs = MaxHerding(metric="rbf", metric_dict={"gamma": GAMMA}, random_state=0).query(
            Z.astype(float), y, batch_size=12
        )
        assert ours == theirs.tolist()


def test_a_row_that_stands_for_doubtful_ones_is_picked_before_one_that_stands_for_clear_ones():
    Z = np.repeat(np.eye(3, dtype=np.float32), [8, 6, 6], axis=0)
    P = np.zeros((1, 20, 2))
    P[0, :8], P[0, 8:14], P[0, 14:] = (1, 0), (0.5, 0.5), (0.9, 0.1)
    picked = STRATEGIES["uherding"].pick(Pool(Z=Z, P=P), Openings(np.ones(20, bool), np.zeros(20, int), 2), 2)
    assert 8 <= picked[0] < 14 and picked[1] >= 14
    assert herd(Pool(Z=Z), Openings(np.ones(20, bool), np.zeros(20, int), 1), 1)[0] < 8  # which stands for most


def test_typicality_is_one_over_the_mean_distance_to_the_nearest():
    Z = unit(1, 40)
    inside = np.arange(5, 35)
    far = np.sort(np.linalg.norm(Z[inside][:, None] - Z[inside][None], axis=2), axis=1)[:, 1:21]
    assert np.allclose(typical(Z, inside, 0), 1 / far.mean(1), rtol=1e-3)


def test_typicality_in_a_large_cluster_does_not_depend_on_being_in_the_sample_it_is_held_against():
    Z = np.random.default_rng(0).normal(size=(TYPICAL + 400, 6))
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    inside = np.arange(len(Z))
    others = sample(inside, TYPICAL, 0)
    far = np.sqrt(np.maximum(2 - 2 * Z @ Z[others].T, 0))
    far[others, np.arange(TYPICAL)] = np.inf  # itself
    expected = 1 / np.sort(far, axis=1)[:, :NEIGHBOURS].mean(1)
    assert np.allclose(typical(Z.astype(np.float32), inside, 0), expected, rtol=1e-2)


def test_typiclust_picks_in_regions_without_a_label_first():
    rng = np.random.default_rng(0)
    Z = np.repeat(np.eye(4, dtype=np.float32), 30, axis=0) + 0.02 * rng.normal(size=(120, 4)).astype(np.float32)
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    may = np.ones(120, bool)
    may[[0, 30]] = False
    picked = STRATEGIES["typiclust"].pick(
        Pool(Z=Z, labelled=np.array([0, 30])), Openings(may, np.zeros(120, int), 2), 2
    )
    assert sorted(i // 30 for i in picked) == [2, 3]


def test_the_products_of_badge_are_those_of_gradients():
    pool, may = pool_of(n=60)
    A = pool.P[0].astype(np.float32)
    A[np.arange(60), A.argmax(1)] -= 1
    G = (A[:, :, None] * pool.Z[:, None, :]).reshape(60, -1).astype(float)
    picked = badge(pool, Openings(may, np.zeros(60, int), 8), 8)
    rng, far, expected = np.random.default_rng(pool.seed), (G**2).sum(1), []
    for _ in range(8):
        weight = np.cumsum(np.where(may, far, 0))
        expected.append(int(np.searchsorted(weight, rng.random() * weight[-1], side="right")))
        may[expected[-1]] = False
        gap = ((G - G[expected[-1]]) ** 2).sum(1)
        far = gap if len(expected) == 1 else np.minimum(far, gap)
    assert picked == expected


def test_doubt_and_divergence_are_as_defined():
    P = np.array([[0.7, 0.2, 0.1], [0.4, 0.4, 0.2]])
    assert np.allclose(doubt(P), [0.5, 1.0])
    two = np.array([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]])
    assert np.allclose(divergence(two), [np.log(2), 0])


def test_of_classes_of_equal_shares_balanced_picks_as_margin_does():
    P = np.random.default_rng(0).dirichlet(np.ones(4), size=50)
    P = np.concatenate([np.roll(P, k, axis=1) for k in range(4)])  # each class is predicted as often
    assert np.allclose(doubt_by_class(P, shares(P, np.empty(0, int))), 4 * doubt(P))


def test_balanced_picks_what_may_be_of_a_rare_class_before_what_is_between_two_frequent_ones():
    P = np.zeros((1, 40, 3))
    P[0, :20], P[0, 20:38] = (0.9, 0.1, 0), (0.1, 0.9, 0)
    P[0, 38], P[0, 39] = (0.5, 0.5, 0), (0.95, 0, 0.05)
    pool = Pool(Z=unit(0, 40), P=P)
    assert STRATEGIES["balanced"].pick(pool, Openings(np.ones(40, bool), np.zeros(40, int), 2), 2)[0] == 39
    assert STRATEGIES["margin"].pick(pool, Openings(np.ones(40, bool), np.zeros(40, int), 2), 2)[0] == 38


def test_the_share_of_a_class_is_that_of_rows_without_a_label_and_at_least_one_of_them():
    P = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    assert shares(P, np.array([1])).tolist() == [1.0, 0.25]


def test_distances_are_those_of_the_rows():
    Z = unit(2, 50)
    D = ((Z[:, None] - Z[None]) ** 2).sum(2)
    assert np.allclose(to_nearest(Z, np.array([3, 9])), D[:, [3, 9]].min(1), atol=1e-5)
    assert to_nearest(Z, np.empty(0, int)).tolist() == [4.0] * 50
    assert np.allclose(rbf(Z, Z, 0.7), np.exp(-0.7 * D), atol=1e-5)
    assert nearest(Z, np.array([0]), np.arange(1, 50), 3)[0].tolist() == (np.argsort(D[0, 1:])[:3] + 1).tolist()
