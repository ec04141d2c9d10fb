"""k nearest neighbours by cosine similarity, votes weighted by exp(similarity / T).

The protocol of Wu et al. 2018 (sec. 3.4) that DINO also uses, with its T = 0.07. k is a default for
few labels and is cut to n where the support is smaller. The neighbours are found once, at the largest
k; another k or label vector is a look-up of their labels. Shares of votes are smoothed,
(k share + GIVEN) / (k + GIVEN K), which changes no decision. Rows that are equally near share the last places, so that
the order of the support decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bench.heads.contract import Head, Params, Range, Scored, one_hot
from bench.heads.left_out import rows_left
from bench.heads.state import State, learning_rows, new_rows
from bench.heads.support import Support
from bench.products import unit_rows

TEMPERATURE = 0.07
GIVEN = 0.3  # of a vote to every class that has labels, so that none is impossible for having no neighbour
FAISS_FROM = 20_000  # support rows from which the full similarity matrix costs more than faiss's heap
COSINES = 2**25  # of new rows with the rows that are kept, at a time
KIND = "neighbours"
BLOCK = 2**18  # similarities ranked at a time, few enough to stay in a core's cache


def nearest(support: Support, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (cosine, index of the support row), both (n_test, k), most similar first.

    Exact, in float32; ties go to the earlier support row. From FAISS_FROM support rows on faiss searches instead,
    without an (n_test, n) matrix; ties are then in order as well, but which of several equal rows is the k-th is
    for faiss to choose, and that one alone votes.
    """
    if support.shape[0] < FAISS_FROM:
        return rank(support.cosine, k)
    import faiss

    unit, unit_test = support.unit
    index = faiss.IndexFlatIP(unit.shape[1])
    index.add(unit)
    similarity, neighbour = index.search(unit_test, k)
    order = np.lexsort((neighbour, -similarity))
    return np.take_along_axis(similarity, order, 1), np.take_along_axis(neighbour, order, 1)


def rank(similarity: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k largest of every row of similarity, float32 (p, n), and their columns, both (p, k), best first.

    Ties go to the earlier column: similarity and column are packed into one whole number, upper and lower half, so
    that no two are equal and a partition finds exactly the right ones.
    """
    p, n = similarity.shape
    column = np.arange(n - 1, -1, -1)
    best = np.empty((p, k), np.int64)
    step = max(1, BLOCK // n)
    for i in range(0, p, step):
        bits = (similarity[i : i + step] + np.float32(0)).view(np.int32)  # + 0 makes 0 of -0
        keys = (bits ^ (bits >> 31 & 0x7FFFFFFF)).astype(np.int64)  # rises as the float does
        keys <<= 32
        keys |= column
        if k < n:
            keys.partition(n - k, axis=1)
        best[i : i + step] = keys[:, n - k :]
    best.sort(axis=1)
    neighbour = n - 1 - (best[:, ::-1] & 0xFFFFFFFF)
    return np.take_along_axis(similarity, neighbour, 1), neighbour


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return vote shares (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    n = support.shape[0]
    ks = neighbours_of(grid, n)
    found = nearest(support, min(max(ks) + 1, n))
    left = one_hot(Y, n_classes).sum(1, keepdims=True)
    return Scored(vote(*found, Y, n_classes, ks, support.cosine if n < FAISS_FROM else None, left))


class _UnitSupport(Support):
    """A support whose rows have length 1."""

    @cached_property
    def unit(self) -> tuple[np.ndarray, np.ndarray]:
        return self.X, unit_rows(self.X_test)


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """The head that has learned: its rows at length 1, float32 (n, d), their labels int64 (n,), and k."""

    rows: np.ndarray
    labels: np.ndarray
    k: int
    n_classes: int

    def scores(self, X: Any) -> np.ndarray:
        """Return vote shares float64 (N, K); see `bench.heads.state.Fitted`."""
        X_test = new_rows(X, self.rows.shape[1])
        P = np.empty((len(X_test), self.n_classes))
        step = max(COSINES // len(self.rows), 1)
        for i in range(0, len(X_test), step):
            support = _UnitSupport(self.rows, X_test[i : i + step])
            P[i : i + step] = self.shares(support)
        return P

    def shares(self, support: Support) -> np.ndarray:
        """Return vote shares float64 (n_test, K) of the test rows beside the rows that are kept."""
        return scores(support, self.labels[None], self.n_classes, [{"k": self.k}]).P[0, 0]

    def state(self) -> State:
        """Return the rows, the labels and k."""
        return State(
            arrays={"rows": self.rows, "labels": self.labels},
            about={"kind": KIND, "k": self.k, "n_classes": self.n_classes},
        )


def learn(support: Support, y: np.ndarray, n_classes: int, setting: Params) -> Neighbours:
    """Return the head fitted to labels y (n,); see `bench.heads.contract.Head`."""
    rows, labels = support.unit[0], y.astype(np.int64)
    return Neighbours(rows=rows, labels=labels, k=int(setting["k"]), n_classes=n_classes)


def load(state: State) -> Neighbours:
    """Return the fitted head that a state describes; BenchError for a state of anything else."""
    state.check_kind(KIND)
    K, rows = state.number("n_classes"), state.array("rows", "f", (None, None))
    rows, labels = learning_rows(rows, state.array("labels", "i", (len(rows),)), K)
    return Neighbours(rows=rows.astype(np.float32, copy=False), labels=labels, k=state.number("k"), n_classes=K)


def loo(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return vote shares for every support row by the rows outside its group; uniform if there are none."""
    similarity = np.where(support.groups[:, None] == support.groups, np.float32(-np.inf), support.own_cosine)
    n = support.shape[0]
    ks = neighbours_of(grid, n)
    left = rows_left(Y, support.groups, n_classes)
    return Scored(vote(*rank(similarity, min(max(ks) + 1, n)), Y, n_classes, ks, similarity, left))


def neighbours_of(grid: Sequence[Params], n: int) -> list[int]:
    """Return k of every setting, n where the support is smaller."""
    return [min(int(setting["k"]), n) for setting in grid]


def vote(
    similarity: np.ndarray,
    neighbour: np.ndarray,
    Y: np.ndarray,
    n_classes: int,
    ks: Sequence[int],
    everything: np.ndarray | None,
    left: np.ndarray,
    worth: np.ndarray | None = None,
) -> np.ndarray:
    """Return vote shares (m, L, p, K) of the first k neighbours, for k in ks. similarity, neighbour: (p, max(ks) + 1).

    A neighbour at -inf has no vote; without any the shares are uniform. everything (p, n): similarities with all rows,
    so that rows as near as the k-th share what the nearer ones leave of the k votes; None lets the first ones vote.
    left (m, p, K), or (m, 1, K): labels of every class that a row may be given; classes that have some get GIVEN votes.
    worth (m, n): what every label's vote is multiplied by; None: nothing.
    """
    m, p = len(Y), len(neighbour)
    closest = similarity[:, :1].astype(np.float64)
    closest = np.where(np.isfinite(closest), closest, 0)
    weight = np.exp((similarity - closest) / TEMPERATURE)  # (p, k), first is 1
    cast = Y[:, neighbour] + n_classes * np.arange(m * p).reshape(m, p, 1)  # (m, p, k), one ballot box per (m, p, K)
    out = np.empty((m, len(ks), p, n_classes))
    for i, k in enumerate(ks):
        ballots = (
            np.broadcast_to(weight[:, :k], (m, p, k)) if worth is None else weight[:, :k] * worth[:, neighbour[:, :k]]
        )
        votes = np.bincount(cast[:, :, :k].ravel(), ballots.ravel(), m * p * n_classes)
        out[:, i] = votes.reshape(m, p, n_classes)
        if everything is None or k == similarity.shape[1]:
            continue
        tied = np.flatnonzero((similarity[:, k - 1] == similarity[:, k]) & np.isfinite(similarity[:, k]))
        step = max(1, BLOCK // everything.shape[1])
        for rows in (tied[j : j + step] for j in range(0, len(tied), step)):
            shared = _shared(everything[rows], similarity[rows, k - 1, None], closest[rows], k)
            labels = one_hot(Y, n_classes)
            out[:, i, rows] = shared @ (labels if worth is None else labels * worth[..., None])
    total = out.sum(-1, keepdims=True)
    share = np.where(total > 0, out / np.where(total > 0, total, 1), 1 / n_classes)
    given = np.where((left > 0) | (left.sum(-1, keepdims=True) == 0), GIVEN, 0)[:, None]  # (m, 1, p, K)
    voters = np.minimum(np.array(ks)[:, None, None], left.sum(-1)[:, None, :, None])  # (m, L, p, 1)
    return (share * voters + given) / (voters + given.sum(-1, keepdims=True))


def _shared(similarity: np.ndarray, last: np.ndarray, closest: np.ndarray, k: int) -> np.ndarray:
    """Return the votes of all n rows, (p, n): k in all before weighting, shared by those at the last similarity."""
    nearer, level = similarity > last, similarity == last
    each = (k - nearer.sum(1, keepdims=True)) / level.sum(1, keepdims=True)
    return np.exp((similarity - closest) / TEMPERATURE) * (nearer + each * level)


def rule(n: int, n_classes: int, d: int) -> Params:
    """Return k = 4 n^.2 K^.5: votes are weighted, so that far neighbours do little harm."""
    return {"k": max(1, min(round(4 * n**0.2 * n_classes**0.5), 50))}


def place(setting: Params) -> float:
    """Return log k."""
    return float(np.log(setting["k"]))


def temperature(n: int, n_classes: int, d: int) -> float:
    """Return 3.3 (n/K)^-.23 K^-.22."""
    return float(3.3 * (n / n_classes) ** -0.23 * n_classes**-0.22)


HEAD = Head(
    "knn",
    "k nearest neighbours, cosine, similarity-weighted votes",
    scores,
    {"k": 5},
    version=9,
    grid=tuple({"k": k} for k in (1, 3, 5, 10, 20, 40)),
    loo=loo,
    rule=rule,
    place=place,
    temperature=temperature,
    learn=learn,
    load=load,
    space={"k": Range(1, 50, log=True)},
    papers=("Wu et al. 2018",),
)
