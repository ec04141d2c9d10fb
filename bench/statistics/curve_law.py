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

Of a share r of wrong labels, spread over the other classes at random, each takes away from a class mean what a right
one brings: with q = 1 - r K / (K - 1) the mean is known as if from u q^2 labels. Heads lose more of them or fewer,

    d_r(u) = d(u q^(2 kappa))

And however far apart classes are, which label is theirs is found by a vote, in which the right label leads any other by
u q, with the variance u v, where v = 1 - r + r / (K - 1) - q^2. Both errors together, their variances added:

    d = (d_r(u)^-2 + lambda^2 v / (u q^2))^-1/2

theta = (log d_max, log h, log b, logit rho, kappa, log lambda) differs from head to head and from set to set, not from
one share of wrong labels to another.

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


def kept(noise: np.ndarray | float, classes: int) -> np.ndarray:
    """Return q: by how much the mean of a class is right, a share of its labels wrong; LEAST_KEPT to 1.

    >>> kept(np.array([0.0, 0.4, 0.9]), 2).round(2)
    array([1.  , 0.2 , 0.05])
    """
    return np.maximum(1 - np.asarray(noise) * classes / (classes - 1), LEAST_KEPT)


def power_law(theta: np.ndarray, n: np.ndarray, per_slide: np.ndarray, noise: np.ndarray, classes: int) -> np.ndarray:
    """Return logit scores (A, Q) of parameters theta (A, 6) at n, per_slide, shares of wrong labels (Q,)."""
    from scipy.special import expit

    most, half, b, kappa = np.exp(theta[:, :1]), np.exp(theta[:, 1:2]), np.exp(theta[:, 2:3]), theta[:, 4:5]
    u, q = independent_labels(n, per_slide, expit(theta[:, 3:4])), kept(noise, classes)
    clean = most * np.exp(-b * np.log1p(half / (u * q ** (2 * kappa))))
    v = np.maximum(1 - noise + noise / (classes - 1) - q**2, 0)
    d = clean / np.sqrt(1 + np.exp(2 * theta[:, 5:6]) * v / (u * q**2) * clean**2)
    return np.interp(d, *_forced_choice(classes))


@lru_cache(maxsize=16)
def _forced_choice(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return distances of a class from the others, and the logit scores that they bring."""
    from scipy.special import logit, ndtr

    d, x = np.arange(0, FARTHEST, STEP), np.linspace(-8, 8, 321)
    weight = np.exp(-0.5 * x**2)
    score = ndtr(x + d[:, None]) ** (classes - 1) @ (weight / weight.sum())
    return d, logit(np.clip(score, EDGE, 1 - EDGE))
