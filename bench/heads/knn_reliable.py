"""k nearest neighbours whose votes weigh as much as their labels are believed, for labels of which some are wrong.

After the reliability score of WANN (Di Salvo et al. 2024, arXiv 2408.14358), which asks how many neighbours it takes
until they agree with a label. Few labels do not have that many neighbours, so that here the neighbours' share counts:

    r_i = P(y_i | x_i)      by `bench.heads.knn` with the same k, without the group of row i
    w_i = r_i / mean of r over the rows that are labelled y_i

A neighbour's vote exp(similarity / T) is multiplied by w_i. The mean keeps the votes of a class together: without it a
class that is hard to tell loses votes to the others whether its labels are wrong or not, which costs balanced accuracy
where no label is wrong. A class whose labels are all of one group keeps w = 1. What it gains: results/heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.errors import BenchError
from bench.heads import knn
from bench.heads.contract import Head, Params, Range, Scored, one_hot
from bench.heads.state import State
from bench.heads.support import Support

KIND = "reliable neighbours"


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return vote shares (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    return Scored(_shares(support, Y, n_classes, grid, worths(support, Y, n_classes, grid)))


def worths(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> np.ndarray:
    """Return w of every support row by its label in every label vector, at every setting, float64 (m, L, n)."""
    P = knn.loo(support, Y, n_classes, grid).P
    labels = np.broadcast_to(Y[:, None], P.shape[:3])
    believed = np.take_along_axis(P, labels[..., None], 3)[..., 0]  # (m, L, n)
    m, L, _ = believed.shape
    place = labels + n_classes * np.arange(m * L).reshape(m, L, 1)  # one place per (m, L, K)
    total = np.bincount(place.ravel(), believed.ravel(), m * L * n_classes)
    mean = (total / np.maximum(np.bincount(place.ravel(), minlength=len(total)), 1))[place]
    return np.where(mean > 0, believed / np.where(mean > 0, mean, 1), 1.0)


def _shares(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params], worth: np.ndarray) -> np.ndarray:
    """Return vote shares (m, L, n_test, K) of neighbours whose labels are worth (m, L, n)."""
    n = support.shape[0]
    ks = knn.neighbours_of(grid, n)
    found = knn.nearest(support, min(max(ks) + 1, n))
    everything = support.cosine if n < knn.FAISS_FROM else None
    left = one_hot(Y, n_classes).sum(1, keepdims=True)
    parts = [knn.vote(*found, Y, n_classes, [k], everything, left, worth[:, i]) for i, k in enumerate(ks)]
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class ReliableNeighbours(knn.Neighbours):
    """The head that has learned: the neighbours, and what their labels are worth, float64 (n,)."""

    worth: np.ndarray

    def shares(self, support: Support) -> np.ndarray:
        """Return vote shares float64 (n_test, K) of the test rows beside the rows that are kept."""
        setting, worth = {"k": self.k}, self.worth[None, None]
        return _shares(support, self.labels[None], self.n_classes, [setting], worth)[0, 0]

    def state(self) -> State:
        """Return the rows, the labels, what they are worth, and k."""
        kept = super().state()
        return State(arrays={**kept.arrays, "worth": self.worth}, about={**kept.about, "kind": KIND})


def learn(support: Support, y: np.ndarray, n_classes: int, setting: Params) -> ReliableNeighbours:
    """Return the head fitted to labels y (n,); see `bench.heads.contract.Head`."""
    plain = knn.learn(support, y, n_classes, setting)
    return _with_worth(plain, worths(support, y[None], n_classes, [setting])[0, 0])


def load(state: State) -> ReliableNeighbours:
    """Return the fitted head that a state describes; BenchError for a state of anything else."""
    state.check_kind(KIND)
    plain = knn.load(State(arrays=state.arrays, about={**state.about, "kind": knn.KIND}))
    worth = state.array("worth", "f", (len(plain.labels),))
    if not (np.isfinite(worth).all() and (worth >= 0).all()):
        raise BenchError("Got a state with labels worth below 0, or no number; expected 0 or more. Fit the head again.")
    return _with_worth(plain, worth.astype(np.float64, copy=False))


def _with_worth(plain: knn.Neighbours, worth: np.ndarray) -> ReliableNeighbours:
    return ReliableNeighbours(
        rows=plain.rows, labels=plain.labels, k=plain.k, n_classes=plain.n_classes, worth=np.ascontiguousarray(worth)
    )


HEAD = Head(
    "knn-reliable",
    "k nearest neighbours, votes also weighted by how well a label agrees with its neighbours",
    scores,
    knn.HEAD.default,
    version=3,
    grid=knn.HEAD.grid,
    loo=knn.loo,  # k and the temperature are chosen before any label is doubted
    loo_only_chooses=True,
    rule=knn.rule,
    place=knn.place,
    temperature=knn.temperature,
    learn=learn,
    load=load,
    space={"k": Range(1, 50, log=True)},
    papers=("Di Salvo et al. 2024",),
)
