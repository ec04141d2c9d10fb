"""Logistic regression by generalised cross-entropy (Zhang & Sabuncu 2018): (1 - p^q) / q for p of the own label.

q towards 0 is cross-entropy, q = 1 the mean absolute error, which a wrong label moves no more than any other. The
loss is not convex: every fit starts at W = 0, and its `gap` tells how flat f is there, not how far the best is. For the
same reason rows cannot be left out of a finished fit, as all labels decided which of them it gave up. They are left out
by fits of their own (results/settings has what that is worth).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.heads.contract import Head, Params, Range, Scored
from bench.heads.left_out import MAX_FOLDS, fold_of
from bench.heads.linear_fit import LinearFit, load
from bench.heads.logreg import SPACE, fit_and_score, fit_linear, place, rule, scores_by, temperature
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
    """Return the same for every support row by fits without its fold of groups, (m, L, n, K)."""
    fold = fold_of(support.groups, MAX_FOLDS)
    P = np.full((len(Y), len(grid), len(fold), n_classes), 1 / n_classes)
    for held in (fold == f for f in range(fold.max() + 1)):
        if not held.all():
            own = Support(support.X[~held], support.X[held], support.groups[~held], device=support.device)
            P[:, :, held] = scores(own, Y[:, ~held], n_classes, grid).P
    return Scored(P)


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
    version=13,
    grid=tuple({"l2": l2, "q": q} for q in (0.7, 0.4) for l2 in (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5)),
    loo=loo,
    loo_only_chooses=True,  # by larger folds than `bench fit` judges by
    rule=published,
    place=place,
    gpu=True,
    temperature=softer,
    learn=learn,
    load=load,
    space={**SPACE, "q": Range(0.05, 0.95)},
    papers=("Zhang & Sabuncu 2018",),
)
