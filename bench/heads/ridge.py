"""Ridge regression on one-hot labels, as scikit-learn's RidgeClassifier, in closed form for every alpha at once.

    minimise over W (d, K), b (K):   (1/n) ||T - X W - 1 b'||^2  +  alpha ||W||^2      T (n, K) one-hot

alpha does not drift with n; scikit-learn's is n alpha, and its targets are 2 T - 1, which changes no argmax. With fewer
rows than dimensions W = X'V, and with M = (X X' + n alpha I)^-1

    b = T'M1 / (1'M1),    V = M (T - 1 b')

Otherwise, in coordinates Z (`bench.heads.coordinates`) with S = (Z'Z + n alpha I)^-1, z = Z'1 and A = Z'T:

    w = n - z'Sz,    b = (1'T - z'SA) / w,    W = S A - S z b'

Large systems are solved in single precision where that is enough (`bench.products.shifted.SINGLE`), and once more in
double where too little of the labels is then fitted.

Leaving rows out is done in the span, where S is diagonal. The hat matrix is H = Z S Z' + v v'/w with v = 1 - Z S z, and
leaving out the rows g makes their residuals (I - H_gg)^-1 (T - F)_g.

Probabilities are softmax(F / TEMPERATURE): they rank as F does and are not calibrated, which `bench.heads.temperature`
does. They hold no statistic of the support but F itself, so that a row that is left out is predicted without its label.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench.heads.contract import Head, Params, Range, Scored, one_hot, softmax
from bench.heads.coordinates import Coordinates
from bench.heads.left_out import rows_left
from bench.heads.linear_fit import LinearFit, load, of_shifted
from bench.heads.support import Support, weigh
from bench.products import Array, backend_of, fast_products, product, solve_shifted
from bench.solvers.left_out import sort_by

TEMPERATURE = 0.1  # as of the head `centroid`
ILL_CONDITIONED = 1e-3  # of the length of centred labels: shorter fitted ones have fewer than four digits in float32


@dataclass(frozen=True)
class _Solved:
    """The regression for m label vectors and L alphas.

    W (m, L, K, r), b (m, L, K), Sz (L, r), w (L,), ill_conditioned (m, L): float32 cannot determine F.
    """

    W: np.ndarray
    b: np.ndarray
    Sz: np.ndarray
    w: np.ndarray
    ill_conditioned: np.ndarray


class _Dual(NamedTuple):
    """Weights of the rows V (m, L, K, n), which alphas are in float32 (L,), and b and ill_conditioned of `_Solved`."""

    V: np.ndarray
    b: np.ndarray
    single: np.ndarray
    ill_conditioned: np.ndarray


class _Fitted(NamedTuple):
    """F - b' float32 (m, L, K, n_test), and b and ill_conditioned as of `_Solved`."""

    F: np.ndarray
    b: np.ndarray
    ill_conditioned: np.ndarray


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return probabilities (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    n, d = support.shape
    T, alpha = one_hot(Y, n_classes, axis=-2), _strengths(n, grid)
    fit = _from_products if n < d else _from_coordinates
    F, b, ill_conditioned = fit(support, T, alpha)
    for i, j in np.argwhere(ill_conditioned):
        again = fit(support, T[i : i + 1], alpha[j : j + 1], exact=True)
        F[i, j], b[i, j] = again.F[0, 0], again.b[0, 0]
    F *= np.float32(1 / TEMPERATURE)
    F += ((b - b.mean(-1, keepdims=True)) / TEMPERATURE)[..., None].astype(np.float32)  # softmax sees no mean
    return Scored(_probabilities(F, T.sum(-1)[:, None, :, None]).swapaxes(2, 3))


def learn(support: Support, y: np.ndarray, n_classes: int, setting: Params) -> LinearFit:
    """Return the head fitted to labels y (n,); see `bench.heads.contract.Head`."""
    n, d = support.shape
    T, alpha = one_hot(y[None], n_classes, axis=-2), _strengths(n, [setting])
    W, b = _weights_of_products(support, T, alpha) if n < d else _weights_of_coordinates(support, T, alpha)
    return of_shifted(support, y, W / TEMPERATURE, (b - b.mean()) / TEMPERATURE)


def _weights_of_coordinates(support: Support, T: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return W (K, d) and b (K,) for T (1, K, n) and alpha (1,)."""
    solved = _solve(support.plain, T, alpha)
    if solved.ill_conditioned.any():
        solved = _solve(support.plain, T, alpha, exact=True)
    return solved.W[0, 0], solved.b[0, 0]


def _weights_of_products(support: Support, T: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return W (K, d) and b (K,) where rows are fewer than dimensions, from products of rows."""
    solved = _solve_products(support, T, alpha)
    if solved.ill_conditioned.any():
        solved = _solve_products(support, T, alpha, exact=True)
    return solved.V[0, 0] @ support.shifted[0], solved.b[0, 0]


def _strengths(n: int, grid: Sequence[Params]) -> np.ndarray:
    """Return n alpha of every setting, (L,)."""
    return n * np.array([float(setting["alpha"]) for setting in grid])


def _from_coordinates(support: Support, T: np.ndarray, alpha: np.ndarray, exact: bool = False) -> _Fitted:
    """Fit T (m, K, n) at alpha (L,) by the scatter of the rows."""
    solved = _solve(support.plain, T, alpha, exact)
    return _Fitted(_weighed(support, solved.W, support.tested), solved.b, solved.ill_conditioned)


def _from_products(support: Support, T: np.ndarray, alpha: np.ndarray, exact: bool = False) -> _Fitted:
    """Fit T (m, K, n) at alpha (L,) by inner products of rows alone."""
    V, b, single, ill_conditioned = _solve_products(support, T, alpha, exact)
    *lift, last = support.of_rows
    if lift:
        F = _weighed(support, _by_rows(support, V, single, support.shifted[0]), last)
    else:
        F = _by_rows(support, V, single, backend_of(support.device).fetch(last))
    return _Fitted(F, b, ill_conditioned)


def _solve_products(support: Support, T: np.ndarray, alpha: np.ndarray, exact: bool = False) -> _Dual:
    """Solve for T (m, K, n) at alpha (L,) by inner products of rows alone."""
    m, K, n = T.shape
    rows = T.reshape(-1, n)
    solved, single = solve_shifted(support.gram, alpha, np.ones(n), rows, exact)  # (L, 1 + m K, n)
    M1 = solved[:, :1]
    b = (rows * M1).sum(-1) / M1.sum(-1)  # (L, m K)
    V = (solved[:, 1:] - b[..., None] * M1).reshape(-1, m, K, n)
    V = np.ascontiguousarray(V.swapaxes(0, 1))  # (m, L, K, n)
    centred = (T - T.mean(-1, keepdims=True))[:, None]  # (m, 1, K, n)
    fitted = centred - alpha[:, None, None] * V  # F of the support about its mean
    by_scores = (fitted**2).sum(-1).sum(-1)
    length = (centred**2).sum(-1).sum(-1)
    return _Dual(V, b.reshape(-1, m, K).swapaxes(0, 1), single, _ill_conditioned(single, by_scores, length))


def _ill_conditioned(single: np.ndarray, by_scores: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return which fits (m, L) are in single precision (L,) and fit too little of the squared length of the labels."""
    return single & (length > 0) & (by_scores < ILL_CONDITIONED**2 * length)


def _by_rows(support: Support, V: np.ndarray, single: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return V (m, L, K, n) times rows (n, p), float32 (m, L, K, p).

    Multiplied in the precision that V has at a strength: of rows that are alike, large weights may cancel.
    """
    out = np.empty((*V.shape[:3], rows.shape[1]), np.float32)
    for dtype, chosen in ((np.float32, single), (np.float64, ~single)):
        if chosen.any():
            done = product(rows.T, V[:, chosen].reshape(-1, V.shape[3]).T, support.size, dtype).T
            out[:, chosen] = done.reshape(len(V), -1, *out.shape[2:])
    return out


def _weighed(support: Support, W: np.ndarray, tested: Array) -> np.ndarray:
    """Return W (m, L, K, r) times `tested` (r, n_test), single precision."""
    m, L, K, r = W.shape
    with fast_products(backend_of(support.device), support.size) as on:
        return weigh(W.reshape(m * L, K, r), (tested,), on).reshape(m, L, K, -1)


def loo(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return the same for every support row by the regression without its group; uniform if nothing is left.

    The scores are those of a refit with the same penalty n alpha, exactly.
    """
    from bench.solvers.left_out_kernels import leave_out_squares  # here, as numba takes long to import

    span, groups = support.span, support.groups
    T, strengths = one_hot(Y, n_classes, axis=-2), _strengths(len(groups), grid)
    solved = _solve(span, T, strengths)
    V = 1 - span.at_support(solved.Sz.T).T  # (L, n)
    order, starts = sort_by(groups)
    F = _scores(span.at_support, solved)[..., order]  # (m, L, K, n), from here on by group
    T = T[:, None, :, order]
    residual = (T - F).transpose(1, 3, 0, 2).reshape(len(grid), len(groups), -1)  # (L, n, m K)
    residual = np.ascontiguousarray(residual)  # machine code is of one layout, and so are its bits
    S = 1 / (span.e + strengths[:, None])
    leave_out_squares(span.Z[order], starts, S, np.ascontiguousarray(V[:, order]), solved.w, residual)
    residual = residual.reshape(len(grid), len(groups), len(Y), n_classes)
    F = np.empty((len(Y), len(grid), n_classes, len(groups)))
    F[..., order] = T - residual.transpose(2, 0, 3, 1)
    left = rows_left(Y, groups, n_classes).swapaxes(1, 2)[:, None]  # (m, 1, K, n)
    F[..., left.sum((0, 1, 2)) == 0] = 0
    F /= TEMPERATURE
    return Scored(_probabilities(F, left).swapaxes(2, 3))


def _solve(coordinates: Coordinates, T: np.ndarray, alpha: np.ndarray, exact: bool = False) -> _Solved:
    m, K, n = T.shape
    counts = T.sum(-1)  # (m, K)
    z, A = coordinates.total(), coordinates.project(T.reshape(-1, n).T).T  # (r,), (m K, r)
    solved, single = coordinates.solve(alpha, z, A, exact)  # (L, 1 + m K, r)
    A = A.reshape(m, K, -1)  # (m, K, r)
    Sz = solved[:, 0]
    w = n - (Sz * z).sum(-1)  # (L,)
    b = (counts[:, None] - (A[:, None] * Sz[:, None]).sum(-1)) / w[:, None]  # (m, L, K)
    W = solved[:, 1:].reshape(len(alpha), m, K, -1).swapaxes(0, 1) - b[..., None] * Sz[:, None]
    WA, Wz, WW = (np.einsum(f"mlkr,{of}->mlk", W, B) for of, B in (("mkr", A), ("r", z), ("mlkr", W)))
    # Inner product of Z W with itself, centred, as Z'Z W = A - z b' - alpha W:
    by_scores = (WA - b * Wz - alpha[:, None] * WW - Wz**2 / n).sum(-1)
    ill_conditioned = _ill_conditioned(single, by_scores, n - (counts**2).sum(-1, keepdims=True) / n)
    return _Solved(W, b, Sz, w, ill_conditioned)


def _scores(at: Callable[[np.ndarray], np.ndarray], solved: _Solved) -> np.ndarray:
    """Return F (m, L, K, p) of the p rows that `at` multiplies by."""
    m, L, K, r = solved.W.shape
    return at(solved.W.reshape(-1, r).T).T.reshape(m, L, K, -1) + solved.b[..., None]


def _probabilities(scaled: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Return softmax(scaled) (m, L, K, p) over the classes with rows left, or all if there are none; in its place."""
    masked = (left == 0) & (left.sum(2, keepdims=True) > 0)
    if masked.any():
        scaled[np.broadcast_to(masked, scaled.shape)] = -np.inf
    return softmax(scaled, axis=2, overwrite=True)


def rule(n: int, n_classes: int, d: int) -> Params:
    """Return alpha = .025 n^-.4, for n labels; K and d change little that could be measured."""
    return {"alpha": 0.025 * n**-0.4}


def place(setting: Params) -> float:
    """Return log alpha."""
    return float(np.log(setting["alpha"]))


def temperature(n: int, n_classes: int, d: int) -> float:
    """Return 18 (n/K)^-.36 K^-.8, in units of TEMPERATURE."""
    return float(18.0 * (n / n_classes) ** -0.36 * n_classes**-0.8)


HEAD = Head(
    "ridge",
    "ridge regression on one-hot labels",
    scores,
    {"alpha": 0.01},
    version=6,
    grid=tuple({"alpha": alpha} for alpha in (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3)),
    loo=loo,
    rule=rule,
    place=place,
    temperature=temperature,
    learn=learn,
    load=load,
    space={"alpha": Range(1e-5, 1.0, log=True)},
)
