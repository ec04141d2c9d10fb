"""One temperature for the probabilities of a head (Guo et al. 2017, section 4.2).

    P_T = softmax(log P / T)

keeps the order of the classes, and so every decision, and makes P more even (T above 1) or more certain (below 1).
The temperature of a setting is fitted on rows that were predicted without their group, with a prior on log T,

    minimise over u = -log T:   mean_i -log P_T(x_i)[y_i]  +  (WEIGHT / 2n) (u - u0)^2

where u0 is the head's published one. The prior is worth WEIGHT rows; without it rows that are all predicted rightly
would ask for T = 0. In 1/T the loss is convex, so that its slope has one zero, which is enclosed and then found by
Newton's method.
"""

from __future__ import annotations

import numpy as np

from bench.loops.late import compiled_when_called

LARGEST = 64.0  # temperatures lie between its inverse and it
STEPS = 10  # of Newton's method, or halvings of what encloses the zero
SETTLED = 1e-8  # a step of Newton's method after which the next one would be below rounding
NOTHING = -60.0  # exp of it adds nothing to 1, nor does its square times that
WEIGHT = 2.0  # rows that the prior is worth: log T is known to a standard deviation of .7 before a row is seen


def log_probabilities(P: np.ndarray) -> np.ndarray:
    """Return log P, float64, of probabilities P (..., K); of what underflowed that of the least number of P's type."""
    return np.log(np.maximum(P, np.finfo(P.dtype).tiny).astype(np.float64))


def soften(P: np.ndarray, T: np.ndarray | float) -> np.ndarray:
    """Return softmax(log P / T) of P (..., n, K) for temperatures T (...), of P's type; what is 0 stays 0."""
    u = 1 / np.asarray(T, np.float64)[..., None, None]
    with np.errstate(divide="ignore"):
        S = np.log(P.astype(np.float64)) * u
    S -= S.max(-1, keepdims=True)
    np.exp(S, out=S)
    S /= S.sum(-1, keepdims=True)
    return S.astype(P.dtype)


def fit_temperature(P: np.ndarray, y: np.ndarray, told: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return temperatures (m, L) and the log losses of every row at them, float64 (m, L, n).

    P (m, L, n, K): probabilities of rows that had no part in them. y (m, n): labels. told bool (m, n): rows that count;
    the loss of the others is 0. prior (m, L): published temperatures.
    """
    T, losses, end = np.empty(P.shape[:2]), np.zeros(P.shape[:3]), float(np.log(LARGEST))
    u0 = np.clip(-np.log(prior), -end, end)
    least = np.float64(np.finfo(P.dtype).tiny)
    y, told = np.array(y, np.int64), np.array(told, bool)  # of one kind, for which alone is compiled
    for i, some in enumerate(P.astype(np.float64, copy=False)):
        _fit_all(np.ascontiguousarray(some), least, y[i], told[i], u0[i], end, T[i], losses[i])
    return T, losses


@compiled_when_called
def _fit_all(
    P: np.ndarray,
    least: float,
    y: np.ndarray,
    told: np.ndarray,
    prior: np.ndarray,
    end: float,
    T: np.ndarray,
    losses: np.ndarray,
) -> None:
    """Fit one label vector y (n,) at all settings: P (L, n, K), prior, T (L,), losses (L, n). least: taken for 0."""
    L, n, K = P.shape
    rows = 0
    behind, lead = np.empty((n, K)), np.empty(n)
    for i in range(n):
        rows += told[i]
    weight = WEIGHT / max(rows, 1)
    for at in range(L):
        # of every row that counts: log P minus the largest, and how far that is above the label's
        count = 0
        for i in range(n):
            if not told[i]:
                continue
            top = -np.inf
            for k in range(K):
                behind[count, k] = np.log(max(P[at, i, k], least))
                top = max(top, behind[count, k])
            lead[count] = top - behind[count, y[i]]
            for k in range(K):
                behind[count, k] -= top
            count += 1
        low, high, u = -end, end, prior[at]
        for _ in range(STEPS):
            scale, slope, bend = np.exp(u), 0.0, 0.0
            for i in range(rows):
                total, first, second = 0.0, 0.0, 0.0
                for k in range(K):
                    scaled = scale * behind[i, k]
                    if scaled > NOTHING:
                        share = np.exp(scaled)
                        total += share
                        first += share * scaled
                        second += share * scaled * scaled
                mean = first / total
                slope += scale * lead[i] + mean
                bend += second / total - mean * mean
            bend = (slope + bend) / max(rows, 1) + weight
            slope = slope / max(rows, 1) + weight * (u - prior[at])
            if slope > 0:
                high = u
            else:
                low = u
            new = u - slope / bend
            near = bend > 0 and low <= new <= high
            move = abs(new - u)
            u = new if near else 0.5 * (low + high)
            if near and move < SETTLED:
                break
        T[at], scale, count = np.exp(-u), np.exp(u), 0
        for i in range(n):
            if not told[i]:
                continue
            total = 0.0
            for k in range(K):
                scaled = scale * behind[count, k]
                if scaled > NOTHING:
                    total += np.exp(scaled)
            losses[at, i] = np.log(total) + scale * lead[count]
            count += 1
