"""Fits the prior of learning curves to whole curves of real sets, by expectation and maximisation over a grid of points.

The likelihood is that of `bench.statistics.learning_curve`, of all curves of an encoder and head together; the points
are a normal Sobol sequence, wider than any prior, so that a normal prior is a set of weights on them, whose mean and
covariance follow in closed form from the weights that the curves give. Every set counts alike. Deviation and length of
the process are given. `wider` is conformal: of forecasts of sets that were left out, what each would have to be widened
by to hold what came, and of these the quantile at `LEVEL`, every set counting alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache

import numpy as np
from curves_of import Known, Task, by_pair, sets_of, tasks_of
from scipy.special import logit, ndtr, ndtri
from scipy.stats import qmc

from bench.statistics.curve_law import EDGE, power_law
from bench.statistics.curve_process import covariance
from bench.statistics.learning_curve import LEVEL, CurvePrior, Forecast, forecast, on_logit_scale, points_of

CENTRE = np.array([0.6, 2.6, -1.2, -1.0, 1.15, -0.4])  # of the points, and deviations of theta among them, which are
SPREAD = np.array([1.4, 1.2, 0.42, 1.5, 0.42, 0.62])  # WIDE times those of a prior fitted to points that moved with it
WIDE = 1.35
POINTS = 4096
MOST, MOST_MADE_UP = 8, 2  # encoders and heads of a real set, and of a made-up one, that the prior is fitted to
FEW = 4  # forecasts of a made-up set that say how wide intervals have to be
QUARTERS = 4  # in which made-up sets are left out
BEND, REACH, JITTER = 0.45, 3.0, 0.03  # of the process, as chosen for the law before this one
ROUNDS = 8
WIDER = np.geomspace(0.1, 8, 90)  # what forecasts are tried to be widened by
MADE_UP = "made up"
RHO, RHO_AT = (-1.0, 1.5), 3  # mean and deviation of logit rho, which curves along labels alone cannot tell
LEAST = 0.05  # deviation of a component of theta, at the least


@lru_cache(maxsize=1)
def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Return the points (points, 6), and the log of their density (points,) but for a constant."""
    unit = qmc.Sobol(len(CENTRE), scramble=True, seed=1).random(POINTS)
    normal = ndtri(np.clip(unit, 1e-9, 1 - 1e-9))
    return CENTRE + normal * SPREAD, -0.5 * (normal**2).sum(1)


Pair = tuple[Known, ...]  # the curves of an encoder and head


def fit_prior(known: Sequence[Known]) -> CurvePrior:
    """Return the prior, its `wider` 1."""
    return _likeliest(frozenset(thinned(known)))


def set_weights(names: Sequence[str]) -> np.ndarray:
    """Return the weight of every curve: sets alike, and real ones together as much as made-up ones together."""
    kinds = [name.startswith(MADE_UP) for name in names]
    sets = {kind: len({name for name, one in zip(names, kinds, strict=True) if one == kind}) for kind in set(kinds)}
    curves = Counter(names)
    each = [1 / curves[name] / sets[kind] / len(sets) for name, kind in zip(names, kinds, strict=True)]
    return np.array(each)


def thinned(known: Sequence[Known]) -> list[Pair]:
    """Return up to so many encoders and heads of every set, evenly taken."""
    found, pairs = [], by_pair(known)
    for name in sets_of(known):
        own = [pair for pair in pairs if pair[0].dataset == name]
        count = min(len(own), MOST_MADE_UP if name.startswith(MADE_UP) else MOST)
        found += [own[i] for i in np.unique(np.linspace(0, len(own) - 1, count).round().astype(int))]
    return found


@cache  # two sets are left out together twice, in either order
def _likeliest(pairs: frozenset[Pair]) -> CurvePrior:
    theta, density = _grid()
    ordered = sorted(pairs, key=lambda pair: pair[0].pair)
    chances = np.stack([_log_likelihood(pair) for pair in ordered])  # (pairs, points)
    share = set_weights([pair[0].dataset for pair in ordered])
    mean, cov = CENTRE, np.diag((SPREAD / WIDE) ** 2)
    for _ in range(ROUNDS):
        away = theta - mean
        prior = -0.5 * np.einsum("pi,ij,pj->p", away, np.linalg.inv(cov), away) - density
        both = chances + prior - _log_sum(prior[None])
        weight = share @ np.exp(both - _log_sum(both)[:, None]) / share.sum()
        mean = weight @ theta
        mean[RHO_AT] = RHO[0]
        away = theta - mean
        cov = (away * weight[:, None]).T @ away
        cov[RHO_AT], cov[:, RHO_AT] = 0.0, 0.0
        least = np.full(len(mean), LEAST**2)
        least[RHO_AT] = RHO[1] ** 2
        cov = cov + np.diag(least)
    return CurvePrior(mean=mean, root=np.linalg.cholesky(cov), bend=BEND, reach=REACH, jitter=JITTER, wider=1.0)


@cache
def _log_likelihood(pair: Pair) -> np.ndarray:
    """Return the log likelihood (points,) of the curves of an encoder and head at every point of the grid."""
    known, y, luck = points_of([one.curve for one in pair])
    gap = y - power_law(_grid()[0], known.n, known.per_slide, known.noise, pair[0].curve.classes)
    own = covariance(known, known, BEND, REACH, known.apart) + np.diag(luck + JITTER**2)
    _, det = np.linalg.slogdet(own)
    return -0.5 * np.einsum("pr,rp->p", gap, np.linalg.solve(own, gap.T)) - 0.5 * det


def _log_sum(a: np.ndarray) -> np.ndarray:
    top = a.max(1)
    return top + np.log(np.exp(a - top[:, None]).sum(1))


def predicted(task: Task, prior: CurvePrior) -> np.ndarray:
    """Return (low, median, high) of the score that a task asks for, of other draws of the same set."""
    found, more = _said(task, prior)
    return found.interval(more)[:, 0]


def _said(task: Task, prior: CurvePrior) -> tuple[Forecast, float]:
    """Return the forecast of a task, and the variance that the score there has besides."""
    curve, at = task.known.curve, slice(task.at, task.at + 1)
    return forecast(task.seen, curve.n[at], curve.per_slide[at], prior, task.beside), luck_there(task) + prior.jitter**2


def luck_there(task: Task) -> float:
    """Return the variance from the draws of the score asked for, on the logit scale, from the points that are seen."""
    _, noise = on_logit_scale(task.seen)
    return float(noise[-1] * np.sqrt(task.seen.n[-1] / task.n))


def needed(task: Task, prior: CurvePrior) -> float:
    """Return the least of WIDER by which the forecast of a task has to be widened to hold its score."""
    found, more = _said(task, replace(prior, wider=1.0))
    middle = found.weight @ found.centre[:, 0]
    score = float(logit(np.clip(task.score, EDGE, 1 - EDGE))) - middle
    deviation = np.sqrt(WIDER**2 * found.covariance[0, 0] + more)
    below = found.weight @ ndtr((score - np.outer(found.centre[:, 0] - middle, WIDER)) / deviation)
    held = np.abs(below - 0.5) <= LEVEL / 2
    return float(WIDER[held.argmax()]) if held.any() else np.inf


def needs_of(known: Sequence[Known], made: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return what forecasts of sets ask to be widened by, each by the prior of the others, and the names of the sets.

    made: of made-up sets too, FEW of each.
    """
    needs, names = [], []
    for part in parts_of(known):
        if is_made(part) and not made:
            continue
        others = fit_prior([one for one in known if one.dataset not in part])
        for name in sorted(part):
            tasks = tasks_of([one for one in known if one.dataset == name])
            count = min(len(tasks), FEW) if is_made(part) else len(tasks)
            some = np.unique(np.linspace(0, len(tasks) - 1, count).round().astype(int)) if tasks else []
            names += [name] * len(some)
            needs += [needed(tasks[i], others) for i in some]
    return np.array(needs), np.array(names)


def widened(prior: CurvePrior, needs: np.ndarray, names: np.ndarray) -> CurvePrior:
    """Return the prior with the `wider` that LEVEL of forecasts ask for at the most; sets alike, and
    real ones together as much as made-up ones."""
    order = np.argsort(needs)
    reached = set_weights(list(names))[order].cumsum()
    return replace(prior, wider=float(needs[order[np.searchsorted(reached, LEVEL * reached[-1])]]))


def is_made(part: set[str]) -> bool:
    return any(name.startswith(MADE_UP) for name in part)


def parts_of(known: Sequence[Known]) -> list[set[str]]:
    """Return the sets that are left out together: a real one by itself, made-up ones by quarters."""
    real = [name for name in sets_of(known) if not name.startswith(MADE_UP)]
    made = [name for name in sets_of(known) if name.startswith(MADE_UP)]
    return [{name} for name in real] + [set(made[i::QUARTERS]) for i in range(QUARTERS) if made]
