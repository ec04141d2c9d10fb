"""The power law of Figueroa et al. (2012, BMC Med. Inform. Decis. Mak. 12:8): score = a - b n^-c, weighted least squares.

The j-th of m points has the weight j / m; the interval of a later score is that of the fit (their section 'Confidence
bounds'), by Student's t with m - 3 degrees of freedom: three points give a curve and no interval, fewer give no curve.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.optimize import curve_fit
from scipy.stats import t

from bench.statistics.learning_curve import LEVEL, Curve

PARAMETERS = 3


def figueroa(curve: Curve, n: float) -> tuple[float, float, float]:
    """Return (low, fitted, high) of the score at n labels; NaN where there is none."""
    m = len(curve.n)
    if m < PARAMETERS:
        return np.nan, np.nan, np.nan
    sigma = 1 / np.sqrt(np.arange(1, m + 1) / m)
    first = (min(curve.score.max() + 0.02, 0.999), max(np.ptp(curve.score), 0.02), 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            p, cov = curve_fit(_law, curve.n, curve.score, first, sigma, bounds=([0, 0, 0.01], [1, 1, 3]), maxfev=4000)
        except (RuntimeError, ValueError):
            return np.nan, np.nan, np.nan
    fitted = float(_law(n, *p))
    if m == PARAMETERS or not np.isfinite(cov).all():
        return np.nan, fitted, np.nan
    slope = np.array([1.0, -(n ** -p[2]), p[1] * n ** -p[2] * np.log(n)])
    reach = t.ppf((1 + LEVEL) / 2, m - PARAMETERS) * np.sqrt(max(slope @ cov @ slope, 0.0))
    return max(fitted - reach, 0.0), fitted, min(fitted + reach, 1.0)


def _law(n: np.ndarray | float, a: float, b: float, c: float) -> np.ndarray:
    return a - b * np.asarray(n, float) ** -c
