"""Quantiles of the distributions that intervals are made of, without scipy.stats, which takes a second to import."""

from __future__ import annotations

import numpy as np


def student(q: np.ndarray | float, df: np.ndarray | float) -> np.ndarray:
    """Return the quantiles q (...) of Student's t with df (...) degrees of freedom, (...).

    >>> round(float(student(0.975, 10)), 3)
    2.228
    """
    from scipy.special import stdtrit

    return np.asarray(stdtrit(df, q))


def student_above(x: np.ndarray, df: np.ndarray | float) -> np.ndarray:
    """Return how likely Student's t is above x (...), (...)."""
    from scipy.special import stdtr

    return np.asarray(stdtr(df, -x))


def normal(q: float) -> float:
    """Return the quantile q of the normal distribution."""
    from scipy.special import ndtri

    return float(ndtri(q))


def binomial(q: float, n: int, p: float) -> int:
    """Return the least count that a share q of n draws with probability p does not exceed.

    >>> binomial(0.5, 10, 0.3)
    3
    """
    from scipy.special import bdtr

    return int(np.searchsorted(bdtr(np.arange(n + 1.0), n, p), q))
