"""Which of M methods are told apart, all pairs at once: ranks, adjusted p-values, and how near to the best each is.

One set of claims "a is better than b" serves the whole page. A claim is made where the difference is beyond a critical
value that the largest difference of all pairs, each divided by its deviation, exceeds in one table of twenty if methods
are equal. So ranks hold jointly (Mogstad, Romano, Shaikh and Wilhelm 2024, section 3). Pairs that are told apart take
no part in the critical value of the others (stepwise, Romano and Wolf 2005, section 3).

For pairs with the best one, which was found on the same test, that is stricter than necessary: a false claim needs a
wrong best, and methods clearly behind are no candidates. So their critical value is of the pairs of a candidate with
any other, where candidates are less than max(2, sqrt(2 log(M / 2))) deviations behind the best (moment selection, as
in Hansen 2005, section 2.3, and Andrews and Soares 2010, section 4). Of equal methods nearly all are candidates. Where
the best stands alone, more is told by how far it is ahead given that it was found to be the best
(`bench.statistics.winner`), with the critical value of the largest difference from one method. Of equal methods one
rarely stands alone by `ALONE`, so that both ways claim hardly more than one (`tests/simulation/pairs_with_best.py`).

The errors of the scores are drawn from their distribution over other groups and draws (`Spread`): normal, with the
covariances of the methods, and tails of Student's t.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.statistics.hits import LEVEL
from bench.statistics.spread import ROUNDING, Spread, of_pairs
from bench.statistics.winner import ahead

SAMPLES = 4000
NEAR = 0.02  # of balanced accuracy: what users call as good as the best
MANY = 64  # methods, above which p-values and claims are not made stepwise
BLOCK = 2**24  # numbers held at once
STEPS = 8  # at most
ALONE = 1.25  # deviations of the difference, from which on the second one is clearly behind the best
SELECTED = 1.25  # what p-values of pairs with the best are multiplied by, for the chance that a candidate was missed


@dataclass(frozen=True)
class Ranking:
    """What is claimed of M methods.

    p (M, M): adjusted for all pairs, that a is no better than b; better bool (M, M): claimed at `LEVEL`. low, high int
    (M,): ranks a method may truly have, 1 is best, equal methods share the better rank. p_best (M,): how often a method
    is the best when the errors are drawn anew; p_near: how often within `NEAR` of the best.
    """

    p: np.ndarray
    better: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_best: np.ndarray
    p_near: np.ndarray


def compare_all(spread: Spread, *, samples: int = SAMPLES, seed: int = 0, level: float = LEVEL) -> Ranking:
    """Return what the scores of `spread` claim of their order."""
    M = len(spread.mean)
    variance, df = spread.errors(of_pairs)
    apart = variance > ROUNDING
    rng = np.random.default_rng(seed)
    errors = _errors(spread, float(np.nanmedian(df[apart])) if apart.any() else 1.0, samples, rng)  # (M, B)
    gap = spread.mean[:, None] - spread.mean
    deviation = np.sqrt(np.where(apart, variance, 1))
    observed = np.where(apart, gap / deviation, np.where(gap > 1e-9, np.inf, -np.inf))
    np.fill_diagonal(observed, -np.inf)
    p = _adjusted(observed, errors, spread)
    better = p <= 1 - level
    drawn = spread.mean[:, None] + errors * _stretch(spread, variance, apart)
    top = drawn.max(0)
    first = drawn >= top - 1e-12
    low = 1 + better.sum(0)
    high = M - better.sum(1)
    return Ranking(p, better, low, high, (first / first.sum(0)).mean(1), (drawn >= top - NEAR).mean(1))


def _errors(spread: Spread, df: float, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return errors of the M scores about their mean, (M, B), of covariance test + learning, with tails of Student's t.

    Every method has a chi-square of its own, since every pair is divided by a deviation of its own, and the largest of
    many is likely one whose deviation was found too small. Half the degrees of freedom in each of two methods give
    their difference the kurtosis of all of them.
    """
    values, vectors = np.linalg.eigh(spread.test + spread.learning)
    root = vectors * np.sqrt(np.maximum(values, 0))
    normal = root @ rng.standard_normal((len(root), samples))
    normal -= normal.mean(0)
    own = max(df / 2, 2.5)  # of less, no variance
    return normal / np.sqrt(rng.chisquare(own, normal.shape) / own)


def _stretch(spread: Spread, variance: np.ndarray, apart: np.ndarray) -> float:
    """Return by how much the drawn errors are too small: in folds variances of pairs are more than test + learning."""
    plain = of_pairs(spread.test + spread.learning)
    kept = apart & (plain > ROUNDING)
    return float(np.sqrt(np.median(variance[kept] / plain[kept]))) if kept.any() else 1.0


def _adjusted(observed: np.ndarray, errors: np.ndarray, spread: Spread) -> np.ndarray:
    """Return p (M, M) of observed (M, M) statistics, see above; 1 on the diagonal and for differences below 0."""
    M = len(errors)
    plain = of_pairs(spread.test + spread.learning)
    inverse = np.where(plain > ROUNDING, 1 / np.sqrt(np.where(plain > ROUNDING, plain, 1)), 0)
    pairs = np.isfinite(observed)
    steps = STEPS if M <= MANY else 1
    p = _stepwise(observed, errors, inverse, pairs, steps)
    best = int(spread.mean.argmax())
    candidate = observed[best] < max(2.0, np.sqrt(2 * np.log(max(M / 2, 1))))  # the best itself, at -inf, is one
    with_best = _stepwise(observed, errors, inverse, pairs & candidate[:, None], STEPS, 1 - (1 - LEVEL) / SELECTED)
    p[best] = np.minimum(p[best], np.minimum(SELECTED * with_best[best], 1))
    if observed[best].min(initial=np.inf, where=pairs[best]) >= ALONE:
        far, of_best = np.zeros_like(observed), np.zeros_like(pairs)
        far[best] = far[:, best] = ahead(spread)  # from one method, on either side
        of_best[best] = of_best[:, best] = pairs[best]
        p[best] = np.minimum(p[best], _stepwise(far, errors, inverse, of_best, STEPS)[best])
    p[observed == np.inf] = 0
    return np.where(observed > 0, p, 1.0)


def _stepwise(
    observed: np.ndarray, errors: np.ndarray, inverse: np.ndarray, pairs: np.ndarray, steps: int, level: float = LEVEL
) -> np.ndarray:
    """Return p (M, M) adjusted for all of some pairs, bool (M, M); 1 for the others."""
    B, floor = errors.shape[1], 0.0
    p, left = np.ones(observed.shape), pairs.copy()
    for _ in range(steps):
        if not left.any():
            break
        largest = np.sort(_largest(errors, inverse, left))
        own = np.maximum((B - np.searchsorted(largest, observed - 1e-12) + 1) / (B + 1), floor)
        p[left] = own[left]
        told = left & (own <= 1 - level)
        if not told.any():
            break
        floor = float(own[told].max())
        left &= ~told
    return p


def _largest(errors: np.ndarray, inverse: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return the largest standardised difference of the pairs that are open, bool (M, M), in every sample, (B,)."""
    M, B = errors.shape
    out = np.full(B, -np.inf)
    step = max(1, BLOCK // M)
    for at in range(0, B, step):
        part = errors[:, at : at + step]
        for a in range(M):
            others = np.flatnonzero(pairs[a])
            if len(others):
                gaps = (part[a] - part[others]) * inverse[a, others, None]
                np.maximum(out[at : at + step], gaps.max(0), out=out[at : at + step])
    return out
