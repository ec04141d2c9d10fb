"""The solver of `bench.solvers.linalg` on a CPU: what is made ready for `bench.solvers.kernels`, and large products.

Where products are small they are compiled as well, and one problem is solved after the other; otherwise all problems
step at once and share two calls of BLAS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.solvers.backend import Backend
from bench.solvers.kernels import (
    MANY,
    Bends,
    Found,
    Limits,
    Problem,
    Stages,
    begin,
    evaluate_loss,
    finish,
    propose,
    receive,
    solve_path,
)  # fmt: skip
from bench.solvers.ladder import Stage


@dataclass
class _Own:
    """One label vector's problem. present: classes that have rows; labels: y (n,) as numbers of them, and weight."""

    problem: Problem
    bends: Bends
    present: np.ndarray
    labels: tuple[np.ndarray, np.ndarray]
    found: Found
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
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return W float32 (P, L, K, r), gap and steps (P, L) for label vectors Y (P, n); see `linalg.minimise`.

    loss: the share that labels are smoothed by, and q of generalised cross-entropy or 0; not both. products: makes
    those of all problems at once; None compiles them.
    """
    Zt, mean_Z, curvature = rows
    stages, r, L = Stages.of(path), len(Zt), 1 + max(stage.at for stage in path if stage.at is not None)
    alike = np.empty(0, np.float32)
    problems = [
        _problem(curvature, y, alike if weight is None else weight[i].astype(np.float32), stages)
        for i, y in enumerate(Y)
    ]
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


def _problem(curvature: np.ndarray, labels: np.ndarray, weight: np.ndarray, stages: Stages) -> _Own:
    present, y = np.unique(labels, return_inverse=True)
    K, r, L = len(present), len(curvature), 1 + stages.at.max()
    own = curvature * np.float32(K / max(K - 1, 1))  # so that diag(p) - pp' is met at W = 0
    steepest = float(own[:-1].max()) / K if r > 1 else 0.0
    W, G, D, last, before, room = (np.zeros((K, r), np.float32) for _ in range(6))  # slices of one would be slower
    s, y_ = (np.empty((MANY, K, r), np.float32) for _ in range(2))
    penalty, w, sy, numbers = np.zeros(r, np.float32), np.zeros(K, np.float32), np.zeros(MANY), np.zeros(8)
    problem = Problem(W, G, D, last, before, room, s, y_, sy, w, penalty, numbers)
    begin(problem, stages.l2[0], stages.ahead[0])
    found = Found(np.zeros((L, K, r), np.float32), np.zeros(L), np.zeros(L, np.int64))
    return _Own(problem, Bends(own, steepest), present, (y, weight), found)


def _step_together(
    products: Backend,
    rows: tuple[np.ndarray, np.ndarray],
    problems: Sequence[_Own],
    n_classes: int,
    loss: tuple[float, float],
    limits: Limits,
    stages: Stages,
) -> None:
    (Zt, mean_Z), K, active = rows, n_classes, list(problems)
    r, n = Zt.shape
    layouts = products.layout(K, r, n), products.layout(K, n, r)
    room, w = np.empty((6, n), np.float32), np.empty((len(problems), K), np.float32)
    while active:
        trial = np.zeros((len(active), K, r), np.float32)  # that of classes without rows stays 0
        for own, place in zip(active, trial, strict=True):
            propose(own.problem, place[: len(own.present)])
        S = products.product(trial, Zt, layouts[0])
        values = [
            evaluate_loss(scores[: len(own.present)], *own.labels, *loss, bend[: len(own.present)], room)
            for own, scores, bend in zip(active, S, w, strict=False)
        ]
        G = products.product(S, mean_Z, layouts[1])
        for own, place, value, bend, gradient in zip(active, trial, values, w, G, strict=False):
            k = len(own.present)
            if receive(own.problem, place[:k], value, bend[:k], gradient[:k], own.bends, limits):
                finish(own.problem, stages, own.stage, own.found)
                own.stage += 1
        active = [own for own in active if own.stage < len(stages.l2)]
