"""Groups dealt to folds so that every fold has about the same share of every class, for many seeds at once.

The rule is that of scikit-learn's StratifiedGroupKFold with shuffle=True (1.9). It is written out here because draws
must not change with the version of a library, and because one seed after the other takes seconds at a few thousand
groups: groups come in the order of how unevenly they hold the classes, the most uneven first and equals as the seed
shuffled them; each goes to the fold with which the shares of the classes differ least between folds, and of folds
that are alike in that to the one with the fewest rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.seeds import keyed_uniform

FEW = 8  # seeds for which numbers of Python are faster than arrays; they are the same
RELATIVE, ABSOLUTE = 1e-5, 1e-8  # folds whose unevenness differs by no more are alike, as np.isclose has it


def deal_groups(counts: np.ndarray, n_folds: int, seeds: Sequence[int]) -> np.ndarray:
    """Return the fold of every group, int (S, G), for every seed. counts (G, K): rows of a group and class."""
    counts = counts.astype(np.float64)
    (G, K), S = counts.shape, len(seeds)
    order = _orders(counts, seeds)
    in_class = counts.sum(0)
    held, size = np.zeros((S, n_folds, K)), np.zeros((S, n_folds))
    fold = np.empty((S, G), np.int64)
    each, diagonal = np.arange(S), np.arange(n_folds)
    for step in range(G):
        own = counts[order[:, step]]  # (S, K)
        shares = np.repeat((held / in_class)[:, None], n_folds, axis=1)  # (S, tried fold, fold, K)
        shares[:, diagonal, diagonal] = (held + own[:, None]) / in_class
        best = _least(_unevenness(shares), size)
        fold[each, order[:, step]] = best
        held[each, best] += own
        size[each, best] += own.sum(1)
    return fold


def held_out_in_turn(names: Sequence[str], holds: np.ndarray, repeat: int) -> dict[str, list[int]]:
    """Return group -> the groups that are not learned from where it is tested, itself first; as positions in `names`.

    holds bool (G, K): the classes of a group. Besides the tested group one group of every class that it does not hold
    is left out: otherwise the class that is tested would always be the one with the fewest groups to learn from, and be
    taken for another more often than on new groups. Which group that is follows from a keyed hash and the number of
    the repeat; a class keeps one group at least.
    """
    found = {}
    for i, name in enumerate(names):
        lost, left_out = holds[i].copy(), [i]  # classes that have lost a group, and by which
        left = holds.sum(0) - holds[i]
        order = np.argsort(keyed_uniform(("held out with", name, repeat), names), kind="stable")
        for j in order[order != i].tolist():
            if not (holds[j] & lost).any() and (left[holds[j]] > 1).all():
                left_out.append(j)
                lost |= holds[j]
                left -= holds[j]
        found[name] = left_out
    return found


def _orders(counts: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
    """Return the order in which groups are dealt, (S, G)."""
    first = -np.std(counts, axis=1)
    orders = []
    for seed in seeds:
        shuffled = np.arange(len(counts))
        np.random.RandomState(seed).shuffle(shuffled)  # a stream that numpy keeps as it is
        orders.append(shuffled[np.argsort(first[shuffled], kind="stable")])
    return np.stack(orders)


def _unevenness(shares: np.ndarray) -> np.ndarray:
    """Return the mean over classes of the standard deviation over folds, (S, tried fold), as np.std and np.mean do."""
    n_folds = shares.shape[2]
    apart = shares - shares.sum(2, keepdims=True) / n_folds
    apart *= apart
    return np.sqrt(apart.sum(2) / n_folds).mean(-1)


def _least(uneven: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return the fold (S,) with the least unevenness (S, F), of those alike the one with the smallest size (S, F)."""
    if len(uneven) <= FEW:
        return np.array([_least_of(*both) for both in zip(uneven.tolist(), size.tolist(), strict=True)])
    best = np.zeros(len(uneven), np.int64)
    least, fewest = uneven[:, 0], size[:, 0]
    for i in range(1, uneven.shape[1]):
        alike = np.abs(uneven[:, i] - least) <= ABSOLUTE + RELATIVE * np.abs(least)
        better = (uneven[:, i] < least) | (alike & (size[:, i] < fewest))
        best = np.where(better, i, best)
        least, fewest = np.where(better, uneven[:, i], least), np.where(better, size[:, i], fewest)
    return best


def _least_of(uneven: Sequence[float], size: Sequence[float]) -> int:
    """Return what `_least` does of one seed, from F numbers each."""
    best, least, fewest = 0, uneven[0], size[0]
    for i in range(1, len(uneven)):
        alike = abs(uneven[i] - least) <= ABSOLUTE + RELATIVE * abs(least)
        if uneven[i] < least or (alike and size[i] < fewest):
            best, least, fewest = i, uneven[i], size[i]
    return best
