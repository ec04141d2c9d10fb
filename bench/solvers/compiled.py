"""The solver of `bench.solvers.linalg` on a CPU: what `bench.solvers.kernels` is given, one problem at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.loops.tiles import panels_of
from bench.solvers.kernels import begin, solve_path
from bench.solvers.ladder import Stage
from bench.solvers.problem import MANY, NUMBERS, SCALE, Bends, Limits, Problem, Solution, Stages


@dataclass
class _Own:
    """One label vector's problem. present: classes that have rows; labels: y (n,) as numbers of them, and weight."""

    problem: Problem
    bends: Bends
    present: np.ndarray
    labels: tuple[np.ndarray, np.ndarray]
    found: Solution


def solve(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
    Y: np.ndarray,
    n_classes: int,
    path: Sequence[Stage],
    loss: tuple[float, float],
    weight: np.ndarray | None,
    limits: Limits,
    start: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return W float32 (P, L, K, r), gap and steps (P, L) for label vectors Y (P, n); see `linalg.minimise`.

    start (P, S, K, r): W that the first S stages begin at, which follow from no others; None: at 0. loss: the
    share that labels are smoothed by, and q of generalised cross-entropy or 0; not both.
    """
    Zt, mean_Z, curvature = rows
    stages, r, L = Stages.of(path), len(Zt), 1 + max(stage.at for stage in path if stage.at is not None)
    alike = np.empty(0, np.float32)
    problems = [
        _problem(
            curvature, y, alike if weight is None else weight[i].astype(np.float32), stages,
            np.zeros((stages.starts, n_classes, r), np.float32) if start is None else start[i],
        )
        for i, y in enumerate(Y)
    ]  # fmt: skip
    panels = panels_of(Zt), panels_of(mean_Z)
    for own in problems:
        solve_path(own.problem, panels, own.labels, loss, (stages, own.bends, limits), own.found)
    W = np.zeros((len(Y), L, n_classes, r), np.float32)
    for whole, own in zip(W, problems, strict=True):
        whole[:, own.present] = own.found.W
    return W, np.stack([own.found.gap for own in problems]), np.stack([own.found.steps for own in problems])


def _problem(curvature: np.ndarray, labels: np.ndarray, weight: np.ndarray, stages: Stages, start: np.ndarray) -> _Own:
    present, y = np.unique(labels, return_inverse=True)
    K, r, L = len(present), len(curvature), 1 + stages.at.max()
    steepest = float(curvature[:-1].max()) / max(K - 1, 1) if r > 1 else 0.0
    W, G, D, last, before, older, workspace = (np.zeros((K, r), np.float32) for _ in range(7))  # slices would be slower
    s, y_ = (np.empty((MANY, K, r), np.float32) for _ in range(2))
    axes = np.zeros((K, K), np.float32), np.ones(K, np.float32), np.zeros((K - 1, K), np.float32)
    numbers = np.zeros(NUMBERS)
    numbers[SCALE] = 1
    start, penalty = np.ascontiguousarray(start[:, present]), np.zeros(r, np.float32)
    problem = Problem(*axes, W, G, D, s, y_, np.zeros(MANY), last, before, older, start, penalty, workspace, numbers)
    begin(problem, stages, 0)
    found = Solution(np.zeros((L, K, r), np.float32), np.zeros(L), np.zeros(L, np.int64))
    return _Own(problem, Bends(curvature, steepest), present, (y, weight), found)
