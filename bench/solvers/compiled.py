"""The solver of `bench.solvers.linalg` on a CPU: what is made ready for `bench.solvers.kernels`, and large products.

Where products are small they are compiled as well, and one problem is solved after the other; otherwise all problems
step at once and share two calls of BLAS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.products import Backend
from bench.solvers.kernels import begin, is_first, leave, propose, receive, rotate, solve_path
from bench.solvers.ladder import Stage
from bench.solvers.loss_kernels import class_curvature, evaluate_loss
from bench.solvers.problem import MANY, NUMBERS, SCALE, Bends, Limits, Problem, Solution, Stages


@dataclass
class _Own:
    """One label vector's problem. present: classes that have rows; labels: y (n,) as numbers of them, and weight."""

    problem: Problem
    bends: Bends
    present: np.ndarray
    labels: tuple[np.ndarray, np.ndarray]
    found: Solution
    stage: int = 0


def solve(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
    Y: np.ndarray,
    n_classes: int,
    path: Sequence[Stage],
    loss: tuple[float, float],
    weight: np.ndarray | None,
    limits: Limits,
    products: Backend | None,
    start: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return W float32 (P, L, K, r), gap and steps (P, L) for label vectors Y (P, n); see `linalg.minimise`.

    start (P, S, K, r): W that the first S stages begin at, which follow from no others; None: at 0. loss: the
    share that labels are smoothed by, and q of generalised cross-entropy or 0; not both. products: makes those of all
    problems at once; None compiles them.
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
    if products is None:
        for own in problems:
            told = stages, own.bends, limits
            solve_path(own.problem, (Zt, mean_Z), own.labels, loss, told, own.found)
    else:
        _step_together(products, (Zt, mean_Z), problems, n_classes, loss, limits, stages)
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


def _step_together(
    products: Backend,
    rows: tuple[np.ndarray, np.ndarray],
    problems: Sequence[_Own],
    n_classes: int,
    loss: tuple[float, float],
    limits: Limits,
    stages: Stages,
) -> None:
    (Zt, mean_Z), leading, active = rows, max(n_classes - 1, 1), list(problems)
    r, n = Zt.shape
    layouts = products.layout(leading, r, n), products.layout(leading, n, r)
    while active:
        trial = np.zeros((len(active), leading, r), np.float32)  # that of classes without rows stays 0
        for own, place in zip(active, trial, strict=True):
            propose(own.problem, place[: len(own.present) - 1])
        scores, values = products.product(trial, Zt, layouts[0]), []
        for own, place in zip(active, scores, strict=True):
            contrasts = place[: len(own.present) - 1]
            if is_first(own.problem):
                rotate(own.problem, class_curvature(contrasts, *own.labels, loss[1]), limits.least)
            values.append(evaluate_loss(contrasts, *own.labels, *loss))
        gradients = products.product(scores, mean_Z, layouts[1])
        for own, value, place in zip(active, values, gradients, strict=True):
            solved = receive(own.problem, value, place[: len(own.present) - 1], own.bends, limits)
            own.stage += leave(own.problem, stages, own.stage, own.found, solved)
        active = [own for own in active if own.stage < len(stages.l2)]
