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
LEAST_EXPONENT = np.float32(-87)  # exp of it is nearly the least number
LOG2E, LN2_HIGH, LN2_LOW = np.float32(1 / log(2)), np.float32(0.693359375), np.float32(log(2) - 0.693359375)
C0, C1, C2, C3, C4 = (np.float32(c) for c in (1.9875691e-4, 1.3981999e-3, 8.3334519e-3, 4.1665795e-2, 1.6666665e-1))
F, SLOPE, T, PAIRS, SQUARED, ABOVE, L2, STEPS = range(8)  # places of a problem's numbers
MANY = 6  # pairs of L-BFGS


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

    W (K, r), its gradient G, the direction D to go on; last, before: W of the two last rungs. s, y (MANY, K, r): the
    newest moves and what they did to G, in a circle; sy (MANY,): their products; room (K, r). w (K,): the curvature of
    the loss by class; penalty (r,): l2 but of the intercept. numbers: see `F` and so on; PAIRS counts all so far.
    """

    W: np.ndarray
    G: np.ndarray
    D: np.ndarray
    last: np.ndarray
    before: np.ndarray
    room: np.ndarray
    s: np.ndarray
    y: np.ndarray
    sy: np.ndarray
    w: np.ndarray
    penalty: np.ndarray
    numbers: np.ndarray


class Stages(NamedTuple):
    """The path of `ladder.plan_path` as arrays: l2, ahead (NaN where it starts at W = 0), is_rung, at (-1 for None)."""

    l2: np.ndarray
    ahead: np.ndarray
    is_rung: np.ndarray
    at: np.ndarray

    @classmethod
    def of(cls, path: Sequence[Stage]) -> Stages:
        """Return a path's."""
        ahead = [np.nan if stage.ahead is None else stage.ahead for stage in path]
        at = [-1 if stage.at is None else stage.at for stage in path]
        rungs = [stage.is_rung for stage in path]
        return cls(np.array([stage.l2 for stage in path]), np.array(ahead), np.array(rungs), np.array(at))


class Found(NamedTuple):
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
    """Replace x float32 (n,), <= 0, by exp(x) to two units in the last place; below -87 it is taken as -87.

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
def evaluate_loss(
    S: np.ndarray, y: np.ndarray, weight: np.ndarray, smoothing: float, q: float, w: np.ndarray, room: np.ndarray
) -> float:
    """Turn scores S (K, n) into the derivative of the weighted losses; return their mean and set the curvature w (K,).

    The losses are those of `bench.solvers.linalg.Loss`. Nothing is subtracted from 1 that is near it. room: (6, n).
    weight (n,), or (0,) where all rows are alike.
    """
    K, n = S.shape
    top, behind, others, own, trust = room[0], room[1], room[2], room[3], room[4]
    power = room[5].view(np.int32)
    each, rest = np.float32(smoothing / K), np.float32(smoothing - smoothing / K)
    top[:] = S[0]
    for k in range(1, K):
        row = S[k]
        for i in range(n):
            top[i] = max(top[i], row[i])
    total = 0.0
    for k in range(K):
        row, distance = S[k], 0.0
        for i in range(n):
            row[i] -= top[i]
        if smoothing > 0:
            for i in range(n):
                distance += (weight[i] if len(weight) else ONE) * row[i]
            total -= float(each * distance)  # of the scores to the top, for the labels' even part
    for i in range(n):
        behind[i] = S[y[i], i]  # 0 where the own class leads
        S[y[i], i] = LEAST_EXPONENT  # as good as none
    own[:] = behind
    exponentiate(own, power)
    others[:] = ZERO
    for k in range(K):
        row = S[k]
        exponentiate(row, power)
        for i in range(n):
            others[i] += row[i]
    trust[:] = ONE
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
        others[i] *= top[i]  # 1 - p of the own class
    for k in range(K):
        row, bend = S[k], ZERO
        for i in range(n):
            p = row[i] * top[i]
            bend += (p - p * p) * trust[i]
            row[i] = p * trust[i] - each
        w[k] = bend
    for i in range(n):
        p = others[i]
        w[y[i]] += (p - p * p) * trust[i]  # p (1 - p) is the same for p and 1 - p
        S[y[i], i] = rest - p * trust[i]
    if len(weight):
        for k in range(K):
            row = S[k]
            for i in range(n):
                row[i] *= weight[i]
    w /= np.float32(n)
    return total / n


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
def precondition(p: Problem, curvature: np.ndarray, least: float, A: np.ndarray, B: np.ndarray, by: float) -> float:
    """Write `by` times H^-1 A to B, both (K, r), and return A' H^-1 A; see (A) of `linalg`."""
    total, floor, factor = ZERO, np.float32(least), np.float32(by)
    for k in range(len(A)):
        a, b, w = A[k], B[k], max(p.w[k], floor)
        for j in range(len(a)):
            scaled = a[j] / (w * curvature[j] + p.penalty[j])
            total += a[j] * scaled
            b[j] = factor * scaled
    return float(total)


@compiled
def direct(p: Problem, curvature: np.ndarray, least: float) -> float:
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
    for back in range(kept):
        at = (newest - back) % MANY
        a[at] = dot(p.s[at], D) / p.sy[at]
        add(D, -a[at], p.y[at])
    gamma = 1.0
    if kept:
        at = newest % MANY
        gamma = p.sy[at] / precondition(p, curvature, least, p.y[at], p.room, 1.0)
    precondition(p, curvature, least, D, D, gamma)
    for back in range(kept - 1, -1, -1):
        at = (newest - back) % MANY
        add(D, a[at] - dot(p.y[at], D) / p.sy[at], p.s[at])
    return dot(D, p.G)


@compiled
def bound(G: np.ndarray, w: np.ndarray, l2: float, least: float) -> float:
    """Return how far f is above its minimum at most; see `linalg.minimise`."""
    K, r = G.shape
    weights, intercepts = ZERO, 0.0
    for k in range(K):
        Gk = G[k]
        for j in range(r - 1):
            weights += Gk[j] * Gk[j]
        intercepts += float(Gk[r - 1]) ** 2 / max(w[k], least)
    return float(weights) / (2 * l2) + intercepts


@compiled
def begin(p: Problem, l2: float, ahead: float) -> None:
    """Start at W = 0 where `ahead` is NaN, else so far along the last two rungs."""
    if np.isnan(ahead):
        p.W[:] = ZERO
    else:
        p.W[:] = p.last + np.float32(ahead) * (p.last - p.before)
    p.G[:] = ZERO
    p.D[:] = ZERO
    p.penalty[:-1] = np.float32(l2)
    p.numbers[:] = 0
    p.numbers[F], p.numbers[T], p.numbers[ABOVE], p.numbers[L2] = inf, 1.0, inf, l2


@compiled
def propose(p: Problem, trial: np.ndarray) -> None:
    """Write to trial (K, r) where f is to be evaluated next."""
    t = np.float32(p.numbers[T])
    for k in range(len(trial)):
        W, D, row = p.W[k], p.D[k], trial[k]
        for j in range(len(row)):
            row[j] = W[j] + t * D[j]


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
def remember(p: Problem, G: np.ndarray) -> None:
    """Keep the newest pair, the move by D and what it did to the gradient, unless it tells nothing."""
    t, at = np.float32(p.numbers[T]), int(p.numbers[PAIRS]) % MANY
    product, S, Y = ZERO, p.s[at], p.y[at]
    for k in range(len(G)):
        D, s, y, new, old = p.D[k], S[k], Y[k], G[k], p.G[k]
        for j in range(len(s)):
            s[j] = t * D[j]
            y[j] = new[j] - old[j]
            product += s[j] * y[j]
    if product > 0:
        p.sy[at] = product
        p.numbers[PAIRS] += 1


@compiled
def receive(
    p: Problem, trial: np.ndarray, loss: float, w: np.ndarray, gradient: np.ndarray, bends: Bends, limits: Limits
) -> bool:
    """Take in the mean loss at trial (K, r), its curvature w and its gradient (K, r); return whether p is solved."""
    numbers = p.numbers
    squared = penalise(trial, p.penalty, gradient)
    f, t, slope = numbers[F], numbers[T], numbers[SLOPE]
    value = loss + 0.5 * squared
    numbers[STEPS] += 1
    down = value <= f + 1e-4 * t * slope + limits.slack * abs(f)
    if down:
        remember(p, gradient)
        for k in range(len(trial)):
            W, G, new_W, new_G = p.W[k], p.G[k], trial[k], gradient[k]
            for j in range(len(W)):
                W[j] = new_W[j]
                G[j] = new_G[j]
            p.w[k] = w[k]
        numbers[F], numbers[T], numbers[SQUARED] = value, 1.0, squared
        numbers[SLOPE] = direct(p, bends.curvature, limits.least)
        numbers[ABOVE] = bound(p.G, p.w, numbers[L2], limits.least)
    else:
        shorter = -0.5 * slope * t / (value - f - slope * t)
        numbers[T] *= min(max(shorter, 0.1), 0.5) if shorter == shorter else 0.1
    # Where l2 outweighs the curvature, so do the weights that no row sees.
    seen = numbers[SQUARED] * min(1.0, bends.steepest / numbers[L2])
    near = numbers[ABOVE] <= max(0.5 * limits.tolerance * seen, limits.rounding * numbers[F])
    return (down and near) or numbers[T] < 1e-4 or numbers[STEPS] >= limits.most_steps


@compiled
def finish(p: Problem, stages: Stages, stage: int, found: Found) -> None:
    """Keep what was found at a stage, and begin the next one if there is one."""
    at = stages.at[stage]
    if p.numbers[T] == 1:  # the last step came down: the next one is taken unseen
        add(p.W, 1.0, p.D)
    if at >= 0:
        found.W[at] = p.W
        found.gap[at] = p.numbers[ABOVE] / max(p.numbers[F], TINY)
        found.steps[at] = int(p.numbers[STEPS])
    if stages.is_rung[stage]:
        p.before[:] = p.last
        p.last[:] = p.W
    if stage + 1 < len(stages.l2):
        begin(p, stages.l2[stage + 1], stages.ahead[stage + 1])


@compiled
def solve_path(
    p: Problem,
    rows: tuple[np.ndarray, np.ndarray],
    labels: tuple[np.ndarray, np.ndarray],
    loss: tuple[float, float],
    told: tuple[Stages, Bends, Limits],
    found: Found,
) -> None:
    """Solve one problem, which has begun, at every stage. rows: Z' and Z / n. labels: y (n,) and weight."""
    (Zt, mean_Z), (y, weight), (K, r), (stages, bends, limits) = rows, labels, p.W.shape, told
    n = len(y)
    trial, gradient, w = np.empty((K, r), np.float32), np.empty((K, r), np.float32), np.empty(K, np.float32)
    S, room = np.empty((K, n), np.float32), np.empty((6, n), np.float32)
    for stage in range(len(stages.l2)):
        over = False
        while not over:
            propose(p, trial)
            multiply(trial, Zt, S)
            value = evaluate_loss(S, y, weight, loss[0], loss[1], w, room)
            multiply(S, mean_Z, gradient)
            over = receive(p, trial, value, w, gradient, bends, limits)
        finish(p, stages, stage, found)
