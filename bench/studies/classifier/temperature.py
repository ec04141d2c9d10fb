"""The temperature of a classifier, also where nearly every row is predicted rightly.

There the log loss of left-out rows says little (`bench.heads.temperature`): without an error it asks for T = 0, and
with one or two errors it depends on those alone. Three terms are added up, as functions of u = -log T:

    log loss of the n rows      sum_i -log P_T(x_i)[y_i]
    how sure, how often right   -n (a log c + (1 - a) log(1 - c))
                                c = mean over rows of the largest of P_T, a = (right + 1/2) / (n + 1)
    known before                (WEIGHT / 2) (u - u0)^2

The second term uses all rows alike. It is least where the mean probability c is the share of right answers a, which is
estimated with Jeffreys' prior. u0 belongs to the published temperature T0. T0 is too high for data that are easier than
those it was fitted on, so where few answers are wrong u0 belongs to

    T0 (e / EASY)^2   where   e = (wrong + 1) / (n + 2) < EASY

but never to a temperature at which c is above a: a head that is too sure already, such as LDA, is not made surer.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from bench.heads.temperature import LARGEST, log_probabilities

WEIGHT = 3.0  # this and EASY were chosen without the scores of the blood cells that needed them: results/classifier
EASY = 0.15
PLACES = 17  # between which the least value is looked for


def settled_temperature(P: np.ndarray, y: np.ndarray, published: float) -> float:
    """Return the temperature for probabilities P (n, K) of left-out rows with labels y (n,), as above."""
    end = float(np.log(LARGEST))
    u0 = float(np.clip(-np.log(published), -end, end))
    n = len(y)
    if not n:
        return float(np.exp(-u0))
    L = log_probabilities(P)
    top = L.max(1)
    behind, lead = L - top[:, None], float((top - L[np.arange(n), y]).sum())
    right = int((P.argmax(1) == y).sum())
    share = (right + 0.5) / (n + 1)

    def found(u: float) -> tuple[float, float]:
        """Return the log loss of all rows, and the mean of their largest probabilities."""
        totals = np.exp(np.exp(u) * behind).sum(1)
        return float(np.log(totals).sum() + np.exp(u) * lead), float((1 / totals).mean())

    def unsure(u: float) -> float:
        return found(u)[1] - share

    easier = 2 * np.log(EASY * (n + 2) / (n - right + 1))
    if easier > 0 and unsure(u0) < 0:
        far = min(u0 + easier, end)
        u0 = far if unsure(far) <= 0 else brentq(unsure, u0, far, xtol=1e-6)

    def cost(u: float) -> float:
        loss, sure = found(u)
        sure = min(max(sure, 1e-12), 1 - 1e-12)
        return float(
            loss - n * (share * np.log(sure) + (1 - share) * np.log(1 - sure)) + WEIGHT / 2 * (u - u0) ** 2
        )  # fmt: skip

    places = np.linspace(-end, end, PLACES)
    at = int(np.argmin([cost(u) for u in places]))
    near = (places[max(at - 1, 0)], places[min(at + 1, PLACES - 1)])
    return float(np.exp(-minimize_scalar(cost, bounds=near, method="bounded", options={"xatol": 1e-6}).x))
