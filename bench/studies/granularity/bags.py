"""Bags: images as sets of cells. Index arrays over the rows of one embedding matrix, reduced bag by bag without loops.

Letters: N rows of embeddings, d dimensions, B bags, M members of all bags together, K classes. A row may be a member of
several bags (simulated ones), so bags point at rows and hold none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.errors import BenchError

EPS = 1e-7  # probabilities are clipped here before their logarithm is taken


@dataclass(frozen=True)
class Bags:
    """B bags. rows (M,): row of each member, bag by bag; start (B,): where each begins in it; y (B,): labels, >= 0."""

    rows: np.ndarray
    start: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    @property
    def size(self) -> np.ndarray:
        """Members of each bag, int (B,), at least 1."""
        return np.diff(np.append(self.start, len(self.rows)))

    @property
    def of_member(self) -> np.ndarray:
        """The bag of each member, int (M,), rising."""
        return np.repeat(np.arange(len(self)), self.size)

    def take(self, which: np.ndarray) -> Bags:
        """Return bags by position, int (b,), in that order."""
        size = self.size[which]
        start = np.cumsum(size) - size
        member = np.repeat(self.start[which] - start, size) + np.arange(size.sum())
        return Bags(self.rows[member], start, self.y[which])


def make_bags(bag: np.ndarray, y: np.ndarray, rows: np.ndarray | None = None) -> Bags:
    """Return B bags from the bag of each member, int (M,) in [0, B). y (B,): labels. rows (M,): 0 to M - 1 if None.

    Members keep their order within a bag. Raises BenchError for a bag without members, which has no mean.
    """
    size = np.bincount(bag, minlength=len(y))
    if len(size) != len(y) or not size.all():
        empty = int(np.argmin(size)) if len(size) == len(y) else len(y)
        raise BenchError(f"Got bag {empty} of {len(y)} labelled bags without members or label; expected both of each.")
    order = np.argsort(bag, kind="stable")
    return Bags((np.arange(len(bag)) if rows is None else rows)[order], np.cumsum(size) - size, np.asarray(y))


def bags_of_one(rows: np.ndarray, y: np.ndarray) -> Bags:
    """Return a bag for every row, int (n,): a labelled cell is an image that shows nothing else."""
    return Bags(rows, np.arange(len(rows)), y)


def join_bags(first: Bags, second: Bags) -> Bags:
    """Return the bags of both, the first ones first."""
    start = np.concatenate([first.start, second.start + len(first.rows)])
    return Bags(np.concatenate([first.rows, second.rows]), start, np.concatenate([first.y, second.y]))


def bag_sums(values: np.ndarray, bags: Bags) -> np.ndarray:
    """Return the sum over the members of each bag, (B, ...), of values (M, ...), in their type."""
    if not len(bags):
        return np.zeros((0, *values.shape[1:]), values.dtype)
    return np.add.reduceat(values, bags.start, axis=0)


def bag_means(values: np.ndarray, bags: Bags) -> np.ndarray:
    """Return the mean over the members of each bag, float64 (B, ...), of values (M, ...)."""
    sums = bag_sums(values.astype(np.float64, copy=False), bags)
    return sums / bags.size.reshape(-1, *[1] * (values.ndim - 1))


def bag_softmax(S: np.ndarray, bags: Bags) -> tuple[np.ndarray, np.ndarray]:
    """Return (log of the mean of exp(S) over each bag, (B, ...); each member's share of that sum, (M, ...)).

    S: float64 (M, ...). Computed without overflow.
    """
    top = np.maximum.reduceat(S, bags.start, axis=0)
    of_member = bags.of_member
    share = np.exp(S - top[of_member])
    total = bag_sums(share, bags)
    share /= total[of_member]
    return top + np.log(total / bags.size.reshape(-1, *[1] * (S.ndim - 1))), share


def mean_probability(P: np.ndarray, bags: Bags) -> np.ndarray:
    """Return the mean of the members' class probabilities P (M, K), (B, K)."""
    return bag_means(P, bags)


def vote(P: np.ndarray, bags: Bags) -> np.ndarray:
    """Return the share of members whose largest probability is of each class, (B, K); ties go to the first class."""
    return bag_means(np.eye(P.shape[1])[P.argmax(1)], bags)


def mean_log_odds(P: np.ndarray, bags: Bags) -> np.ndarray:
    """Return the normalised geometric mean of the members' probabilities, (B, K).

    It is the softmax of the mean log-odds against any one class. Probabilities are clipped at EPS, except of a class
    that no member has any of, which stays at 0.
    """
    if not len(bags):
        return np.zeros((0, P.shape[1]))
    logs = bag_means(np.log(np.clip(P, EPS, 1)), bags)
    found = np.exp(logs - logs.max(1, keepdims=True)) * (P.max(0) > 0)
    return found / found.sum(1, keepdims=True)
