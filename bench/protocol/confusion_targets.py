"""Which class each is mistaken for: as somebody says, by alphabet, or as cheap descriptors confuse them.

The last looks at the training side of a split alone and never at a competing encoder, see `confused_targets`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bench.errors import BenchError, did_you_mean

Pairs = Sequence[tuple[str, str]]  # (class, the class it is mistaken for)
Confusable = Sequence[tuple[str, str] | str]  # such pairs, or the names of descriptors that confuse classes
AUTO = "auto"
SPACES = ("color-histogram", "texture", "thumbnail")  # what noise may see of an item: colour, texture, and layout
BLOCK = 4096  # rows whose centroids are made at a time


def read_confusable(text: str) -> tuple[tuple[str, str], ...] | tuple[str, ...]:
    """Return what a text says: "a>b,b>a" is pairs of classes, "auto" stands for SPACES, other words for descriptors."""
    if ">" in text:
        return read_pairs(text)
    words = [word.strip() for word in text.split(",") if word.strip()]
    return SPACES if words == [AUTO] else tuple(dict.fromkeys(words))


def descriptors_in(confusable: Confusable) -> list[str]:
    """Return the descriptors by whose confusion targets are found, none where pairs are given."""
    return [one for one in confusable if isinstance(one, str)]


def read_pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Return the pairs of a text such as "a>b,b>a"."""
    pairs = []
    for word in filter(None, map(str.strip, text.split(","))):
        true, arrow, taken_for = (part.strip() for part in word.partition(">"))
        if not (true and arrow and taken_for):
            raise BenchError(f"Got --confusable '{word}'; expected CLASS>CLASS, e.g. --confusable 'rbc>phloem'.")
        pairs.append((true, taken_for))
    return tuple(pairs)


def confusion_targets(classes: Sequence[str], confusable: Pairs = ()) -> np.ndarray:
    """Return the class that each is mistaken for, int (K,).

    With pairs, a class that no pair begins with is mistaken for none. Without, each is mistaken for the next in
    alphabetical order, the last for the first: a stand-in that knows nothing of what the classes look like.
    Raises BenchError for a class that is not there, that is mistaken for itself, or that has two targets.
    """
    K = len(classes)
    if not confusable:
        order = sorted(range(K), key=lambda k: classes[k])
        return np.array([order[(order.index(k) + 1) % K] for k in range(K)])
    target = np.arange(K)
    for true, taken_for in confusable:
        for name in (true, taken_for):
            if name not in classes:
                hint = did_you_mean(name, classes) or "."
                raise BenchError(f"Got --confusable with class '{name}'{hint} Expected one of: {', '.join(classes)}.")
        k, other = classes.index(true), classes.index(taken_for)
        if k == other:
            raise BenchError(f"Got --confusable '{true}>{true}'; expected two different classes.")
        if target[k] != k:
            raise BenchError(
                f"Got --confusable with '{true}>{classes[target[k]]}' and '{true}>{taken_for}'; expected one "
                "such class."
            )
        target[k] = other
    return target


def confused_targets(spaces: Iterable[np.ndarray], y: np.ndarray, groups: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the class that each is most often taken for by the nearest centroid in these spaces, int (K,), K >= 2.

    spaces: float (n, d) each, the same n training rows; y (n,): their classes; groups (n,). A row is held against
    centroids that are made without its group. Rows taken for a class are counted over all spaces; equals go to the
    class that is more often the nearest of the others, then to the earlier one.
    """
    taken = np.zeros((n_classes, n_classes), np.int64)
    second = np.zeros_like(taken)
    own = np.arange(len(y))
    for X in spaces:
        away = _distances(X, y, groups, n_classes)
        np.add.at(taken, (y, away.argmin(1)), 1)
        away[own, y] = np.inf
        np.add.at(second, (y, away.argmin(1)), 1)
    score = taken * (second.sum() + 1) + second
    np.fill_diagonal(score, -1)
    return score.argmax(1)


def _distances(X: np.ndarray, y: np.ndarray, groups: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the squared distances of rows X (n, d) to the centroids without their groups, float64 (n, K).

    Infinite where a class has no row in other groups.
    """
    X = X.astype(np.float64, copy=False)
    _, group = np.unique(groups, return_inverse=True)
    out = np.full((len(X), n_classes), np.inf)
    for k in range(n_classes):
        of_class = np.flatnonzero(y == k)
        if not len(of_class):
            continue
        of_class = of_class[np.argsort(group[of_class], kind="stable")]
        held, start, size = np.unique(group[of_class], return_index=True, return_counts=True)
        sums = np.add.reduceat(X[of_class], start)  # (groups with the class, d)
        total = sums.sum(0)
        place = np.minimum(np.searchsorted(held, group), len(held) - 1)
        there = held[place] == group  # whether a row's group has the class
        for i in range(0, len(X), BLOCK):
            block = slice(i, i + BLOCK)
            left = len(of_class) - size[place[block]] * there[block]
            centroid = (total - sums[place[block]] * there[block, None]) / np.maximum(left, 1)[:, None]
            away = ((X[block] - centroid) ** 2).sum(1)
            out[block, k] = np.where(left > 0, away, np.inf)
    return out


def describe_targets(target: Mapping[str, np.ndarray], classes: Sequence[str], whence: str) -> str:
    """Return which class is taken for which, in words. target: split to (K,). whence: where that comes from."""
    said, spared = [], []
    for k, name in enumerate(classes):
        counts = Counter(int(own[k]) for own in target.values())
        others = [(to, n) for to, n in counts.most_common() if to != k]
        if not others:
            spared.append(name)
        elif len(counts) == 1:
            said.append(f"{name} for {classes[others[0][0]]}")
        else:
            mixed = " or ".join(f"{classes[to]} ({n})" for to, n in others)
            said.append(f"{name} for {mixed} of {len(target)} splits")
    rest = f"; labels of {', '.join(spared)} stay right, so fewer are wrong than the rate says" if spared else ""
    return f"{', '.join(said)}{whence}{rest}"
