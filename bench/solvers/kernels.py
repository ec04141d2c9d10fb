"""Loops over numbers in machine code: small products, exponentials, and losses of scores.

numba compiles a function when it is first called, and keeps the code beside this file.
"""

from __future__ import annotations

from math import log, log1p

import numpy as np
from numba import njit

# Sums are taken in any order, which is always the same one; NaN and inf are kept.
compiled = njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})
in_order = njit(cache=True, error_model="numpy", fastmath={"contract"})
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
LEAST_EXPONENT = np.float32(-87)  # exp of it is nearly the least number
LOG2E, LN2_HIGH, LN2_LOW = np.float32(1 / log(2)), np.float32(0.693359375), np.float32(log(2) - 0.693359375)
C0, C1, C2, C3, C4 = (np.float32(c) for c in (1.9875691e-4, 1.3981999e-3, 8.3334519e-3, 4.1665795e-2, 1.6666665e-1))


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
