"""One problem of `bench.solvers.linalg` and its steps, compiled: where to evaluate, and what to make of the answer."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import numpy as np

from bench.solvers.kernels import ZERO, compiled

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
