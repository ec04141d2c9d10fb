"""The solver of `bench.solvers.linalg` for a CPU in machine code: steps of L-BFGS, and a path of them.

A step of arrays costs its calls more than its numbers where a problem is small, and passes over memory where it is
large; compiled loops do neither.
"""

from __future__ import annotations

from math import inf

import numpy as np

from bench.loops.compiling import compiled
from bench.loops.tiles import multiply_panels
from bench.solvers.loss_kernels import ONE, class_curvature, evaluate_loss
from bench.solvers.matrix_kernels import ZERO, add, add_and_dot, copy, dot, multiply, transpose
from bench.solvers.problem import (
    ABOVE,
    CLOSE,
    FIRST_SCALE,
    L2,
    MANY,
    PAIRS,
    PASSED,
    SCALE,
    SLOPE,
    SQUARED,
    STEPS,
    Bends,
    F,
    Limits,
    Problem,
    Solution,
    Stages,
    T,
)

TINY = float(np.finfo(np.float32).tiny)


@compiled
def contrast(p: Problem) -> None:
    """Set what makes of the axes' weights those of the classes, each minus the last one's."""
    K = len(p.rotation)
    for k in range(K - 1):
        for m in range(K):
            p.contrast[k, m] = p.rotation[k, m] - p.rotation[K - 1, m]


@compiled
def precondition(p: Problem, curvature: np.ndarray, A: np.ndarray, B: np.ndarray, by: float) -> float:
    """Write `by` times H^-1 A to B, both (K, r), and return A' H^-1 A; see (A) of `linalg`."""
    total, factor = ZERO, np.float32(by)
    for k in range(len(A)):
        a, b, bend = A[k], B[k], p.bend[k]
        for j in range(len(a)):
            scaled = a[j] / (bend * curvature[j] + p.penalty[j])
            total += a[j] * scaled
            b[j] = factor * scaled
    return float(total)


@compiled
def direct(p: Problem, curvature: np.ndarray) -> float:
    """Write to D minus the inverse Hessian times the gradient, and return its slope.

    By the two loops of L-BFGS (Nocedal & Wright 2006, algorithm 7.4) over the pairs that are kept.
    """
    D, kept = p.D, min(MANY, int(p.numbers[PAIRS]))
    newest = int(p.numbers[PAIRS]) - 1
    a = np.zeros(MANY)
    for k in range(len(D)):
        own, G = D[k], p.G[k]
        for j in range(len(own)):
            own[j] = -G[j]
    gamma = p.numbers[SCALE]
    if kept == 0:
        precondition(p, curvature, D, D, gamma)
        return dot(D, p.G)
    along = dot(p.s[newest % MANY], D)
    for back in range(kept):
        at = (newest - back) % MANY
        a[at] = along / p.sy[at]
        along = add_and_dot(D, -a[at], p.y[at], p.s[(at - 1) % MANY])  # of the last one it is not used
    at = newest % MANY
    gamma = p.sy[at] / precondition(p, curvature, p.y[at], p.workspace, 1.0)
    if newest == 0:
        p.numbers[FIRST_SCALE] = gamma
    precondition(p, curvature, D, D, gamma)
    along = dot(p.y[(newest - kept + 1) % MANY], D)
    for back in range(kept - 1, -1, -1):
        at = (newest - back) % MANY
        then = p.y[(at + 1) % MANY] if back else p.G
        along = add_and_dot(D, a[at] - along / p.sy[at], p.s[at], then)
    return along


@compiled
def bound(p: Problem) -> float:
    """Return how far f is above its minimum at most; see `linalg.minimise`."""
    K, r = p.G.shape
    weights, intercepts = ZERO, 0.0
    for k in range(K):
        G = p.G[k]
        for j in range(r - 1):
            weights += G[j] * G[j]
        intercepts += float(G[r - 1]) ** 2 / p.bend[k]
    return float(weights) / (2 * p.numbers[L2]) + intercepts


@compiled
def begin(p: Problem, stages: Stages, stage: int) -> None:
    """Begin at the stage's start where `ahead` is NaN, else so far along the last path points; see `ladder.Stage`."""
    K, scale = len(p.W), p.numbers[SCALE]
    l2, ahead = stages.l2[stage], stages.ahead[stage]
    moves, turns = np.float32(ahead), np.float32(stages.bend[stage])
    for k in range(K):
        W, last, before, older, G, D = p.W[k], p.last[k], p.before[k], p.older[k], p.G[k], p.D[k]
        if ahead == ahead:
            for j in range(len(W)):
                move = last[j] - before[j]
                W[j] = last[j] + moves * move + turns * (move - (before[j] - older[j]))
        else:
            start = p.start[stage, k]
            for j in range(len(W)):
                W[j] = start[j]
        for j in range(len(W)):
            G[j] = D[j] = ZERO
        for m in range(K):
            p.rotation[k, m] = ONE if k == m else ZERO
    contrast(p)
    for j in range(len(p.penalty) - 1):
        p.penalty[j] = l2
    for i in range(len(p.numbers)):
        p.numbers[i] = 0
    p.numbers[F], p.numbers[T], p.numbers[ABOVE], p.numbers[L2] = inf, 1.0, inf, l2
    p.numbers[SCALE] = scale


@compiled
def propose(p: Problem, trial: np.ndarray) -> None:
    """Write to trial (K - 1, r) where f is to be evaluated next: all classes minus the last, which gives its scores."""
    t = np.float32(p.numbers[T])
    for k in range(len(p.W)):
        W, D, row = p.W[k], p.D[k], p.workspace[k]
        for j in range(len(row)):
            row[j] = W[j] + t * D[j]
    multiply(p.contrast, p.workspace, trial)


@compiled
def is_first(p: Problem) -> bool:
    """Return whether nothing has been evaluated at this stage."""
    return p.numbers[STEPS] == 0


@compiled
def rotate(p: Problem, C: np.ndarray, least: float) -> None:
    """Turn W, where the first evaluation is, to the axes of the classes' curvature C (K, K)."""
    values, axes = np.linalg.eigh(C)
    K = len(values)
    for k in range(K):
        p.bend[k] = max(values[k], least)
        for m in range(K):
            p.rotation[k, m] = axes[k, m]
    p.bend[0] = ONE  # all classes alike, which no score tells and no step takes
    contrast(p)
    copy(p.W, p.workspace)
    multiply(transpose(p.rotation), p.workspace, p.W)


@compiled
def penalise(W: np.ndarray, penalty: np.ndarray, G: np.ndarray) -> float:
    """Add the penalty's part to the gradient G (K, r) at W, and return twice the penalty."""
    squared = ZERO
    for k in range(len(W)):
        own, row = W[k], G[k]
        for j in range(len(own)):
            shrink = penalty[j] * own[j]
            squared += shrink * own[j]
            row[j] += shrink
    return float(squared)


@compiled
def go_on(p: Problem, new_W: np.ndarray, new_G: np.ndarray) -> None:
    """Go to W and G; keep as the newest pair the move by D and what it did to the gradient, unless it tells nothing."""
    t, at = np.float32(p.numbers[T]), int(p.numbers[PAIRS]) % MANY
    product, S, Y = ZERO, p.s[at], p.y[at]
    for k in range(len(new_G)):
        W, G, D, s, y, w, g = p.W[k], p.G[k], p.D[k], S[k], Y[k], new_W[k], new_G[k]
        for j in range(len(s)):
            s[j] = t * D[j]
            y[j] = g[j] - G[j]
            product += s[j] * y[j]
            W[j] = w[j]
            G[j] = g[j]
    if product > 0:
        p.sy[at] = product
        p.numbers[PAIRS] += 1


@compiled
def receive(p: Problem, loss: float, gradient: np.ndarray, bends: Bends, limits: Limits) -> bool:
    """Take in the mean loss where `propose` said and its gradient (K - 1, r); return whether p is solved.

    The gradients of all classes add up to 0.
    """
    numbers, new_W = p.numbers, p.workspace
    f, t, slope = numbers[F], numbers[T], numbers[SLOPE]
    for k in range(len(new_W)):
        W, D, row = p.W[k], p.D[k], new_W[k]
        for j in range(len(row)):
            row[j] = W[j] + np.float32(t) * D[j]
    new_G = np.empty(new_W.shape, np.float32)
    multiply(transpose(p.contrast), gradient, new_G)
    squared = penalise(new_W, p.penalty, new_G)
    value = loss + 0.5 * squared
    numbers[STEPS] += 1
    down = value <= f + 1e-4 * t * slope + limits.slack * abs(f)
    if down:
        go_on(p, new_W, new_G)
        numbers[F], numbers[T], numbers[SQUARED] = value, 1.0, squared
        numbers[SLOPE] = direct(p, bends.curvature)
        numbers[ABOVE] = bound(p)
    else:
        shorter = -0.5 * slope * t / (value - f - slope * t)
        numbers[T] *= min(max(shorter, 0.1), 0.5) if shorter == shorter else 0.1
    # Where l2 outweighs the curvature, so do the weights that no row sees.
    seen = numbers[SQUARED] * min(1.0, bends.steepest / numbers[L2])
    rounding = limits.rounding * numbers[F]
    numbers[CLOSE] = down and numbers[ABOVE] <= max(0.5 * limits.passing * seen, rounding)
    near = down and numbers[ABOVE] <= max(0.5 * limits.tolerance * seen, rounding)
    return near or numbers[T] < 1e-4 or numbers[STEPS] >= limits.most_steps


@compiled
def leave(p: Problem, stages: Stages, stage: int, found: Solution, solved: bool) -> bool:
    """Begin the next stage, if there is one, where this one has given what is wanted of it; return whether it has.

    A path point is kept for the next ones as it is passed, whether it is wanted or not: they do not depend on that.
    """
    at, passes = stages.at[stage], stages.is_path_point[stage] and p.numbers[PASSED] == 0
    passes = passes and (solved or p.numbers[CLOSE] > 0)
    over = solved or (passes and at < 0)
    if not passes and not over:
        return False
    W = p.W.copy()
    if p.numbers[T] == 1:  # the last step came down: the next one is taken unseen
        add(W, 1.0, p.D)
    multiply(p.rotation, W, p.workspace)
    if passes:
        p.numbers[PASSED] = 1.0
        copy(p.before, p.older)
        copy(p.last, p.before)
        copy(p.workspace, p.last)
        if p.numbers[FIRST_SCALE] > 0:
            p.numbers[SCALE] = p.numbers[FIRST_SCALE]
    if over and at >= 0:
        copy(p.workspace, found.W[at])
        found.gap[at] = p.numbers[ABOVE] / max(p.numbers[F], TINY)
        found.steps[at] = int(p.numbers[STEPS])
    if over and stage + 1 < len(stages.l2):
        begin(p, stages, stage + 1)
    return over


@compiled
def solve_path(
    p: Problem,
    rows: tuple[np.ndarray, np.ndarray],
    labels: tuple[np.ndarray, np.ndarray],
    loss: tuple[float, float],
    told: tuple[Stages, Bends, Limits],
    found: Solution,
) -> None:
    """Solve one problem, which has begun, at every stage. rows: panels of Z' and Z / n. labels: y (n,) and weight."""
    (Zt, mean_Z), (y, weight), (K, r), (stages, bends, limits) = rows, labels, p.W.shape, told
    n = len(y)
    trial, gradient = np.empty((K - 1, r), np.float32), np.empty((K - 1, r), np.float32)
    S = np.empty((K - 1, n), np.float32)
    for stage in range(len(stages.l2)):
        over = False
        while not over:
            propose(p, trial)
            multiply_panels(trial, Zt, S)
            if is_first(p):
                rotate(p, class_curvature(S, y, weight, loss[1]), limits.least)
            value = evaluate_loss(S, y, weight, loss[0], loss[1])
            multiply_panels(S, mean_Z, gradient)
            over = leave(p, stages, stage, found, receive(p, value, gradient, bends, limits))
