"""Instance-dependent label noise (Xia et al. 2020, "Part-dependent label noise", appendix, algorithm 2).

Every item has a flip rate of its own, and what it looks like has a say in which other class it is given:

    q_i ~ truncated normal on [0, 1], sd .1, its mean the noise rate;  W_k ~ N(0, 1) of shape (d, K), a class each
    P(label j | x_i, y_i) = q_i softmax over j != y_i of (x_i W_{y_i})_j;  P(y_i | ...) = 1 - q_i

The paper takes pixels for x. Here P is the mean over several spaces of cheap descriptors, none of which competes, each
feature with mean 0 and variance 1: an encoder close to one space has not seen all of the noise. Unlike in the paper the
mean of the truncated normal is the rate, not its location, so that as many labels are wrong as asked for. The weights
are random: items that look alike are taken for the same class, but that is the class they resemble no more often than
by chance (34% where chance gives 33); for that see `bench.protocol.resemblance_noise`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from bench.protocol.resemblance_noise import pick
from bench.seeds import keyed_uniform

SD = 0.1  # of the flip rates, as published
RARE = 1e-4  # below this mean the truncated normal of it is scaled down: its far tail has no digits left


def flip_rates(u: np.ndarray, rate: float) -> np.ndarray:
    """Return the quantiles u in [0, 1) of the flip rates whose mean is `rate` in [0, 1]; they rise with the rate."""
    if rate > 0.5:
        return 1 - flip_rates(1 - u, 1 - rate)
    from scipy.stats import truncnorm  # slow to import

    mean = max(rate, RARE)
    at = _location(mean)
    return truncnorm.ppf(u, -at / SD, (1 - at) / SD, loc=at, scale=SD) * (rate / mean)


@cache
def _location(mean: float) -> float:
    """Return the location of the truncated normal on [0, 1] that has this mean in [RARE, .5]."""
    from scipy.optimize import brentq
    from scipy.stats import truncnorm

    def off(at: float) -> float:
        return float(truncnorm.stats(-at / SD, (1 - at) / SD, loc=at, scale=SD, moments="m")) - mean

    with np.errstate(invalid="ignore"):  # of the skewness, which scipy works out as well
        return float(brentq(off, -2 * SD**2 / RARE, 0.5, xtol=1e-13))


def targets(
    features: Mapping[str, np.ndarray], y: np.ndarray, items: Sequence[str], n_classes: int, seed: int
) -> np.ndarray:
    """Return the class that each of n items is given where its label goes wrong, int (n,), never its own.

    features: name of a space to the items' rows in it, float (n, d), each of mean 0 and variance 1. y (n,): the true
    classes. The target depends on the item's features, class and name and on the seed, not on the other items.
    """
    others = (y[:, None] + 1 + np.arange(n_classes - 1)) % n_classes  # (n, K - 1)
    P = np.zeros(others.shape)
    for space, X in features.items():
        for k in np.unique(y).tolist():
            own = y == k
            logits = np.einsum("nd,dk->nk", X[own].astype(np.float64), _weights(space, k, X.shape[1], n_classes, seed))
            logits = np.take_along_axis(logits, others[own], 1)
            weight = np.exp(logits - logits.max(1, keepdims=True))
            P[own] += weight / weight.sum(1, keepdims=True)
    place = pick(P, keyed_uniform(("instance-dependent", "target", seed), items))
    return others[np.arange(len(y)), place]


def _weights(space: str, k: int, d: int, n_classes: int, seed: int) -> np.ndarray:
    """Return W_k of a space, (d, K)."""
    [u] = keyed_uniform(("instance-dependent", "weights", seed, k), [space])
    return np.random.RandomState(int(u * 2**32)).standard_normal((d, n_classes))  # a stream that numpy keeps as it is
