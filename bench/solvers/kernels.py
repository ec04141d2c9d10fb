"""The solver of `bench.solvers.linalg` for a CPU in machine code: loops over numbers, losses, steps, a path of steps.

A step of arrays costs its calls more than its numbers where a problem is small, and passes over memory where it is
large; compiled loops do neither. The letters are those of `linalg`; a problem here has only the classes that have rows.

numba compiles a function when it is first called and keeps the code beside this file until the file changes. Another
file's change goes unnoticed, so all that is compiled is in this one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, log, log1p
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from bench.solvers.ladder import Stage


def _compiled(*fastmath: str) -> Callable[[Any], Any]:
    options: dict[str, Any] = {"error_model": "numpy", "fastmath": set(fastmath)}

    def decorate(function: Any) -> Any:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # no folder to keep the code in
            return njit(**options)(function)

    return decorate


compiled = _compiled("reassoc", "contract", "nsz", "arcp")  # sums in any order, always the same; NaN and inf are kept
in_order = _compiled("contract")
TINY = float(np.finfo(np.float32).tiny)
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
LEAST_EXPONENT = np.float32(-80)  # a share of exp of it is still a normal number: others take a hundred times as long
LOG2E, LN2_HIGH, LN2_LOW = np.float32(1 / log(2)), np.float32(0.693359375), np.float32(log(2) - 0.693359375)
C0, C1, C2, C3, C4 = (np.float32(c) for c in (1.9875691e-4, 1.3981999e-3, 8.3334519e-3, 4.1665795e-2, 1.6666665e-1))
F, SLOPE, T, PAIRS, SQUARED, ABOVE, L2, STEPS, SCALE, FIRST_SCALE = range(10)  # places of a problem's numbers
MANY = 4  # pairs of L-BFGS
BLOCK = 256  # rows whose losses are evaluated at a time, while they are near


class Limits(NamedTuple):
    """TOLERANCE, ROUNDING, SLACK, LEAST_WEIGHT and MOST_STEPS of `linalg`."""

    tolerance: float
    rounding: float
    slack: float
    least: float
    most_steps: int


class Bends(NamedTuple):
    """curvature float32 (r,) of all coordinates; steepest: the most that of the loss can be at W = 0."""

    curvature: np.ndarray
    steepest: float


class Problem(NamedTuple):
    """What is known of one problem, float32 but the numbers and sy, float64.

    turn (K, K): orthogonal columns u_j, the axes of the classes' curvature, which is bend (K,) along them. All that
    belongs to a stage is kept in these coordinates, as U'W: W (K, r), its gradient G, the direction D to go on; s, y
    (MANY, K, r): the newest moves and what they did to G, in a circle; sy (MANY,): their products. As they are: last,
    before, older: W of the three last rungs. contrast (K - 1, K): the rows of `turn` minus its last one. penalty (r,):
    l2 but of the intercept. room (K, r). numbers: see `F` and so on; PAIRS counts all so far.
    """

    turn: np.ndarray
    bend: np.ndarray
    contrast: np.ndarray
    W: np.ndarray
    G: np.ndarray
    D: np.ndarray
    s: np.ndarray
    y: np.ndarray
    sy: np.ndarray
    last: np.ndarray
    before: np.ndarray
    older: np.ndarray
    penalty: np.ndarray
    room: np.ndarray
    numbers: np.ndarray


class Stages(NamedTuple):
    """The path of `ladder.plan_path` as arrays: l2, ahead (NaN where it starts at W = 0), bend, is_rung, at (or -1)."""

    l2: np.ndarray
    ahead: np.ndarray
    bend: np.ndarray
    is_rung: np.ndarray
    at: np.ndarray

    @classmethod
    def of(cls, path: Sequence[Stage]) -> Stages:
        """Return a path's."""
        ahead = [np.nan if stage.ahead is None else stage.ahead for stage in path]
        at = [-1 if stage.at is None else stage.at for stage in path]
        rungs = [stage.is_rung for stage in path]
        l2, bend = [stage.l2 for stage in path], [stage.bend for stage in path]
        return cls(np.array(l2), np.array(ahead), np.array(bend), np.array(rungs), np.array(at))


class Solution(NamedTuple):
    """Of one problem: W float32 (L, K, r), its K classes with rows; gap and steps (L,)."""

    W: np.ndarray
    gap: np.ndarray
    steps: np.ndarray


@compiled
def multiply(A: np.ndarray, B: np.ndarray, out: np.ndarray) -> None:
    """Write A (K, p) @ B (p, q) to out; four rows of B at a time, so that out is loaded and stored less."""
    K, p = A.shape
    q, by_four = B.shape[1], p - p % 4
    out[:] = 0
    for j in range(0, by_four, 4):
        first, second, third, fourth = B[j], B[j + 1], B[j + 2], B[j + 3]
        for k in range(K):
            a, b, c, d, row = A[k, j], A[k, j + 1], A[k, j + 2], A[k, j + 3], out[k]
            for i in range(q):
                row[i] += a * first[i] + b * second[i] + c * third[i] + d * fourth[i]
    for j in range(by_four, p):
        first = B[j]
        for k in range(K):
            a, row = A[k, j], out[k]
            for i in range(q):
                row[i] += a * first[i]


@in_order  # or the two parts of log(2) are added up first
def exponentiate(x: np.ndarray, power: np.ndarray) -> None:
    """Replace x float32 (n,), <= 0, by exp(x) to two units in the last place; below -80 it is taken as -80.

    2^i exp(r) with |r| <= log(2) / 2, the second factor by its series (Cephes, expf). power: int32 (n,), room for i as
    the exponent of a number. Calls of the C library would be made one by one.
    """
    for i in range(len(x)):
        value = max(x[i], LEAST_EXPONENT)
        whole = np.floor(value * LOG2E + HALF)
        rest = value - whole * LN2_HIGH - whole * LN2_LOW
        series = C0
        series = series * rest + C1
        series = series * rest + C2
        series = series * rest + C3
        series = series * rest + C4
        series = series * rest + HALF
        x[i] = series * rest * rest + rest + ONE
        power[i] = (np.int32(whole) + np.int32(127)) << np.int32(23)
    scale = power.view(np.float32)
    for i in range(len(x)):
        x[i] *= scale[i]


@compiled
def exponentiate_rows(S: np.ndarray, power: np.ndarray, total: np.ndarray) -> None:
    """Replace S (K, n), <= 0, by exp(S), and set total (n,) to the sums of its columns; see `exponentiate`."""
    total[:] = ZERO
    for k in range(len(S)):
        row = S[k]
        exponentiate(row, power)
        for i in range(len(row)):
            total[i] += row[i]


@compiled
def log_sum(A: np.ndarray, B: np.ndarray) -> float:
    """Return the sum of log(A + B), (n,), where A + B is from 1 to 1e9: by products of 32, double precision."""
    n, found = len(A), 0.0
    for i in range(0, n, 32):
        product = 1.0
        for j in range(i, min(i + 32, n)):
            product *= np.float64(A[j]) + np.float64(B[j])
        found += log(product)
    return found


@compiled
def evaluate_loss(leads: np.ndarray, y: np.ndarray, weight: np.ndarray, smoothing: float, q: float) -> float:
    """Turn leads (K - 1, n), scores minus the last class's, into the losses' derivatives; return the mean loss.

    The losses are those of `bench.solvers.linalg.Loss`, weighted. weight (n,), or (0,) where all rows are alike.
    """
    before, n = leads.shape
    total = 0.0
    for start in range(0, n, BLOCK):
        width = min(BLOCK, n - start)
        S = scores_of(leads, start, width)
        some = weight[start : start + width] if len(weight) else weight
        total += loss_of_block(S, y[start : start + width], some, smoothing, q)
        for k in range(before):
            row, lead = S[k], leads[k]
            for i in range(width):
                lead[start + i] = row[i]
    return total / n


@compiled
def loss_of_block(S: np.ndarray, y: np.ndarray, weight: np.ndarray, smoothing: float, q: float) -> float:
    """Turn scores S (K, n) into the derivatives of the losses, and return their sum; see `evaluate_loss`.

    Nothing is subtracted from 1 that is near it.
    """
    K, n = S.shape
    room, power = np.empty((5, n), np.float32), np.empty(n, np.int32)
    top, behind, others, own, trust = room[0], room[1], room[2], room[3], room[4]
    each, rest = np.float32(smoothing / K), np.float32(smoothing - smoothing / K)
    subtract_top(S, top)
    total = 0.0
    if smoothing > 0:
        for k in range(K):
            row, distance = S[k], 0.0
            for i in range(n):
                distance += (weight[i] if len(weight) else ONE) * row[i]
            total -= float(each * distance)  # of the scores to the top, for the labels' even part
    for i in range(n):
        behind[i] = S[y[i], i]  # 0 where the own class leads
        S[y[i], i] = LEAST_EXPONENT  # as good as none
    own[:] = behind
    exponentiate(own, power)
    exponentiate_rows(S, power, others)
    if q > 0:
        for i in range(n):
            trust[i] = (own[i] / (others[i] + own[i])) ** q
            total += (float(weight[i]) if len(weight) else 1.0) * float(ONE - trust[i]) / q
    elif len(weight):
        for i in range(n):
            logged = log1p(np.float64(others[i])) if behind[i] == 0 else log(np.float64(others[i] + own[i]))
            total += float(weight[i]) * (logged - (1 - smoothing) * behind[i])
    else:
        summed = ZERO
        for i in range(n):
            summed += behind[i]
        total += log_sum(others, own) - (1 - smoothing) * float(summed)
    for i in range(n):
        top[i] = ONE / (others[i] + own[i])
    if q > 0:
        for i in range(n):
            top[i] *= trust[i]
    for k in range(K):
        row = S[k]
        for i in range(n):
            row[i] = row[i] * top[i] - each
    for i in range(n):
        S[y[i], i] = rest - others[i] * top[i]  # the share of all others, 1 - p of the own class
    if len(weight):
        for k in range(K):
            row = S[k]
            for i in range(n):
                row[i] *= weight[i]
    return total


@compiled
def scores_of(leads: np.ndarray, start: int, width: int) -> np.ndarray:
    """Return so many rows' scores (K, width) of leads (K - 1, n): the last class's are 0."""
    before = len(leads)
    S = np.empty((before + 1, width), np.float32)
    for k in range(before):
        row, lead = S[k], leads[k]
        for i in range(width):
            row[i] = lead[start + i]
    S[before] = ZERO
    return S


@compiled
def subtract_top(S: np.ndarray, top: np.ndarray) -> None:
    """Subtract from S (K, n) the largest of every column, which is left in top (n,)."""
    K, n = S.shape
    top[:] = S[0]
    for k in range(1, K):
        row = S[k]
        for i in range(n):
            top[i] = max(top[i], row[i])
    for k in range(K):
        row = S[k]
        for i in range(n):
            row[i] -= top[i]


@compiled
def class_curvature(leads: np.ndarray, y: np.ndarray, weight: np.ndarray, q: float) -> np.ndarray:
    """Return the mean over rows of diag(p) - pp', float64 (K, K), each row by its weight and p_y^q.

    leads: see `evaluate_loss`. The rows of what is returned add up to 0 but for rounding in double precision.
    """
    K, n = len(leads) + 1, leads.shape[1]
    C = np.zeros((K, K))
    for start in range(0, n, BLOCK):
        width = min(BLOCK, n - start)
        P, power = scores_of(leads, start, width), np.empty(width, np.int32)
        total, scale = np.empty(width, np.float32), np.ones(width, np.float32)
        subtract_top(P, total)
        exponentiate_rows(P, power, total)
        for i in range(width):
            if q > 0:
                scale[i] = (P[y[start + i], i] / total[i]) ** q
            if len(weight):
                scale[i] *= weight[start + i]
            scale[i] = np.sqrt(scale[i]) / total[i]
        for k in range(K):
            row = P[k]
            for i in range(width):
                row[i] *= scale[i]
            for m in range(k):
                other, found = P[m], ZERO
                for i in range(width):
                    found += row[i] * other[i]
                shared = float(found) / n
                C[k, m] -= shared
                C[m, k] -= shared
                C[k, k] += shared
                C[m, m] += shared
    return C


@compiled
def dot(A: np.ndarray, B: np.ndarray) -> float:
    """Return the inner product of A and B (K, r)."""
    total = ZERO
    for k in range(len(A)):
        a, b = A[k], B[k]
        for j in range(len(a)):
            total += a[j] * b[j]
    return float(total)


@compiled
def add(A: np.ndarray, by: float, B: np.ndarray) -> None:
    """Add `by` times B to A, both (K, r)."""
    factor = np.float32(by)
    for k in range(len(A)):
        a, b = A[k], B[k]
        for j in range(len(a)):
            a[j] += factor * b[j]


@compiled
def add_and_dot(A: np.ndarray, by: float, B: np.ndarray, C: np.ndarray) -> float:
    """Add `by` times B to A and return its inner product with C, all (K, r)."""
    total, factor = ZERO, np.float32(by)
    for k in range(len(A)):
        a, b, c = A[k], B[k], C[k]
        for j in range(len(a)):
            a[j] += factor * b[j]
            total += a[j] * c[j]
    return float(total)


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
    gamma = p.sy[at] / precondition(p, curvature, p.y[at], p.room, 1.0)
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
def begin(p: Problem, l2: float, ahead: float, bend: float) -> None:
    """Start at W = 0 where `ahead` is NaN, else so far along the last rungs; see `ladder.Stage`."""
    if np.isnan(ahead):
        p.W[:] = ZERO
    else:
        p.W[:] = p.last + np.float32(ahead) * (p.last - p.before)
        p.W[:] += np.float32(bend) * (p.last - p.before - (p.before - p.older))
    K, scale = len(p.W), p.numbers[SCALE]
    for k in range(K):
        p.turn[k] = ZERO
        p.turn[k, k] = ONE
    p.contrast[:] = p.turn[: K - 1] - p.turn[K - 1]
    p.G[:] = ZERO
    p.D[:] = ZERO
    p.penalty[:-1] = np.float32(l2)
    p.numbers[:] = 0
    p.numbers[F], p.numbers[T], p.numbers[ABOVE], p.numbers[L2] = inf, 1.0, inf, l2
    p.numbers[SCALE] = scale


@compiled
def propose(p: Problem, trial: np.ndarray) -> None:
    """Write to trial (K - 1, r) where f is to be evaluated next: all classes minus the last, which gives its scores."""
    t = np.float32(p.numbers[T])
    for k in range(len(p.W)):
        W, D, row = p.W[k], p.D[k], p.room[k]
        for j in range(len(row)):
            row[j] = W[j] + t * D[j]
    multiply(p.contrast, p.room, trial)


@compiled
def is_first(p: Problem) -> bool:
    """Return whether nothing has been evaluated at this stage."""
    return p.numbers[STEPS] == 0


@compiled
def turn(p: Problem, C: np.ndarray, least: float) -> None:
    """Turn W, where the first evaluation is, to the axes of the classes' curvature C (K, K)."""
    values, axes = np.linalg.eigh(C)
    K = len(values)
    p.turn[:] = axes.astype(np.float32)
    p.contrast[:] = p.turn[: K - 1] - p.turn[K - 1]
    for k in range(K):
        p.bend[k] = np.float32(max(values[k], least))
    p.bend[0] = ONE  # all classes alike, which no score tells and no step takes
    p.room[:] = p.W
    multiply(np.ascontiguousarray(p.turn.T), p.room, p.W)


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
    numbers, new_W = p.numbers, p.room
    f, t, slope = numbers[F], numbers[T], numbers[SLOPE]
    for k in range(len(new_W)):
        W, D, row = p.W[k], p.D[k], new_W[k]
        for j in range(len(row)):
            row[j] = W[j] + np.float32(t) * D[j]
    new_G = np.empty(new_W.shape, np.float32)
    multiply(np.ascontiguousarray(p.contrast.T), gradient, new_G)
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
    near = numbers[ABOVE] <= max(0.5 * limits.tolerance * seen, limits.rounding * numbers[F])
    return (down and near) or numbers[T] < 1e-4 or numbers[STEPS] >= limits.most_steps


@compiled
def finish(p: Problem, stages: Stages, stage: int, found: Solution) -> None:
    """Keep what was found at a stage, and begin the next one if there is one."""
    at = stages.at[stage]
    if p.numbers[T] == 1:  # the last step came down: the next one is taken unseen
        add(p.W, 1.0, p.D)
    multiply(p.turn, p.W, p.room)
    if at >= 0:
        found.W[at] = p.room
        found.gap[at] = p.numbers[ABOVE] / max(p.numbers[F], TINY)
        found.steps[at] = int(p.numbers[STEPS])
    if stages.is_rung[stage]:
        p.older[:] = p.before
        p.before[:] = p.last
        p.last[:] = p.room
        if p.numbers[FIRST_SCALE] > 0:
            p.numbers[SCALE] = p.numbers[FIRST_SCALE]
    if stage + 1 < len(stages.l2):
        begin(p, stages.l2[stage + 1], stages.ahead[stage + 1], stages.bend[stage + 1])


@compiled
def solve_path(
    p: Problem,
    rows: tuple[np.ndarray, np.ndarray],
    labels: tuple[np.ndarray, np.ndarray],
    loss: tuple[float, float],
    told: tuple[Stages, Bends, Limits],
    found: Solution,
) -> None:
    """Solve one problem, which has begun, at every stage. rows: Z' and Z / n. labels: y (n,) and weight."""
    (Zt, mean_Z), (y, weight), (K, r), (stages, bends, limits) = rows, labels, p.W.shape, told
    n = len(y)
    trial, gradient = np.empty((K - 1, r), np.float32), np.empty((K - 1, r), np.float32)
    S = np.empty((K - 1, n), np.float32)
    for stage in range(len(stages.l2)):
        over = False
        while not over:
            propose(p, trial)
            multiply(trial, Zt, S)
            if is_first(p):
                turn(p, class_curvature(S, y, weight, loss[1]), limits.least)
            value = evaluate_loss(S, y, weight, loss[0], loss[1])
            multiply(S, mean_Z, gradient)
            over = receive(p, value, gradient, bends, limits)
        finish(p, stages, stage, found)
