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

LARGEST = 64.0  # temperatures lie between its inverse and it
STEPS = 10  # of Newton's method, or halvings of what encloses the zero; always as many, whatever the others need
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


def fit_temperature(
    P: np.ndarray, y: np.ndarray, told: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return temperatures (m, L) and the log losses of every row at them, float64 (m, L, n).

    P (m, L, n, K): probabilities of rows that had no part in them. y (m, n): labels. told bool (m, n): rows that count;
    the loss of the others is 0. prior (m, L): published temperatures.
    """
    S = log_probabilities(P)
    S -= np.take_along_axis(S, np.broadcast_to(y[:, None, :, None], (*S.shape[:-1], 1)), -1)
    count = told[:, None].astype(np.float64)  # (m, 1, n)
    rows = np.maximum(count.sum(-1), 1)  # (m, 1)
    start, end = -np.log(LARGEST), np.log(LARGEST)
    u0 = np.clip(-np.log(prior), start, end)
    low, high, u = np.full_like(u0, start), np.full_like(u0, end), u0.copy()
    for _ in range(STEPS):
        slope, bend, _ = _derivatives(S, count, u)
        slope, bend = slope / rows + WEIGHT / rows * (u - u0), bend / rows + WEIGHT / rows
        high, low = np.where(slope > 0, u, high), np.where(slope > 0, low, u)
        with np.errstate(divide="ignore", invalid="ignore"):
            new = u - slope / bend
        u = np.where((bend > 0) & (new >= low) & (new <= high), new, (low + high) / 2)
    return np.exp(-u), _derivatives(S, count, u)[2]


def _derivatives(S: np.ndarray, count: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the first and second derivative (m, L) of the summed loss by u, and the loss of every row (m, L, n).

    S (m, L, n, K): scores minus the own label's. count (m, 1, n): 1 of rows that count, else 0.
    """
    scaled = S * np.exp(u)[..., None, None]
    top = scaled.max(-1, keepdims=True)
    share = np.exp(scaled - top)
    total = share.sum(-1)
    mean = np.vecdot(share, scaled) / total
    square = np.vecdot(share, scaled * scaled) / total
    loss = (np.log(total) + top[..., 0]) * count
    slope = (mean * count).sum(-1)
    return slope, slope + ((square - mean**2) * count).sum(-1), loss
