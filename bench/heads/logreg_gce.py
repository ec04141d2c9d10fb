"""Logistic regression by generalised cross-entropy (Zhang & Sabuncu 2018): (1 - p^q) / q for p of the own label.

q towards 0 is cross-entropy, q = 1 the mean absolute error, which a wrong label moves no more than any other. The
loss is not convex: every fit starts at W = 0, and its `gap` tells how flat f is there, not how far the best is. Rows
that are left out of the finished fit look too good for the same reason: all labels decided which of them it gave up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.heads.contract import Head, Params, Range, Scored
from bench.heads.linear_fit import LinearFit, load
from bench.heads.logreg import SPACE, fit_and_leave_out, fit_and_score, fit_linear, place, rule, scores_by, temperature
from bench.heads.support import Support
from bench.products import Array, backend_of
from bench.solvers.rows import Loss


def generalised(q: float) -> Loss:
    """Return the `bench.solvers.rows.Loss` (1 - p^q) / q, q in (0, 1]."""

    def loss(S: Array, own: Array) -> tuple[Array, Array]:
        on = backend_of(S)
        xp = on.xp
        S -= xp.amax(S, 1)[:, None]
        xp.exp(S, out=S)
        S /= S.sum(1)[:, None]
        p = xp.take(S, own)  # (P, n)
        trust = p**q
        w = ((1 - S) * S * trust[:, None]).mean(2)
        on.set_at(S, own, p - 1)
        S *= trust[:, None]
        return (1 - trust) / q, w

    return Loss(loss, (0.0, q))


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return probabilities (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    return scores_by("q", generalised, 0.0, fit_and_score, support, Y, n_classes, grid)


def loo(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return about the same for every support row by the model without its group; see `bench.solvers.left_out`."""
    return scores_by("q", generalised, 0.0, fit_and_leave_out, support, Y, n_classes, grid)


def learn(support: Support, y: np.ndarray, n_classes: int, setting: Params) -> LinearFit:
    """Return the head fitted to labels y (n,); see `bench.heads.contract.Head`."""
    return fit_linear(support, y, n_classes, setting["l2"], generalised(float(setting["q"])), 0.0)


def published(n: int, n_classes: int, d: int) -> Params:
    """Return a third of the l2 of plain logistic regression: this loss is that much flatter."""
    return {"l2": rule(n, n_classes, d)["l2"] / 3, "q": 0.7}


def softer(n: int, n_classes: int, d: int) -> float:
    """Return 1.5 times the temperature of plain logistic regression: rows that it doubts do not hold it back."""
    return 1.5 * temperature(n, n_classes, d)


HEAD = Head(
    "logreg-gce",
    "logistic regression by generalised cross-entropy",
    scores,
    {"l2": 0.003, "q": 0.7},
    version=12,
    grid=tuple({"l2": l2, "q": q} for q in (0.7, 0.4) for l2 in (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5)),
    loo=loo,
    loo_only_chooses=True,
    rule=published,
    place=place,
    gpu=True,
    temperature=softer,
    learn=learn,
    load=load,
    space={**SPACE, "q": Range(0.05, 0.95)},
    papers=("Zhang & Sabuncu 2018",),
)
