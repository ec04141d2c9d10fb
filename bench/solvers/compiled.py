"""The algorithm of `bench.solvers.linalg` for one problem after the other, compiled: for fits of little work.

Where a step of all problems costs its calls and not its numbers, a loop in machine code is several times as fast, and
what a fit gives cannot depend on the others. The letters are those of `linalg`; a problem here has only the classes
that have rows. numba compiles once per machine and keeps the code beside this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, log, log1p

import numpy as np
from numba import njit

from bench.solvers.ladder import Stage

compiled = njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})  # sums in any order
ZERO = np.float32(0)
TINY = float(np.finfo(np.float32).tiny)


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


@compiled
def evaluate_loss(
    S: np.ndarray, y: np.ndarray, weight: np.ndarray, smoothing: float, q: float, w: np.ndarray, room: np.ndarray
) -> float:
    """Turn scores S (K, n) into the derivative of the weighted losses; return their mean and set the curvature w (K,).

    The losses are those of `bench.solvers.linalg.Loss`. Nothing is subtracted from 1 that is near it. room: (4, n).
    """
    K, n = S.shape
    top, behind, others, distance = room[0], room[1], room[2], room[3]
    each, rest = np.float32(smoothing / K), np.float32(smoothing - smoothing / K)
    top[:] = S[0]
    for k in range(1, K):
        row = S[k]
        for i in range(n):
            top[i] = max(top[i], row[i])
    distance[:] = 0  # of all scores to the top, summed
    if smoothing > 0:
        for k in range(K):
            row = S[k]
            for i in range(n):
                distance[i] += top[i] - row[i]
    for i in range(n):
        behind[i] = top[i] - S[y[i], i]  # 0 where the own class leads
        S[y[i], i] = -inf
    others[:] = 0
    for k in range(K):
        row = S[k]
        for i in range(n):
            row[i] = exp(row[i] - top[i])
            others[i] += row[i]
    total = 0.0
    for i in range(n):
        own = exp(-behind[i])
        share = np.float32(1) / (others[i] + own)
        others[i] *= share  # 1 - p of the own class
        logged = log(share)
        loss = behind[i] - logged if behind[i] > 0 else -log1p(-others[i])
        trust = np.float32(1)
        if q > 0:
            trust = np.float32((own * share) ** q)
            loss = np.float32((1 - trust) / q)
        elif smoothing > 0:
            loss = loss - np.float32(smoothing) * (loss + logged) + each * distance[i]
        total += weight[i] * loss
        top[i], distance[i] = share, trust
    for k in range(K):
        row, bend = S[k], ZERO
        for i in range(n):
            p = row[i] * top[i]
            bend += (p - p * p) * distance[i]
            row[i] = weight[i] * (p * distance[i] - each)
        w[k] = bend
    for i in range(n):
        p = others[i]
        w[y[i]] += (p - p * p) * distance[i]  # p (1 - p) is the same for p and 1 - p
        S[y[i], i] = weight[i] * (rest - p * distance[i])
    w /= np.float32(n)
    return total / n


@compiled
def directed(
    G: np.ndarray,
    s: np.ndarray,
    y: np.ndarray,
    sy: float,
    w: np.ndarray,
    bends: tuple[np.ndarray, np.ndarray],
    least: float,
    D: np.ndarray,
) -> float:
    """Write to D (K, r) minus the inverse Hessian times the gradient G, and return its slope; see `linalg`.

    s, y, sy: the newest pair, and its product or 0 where there is none. bends: curvature and penalty (r,).
    """
    (curvature, penalty), (K, r) = bends, G.shape
    yHy, yHG, GHG, sG, floor = ZERO, ZERO, ZERO, ZERO, np.float32(least)
    for k in range(K):
        Gk, sk, yk, Dk, wk = G[k], s[k], y[k], D[k], max(w[k], floor)
        for j in range(r):
            inverse = np.float32(1) / (wk * curvature[j] + penalty[j])
            HG, Hy = Gk[j] * inverse, yk[j] * inverse
            yHy += yk[j] * Hy
            yHG += yk[j] * HG
            GHG += Gk[j] * HG
            sG += sk[j] * Gk[j]
            Dk[j] = inverse
    there = sy > 0 and yHy > 0
    rho = 1 / sy if there else 0.0
    gamma = sy / yHy if there else 1.0
    a = rho * sG
    along = a - gamma * rho * (yHG - a * yHy)
    by_G, by_y, by_s = np.float32(-gamma), np.float32(gamma * a), np.float32(along)
    for k in range(K):
        Gk, sk, yk, Dk = G[k], s[k], y[k], D[k]
        for j in range(r):
            Dk[j] = Dk[j] * (by_G * Gk[j] + by_y * yk[j]) - by_s * sk[j]
    return -gamma * (GHG - a * yHG) - along * sG


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
    return weights / (2 * l2) + intercepts


@compiled
def go(W: np.ndarray, by: np.float32, D: np.ndarray, out: np.ndarray) -> None:
    """Write W + by D to out, all (K, r)."""
    for k in range(len(W)):
        Wk, Dk, row = W[k], D[k], out[k]
        for j in range(len(Wk)):
            row[j] = Wk[j] + by * Dk[j]


@compiled
def penalise(W: np.ndarray, penalty: np.ndarray, G: np.ndarray) -> np.float32:
    """Add the penalty's part to the gradient G (K, r) at W, and return twice the penalty."""
    squared = ZERO
    for k in range(len(W)):
        Wk, Gk = W[k], G[k]
        for j in range(len(Wk)):
            shrink = penalty[j] * Wk[j]
            squared += shrink * Wk[j]
            Gk[j] += shrink
    return squared


@compiled
def inner(D: np.ndarray, G: np.ndarray, before: np.ndarray) -> np.float32:
    """Return the inner product of D with G - before, all (K, r)."""
    total = ZERO
    for k in range(len(D)):
        Dk, Gk, old = D[k], G[k], before[k]
        for j in range(len(Dk)):
            total += Dk[j] * (Gk[j] - old[j])
    return total


@compiled
def remember(by: np.float32, D: np.ndarray, G: np.ndarray, before: np.ndarray, s: np.ndarray, y: np.ndarray) -> None:
    """Keep the newest pair, all (K, r): the move by D, and what it did to the gradient."""
    for k in range(len(D)):
        Dk, Gk, old, sk, yk = D[k], G[k], before[k], s[k], y[k]
        for j in range(len(Dk)):
            sk[j] = by * Dk[j]
            yk[j] = Gk[j] - old[j]


@compiled
def solve_one(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
    y: np.ndarray,
    weight: np.ndarray,
    loss: tuple[float, float],
    stages: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    limits: tuple[float, float, float, float, int],
    out: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Solve one problem, all of whose classes have rows, at every stage in turn.

    rows: `linalg.Rows`. loss: smoothing and q. stages: l2, ahead (NaN where it starts at W = 0), is_rung and at (-1 if
    only passed) of `ladder.Stage`. limits: see `solve`. out: W float32 (L, K, r), gap and steps (L,), to be filled.
    """
    Zt, mean_Z, curvature = rows
    strength, ahead, is_rung, at = stages
    tolerance, rounding, slack, least, most_steps = limits
    (r, n), K = Zt.shape, out[0].shape[1]
    W, G, D = np.zeros((K, r), np.float32), np.zeros((K, r), np.float32), np.zeros((K, r), np.float32)
    s, change, trial = np.zeros((K, r), np.float32), np.zeros((K, r), np.float32), np.zeros((K, r), np.float32)
    gradient, last, before = np.zeros((K, r), np.float32), np.zeros((K, r), np.float32), np.zeros((K, r), np.float32)
    w, new_w = np.zeros(K, np.float32), np.zeros(K, np.float32)
    S, room, penalty = np.empty((K, n), np.float32), np.empty((4, n), np.float32), np.zeros(r, np.float32)
    steepest = float(curvature[:-1].max()) / K if r > 1 else 0.0  # the most w_k e_i / n can be at W = 0
    for stage in range(len(strength)):
        l2 = strength[stage]
        penalty[: r - 1] = l2
        if np.isnan(ahead[stage]):
            W[:] = 0
        else:
            W[:] = last + np.float32(ahead[stage]) * (last - before)
        D[:], s[:], change[:], G[:] = 0, 0, 0, 0
        f, slope, t, sy, steps, squared, above = inf, 0.0, 1.0, 0.0, 0, 0.0, inf
        over = False
        while not over:
            by = np.float32(t)
            go(W, by, D, trial)
            multiply(trial, Zt, S)
            value = evaluate_loss(S, y, weight, loss[0], loss[1], new_w, room)
            multiply(S, mean_Z, gradient)
            length = penalise(trial, penalty, gradient)
            product = by * inner(D, gradient, G)
            value += 0.5 * length
            steps += 1
            down = value <= f + 1e-4 * t * slope + slack * abs(f)
            if down:
                if product > 0:  # else the pair tells nothing, and the one before is kept
                    sy = float(product)
                    remember(by, D, gradient, G, s, change)
                W[:], G[:], w[:] = trial, gradient, new_w
                f, t, squared = value, 1.0, float(length)
                slope = directed(G, s, change, sy, w, (curvature, penalty), least, D)
                above = bound(G, w, l2, least)
            else:
                shorter = -0.5 * slope * t / (value - f - slope * t)
                t *= min(max(shorter, 0.1), 0.5) if shorter == shorter else 0.1
            seen = squared * min(1.0, steepest / l2)  # where l2 outweighs the curvature, so do weights that no row sees
            near = above <= max(0.5 * tolerance * seen, rounding * f)
            over = (down and near) or t < 1e-4 or steps >= most_steps
        if at[stage] >= 0:
            out[0][at[stage]] = W
            out[1][at[stage]] = above / max(f, TINY)
            out[2][at[stage]] = steps
        if is_rung[stage]:
            before[:] = last
            last[:] = W


def solve(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
    Y: np.ndarray,
    n_classes: int,
    stages: Sequence[Stage],
    loss: tuple[float, float],
    weight: np.ndarray | None,
    limits: tuple[float, float, float, float, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return W float32 (P, L, K, r), gap and steps (P, L) for label vectors Y (P, n); see `linalg.minimise`.

    loss: the share that labels are smoothed by, and q of generalised cross-entropy or 0; not both. limits: TOLERANCE,
    ROUNDING, SLACK, LEAST_WEIGHT and MOST_STEPS of `linalg`.
    """
    P, n = Y.shape
    L, r = 1 + max(stage.at for stage in stages if stage.at is not None), len(rows[0])
    ahead = np.array([np.nan if stage.ahead is None else stage.ahead for stage in stages])
    at = np.array([-1 if stage.at is None else stage.at for stage in stages])
    told = np.array([stage.l2 for stage in stages]), ahead, np.array([stage.is_rung for stage in stages]), at
    W, gap, steps = np.zeros((P, L, n_classes, r), np.float32), np.zeros((P, L)), np.zeros((P, L), np.int64)
    alike = np.ones(n, np.float32)
    for p, labels in enumerate(Y):
        present, y = np.unique(labels, return_inverse=True)
        own = alike if weight is None else weight[p].astype(np.float32)
        K = len(present)
        mine = rows[0], rows[1], rows[2] * np.float32(K / max(K - 1, 1))  # so that diag(p) - pp' is met at W = 0
        found = np.zeros((L, K, r), np.float32)
        solve_one(mine, y, own, loss, told, limits, (found, gap[p], steps[p]))
        W[p][:, present] = found
    return W, gap, steps
