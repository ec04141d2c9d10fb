"""What left-out rows say of settings where classes have unlike many labels."""

from __future__ import annotations

import numpy as np
import pytest

from bench.fitting.episode import Episode
from bench.fitting.selection import choose
from bench.heads import all_heads
from bench.heads.choice import effective_rows, judge, weights_of
from bench.heads.contract import Head, Scored
from bench.heads.estimator import HeadClassifier
from bench.heads.support import Support
from bench.protocol.protocol import Protocol
from bench.runs.blocks import block_of


def test_a_row_weighs_the_less_the_more_labels_its_class_has():
    Y = np.array([[0] * 16 + [1] * 4, [0] * 10 + [2] * 10])
    weights = weights_of(Y, 3)
    assert weights[1].tolist() == [1.0] * 20
    np.testing.assert_allclose(weights[0, [0, -1]] / weights[0, 0], [1, 2])
    np.testing.assert_allclose(effective_rows(weights), [(16 + 4 * 2) ** 2 / (16 + 4 * 4), 20])


def test_weights_move_the_mean_loss_and_no_temperature():
    head = all_heads()["ridge"]
    rng = np.random.default_rng(0)
    Y, P = np.array([[0] * 9 + [1] * 3]), rng.dirichlet((1, 1), (1, 4, 12))
    plain, weighted = (judge(head, P, Y, np.arange(12), (12, 5), weights=w) for w in (None, weights_of(Y, 2)))
    np.testing.assert_array_equal(plain.temperatures, weighted.temperatures)
    assert (np.abs(plain.losses - weighted.losses) > 1e-6).all()
    alike = judge(head, P, Y, np.arange(12), (12, 5), weights=np.full((1, 12), 3.0))
    np.testing.assert_allclose(alike.losses, plain.losses)


def test_rows_whose_class_is_gone_weigh_nothing():
    head = all_heads()["ridge"]
    Y, P = np.array([[0] * 9 + [1]]), np.full((1, 2, 10, 2), 0.5)
    P[:, 1, -1] = 1e-9, 1 - 1e-9  # the only row of its class, which says nothing
    losses = judge(head, P, Y, np.arange(10), (10, 5), weights=weights_of(Y, 2)).losses
    assert losses[0, 0] == losses[0, 1] == pytest.approx(np.log(2))


#: Setting 0 is right of all of class 0 and half of class 1, setting 1 of all of class 1 and seven eighths of class 0.
UNLIKE = ({"good for": 0}, {"good for": 1})


def unlike(support, Y, n_classes, grid):
    rows = support.X_test.astype(int)  # columns: what each setting says
    P = np.stack([np.eye(2)[rows[:, setting["good for"]]] * 0.8 + 0.1 for setting in grid])
    return Scored(np.repeat(P[None], len(Y), 0), None, None)


def drawn(weigh: bool) -> Episode:
    y = np.repeat([0, 1], [64, 8])
    first = np.r_[np.zeros(64), np.arange(8) % 2]
    second = np.r_[np.arange(64) % 8 == 0, np.ones(8)]
    X = np.stack([first, second], 1)
    return Episode(Support(X, X), y[None], 2, np.arange(72).astype(str), drawn=y, weigh=weigh)


def own_rows(support, Y, n_classes, grid):
    return unlike(Support(support.X, support.X), Y, n_classes, grid)


def test_of_a_budget_the_setting_wins_that_is_good_for_small_classes_too():
    head = Head("unlike", "unlike", unlike, UNLIKE[0], grid=UNLIKE, loo=own_rows)
    assert choose("auto", head, UNLIKE, drawn(weigh=False)).chosen.tolist() == [0]  # 4 of 72 wrong against 8
    assert choose("auto", head, UNLIKE, drawn(weigh=True)).chosen.tolist() == [1]  # an eighth of a class against half


def test_the_prior_counts_as_many_rows_as_the_weights_leave():
    """16 and 4 rows are worth 18: the prior is stronger than of 20."""
    y = np.repeat([0, 1], [16, 4])
    X = np.ones((20, 2)) * y[:, None]
    episode = Episode(Support(X, X), y[None], 2, np.arange(20).astype(str), drawn=y, weigh=True)
    np.testing.assert_allclose(episode.effective_rows, [[18]])
    place = lambda setting: 7.0 * (setting["good for"] == 1)  # noqa: E731
    head = Head("unlike", "unlike", unlike, UNLIKE[0], grid=UNLIKE, loo=own_rows, place=place)
    found = choose("auto", head, UNLIKE, episode)
    np.testing.assert_allclose(np.diff(found.losses), 0.1 * 49 / 18)


def test_a_classifier_of_ones_own_weighs_its_rows_too(monkeypatch):
    rng, seen = np.random.default_rng(1), []
    y = np.repeat(["a", "b"], [30, 6])
    X = rng.normal(size=(36, 4)) + (y == "b")[:, None]
    whole = judge

    def told(*args, weights=None, among=None):
        seen.append(weights)
        return whole(*args, weights=weights, among=among)

    monkeypatch.setattr("bench.heads.choice.judge", told)
    HeadClassifier("ridge").fit(X, y)
    np.testing.assert_allclose(seen[0][0, [0, -1]], np.sqrt([18 / 30, 18 / 6]))


def test_units_of_a_budget_are_named_by_their_weights(make_sweep):
    sweep, _ = make_sweep(Protocol(shots=(2,), budget=(9,), draws=2, select=("auto", "fixed")), ["ridge"], groups=9)
    budget = [unit for unit in sweep.blocks if unit.series == "budget"]
    assert [("weights" in unit.identity) for unit in budget] == [unit.chosen_by.startswith("auto") for unit in budget]
    assert any("weights" in unit.identity for unit in budget)
    assert not any("weights" in unit.identity for unit in sweep.blocks if unit.series == "balanced")
    for unit in budget:
        again = block_of(
            unit.identity, encoder=unit.encoder, head=unit.head, level=unit.level, draws=unit.draws, rates=unit.rates,
            noise_kind=unit.noise_kind,
        )  # fmt: skip
        assert again.name == unit.name
