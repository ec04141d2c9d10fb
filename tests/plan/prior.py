"""Fits the prior of learning curves to whole curves of real sets, by expectation and maximisation over a grid of points.

The likelihood of a curve is that of `bench.statistics.learning_curve`; the points are a Sobol sequence over a box, so
that a normal prior is a set of weights on them, whose mean (linear in `of_noise`) and covariance follow in
closed form from the weights that the curves give. Every set counts alike. Deviation and length of the process are those
of a grid whose marginal likelihood is largest. `wider` is conformal: of forecasts of sets that were left out, what each
would have to be widened by to hold what came, and of these the quantile at `LEVEL`, every set counting alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache
from itertools import product

import numpy as np
from curves_of import Known, Task, sets_of, tasks_of
from scipy.special import logit, ndtr
from scipy.stats import qmc

from bench.statistics.curve_law import EDGE, of_noise, power_law
from bench.statistics.learning_curve import LEVEL, CurvePrior, Forecast, forecast, kernel, on_logit_scale, room

LOW = np.array([np.log(0.1), np.log(0.05), np.log(0.1), -6.0])  # of theta
HIGH = np.array([np.log(12.0), np.log(2000.0), np.log(2.0), 4.0])
POINTS = 2048
MOST, MOST_MADE_UP = 24, 2  # curves of a real set, and of a made-up one, that the prior is fitted to
MANY = 1000  # curves of a real set, more than there are
QUARTERS = 4  # in which made-up sets are left out
BENDS, REACHES, JITTER = (0.45,), (3.0,), 0.03  # of .2, .3 and .45 no other forecasts sets left out better
ROUNDS = 12
WIDER = np.geomspace(0.1, 8, 90)  # what forecasts are tried to be widened by
MADE_UP = "made up"
RHO = (-1.0, 1.5)  # mean and deviation of logit rho, which curves along labels alone cannot tell
LEAST = 0.05  # deviation of a component of theta, at the least


@lru_cache(maxsize=1)
def _box() -> np.ndarray:
    unit = qmc.Sobol(len(LOW), scramble=True, seed=1).random(POINTS)
    return LOW + unit * (HIGH - LOW)


def fit_prior(known: Sequence[Known]) -> CurvePrior:
    """Return the prior, its `wider` 1."""
    return _likeliest(tuple(thinned(known)))


@cache  # two sets are left out together twice, in either order
def _likeliest(some: tuple[Known, ...]) -> CurvePrior:
    return max((_fit(some, *place) for place in product(BENDS, REACHES)), key=lambda found: found[0])[1]


def set_weights(names: Sequence[str]) -> np.ndarray:
    """Return the weight of every curve: sets alike, and real ones together as much as made-up ones together."""
    kinds = [name.startswith(MADE_UP) for name in names]
    sets = {kind: len({name for name, one in zip(names, kinds, strict=True) if one == kind}) for kind in set(kinds)}
    curves = Counter(names)
    each = [1 / curves[name] / sets[kind] / len(sets) for name, kind in zip(names, kinds, strict=True)]
    return np.array(each)


def thinned(known: Sequence[Known], most: int = MOST) -> list[Known]:
    """Return up to `most` curves of every set, evenly taken."""
    found = []
    for name in sets_of(known):
        own = [one for one in known if one.dataset == name]
        count = min(most, MOST_MADE_UP) if name.startswith(MADE_UP) else most
        found += [own[i] for i in np.unique(np.linspace(0, len(own) - 1, count).round().astype(int))]
    return found


def _fit(known: Sequence[Known], bend: float, reach: float) -> tuple[float, CurvePrior]:
    theta = _box()
    start = CurvePrior(
        mean=np.array([[1.0, 1.5, -0.7, RHO[0]], [0.0] * 4, [0.0] * 4]), root=np.diag([1.5, 1.5, 0.6, RHO[1]]),
        bend=bend, reach=reach, jitter=JITTER, wider=1.0,
    )  # fmt: skip
    chances = np.stack([_log_likelihood(one, bend, reach) for one in known])  # (curves, points)
    names = [one.dataset for one in known]
    share = set_weights(names)
    W = np.stack([of_noise(one.curve.noise, one.curve.classes) for one in known])
    mean, cov = start.mean.copy(), start.root @ start.root.T
    total = -np.inf
    for _ in range(ROUNDS):
        precision = np.linalg.inv(cov)
        centre = W @ mean
        quad = (
            np.einsum("pi,ij,pj->p", theta, precision, theta)[None]
            - 2 * centre @ precision @ theta.T
            + np.einsum("ci,ij,cj->c", centre, precision, centre)[:, None]
        )
        prior = -0.5 * quad
        prior -= _log_sum(prior)[:, None]
        both = chances + prior
        evidence = _log_sum(both)
        weight = np.exp(both - evidence[:, None])
        total = float(share @ evidence)
        first = weight @ theta  # (curves, 4)
        second = np.einsum("c,cp,pi,pj->ij", share, weight, theta, theta, optimize=True)
        design = (W * share[:, None]).T @ W + 1e-9 * np.eye(W.shape[1])
        mean = np.linalg.solve(design, (W * share[:, None]).T @ first)
        mean[:, 3] = RHO[0], 0.0, 0.0
        centre = W @ mean
        cross = (first * share[:, None]).T @ centre
        cov = second - cross - cross.T + (centre * share[:, None]).T @ centre
        cov[3], cov[:, 3] = 0.0, 0.0
        cov = cov + np.diag([LEAST**2] * 3 + [RHO[1] ** 2])
    return total, replace(start, mean=mean, root=np.linalg.cholesky(cov))


@cache
def _log_likelihood(one: Known, bend: float, reach: float) -> np.ndarray:
    """Return the log likelihood (points,) of a curve at every point of the box."""
    y, noise = on_logit_scale(one.curve)
    gap = y - power_law(_box(), one.curve.n, one.curve.per_slide, one.curve.classes)
    own = kernel(one.curve.n, one.curve.n, bend * room(one.curve), reach) + np.diag(noise + JITTER**2)
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
    return forecast(task.seen, curve.n[at], curve.per_slide[at], prior), luck_there(task) + prior.jitter**2


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


def needs_of(known: Sequence[Known], made: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return what forecasts of real sets ask to be widened by, each by the prior of the others, and the names of the sets.

    made: of made-up sets too.
    """
    needs, names = [], []
    for part in parts_of(known):
        if is_made(part) and not made:
            continue
        others = fit_prior([one for one in known if one.dataset not in part])
        tasks = tasks_of(thinned([one for one in known if one.dataset in part], MANY))
        names += [task.known.dataset for task in tasks]
        needs += [needed(task, others) for task in tasks]
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
