"""Scores of rows by the linear model learned without their group, from the model of all rows: no second fit.

Letters: n rows, r coordinates, K classes, L strengths l2, R (n, K) the derivatives of the losses by the scores, and
w (n, K) their curvatures. Leaving out the rows g takes their gradient away; one step of Newton from the optimum W of
all rows (Rahnama Rad and Maleki 2020, for groups and several classes) moves their scores by

    V_g R_g,    V_g = J_gg (I - w_g J_gg)^-1,    J = Z H^-1 Z',    H = Z' diag(w) Z + n l2 I

where the intercept is not penalised. As such H has r K rows. Here it is made for one class after the other, with a
factor of w that makes the curvature right along a row's residual (`curvatures`), and a class sees two kinds of rows:

    others   count with one weight b, such that they bend H as their own weights would: with the v of the rows that
             V_g is for single rows, the mean of w / (1 + w v) equals b / (1 + b v). This holds for rows in general
             position (it is how Opper and Winther 2000 and the theory of approximate message passing average).
    its own  count exactly: with J' of b alone, J = J' (I + (w - b) J')^-1 among them, as n_k x n_k matrices

so that only products of Z with itself within classes and groups are needed, and n r K numbers for the rest. Where l2 is
very small and the classes can be separated, w is 0 for most rows and one step is no longer near a refit.

The penalty stays n l2 / 2 ||W||^2, as it does in `bench.heads.ridge.loo`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

GRID = (-18.0, 14.0, 65)  # of the log of n l2 / b, relative to the mean of e, at which single rows' steps are tabled
LEAST = 1e-9  # of a curvature


class Geometry(NamedTuple):
    """What label vectors share: Z float64 (n, r) with Z'Z = diag(e), total (r,) = Z'1.

    order (n,), starts (G + 1,): rows by group. table (T, n), mean (T,): h / (1 - h) for single rows of leverage h, at
    the logs `at` (T,) of n l2 / b; their mean over rows.
    """

    Z: np.ndarray
    e: np.ndarray
    total: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    at: np.ndarray
    table: np.ndarray
    mean: np.ndarray

    @classmethod
    def of(cls, Z: np.ndarray, e: np.ndarray, groups: np.ndarray) -> Geometry:
        """Return that of rows Z (n, r) in groups (n,), numbers from 0."""
        Z = np.ascontiguousarray(Z)
        n, total = len(Z), Z.sum(0)
        at = np.linspace(*GRID) + np.log(max(float(e.mean()), 1e-300))
        S = 1 / (e + np.exp(at)[:, None])  # (T, r)
        left = n - (S * total) @ total  # (T,)
        V = 1 - (S * total) @ Z.T  # (T, n)
        leverage = S @ (Z * Z).T + V * V / left[:, None]
        table = leverage / np.maximum(1 - leverage, 1e-12)
        order = np.argsort(groups, kind="stable")
        starts = np.append(0, np.cumsum(np.bincount(groups)))
        return cls(Z, e, total, order, starts, at, table, table.mean(1))


def curvatures(P: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Return w (..., n, K) = f p (1 - p) of probabilities P and residuals R = P - T (..., n, K).

    f, one number for a row, makes the sum of w R^2 that of the Hessian diag(p) - pp' along R: 2 for two classes, less
    for more.
    """
    diagonal = P * (1 - P)
    along = (P * R * R).sum(-1) - (P * R).sum(-1) ** 2
    by_diagonal = (diagonal * R * R).sum(-1)
    f = along / np.where(by_diagonal > 0, by_diagonal, 1)
    return np.maximum(diagonal * np.clip(f, 1, 2)[..., None], LEAST)


def leave_out(geometry: Geometry, y: np.ndarray, l2: np.ndarray, S: np.ndarray, R: np.ndarray, w: np.ndarray) -> None:
    """Add to the scores S (L, n, K) at support rows of labels y (n,) what leaving out a row's group changes."""
    from bench.solvers.left_out_compiled import leave_out_at  # here, as numba takes long to import

    order = np.argsort(y, kind="stable")
    starts = np.append(0, np.cumsum(np.bincount(y, minlength=S.shape[2])))
    for at, strength in enumerate(l2):
        leave_out_at(geometry, (y, order, starts), len(y) * float(strength), S[at], R[at], w[at])
