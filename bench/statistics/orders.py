"""How far two orders of the same things agree."""

from __future__ import annotations

import numpy as np


def kendall_tau(a: np.ndarray, b: np.ndarray) -> float:
    """Return Kendall's tau-b of the scores a (n,) and b (n,) of the same things, -1 to 1 (Kendall 1945).

    Of all pairs: those in one order less those in opposite orders, over the geometric mean of those that are not tied
    in a and not tied in b. nan where all are tied in one, or a score is nan. Time and memory grow with n squared, so it
    is for some hundred things. scipy.stats has it too, and takes longer to import than most runs to write their tables.

    >>> float(kendall_tau(np.array([1, 2, 3]), np.array([1, 3, 2]))).__round__(2)
    0.33
    """
    if not len(a):
        return float("nan")
    one, other = (np.sign(x[:, None] - x) for x in (np.asarray(a, float), np.asarray(b, float)))
    untied, other_untied = ((order**2).sum() / 2 for order in (one, other))
    if not untied or not other_untied:
        return float("nan")
    tau = (one * other).sum() / 2 / np.sqrt(untied) / np.sqrt(other_untied)
    return float(np.clip(tau, -1, 1))
