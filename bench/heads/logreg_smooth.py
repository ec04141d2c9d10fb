"""Logistic regression on smoothed labels (Szegedy et al. 2016, sec. 7; against label noise: Lukasik et al. 2020).

A label keeps 1 - smoothing of its weight and the rest is shared by all classes that have a label. The loss is convex.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.heads.contract import Head, Params, Range, Scored
from bench.heads.linear_fit import LinearFit, load
from bench.heads.logreg import SPACE, fit_and_leave_out, fit_and_score, fit_linear, place, rule, scores_by, temperature
from bench.heads.support import Support
from bench.products import Array, backend_of
from bench.solvers import ladder
from bench.solvers.rows import Loss


def smoothed(smoothing: float) -> Loss:
    """Return the `bench.solvers.rows.Loss` of cross-entropy with labels smoothed by a share in [0, 1)."""

    def loss(S: Array, own: Array) -> tuple[Array, Array]:
        on = backend_of(S)
        xp = on.xp
        here = on.float32(S[:, :, :1] > -xp.inf)  # (P, K, 1), 1 for a class that has a label
        each = smoothing * here / here.sum(1)[:, None]
        S -= xp.amax(S, 1)[:, None]
        aim = (1 - smoothing) * xp.take(S, own) + (each * xp.where(here > 0, S, 0.0)).sum(1)
        xp.exp(S, out=S)
        total = S.sum(1)
        S /= total[:, None]
        w = S.mean(2) - xp.linalg.vecdot(S, S) / S.shape[2]
        S -= each
        on.set_at(S, own, xp.take(S, own) - (1 - smoothing))
        return xp.log(total) - aim, w

    return Loss(loss, (smoothing, 0.0))


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return probabilities (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    return scores_by("smoothing", smoothed, ladder.TOP, fit_and_score, support, Y, n_classes, grid)


def loo(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return about the same for every support row by the model without its group; see `bench.solvers.left_out`."""
    return scores_by("smoothing", smoothed, ladder.TOP, fit_and_leave_out, support, Y, n_classes, grid)


def learn(support: Support, y: np.ndarray, n_classes: int, setting: Params) -> LinearFit:
    """Return the head fitted to labels y (n,); see `bench.heads.contract.Head`."""
    return fit_linear(support, y, n_classes, setting["l2"], smoothed(float(setting["smoothing"])), ladder.TOP)


def published(n: int, n_classes: int, d: int) -> Params:
    """Return the l2 of plain logistic regression, with a tenth of a label shared by the others."""
    return {**rule(n, n_classes, d), "smoothing": 0.1}


def sharper(n: int, n_classes: int, d: int) -> float:
    """Return .6 of the temperature of plain logistic regression: smoothed labels ask for little certainty."""
    return 0.6 * temperature(n, n_classes, d)


HEAD = Head(
    "logreg-smooth",
    "logistic regression on smoothed labels",
    scores,
    {"l2": 0.01, "smoothing": 0.1},
    version=12,
    grid=tuple({"l2": l2, "smoothing": s} for s in (0.1, 0.3) for l2 in (1e-1, 1e-2, 1e-3, 3e-4, 1e-4, 1e-5)),
    loo=loo,
    rule=published,
    place=place,
    gpu=True,
    temperature=sharper,
    learn=learn,
    load=load,
    space={**SPACE, "smoothing": Range(0.0, 0.5)},
    papers=("Szegedy et al. 2016", "Lukasik et al. 2020"),
)
