"""Losses of linear heads in compiled loops: scores to losses, their gradient, and how much they bend.

The letters are those of `bench.solvers.linalg`; a problem has only the classes that have rows.
"""

from __future__ import annotations

from math import log, log1p

import numpy as np

from bench.loops.compiling import compiled, in_order
from bench.solvers.matrix_kernels import ZERO

HALF, ONE = np.float32(0.5), np.float32(1)
LEAST_EXPONENT = np.float32(-80)  # a share of exp of it is still a normal number: others take a hundred times as long
LOG2E, LN2_HIGH, LN2_LOW = np.float32(1 / log(2)), np.float32(0.693359375), np.float32(log(2) - 0.693359375)
C0, C1, C2, C3, C4 = (np.float32(c) for c in (1.9875691e-4, 1.3981999e-3, 8.3334519e-3, 4.1665795e-2, 1.6666665e-1))
BLOCK = 256  # rows whose losses are evaluated at a time, while they are near


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
    for i in range(len(total)):
        total[i] = ZERO
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
def evaluate_loss(contrasts: np.ndarray, y: np.ndarray, weight: np.ndarray, smoothing: float, q: float) -> float:
    """Turn contrasts (K - 1, n), scores minus the last class's, into the losses' derivatives; return the mean loss.

    The losses are those of `bench.solvers.rows.Loss`, weighted. weight (n,), or (0,) where all rows are alike.
    """
    before, n = contrasts.shape
    total = 0.0
    for start in range(0, n, BLOCK):
        width = min(BLOCK, n - start)
        S = scores_of(contrasts, start, width)
        some = weight[start : start + width] if len(weight) else weight
        total += loss_of_block(S, y[start : start + width], some, smoothing, q)
        for k in range(before):
            row, contrast = S[k], contrasts[k]
            for i in range(width):
                contrast[start + i] = row[i]
    return total / n


@compiled
def loss_of_block(S: np.ndarray, y: np.ndarray, weight: np.ndarray, smoothing: float, q: float) -> float:
    """Turn scores S (K, n) into the derivatives of the losses, and return their sum; see `evaluate_loss`.

    Nothing is subtracted from 1 that is near it.
    """
    K, n = S.shape
    workspace, power = np.empty((5, n), np.float32), np.empty(n, np.int32)
    top, behind, others, own, trust = workspace[0], workspace[1], workspace[2], workspace[3], workspace[4]
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
        own[i] = behind[i] = S[y[i], i]  # 0 where the own class leads
        S[y[i], i] = LEAST_EXPONENT  # as good as none
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
def scores_of(contrasts: np.ndarray, start: int, width: int) -> np.ndarray:
    """Return the scores (K, width) of rows from `start` on, of contrasts (K - 1, n): 0 for the last class."""
    before = len(contrasts)
    S = np.empty((before + 1, width), np.float32)
    for k in range(before):
        row, contrast = S[k], contrasts[k]
        for i in range(width):
            row[i] = contrast[start + i]
    row = S[before]
    for i in range(width):
        row[i] = ZERO
    return S


@compiled
def subtract_top(S: np.ndarray, top: np.ndarray) -> None:
    """Subtract from S (K, n) the largest of every column, which is left in top (n,)."""
    K, n = S.shape
    row = S[0]
    for i in range(n):
        top[i] = row[i]
    for k in range(1, K):
        row = S[k]
        for i in range(n):
            top[i] = max(top[i], row[i])
    for k in range(K):
        row = S[k]
        for i in range(n):
            row[i] -= top[i]


@compiled
def class_curvature(contrasts: np.ndarray, y: np.ndarray, weight: np.ndarray, q: float) -> np.ndarray:
    """Return the mean over rows of diag(p) - pp', float64 (K, K), each row by its weight and p_y^q.

    contrasts: see `evaluate_loss`. The rows of what is returned add up to 0 but for rounding in double precision.
    """
    K, n = len(contrasts) + 1, contrasts.shape[1]
    C = np.zeros((K, K))
    for start in range(0, n, BLOCK):
        width = min(BLOCK, n - start)
        P, power = scores_of(contrasts, start, width), np.empty(width, np.int32)
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
