"""How far a learning curve departs from its law: a Gaussian process over numbers of labels, and over wrong labels.

Curves of one method with different shares of wrong labels depart together where their labels are worth the same: the
process is one over the labels that a clean curve would need, u q^2 (`bench.statistics.curve_law`). Each share of wrong
labels departs besides by a process as large, half of whose variance is that of all of them. On the logit scale.

Letters: R points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ALIKE = 0.5  # correlation of what departs by wrong labels, between two shares of them


@dataclass(frozen=True, kw_only=True)
class Points:
    """Points of curves of one method, all (R,). n, per_slide: labels per class, and of one slide; noise: the share of
    wrong labels; kept: q of `curve_law.kept`; curve: which curve; room: how much it moves.
    """

    n: np.ndarray
    per_slide: np.ndarray
    noise: np.ndarray
    kept: np.ndarray
    curve: np.ndarray
    room: np.ndarray

    @property
    def apart(self) -> bool:
        """Whether some labels came from several numbers of slides."""
        return len(np.unique(np.c_[self.n, self.curve], axis=0)) < len(self.n)


def kernel(a: np.ndarray, b: np.ndarray, reach: float) -> np.ndarray:
    """Return the correlation (a, b) of the process at numbers of labels.

    >>> kernel(np.array([1.0]), np.array([1.0, 8.0]), 3.0).round(3)
    array([[1.   , 0.607]])
    """
    return np.exp(-0.5 * (np.subtract.outer(np.log2(a), np.log2(b)) / reach) ** 2)


def covariance(a: Points, b: Points, bend: float, reach: float, apart: bool) -> np.ndarray:
    """Return the covariance (a, b) of the process at points. bend: its deviation; reach: its length in doublings.

    Along one run labels and slides rise together, and the process is one over labels; apart: it is one over both.
    """
    same = np.equal.outer(a.curve, b.curve)
    wrong = np.logical_and.outer(a.noise > 0, b.noise > 0)
    found = kernel(a.n * a.kept**2, b.n * b.kept**2, reach)
    found += wrong * np.where(same, 1, ALIKE) * kernel(a.n, b.n, reach)
    found *= bend**2 * np.outer(a.room, b.room)
    return found * kernel(a.per_slide, b.per_slide, reach) if apart else found
