"""Ridge regression on one-hot labels, as scikit-learn's RidgeClassifier, in closed form for every alpha at once.

    minimise over W (d, K), b (K):   (1/n) ||T - X W - 1 b'||^2  +  alpha ||W||^2      T (n, K) one-hot

alpha does not drift with n; scikit-learn's is n alpha, and its targets are 2 T - 1, which changes no argmax. In the
coordinates of `Support.span`, where Z'Z = diag(e), and with D = diag(1 / (e + n alpha)), z = Z'1, A = Z'T:

    w = n - z'Dz,    b = (1'T - z'DA) / w,    W = D (A - z b')

so that every alpha and label vector costs r K products and one column of a matrix product. The hat matrix is
H = Z D Z' + v v'/w with v = 1 - Z D z, and leaving out the rows g makes their residuals (I - H_gg)^-1 (T - F)_g.

Probabilities are softmax(c F / 0.1), where c >= 1, the slope of T on the fitted F, undoes the shrinkage: they rank as
F does, for every alpha on the scale of the labels, and are not calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.heads.contract import Head, Params, Scored, one_hot, softmax
from bench.heads.support import Support

TEMPERATURE = 0.1  # as of the head `centroid`


@dataclass(frozen=True)
class _Solved:
    """The regression for m label vectors and L alphas.

    W (m, L, r, K), b (m, L, K), counts (m, K); D (L, r); w (L,); z (r,); slope (m, L): c.
    """

    W: np.ndarray
    b: np.ndarray
    counts: np.ndarray
    D: np.ndarray
    w: np.ndarray
    z: np.ndarray
    slope: np.ndarray


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return probabilities (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    solved = _solve(support, Y, n_classes, grid)
    F = _by_problem(support.span.at_test(_columns(solved.W)), solved.W.shape) + solved.b[:, :, None]
    return Scored(_probabilities(F, solved.slope, solved.counts[:, None, None]))


def loo(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return the same for every support row by the regression without its group; uniform if nothing is left.

    The scores are those of a refit, exactly; the slope c is that of the whole support.
    """
    span, groups = support.span, support.groups
    solved = _solve(support, Y, n_classes, grid)
    T = one_hot(Y, n_classes)[:, None]  # (m, 1, n, K)
    F = _by_problem(span.at_support(_columns(solved.W)), solved.W.shape) + solved.b[:, :, None]  # (m, L, n, K)
    left = solved.counts[:, None] - _in_group(Y, groups, n_classes)  # (m, n, K)
    V = 1 - span.at_support((solved.D * solved.z).T).T  # (L, n)
    size = np.bincount(groups)
    for s in np.unique(size[size < len(groups)]):  # all groups of s rows together
        rows = np.argsort(groups, kind="stable")[size[np.sort(groups)] == s].reshape(-1, s)  # (G, s)
        Z, residual = span.Z[rows], (T - F)[:, :, rows]  # (G, s, r), (m, L, G, s, K)
        for i, (D, v, w) in enumerate(zip(solved.D, V, solved.w, strict=True)):
            H = (Z * D) @ Z.swapaxes(1, 2) + v[rows][:, :, None] * v[rows][:, None] / w  # (G, s, s)
            for j in range(len(Y)):
                F[j, i, rows] = T[j, 0, rows] - np.linalg.solve(np.eye(s) - H, residual[j, i])
    F[:, :, left.sum((0, 2)) == 0] = 0
    return Scored(_probabilities(F, solved.slope, left[:, None]))


def _solve(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> _Solved:
    span, (n, _), (m, _) = support.span, support.shape, Y.shape
    alpha = n * np.array([float(setting["alpha"]) for setting in grid])[:, None]  # (L, 1)
    e, T = span.e, one_hot(Y, n_classes)  # (r,), (m, n, K)
    counts = T.sum(1)  # (m, K)
    projected = span.project(np.concatenate([np.ones((n, 1)), *T], axis=1))  # (r, 1 + m K)
    z = projected[:, 0].copy()
    A = np.ascontiguousarray(projected[:, 1:].reshape(len(e), m, n_classes).transpose(1, 2, 0))  # (m, K, r)
    D = 1 / (e + alpha)  # (L, r)
    u = z**2 / np.where(e > 0, e, 1)  # (r,), of the squared length of 1 along a direction
    w = max(n - u.sum(), 0.0) + (u * alpha * D).sum(1)  # (L,) = n - z'Dz, without its cancellation
    b = (counts[:, None] - (A[:, None] * (D * z)[:, None]).sum(-1)) / w[:, None]  # (m, L, K)
    W = D[:, None] * (A[:, None] - b[..., None] * z)  # (m, L, K, r)
    centred = A - counts[..., None] * z / n  # (m, K, r), Z'(T - mean)
    by_labels = (centred[:, None] * W).sum(-1).sum(-1)  # inner product of centred labels and scores, (m, L)
    by_scores = ((e * W**2).sum(-1) - (z * W).sum(-1) ** 2 / n).sum(-1)  # of centred scores with themselves
    fitted = np.abs(centred).max((1, 2)) > 1e-10 * np.abs(A).max((1, 2))  # more than rounding
    slope = np.where(fitted[:, None], by_labels / np.where(fitted[:, None], by_scores, 1), 1)
    return _Solved(W.swapaxes(2, 3), b, counts, D, w, z, slope)


def _probabilities(F: np.ndarray, slope: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Return softmax(slope F / TEMPERATURE) (m, L, p, K) over the classes with rows left, or all if there are none."""
    shut = (left == 0) & (left.sum(-1, keepdims=True) > 0)
    return softmax(np.where(shut, -np.inf, F * slope[..., None, None] / TEMPERATURE))


def _in_group(Y: np.ndarray, groups: np.ndarray, n_classes: int) -> np.ndarray:
    """Return for every row how many of its group are of a class, (m, n, K), of labels Y (m, n)."""
    size = (groups.max() + 1) * n_classes
    return np.stack([np.bincount(groups * n_classes + y, minlength=size).reshape(-1, n_classes)[groups] for y in Y])


def _columns(W: np.ndarray) -> np.ndarray:
    """Return (r, m L K) of W (m, L, r, K)."""
    return W.transpose(2, 0, 1, 3).reshape(W.shape[2], -1)


def _by_problem(F: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return (m, L, p, K) of F (p, m L K)."""
    m, L, _, K = shape
    return np.ascontiguousarray(F.reshape(len(F), m, L, K).transpose(1, 2, 0, 3))


HEAD = Head(
    "ridge",
    "ridge regression on one-hot labels",
    scores,
    {"alpha": 0.03},
    grid=tuple({"alpha": alpha} for alpha in (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3)),
    loo=loo,
)
