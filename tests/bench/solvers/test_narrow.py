"""Large problems start from their leading coordinates: what is found is the same, and found sooner."""

from __future__ import annotations

import numpy as np
import pytest

from bench.heads.logreg import CROSS_ENTROPY, GRID
from bench.solvers import linalg, narrow
from bench.solvers.ladder import STEP, TOP, is_point, plan_path
from bench.solvers.linalg import TOLERANCE, minimise
from bench.solvers.rows import Rows

L2 = [g["l2"] for g in GRID]


def problem(n: int = 330, d: int = 300, K: int = 5) -> tuple[Rows, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % K
    X = (0.7 * rng.normal(size=(K, d))[y] + rng.normal(size=(n, d))) * np.arange(1, d + 1) ** -0.5
    e, V = np.linalg.eigh(X.T @ X)
    return Rows.of((X @ V / 10).astype(np.float32), e / 100), np.where(rng.random(n) < 0.2, (y + 1) % K, y)


def test_a_large_problem_ends_where_it_would_have_ended_from_the_ladder(monkeypatch):
    rows, y = problem()
    wanted = [1.0, 0.01, 3e-3, 1e-4, 3e-5, 1e-6]
    new = minimise(rows, y[None], 5, wanted, CROSS_ENTROPY)
    assert new.gap.max() <= TOLERANCE
    monkeypatch.setattr(narrow, "FROM", 10**9)
    old = minimise(rows, y[None], 5, wanted, CROSS_ENTROPY)
    far = np.linalg.norm(new.W - old.W, axis=(2, 3)) / np.linalg.norm(old.W, axis=(2, 3))
    assert far.max() < 3e-3 and (far > 0).any()


def test_one_strength_takes_fewer_evaluations_of_all_coordinates(monkeypatch):
    rows, y = problem()
    counted: list[int] = []
    solve = linalg._solve

    def count(arrays, *how):
        solved = solve(arrays, *how)
        counted.append(int(solved.steps.sum()) * (len(arrays[0]) == len(rows.Zt)))
        return solved

    monkeypatch.setattr(linalg, "_solve", count)
    minimise(rows, y[None], 5, [3e-4], CROSS_ENTROPY)
    assert counted[0] == 0
    monkeypatch.setattr(linalg, "plan", lambda l2, top: [linalg.Stage(l2[0], None, False, 0)])
    monkeypatch.setattr(linalg, "widened", lambda W, some, r: np.zeros((*W.shape[:-1], r), np.float32))
    minimise(rows, y[None], 5, [3e-4], CROSS_ENTROPY)
    assert counted[1] < 0.8 * counted[3]


def test_strengths_of_the_ladder_stay_on_it_and_others_come_first():
    stages = narrow.plan([0.5, *L2, 3e-3, 1e-4 / 2, 3e-6], TOP)
    alone = [stage for stage in stages if stage.ahead is None]
    assert stages[: len(alone)] == alone  # places of starts are those of stages
    assert [stage.l2 for stage in alone] == pytest.approx([3e-3, 5e-5, 1, 0.5, STEP**-2 * TOP, STEP**-1 * TOP, TOP])
    assert sorted(stage.at for stage in stages if stage.at is not None) == list(range(14))
    assert narrow.plan(L2, TOP) == plan_path(L2, TOP)
    assert all(is_point(TOP * STEP**j) for j in range(9)) and not is_point(0.5) and not is_point(3e-3)


def test_the_coordinates_that_vary_most_and_the_constant_are_kept(monkeypatch):
    monkeypatch.setattr(narrow, "LEADING", 2)
    curvature = np.array([1, 3, 2, 0.5, 1], np.float32)
    some = narrow.leading(curvature)
    assert some.tolist() == [1, 2, 4]
    Zt = np.arange(15, dtype=np.float32).reshape(5, 3)
    narrowed = narrow.narrowed((Zt, Zt.T / 3, curvature), some)
    assert np.array_equal(narrowed[0], Zt[some]) and np.array_equal(narrowed[1], Zt[some].T / 3)
    assert narrow.widened(np.array([[7.0, 8.0, 9.0]]), some, 5).tolist() == [[0, 7, 8, 0, 9]]
