"""What is left of the labels when a group of rows is left out.

A group that holds much of a class takes it along. What is left knows the class as rarer than it is, and thinks too
little of it for exactly the rows that are asked about: where nothing can be told, a head calls them by the other
classes, and is right less often than by chance. Such groups count most in the recall of their class, so that scores are
too low on average. So a head that is to answer the rows of such a group can be fitted to the shares of classes that all
rows have: for every row that is left out another of its class counts once more. This is the correction for other class
shares (Elkan 2001, section 2; Saerens et al. 2002), by weights of rows and so for any head.
"""

from __future__ import annotations

import numpy as np

from bench.loops.late import compiled_when_called

LARGE = 0.025  # change of the share of a class without a group
LEAST_ROWS = 10  # of a large group: where single rows are left out of few, shares that are restored make heads too sure
MAX_FOLDS = 5
MOST_LARGE = 20  # groups: each asks for a fit of its own


def groups_of_classes(y: np.ndarray, groups: np.ndarray, n_classes: int) -> np.ndarray:
    """Return in how many groups every class lies, int (K,), of labels y (n,) and groups (n,) of any type."""
    pairs = np.unique(np.unique(groups, return_inverse=True)[1] * n_classes + y)
    return np.bincount(pairs % n_classes, minlength=n_classes)


def fold_of(groups: np.ndarray, fewest: int) -> np.ndarray:
    """Return the fold (n,) of every support row, groups dealt out in the order of the draw; labels are not used.

    fewest: groups of the class that has the fewest.
    """
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))[inverse]
    return rank % max(1, min(MAX_FOLDS, fewest))


def rows_left(Y: np.ndarray, groups: np.ndarray, n_classes: int) -> np.ndarray:
    """Return how many rows of every class are outside a row's group, (m, n, K), of labels Y (m, n) and groups (n,)."""
    inside = np.zeros((len(Y), int(groups.max()) + 1, n_classes), np.int64)
    _count(np.array(Y, np.int64), np.array(groups, np.int64), inside)
    return inside.sum(1, keepdims=True) - inside[:, groups]


def large_groups(y: np.ndarray, groups: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the groups without which the share of a class changes by more than `LARGE`, int (at most `MOST_LARGE`,).

    y int (n,); groups (n,): codes from 0. Those that change one most come first. A group that holds all classes as all
    rows do is none, and neither is a small one that holds half of a rare class, or one of fewer than `LEAST_ROWS`.
    """
    counts = np.zeros((int(groups.max()) + 1, n_classes))
    np.add.at(counts, (groups, y), 1)
    left = counts.sum(0) - counts
    shares = left / np.maximum(left.sum(1, keepdims=True), 1)
    change = np.abs(shares - counts.sum(0) / len(y)).max(1)
    change[counts.sum(1) < LEAST_ROWS] = 0
    order = np.argsort(-change, kind="stable")
    return order[change[order] > LARGE][:MOST_LARGE]


def with_shares(y: np.ndarray, train: np.ndarray, n_classes: int) -> np.ndarray:
    """Return positions train (p,) and, of every class, as many of them once more as rows of y (n,) are missing.

    Those that count once more are evenly spaced among the rows of their class, and so from all of its groups.
    """
    found = [train]
    missing = np.bincount(y, minlength=n_classes) - np.bincount(y[train], minlength=n_classes)
    for k in np.flatnonzero(missing):
        own = train[y[train] == k]
        if len(own):
            found.append(own[np.arange(missing[k]) * len(own) // missing[k]])
    return np.concatenate(found)


@compiled_when_called
def _count(Y: np.ndarray, groups: np.ndarray, inside: np.ndarray) -> None:
    for j in range(len(Y)):
        for i in range(len(groups)):
            inside[j, groups[i], Y[j, i]] += 1
