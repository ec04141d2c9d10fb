"""Scores of rows by the linear model learned without their group, from the model of all rows: no second fit.

Letters: n rows, r coordinates, K classes, L strengths l2, R (n, K) the derivatives of the losses by the scores, and
w (n, K) their curvatures. Leaving out the rows g takes their gradient away; one step of Newton from the optimum W of
all rows (Rahnama Rad and Maleki 2020, for groups and several classes) moves their scores by

    V_g R_g,    V_g = J_gg (I - w_g J_gg)^-1,    J = Z H^-1 Z',    H = Z' diag(w) Z + n l2 I

where the intercept is not penalised. As such H has r K rows. Here it is made for one class after the other, with a
factor of w that makes the curvature right along a row's residual (`left_out_kernels.differentiate`), and a class sees
two kinds of rows:

    others   count with one weight b, such that they bend H as their own weights would: with the v of the rows that
             V_g is for single rows, the mean of w / (1 + w v) equals b / (1 + b v). This holds for rows in general
             position (it is how Opper and Winther 2000 and the theory of approximate message passing average).
    its own  count exactly: with J' of b alone, J = J' (I + (w - b) J')^-1 among them, as n_k x n_k matrices

so that only products of Z with itself within classes and groups are needed, and n r K numbers for the rest. Where l2 is
very small and the classes can be separated, w is 0 for most rows and one step is no longer near a refit.

The penalty stays n l2 / 2 ||W||^2, as it does in `bench.heads.ridge.loo`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

GRID = (-18.0, 14.0, 65)  # of the log of n l2 / b, relative to the mean of e, at which single rows' steps are tabled


class Geometry(NamedTuple):
    """What label vectors share: Z float64 (n, r) with Z'Z = diag(e), total (r,) = Z'1.

    order (n,), starts (G + 1,): rows by group; grouped: Z in that order. table (T, n), mean (T,): h / (1 - h) for
    single rows of leverage h, at the logs `at` (T,) of n l2 / b; their mean over rows.
    """

    Z: np.ndarray
    e: np.ndarray
    total: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    grouped: np.ndarray
    at: np.ndarray
    table: np.ndarray
    mean: np.ndarray

    @classmethod
    def of(cls, Z: np.ndarray, e: np.ndarray, groups: np.ndarray) -> Geometry:
        """Return the geometry of rows Z (n, r) in groups (n,), numbered from 0."""
        Z = np.ascontiguousarray(Z)
        n, total = len(Z), Z.sum(0)
        at = np.linspace(*GRID) + np.log(max(float(e.mean()), 1e-300))
        S = 1 / (e + np.exp(at)[:, None])  # (T, r)
        left = n - (S * total) @ total  # (T,)
        V = 1 - (S * total) @ Z.T  # (T, n)
        leverage = S @ (Z * Z).T + V * V / left[:, None]
        table = leverage / np.maximum(1 - leverage, 1e-12)
        order, starts = sort_by(groups)
        grouped = Z if len(starts) > n else Z[order]  # of single rows it is not used
        return cls(Z, e, total, order, starts, grouped, at, table, table.mean(1))


def sort_by(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of numbers (n,) from 0 in rising order, and where among them each number starts and ends."""
    return np.argsort(numbers, kind="stable"), np.append(0, np.cumsum(np.bincount(numbers)))


def leave_out(
    geometry: Geometry,
    y: np.ndarray,
    l2: Sequence[float],
    S: np.ndarray,
    left: np.ndarray,
    loss: tuple[float, float],
    P: np.ndarray,
) -> None:
    """Write to P (L, n, K) the probabilities of rows of labels y (n,) by the models without their group.

    S (L, K, n): scores by the models of all rows. left (n, K): rows of every class outside a row's group; classes
    without any get 0, and if no class has any all are alike. loss: see `bench.solvers.rows.Loss.one`.
    """
    from bench.solvers.left_out_kernels import move_scores, share  # here, as numba takes long to import

    present, labels = np.unique(y, return_inverse=True)
    scores = np.ascontiguousarray(S[:, present], np.float64)  # of one layout, as each has machine code of its own
    if len(present) > 1:
        move_scores(tuple(geometry), (labels, *sort_by(labels)), len(y) * np.asarray(l2, np.float64), loss, scores)
    share(scores, present, np.ascontiguousarray(left), P)
