"""Which of M methods are told apart, all pairs at once: ranks, adjusted p-values, and how near to the best each is.

One set of claims "a is better than b" serves the whole page. A claim is made where the difference is beyond a critical
value that the largest difference of all pairs, each divided by its deviation, exceeds in one table of twenty if methods
are equal. So ranks hold jointly (Mogstad, Romano, Shaikh and Wilhelm 2024, section 3), and a pair with the best is
adjusted for having picked the best on the same test. Pairs that are told apart take no part in the critical value of
the others (stepwise, Romano and Wolf 2005, section 3).

The errors of the scores are drawn from their distribution over other groups and draws (`Spread`): normal, with the
covariances of the methods, divided by the root of a chi-square over its degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.report.intervals import ROUNDING, Spread, of_pairs
from bench.report.statistics import LEVEL

SAMPLES = 4000
NEAR = 0.02  # of balanced accuracy: what users call as good as the best
MANY = 64  # methods, above which p-values and claims are not made stepwise
BLOCK = 2**24  # numbers held at once
STEPS = 8  # at most


@dataclass(frozen=True)
class Comparison:
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


def compare_all(spread: Spread, *, samples: int = SAMPLES, seed: int = 0, level: float = LEVEL) -> Comparison:
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
    return Comparison(p, better, low, high, (first / first.sum(0)).mean(1), (drawn >= top - NEAR).mean(1))


def _errors(spread: Spread, df: float, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return errors of the M scores, (M, B), of covariance test + learning, with tails of Student's t."""
    values, vectors = np.linalg.eigh(spread.test + spread.learning)
    root = vectors * np.sqrt(np.maximum(values, 0))
    normal = root @ rng.standard_normal((len(root), samples))
    return normal / np.sqrt(rng.chisquare(df, samples) / df)


def _stretch(spread: Spread, variance: np.ndarray, apart: np.ndarray) -> float:
    """Return by how much the drawn errors are too small: in folds variances of pairs are more than test + learning."""
    plain = of_pairs(spread.test + spread.learning)
    kept = apart & (plain > ROUNDING)
    return float(np.sqrt(np.median(variance[kept] / plain[kept]))) if kept.any() else 1.0


def _adjusted(observed: np.ndarray, errors: np.ndarray, spread: Spread) -> np.ndarray:
    """Return p (M, M) adjusted for all pairs of observed (M, M) statistics; 1 on the diagonal and below 0."""
    M, B = errors.shape
    plain = of_pairs(spread.test + spread.learning)
    inverse = np.where(plain > ROUNDING, 1 / np.sqrt(np.where(plain > ROUNDING, plain, 1)), 0)
    open_pairs = np.isfinite(observed)
    p = np.where(observed == np.inf, 0.0, 1.0)
    floor = 0.0
    for _ in range(STEPS if M <= MANY else 1):
        largest = _largest(errors, inverse, open_pairs)
        order = np.sort(largest)
        own = (B - np.searchsorted(order, observed - 1e-12, side="left") + 1) / (B + 1)
        own = np.maximum(own, floor)
        told = open_pairs & (own <= 1 - LEVEL)
        p[open_pairs] = own[open_pairs]
        if not told.any() or told.sum() == open_pairs.sum():
            break
        floor = max(floor, float(own[told].max()))
        open_pairs = open_pairs & ~told
    return np.where(observed > 0, np.minimum(p, 1), 1.0)


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
