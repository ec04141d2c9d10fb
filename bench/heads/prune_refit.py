"""Confident learning (Northcutt et al. 2021): find the labels that are likely wrong, leave them out, fit again.

Logistic regression that has not seen a row says how likely each class is for it (five folds). A row counts as class j
if p_j is at least the mean p_j of the rows labelled j, and the largest such. That gives how many rows labelled i are
really j; so many, those with the largest p_j - p_i, are left out (prune by noise rate), and logistic regression is
fitted to the rest. A label that is the most likely one is kept, as are all of a class with fewer labels than folds,
and every class keeps one.

Rows are dealt to the folds in turn. Where that gives one fold most of a class, as of rows that come as a, b, c, d, e,
a, b, ..., the rows of each class are dealt in turn: a class that a fit has hardly seen looks wrong wherever it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.heads.contract import Head, Params, Scored
from bench.heads.linear_fit import LinearFit, load
from bench.heads.logreg import SPACE, fit_and_leave_out, fit_and_score, fit_linear, place, rule, temperature
from bench.heads.support import Support

FOLDS = 5
UNEVEN = 0.5  # share of a class in one fold, above which right labels of it are left out: at .6 twice as many as at .2
TIE = 1e-3  # probabilities nearer than this are equal: the solver is not more exact


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return probabilities (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    l2 = [float(g["l2"]) for g in grid]
    unseen = _unseen(support.X, Y, n_classes, l2)  # (m, L, n, K)
    parts = []
    for j, strength in enumerate(l2):
        weight = np.stack([_weight(y, P[j]) for y, P in zip(Y, unseen, strict=True)])
        parts.append(fit_and_score(support, Y, n_classes, [strength], weight=weight))
    return Scored(*(np.concatenate(arrays, 1) for arrays in zip(*parts, strict=True)))


def learn(support: Support, y: np.ndarray, n_classes: int, setting: Params) -> LinearFit:
    """Return the head fitted to labels y (n,); see `bench.heads.contract.Head`."""
    l2 = float(setting["l2"])
    unseen = _unseen(support.X, y[None], n_classes, [l2])[0, 0]
    return fit_linear(support, y, n_classes, l2, weight=_weight(y, unseen))


def loo(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return what plain logistic regression gives: l2 is chosen before any label is doubted, by all of them alike."""
    return fit_and_leave_out(support, Y, n_classes, [float(g["l2"]) for g in grid])


def _unseen(X: np.ndarray, Y: np.ndarray, n_classes: int, l2: Sequence[float]) -> np.ndarray:
    """Return the probabilities of every row (m, L, n, K) by the fits without its fold; see `deal_rows`."""
    m, n = Y.shape
    out = np.full((m, len(l2), n, n_classes), 1 / n_classes)
    folds = np.stack([deal_rows(y, n_classes) for y in Y])
    for fold in np.unique(folds, axis=0):
        own = np.flatnonzero((folds == fold).all(1))  # label vectors of the same folds are solved at once
        for held in (fold == k for k in range(min(FOLDS, n))):
            if not held.all():
                P = fit_and_score(Support(X[~held], X[held]), Y[own][:, ~held], n_classes, l2).P
                out[np.ix_(own, np.arange(len(l2)), np.flatnonzero(held))] = P
    return out


def deal_rows(y: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the fold of every row, int (n,), of labels y (n,): in turn, or class by class where that is uneven."""
    in_turn = np.arange(len(y)) % FOLDS
    counts = np.zeros((n_classes, FOLDS), np.int64)
    np.add.at(counts, (y, in_turn), 1)
    size = counts.sum(1)
    if not (counts.max(1) > UNEVEN * size)[size >= FOLDS].any():
        return in_turn
    fold = np.empty_like(in_turn)
    fold[np.argsort(y, kind="stable")] = in_turn
    return fold


def _weight(y: np.ndarray, P: np.ndarray) -> np.ndarray:
    """Return the weights of the rows, (n,), of mean 1 and 0 for those that are left out; see `keep_rows`."""
    kept = keep_rows(y, P).astype(np.float64)
    return kept / kept.mean()


def keep_rows(y: np.ndarray, P: np.ndarray) -> np.ndarray:
    """Return which rows to keep, bool (n,), given labels y (n,) and probabilities P (n, K) by fits without the row."""
    n, K = P.shape
    labelled = np.bincount(y, minlength=K)
    threshold = np.array([P[y == k, k].mean() if labelled[k] else np.inf for k in range(K)])
    confident = np.where(threshold - 1e-9 <= P, P, -1)
    sure = confident.max(1) >= 0
    joint = np.zeros((K, K))
    np.add.at(joint, (y[sure], confident.argmax(1)[sure]), 1)
    rate = joint / np.maximum(joint.sum(1, keepdims=True), 1)
    kept = np.ones(n, bool)
    for i in np.flatnonzero(labelled >= FOLDS):
        rows = np.flatnonzero(y == i)
        for j in np.flatnonzero(np.arange(K) != i):
            count = round(rate[i, j] * labelled[i])
            margin = P[rows, j] - P[rows, i]
            kept[rows[np.argsort(-margin, kind="stable")[:count]]] = False
        kept[rows[P[rows, i].argmax()]] = True
    return kept | (P[np.arange(n), y] >= P.max(1) - TIE)


def softer(n: int, n_classes: int, d: int) -> float:
    """Return 1.5 times the temperature of plain logistic regression: rows that it doubts do not hold it back."""
    return 1.5 * temperature(n, n_classes, d)


HEAD = Head(
    "prune-refit",
    "logistic regression without the labels that confident learning doubts",
    scores,
    {"l2": 0.01},
    version=13,
    grid=tuple({"l2": l2} for l2 in (1e-1, 1e-2, 1e-3, 3e-4, 1e-4, 1e-5)),
    loo=loo,
    loo_only_chooses=True,
    rule=rule,
    place=place,
    gpu=True,
    temperature=softer,
    learn=learn,
    load=load,
    space=SPACE,
    papers=("Northcutt et al. 2021",),
)
