"""What a head says of a row without its group: as a refit would, and nothing that the group's labels told it."""

from __future__ import annotations

import numpy as np
import pytest

from bench.heads import all_heads
from bench.heads.choice import leave_groups_out
from bench.heads.left_out import large_groups, rows_left, with_shares
from bench.heads.support import Support
from bench.solvers.left_out import Geometry

LINEAR = ("logreg", "logreg-smooth")
EXACT = ("centroid", "knn", "lda", "ridge", "logreg-gce")


def rows(n: int, d: int, K: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of length 1 with falling variances, as embeddings have, and labels that they tell somewhat."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % K
    X = (0.6 * rng.normal(size=(K, d))[y] + rng.normal(size=(n, d))) * np.arange(1, d + 1) ** -0.5
    X -= X.mean(0)
    return X / np.linalg.norm(X, axis=1, keepdims=True), y


def refits(name: str, support: Support, y: np.ndarray, K: int, grid, at: np.ndarray) -> np.ndarray:
    """Return probabilities (L, len(at), K) of rows by fits without their group, the penalty n l2 kept."""
    head, out = all_heads()[name], []
    for i in at:
        rest = support.groups != support.groups[i]
        kept = [{**g, "l2": g["l2"] * len(y) / rest.sum()} for g in grid]
        out.append(head.scores(Support(support.X[rest], support.X[[i]]), y[None, rest], K, kept).P[0, :, 0])
    return np.stack(out, 1)


CASES = {
    "two classes": (60, 200, 2, 1), "eight classes": (80, 200, 8, 1), "twenty classes": (100, 150, 20, 1),
    "more rows than dimensions": (120, 20, 4, 1), "groups of one class": (60, 200, 3, 2), "mixed groups": (60, 200, 3, 3),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", LINEAR)
def test_leaving_out_of_logistic_regression_is_near_a_refit_without_the_group(name, case):
    n, d, K, kind = CASES[case]
    X, y = rows(n, d, K)
    groups = np.arange(n) if kind == 1 else np.arange(n) // 6 * 3 + y % 3 if kind == 2 else np.arange(n) // 3
    head, support = all_heads()[name], Support(X, X[:1], groups)
    assert head.loo is not None
    grid = [setting for setting in head.grid if setting["l2"] >= 1e-4]
    P = head.loo(support, y[None], K, grid).P[0]
    at = np.arange(0, n, 3)
    wanted, same = refits(name, support, y, K, grid, at), head.scores(Support(X, X), y[None], K, grid).P[0]
    for j, setting in enumerate(grid):
        off = np.abs(P[j, at] - wanted[j]).mean()
        seen = np.abs(same[j, at] - wanted[j]).mean()  # how far the fit that saw the rows is
        assert off < 0.3 * seen + 0.002, (setting, off, seen)


@pytest.mark.parametrize("K", [2, 5])
def test_where_all_rows_have_one_weight_leaving_out_is_nearly_exact(K):
    """At a large l2 all probabilities are about 1 / K, so that one step of Newton is nearly a refit."""
    X, y = rows(40, 100, K)
    support, head, grid = Support(X, X[:1]), all_heads()["logreg"], [{"l2": 30.0}]
    P = head.loo(support, y[None], K, grid).P[0]
    wanted = refits("logreg", support, y, K, grid, np.arange(40))
    seen = head.scores(Support(X, X), y[None], K, grid).P[0]
    assert np.abs(P - wanted).max() < 0.06 * np.abs(seen - wanted).max()


@pytest.mark.parametrize("name", EXACT)
def test_the_labels_of_a_group_tell_nothing_of_its_own_left_out_scores(name):
    X, y = rows(48, 30, 3)
    groups = np.arange(48) // 4
    head = all_heads()[name]
    changed = y.copy()
    changed[groups == 5] = (y[groups == 5] + 1) % 3
    P = head.loo(Support(X, X[:1], groups), np.stack([y, changed]), 3, head.grid).P
    np.testing.assert_allclose(P[0][:, groups == 5], P[1][:, groups == 5], atol=1e-9)
    assert np.abs(P[0] - P[1])[:, groups != 5].max() > 1e-4


@pytest.mark.parametrize("name", LINEAR)
def test_they_tell_logistic_regression_little(name):
    X, y = rows(48, 60, 3)
    head = all_heads()[name]
    changed = y.copy()
    changed[7] = (y[7] + 1) % 3
    grid = [setting for setting in head.grid if setting["l2"] >= 1e-4]
    P = head.loo(Support(X, X[:1]), np.stack([y, changed]), 3, grid).P
    seen = head.scores(Support(X, X), np.stack([y, changed]), 3, grid).P
    assert (np.abs(P[0] - P[1])[:, 7].max(-1) < 0.35 * np.abs(seen[0] - seen[1])[:, 7].max(-1) + 0.01).all()


def test_pruning_leaves_rows_out_as_plain_logistic_regression_does():
    X, y = rows(30, 40, 3)
    grid = all_heads()["prune-refit"].grid
    P = all_heads()["prune-refit"].loo(Support(X, X), y[None], 3, grid).P
    assert np.array_equal(P, all_heads()["logreg"].loo(Support(X, X), y[None], 3, grid).P)


@pytest.mark.parametrize("name", [name for name, head in all_heads().items() if head.loo])
def test_a_class_that_is_gone_with_the_group_has_no_probability_and_its_rows_do_not_count(name):
    X, y = rows(30, 40, 3)
    y = np.where(y == 2, 1, y)
    y[:2] = 2
    groups = np.r_[0, 0, np.arange(1, 29)]
    head, support = all_heads()[name], Support(X, X[:1], groups)
    P = head.loo(support, y[None], 3, head.grid).P[0]
    assert (P[:, :2, 2] == 0).all() and (P[:, 2:, 2] > 0).any()
    judged = leave_groups_out(head, support, y[None], 3, head.grid)
    assert np.isfinite(judged.losses).all() and (judged.losses < 3).all()


@pytest.mark.parametrize("name", LINEAR)
def test_leaving_the_only_group_out_leaves_all_classes_alike_likely(name):
    head = all_heads()[name]
    for n in (1, 4):
        X = np.random.default_rng(0).normal(size=(n, 6))
        P = head.loo(Support(X, X, groups=np.zeros(n)), np.arange(n)[None] % 3, 3, head.grid).P
        np.testing.assert_allclose(P, 1 / 3)


def test_scoring_after_leaving_out_fits_nothing_again(monkeypatch):
    X, y = rows(30, 40, 3)
    Y, head = np.stack([y, np.roll(y, 1)]), all_heads()["logreg"]
    wanted = head.scores(Support(X, X), Y[1:], 3, head.grid[4:5]).P
    support = Support(X, X)
    head.loo(support, Y, 3, head.grid)
    monkeypatch.setattr("bench.heads.logreg.minimise", None)
    assert np.array_equal(head.scores(support, Y[1:], 3, head.grid[4:5]).P, wanted)


def test_rows_left_are_counted_by_class():
    y, groups = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 2, 2])
    assert rows_left(y[None], groups, 2)[0].tolist() == [[1, 3], [1, 2], [1, 2], [2, 1], [2, 1]]


def test_the_table_of_single_rows_holds_their_leverage():
    X, _ = rows(30, 50, 3)
    span = Support(X, X).span
    geometry = Geometry.of(span.Z, span.e, np.arange(30))
    for t in (10, 30, 50):
        Z, shift = np.c_[span.Z, np.ones(30)], np.exp(geometry.at[t])
        hat = Z @ np.linalg.inv(Z.T @ Z + shift * np.diag(np.r_[np.ones(len(span.e)), 1e-12])) @ Z.T
        np.testing.assert_allclose(geometry.table[t], np.diag(hat) / (1 - np.diag(hat)), rtol=1e-4)


def of_sizes(sizes: list[int], classes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels and groups of groups of these sizes, of one class each."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    return np.array(classes)[group], group


def test_groups_without_which_shares_change_much_are_named_the_largest_first():
    y, group = of_sizes([40, 100, 2, 3, 60, 95], [0, 0, 0, 1, 1, 1])
    assert large_groups(y, group, 2).tolist() == [1, 5, 4, 0]
    mixed = np.tile([0, 1], 100)  # both classes on every slide
    assert large_groups(mixed, np.repeat(np.arange(4), 50), 2).tolist() == []
    rare, group = of_sizes([1] * 3 + [10] * 100, [2] * 3 + [0, 1] * 50)  # a third of a class, and a row of a thousand
    assert large_groups(rare, group, 3).tolist() == []
    assert large_groups(np.zeros(6, int), np.arange(6), 1).tolist() == []


def test_no_more_than_twenty_groups_are_large_and_none_of_few_rows():
    y, group = of_sizes([10] * 30, [0, 1, 2, 3, 4] * 6)
    assert len(large_groups(y, group, 5)) == 20
    few, group = of_sizes([9] * 30, [0, 1, 2, 3, 4] * 6)
    assert len(large_groups(few, group, 5)) == 0


def test_shares_of_classes_are_those_of_all_rows_and_all_groups_of_a_class_count_more():
    y, group = of_sizes([40, 100, 30, 30, 60, 40], [0, 0, 0, 1, 1, 1])
    rows = with_shares(y, np.flatnonzero(group != 1), 2)
    assert np.bincount(y[rows]).tolist() == np.bincount(y).tolist()
    assert np.bincount(group[rows]).tolist() == pytest.approx([40 + 100 * 4 / 7, 0, 30 + 100 * 3 / 7, 30, 60, 40], abs=1)
    assert np.bincount(rows).max() == 3  # 100 more of 70
    gone = with_shares(y, np.flatnonzero(y == 1), 2)
    assert np.bincount(y[gone]).tolist() == [0, 130]
