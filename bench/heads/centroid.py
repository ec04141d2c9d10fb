"""Nearest class centroid (Snell et al. 2017; Wang et al. 2019, SimpleShot).

metric 'euclidean' is the nearest mean, on rows as they come: centred and of unit length these are SimpleShot's CL2N,
unscaled ones its plain variant. 'cosine' gives every centroid length 1 first: the mean of scattered rows is short,
and by distance a short centroid attracts whatever is far from all; labels that noise has mixed do that to their
class. One head, because they share all sums and differ in a factor and an offset.

The probabilities are a softmax, at the fixed TEMPERATURE, of the cosine or of -distance^2 / 2, which for unit rows live
on one scale: they rank, and are calibrated by `bench.heads.temperature`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.heads.contract import Head, Params, Range, Scored, one_hot, softmax
from bench.heads.linear_fit import LinearFit, load
from bench.heads.support import Support
from bench.loops.late import compiled_when_called
from bench.products import lengths, product

TEMPERATURE = 0.1


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return softmax(similarity / TEMPERATURE) (m, L, n_test, K); a class without support rows gets 0."""
    total, square, count = _sums(support, Y, n_classes)
    inner = product(support.X_test, total.reshape(-1, total.shape[2]).T)  # (n_test, m K)
    inner = inner.reshape(len(inner), len(Y), n_classes).swapaxes(0, 1)
    return Scored(_probabilities(inner, square[:, None], count[:, None], lengths(support.X_test), grid))


def learn(support: Support, y: np.ndarray, n_classes: int, setting: Params) -> LinearFit:
    """Return the head fitted to labels y (n,), with the centroids as weights; see `bench.heads.contract.Head`."""
    total, square, count = (array[0] for array in _sums(support, y[None], n_classes))
    safe, norm, closed = np.maximum(count, 1), np.sqrt(square), np.where(count > 0, 0, -np.inf)
    if setting["metric"] == "cosine":
        W = total / np.where(norm > 0, norm, 1)[:, None] / TEMPERATURE
        return LinearFit(W=W, b=closed, unit=True)
    return LinearFit(W=total / safe[:, None] / TEMPERATURE, b=closed - square / safe**2 / 2 / TEMPERATURE)


def _sums(support: Support, Y: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the sum of the rows of every class (m, K, d), its squared length (m, K) and their number (m, K)."""
    members = one_hot(Y, n_classes)  # (m, n, K)
    total = members.swapaxes(1, 2) @ support.X.astype(np.float64, copy=False)
    return total, (total * total).sum(-1), members.sum(1)


def loo(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Score every support row, its group subtracted from the sums of the classes; uniform if nothing is left."""
    X, (m, n), K = support.X.astype(np.float64, copy=False), Y.shape, n_classes
    gram = X @ X.T
    inner, square, count = (np.empty((m, n, K)) for _ in range(3))
    for j, y in enumerate(Y):
        members = one_hot(y, K)  # (n, K)
        inner[j] = gram @ members
        _take_away(gram, y.astype(np.int64), support.groups, members.sum(0), inner[j], square[j], count[j])
    return Scored(_probabilities(inner, square, count, np.sqrt(gram.diagonal()), grid))


@compiled_when_called
def _take_away(
    gram: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    total: np.ndarray,
    inner: np.ndarray,
    square: np.ndarray,
    count: np.ndarray,
) -> None:
    """Take a row's group from its products with the sums of all rows of every class, inner (n, K).

    Writes the squared lengths of the sums that are left and their numbers of rows, both (n, K). total (K,): rows a
    class; groups (n,): numbers from 0.
    """
    n, K = inner.shape
    G = groups.max() + 1
    of_all, across, within, gone = np.zeros(K), np.zeros((G, K)), np.zeros((G, K)), np.zeros((G, K))
    for i in range(n):
        of_all[y[i]] += inner[i, y[i]]
        across[groups[i], y[i]] += inner[i, y[i]]
        gone[groups[i], y[i]] += 1
    for i in range(n):
        for h in range(n):
            if groups[h] == groups[i]:
                inner[i, y[h]] -= gram[i, h]
                if y[h] == y[i]:
                    within[groups[i], y[i]] += gram[i, h]
    for i in range(n):
        g = groups[i]
        for k in range(K):
            square[i, k] = of_all[k] - 2 * across[g, k] + within[g, k]
            count[i, k] = total[k] - gone[g, k]


def _probabilities(
    inner: np.ndarray, square: np.ndarray, count: np.ndarray, length: np.ndarray, grid: Sequence[Params]
) -> np.ndarray:
    """Return probabilities (m, L, p, K) of p rows.

    inner (m, p, K): inner products with the sum of a class; square, count: squared length of that sum and its
    number of rows, (m, 1, K), or (m, p, K) where they differ by row. length (p,): of the rows.
    """
    safe = np.maximum(count, 1)
    norm = np.sqrt(np.maximum(square, 0))
    cosine = inner / np.where(norm > 0, norm, 1) / np.where(length > 0, length, 1)[:, None]
    by_metric = {"cosine": cosine, "euclidean": inner / safe - square / safe**2 / 2}
    none = (count.sum(-1) == 0)[..., None]  # nothing learned
    masked = np.where((count > 0) | none, 0, -np.inf)
    return np.stack([softmax(by_metric[g["metric"]] / TEMPERATURE + masked) for g in grid], axis=1)


def rule(n: int, n_classes: int, d: int) -> Params:
    """Return the cosine for one or two labels a class, else the distance: means of more are worth their length."""
    return {"metric": "cosine" if n < 3 * n_classes else "euclidean"}


def place(setting: Params) -> float:
    """Return 1 of the distance, 0 of the cosine."""
    return float(setting["metric"] == "euclidean")


def temperature(n: int, n_classes: int, d: int) -> float:
    """Return 13 (n/K)^-.58 K^-.44, in units of TEMPERATURE."""
    return float(13.0 * (n / n_classes) ** -0.58 * n_classes**-0.44)


HEAD = Head(
    "centroid",
    "nearest class centroid, cosine or Euclidean",
    scores,
    {"metric": "euclidean"},
    version=4,
    grid=({"metric": "cosine"}, {"metric": "euclidean"}),
    loo=loo,
    rule=rule,
    place=place,
    temperature=temperature,
    learn=learn,
    load=load,
    space={"metric": Range(choices=("cosine", "euclidean"))},
    papers=("Snell et al. 2017", "Wang et al. 2019"),
)
