"""The law of learning curves: how far apart classes are told rises by an inverse power law of independent labels.

Let n be the labels per class, m how many labels come from one slide, and rho how alike labels of a slide are. They are
worth

    u = n / (1 + rho (m - 1))                                   independent labels (Kish 1965, section 5.4)

so that more labels of the same slides bring less and less: u is at most (slides) / rho. How far a class is from the
others, in deviations of its items, follows an inverse power law (Figueroa et al. 2012, BMC Med. Inform. Decis. Mak.
12:8, have one of the score itself),

    d(u) = d_max (1 + h / u)^-b                             nothing at u = 0, d_max at the end, b = 1/2 for class means

(means of normal classes, each estimated from u items: Raudys and Jain 1991, IEEE PAMI 13:252), and of K classes the
right one is found, as in a forced choice of K (Green and Swets 1966), with

    score = integral of phi(x) Phi(x + d)^(K - 1) dx        1/K at d = 0

theta = (log d_max, log h, log b, logit rho) differs from curve to curve. Of a share r of wrong labels, spread over the
other classes at random, each takes away from a class mean what a right one brings: the mean is known as if from
n (1 - r K / (K - 1))^2 labels (`worth_lost`).

Letters: A sets of parameters, Q points that are asked for.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

EDGE = 5e-3  # scores are kept so far from 0 and 1 on the logit scale: nearer ones are not told apart
LEAST_KEPT = 0.05  # of 1 - r K / (K - 1), at the least: labels that are all but random are told from no others
FARTHEST, STEP = 14.0, 0.02  # distances of classes of which scores are tabulated


def independent_labels(n: np.ndarray, per_slide: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Return how many independent labels n are worth, `per_slide` of them from a slide; rho in [0, 1].

    >>> independent_labels(40, 4, 1.0), independent_labels(40, 4, 0.0)
    (10.0, 40.0)
    """
    return n / (1 + rho * (per_slide - 1))


def worth_lost(noise: float, classes: int) -> float:
    """Return the log of how many labels, a share of them wrong, a class mean needs to be known as well as from one.

    >>> round(worth_lost(0.4, 2), 2), round(worth_lost(0.4, 10), 2), worth_lost(0.0, 2)
    (3.22, 1.18, 0.0)
    """
    return -2 * float(np.log(max(1 - noise * classes / (classes - 1), LEAST_KEPT))) + 0.0


def of_noise(noise: float, classes: int) -> np.ndarray:
    """Return what the mean of theta goes by, (3,): 1, the share of wrong labels, and `worth_lost`."""
    return np.array([1.0, noise, worth_lost(noise, classes)])


def power_law(theta: np.ndarray, n: np.ndarray, per_slide: np.ndarray, classes: int) -> np.ndarray:
    """Return logit scores (A, Q) of parameters theta (A, 4) at n, per_slide (Q,)."""
    from scipy.special import expit

    most, half, b = np.exp(theta[:, :1]), np.exp(theta[:, 1:2]), np.exp(theta[:, 2:3])
    u = independent_labels(n, per_slide, expit(theta[:, 3:4]))
    return np.interp(most * np.exp(-b * np.log1p(half / u)), *_forced_choice(classes))


@lru_cache(maxsize=16)
def _forced_choice(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return distances of a class from the others, and the logit scores that they bring."""
    from scipy.special import logit, ndtr

    d, x = np.arange(0, FARTHEST, STEP), np.linspace(-8, 8, 321)
    weight = np.exp(-0.5 * x**2)
    score = ndtr(x + d[:, None]) ** (classes - 1) @ (weight / weight.sum())
    return d, logit(np.clip(score, EDGE, 1 - EDGE))
