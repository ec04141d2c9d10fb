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
from bench.heads.products import lengths
from bench.heads.span import product
from bench.heads.support import Support

TEMPERATURE = 0.1


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return softmax(similarity / TEMPERATURE) (m, L, n_test, K); a class without support rows gets 0."""
    X = support.X.astype(np.float64, copy=False)
    members = one_hot(Y, n_classes)  # (m, n, K)
    count = members.sum(1)[:, None]  # (m, 1, K)
    total = members.swapaxes(1, 2) @ X  # (m, K, d)
    square = (total * total).sum(-1)[:, None]  # (m, 1, K)
    inner = product(support.X_test, total.reshape(-1, X.shape[1]).T)  # (n_test, m K)
    inner = inner.reshape(len(inner), len(Y), n_classes).swapaxes(0, 1)
    return Scored(_probabilities(inner, square, count, lengths(support.X_test), grid))


def loo(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return the same for every support row, its group subtracted from the sums; uniform if nothing is left."""
    X, groups = support.X.astype(np.float64, copy=False), support.groups
    gram = X @ X.T
    P = []
    for y in Y:
        members = one_hot(y, n_classes)  # (n, K)
        pair, of_row = np.unique(groups * n_classes + y, return_inverse=True)  # group and class
        order = np.argsort(of_row, kind="stable")
        starts = np.searchsorted(of_row[order], np.arange(len(pair)))
        with_pair = np.add.reduceat(gram[:, order], starts, axis=1)  # (n, pairs), inner products with a pair's sum
        inner = gram @ members  # (n, K)
        square = (members * inner).sum(0)  # (K,)
        shape = (groups.max() + 1, n_classes)
        own_square, own_inner, own_count = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        group, label = pair // n_classes, pair % n_classes
        own_count[group, label] = np.bincount(of_row)
        own_square[group, label] = np.bincount(of_row, with_pair[np.arange(len(y)), of_row])
        own_inner[group, label] = np.bincount(of_row, inner[np.arange(len(y)), y])
        left = members.sum(0) - own_count[groups]
        square = square - 2 * own_inner[groups] + own_square[groups]
        mine = group == groups[:, None]  # (n, pairs)
        inner = inner - np.where(mine, with_pair, 0) @ np.eye(n_classes)[label]
        P.append(_probabilities(inner[None], square[None], left[None], np.sqrt(gram.diagonal()), grid)[0])
    return Scored(np.stack(P))


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
    shut = np.where((count > 0) | none, 0, -np.inf)
    return np.stack([softmax(by_metric[g["metric"]] / TEMPERATURE + shut) for g in grid], axis=1)


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
    space={"metric": Range(choices=("cosine", "euclidean"))},
)
