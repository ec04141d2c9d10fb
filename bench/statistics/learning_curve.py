"""What a learning curve will be beyond its last point: an inverse power law, a Gaussian process around it, a prior.

The law is that of `bench.statistics.curve_law`, of parameters theta that differ from curve to curve. On the logit scale

    logit score(n) = logit score(u; theta) + GP(log2 n) + luck of the draws

as in Mehrtash et al. (2311.18025), where the process allows for curves of another form (`curve_process`). Two or three
points do not tell theta: it has a normal prior, fitted to curves of real data (`bench.statistics.curve_prior`). A curve
of wrong labels is forecast with the curves of fewer wrong ones beside it, which have the same theta. The prior is
`ATOMS` points of a Sobol sequence; each is weighed by the likelihood of the curves, the process integrated out, so that
a forecast is a mixture of normals. No random numbers are drawn.

Letters: R points of curves, A atoms, Q points that are asked for, B paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

from bench.statistics.curve_law import EDGE, kept, power_law
from bench.statistics.curve_process import Points, covariance

ATOMS = 4096
PATHS = 1024
LEVEL = 0.90
NEGLIGIBLE = 1e-3  # weight of an atom, of the largest one's, below which it is left out
LEAST_ROOM = 0.2
MERGED = 20  # atoms nearer than this part of a deviation are one, for quantiles
LEAST_LUCK = 1e-6  # variance of a score that no curve is known better than


@dataclass(frozen=True, kw_only=True)
class CurvePrior:
    """What curves are like. mean (6,): of theta; root (6, 6): a Cholesky factor of its covariance. bend: deviation of
    the process; reach: its length in doublings; jitter: deviation of one point, all on the logit scale. wider: what
    deviations of a forecast are multiplied by, such that the intervals of sets that the prior has not seen hold what
    they should.
    """

    mean: np.ndarray
    root: np.ndarray
    bend: float
    reach: float
    jitter: float
    wider: float

    def __post_init__(self) -> None:
        for array in (self.mean, self.root):
            array.flags.writeable = False

    def atoms(self) -> np.ndarray:
        """Return theta (A, 6)."""
        return self.mean + _normal_points(ATOMS, len(self.mean)) @ self.root.T


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A learning curve. n, per_slide, score, luck (R,): labels per class, labels of one slide (1 or more), balanced
    accuracy, and the variance that it has from the draws. classes: K; noise: the share of wrong labels.
    """

    n: np.ndarray
    per_slide: np.ndarray
    score: np.ndarray
    luck: np.ndarray
    classes: int
    noise: float = 0.0

    @property
    def last(self) -> int:
        """Which point has the most labels, and of these the most slides."""
        return int(np.lexsort((self.per_slide, -self.n))[0])

    def first(self, points: int) -> Curve:
        """Return the curve of its first points."""
        return self.where(np.arange(len(self.n)) < points)

    def where(self, some: np.ndarray) -> Curve:
        """Return the curve of some points, bool (R,)."""
        return Curve(
            n=self.n[some], per_slide=self.per_slide[some], score=self.score[some], luck=self.luck[some],
            classes=self.classes, noise=self.noise,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Scores at Q points, on the logit scale: a mixture of A normals with the same covariance.

    centre (A, Q); covariance (Q, Q), without the luck of other draws; weight (A,).
    """

    centre: np.ndarray
    covariance: np.ndarray
    weight: np.ndarray

    def quantiles(self, share: np.ndarray, more: np.ndarray | float = 0.0) -> np.ndarray:
        """Return quantiles (len(share), Q) of the scores. more: variance (Q,) besides, on the logit scale."""
        from scipy.special import expit, ndtr

        deviation = np.sqrt(self.covariance.diagonal() + more)
        found = np.empty((len(share), len(deviation)))
        for q, one in enumerate(deviation):
            centre, weight = _merged(self.centre[:, q], self.weight, one / MERGED)
            low, high = np.full(len(share), centre.min() - 9 * one), np.full(len(share), centre.max() + 9 * one)
            for _ in range(30):  # bisection of the distribution function
                middle = (low + high) / 2
                below = ndtr((middle[:, None] - centre) / one) @ weight
                low, high = np.where(below < share, middle, low), np.where(below < share, high, middle)
            found[:, q] = (low + high) / 2
        return told_apart(expit(found), share[:, None])

    def interval(self, more: np.ndarray | float = 0.0, level: float = LEVEL) -> np.ndarray:
        """Return (low, median, high), (3, Q), of the scores."""
        return self.quantiles(limits(level), more)

    def paths(self, more: float | np.ndarray = 0.0) -> np.ndarray:
        """Return B curves (B, Q) that may be, all as likely. more: variances (Q,), or one, of a path as a whole."""
        from scipy.special import expit, ndtr

        Q = self.centre.shape[1]
        points = _normal_points(PATHS, Q + 2)
        values, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0))
        atom = np.searchsorted(self.weight.cumsum() / self.weight.sum(), ndtr(points[:, Q + 1]))
        z = self.centre[atom] + points[:, :Q] @ root.T + np.sqrt(more) * points[:, Q : Q + 1]
        return expit(z)


def limits(level: float = LEVEL) -> np.ndarray:
    """Return the shares (3,) of the low limit, the median and the high limit of an interval."""
    tail = (1 - level) / 2
    return np.array([tail, 0.5, 1 - tail])


def told_apart(score: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """Return quantiles of scores, of which those within EDGE of 0 or 1 are one: a limit there is 0 or 1.

    share: of the quantiles, to be broadcast to `score`.

    >>> told_apart(np.array([0.5, 0.998, 0.998]), np.array([0.5, 0.05, 0.95]))
    array([0.5  , 0.995, 1.   ])
    """
    score = np.clip(score, EDGE, 1 - EDGE)
    score = np.where((share > 0.5) & (score >= 1 - EDGE), 1.0, score)
    return np.where((share < 0.5) & (score <= EDGE), 0.0, score)


def forecast(
    curve: Curve, n: np.ndarray, per_slide: np.ndarray, prior: CurvePrior, beside: Sequence[Curve] = ()
) -> Forecast:
    """Return what the scores of a curve will be at n labels per class, per_slide of them from a slide, both (Q,).

    beside: curves of the same encoder and head; those of fewer wrong labels tell of this one. They are of the slides
    that the curve was tested on: other slides differ by what their interval says.
    """
    seen = [curve, *(one for one in beside if one.noise < curve.noise and len(one.n))]
    known, y, luck = points_of(seen)
    asked = _points(n, per_slide, curve, 0)
    theta, apart, Q = prior.atoms(), known.apart, len(n)
    gap = y - power_law(theta, known.n, known.per_slide, known.noise, curve.classes)  # (A, R)
    own = covariance(known, known, prior.bend, prior.reach, apart) + np.diag(luck + prior.jitter**2)
    across = covariance(asked, known, prior.bend, prior.reach, apart)
    there = covariance(asked, asked, prior.bend, prior.reach, apart)
    solved = np.linalg.solve(own, np.c_[gap.T, across.T])  # (R, A + Q)
    log_weight = -0.5 * np.einsum("ar,ra->a", gap, solved[:, :-Q])
    weight = np.exp(log_weight - log_weight.max())
    likely = weight > NEGLIGIBLE
    theta, weight, gap = theta[likely], weight[likely], gap[likely]
    centre = power_law(theta, n, per_slide, asked.noise, curve.classes) + gap @ solved[:, -Q:]
    rest = there - across @ solved[:, -Q:] + np.eye(Q) * 1e-9
    weight /= weight.sum()
    middle = weight @ centre
    return Forecast(
        centre=middle + prior.wider * (centre - middle), covariance=prior.wider**2 * (rest + rest.T) / 2, weight=weight
    )


def points_of(curves: Sequence[Curve]) -> tuple[Points, np.ndarray, np.ndarray]:
    """Return the points of curves of one method, the logits (R,) of their scores, and the variances of these."""
    each = [_points(one.n, one.per_slide, one, i) for i, one in enumerate(curves)]
    joined = {one.name: np.concatenate([getattr(part, one.name) for part in each]) for one in fields(Points)}
    y, luck = (np.concatenate(part) for part in zip(*map(on_logit_scale, curves), strict=True))
    return Points(**joined), y, luck


def _points(n: np.ndarray, per_slide: np.ndarray, curve: Curve, number: int) -> Points:
    def each(value: float) -> np.ndarray:
        return np.full(len(n), value)

    return Points(
        n=n, per_slide=per_slide, noise=each(curve.noise), kept=each(float(kept(curve.noise, curve.classes))),
        curve=np.full(len(n), number), room=each(room(curve)),
    )  # fmt: skip


def room(curve: Curve) -> float:
    """Return how much a curve's logit score moves with the logit of its skill, LEAST_ROOM to 1, at its last point.

    Curves bend in skill, (score - 1/K) / (1 - 1/K): near guessing the score hardly moves.

    >>> one = Curve(n=np.array([1.0]), per_slide=np.ones(1), score=np.array([0.6]), luck=np.ones(1), classes=2)
    >>> round(room(one), 3)
    0.333
    """
    score = float(np.clip(curve.score[-1], EDGE, 1 - EDGE))
    return float(np.clip((score - 1 / curve.classes) / (1 - 1 / curve.classes) / score, LEAST_ROOM, 1))


def on_logit_scale(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Return logits (R,) of the scores, and the variance that they have from the draws."""
    from scipy.special import logit

    score = np.clip(curve.score, EDGE, 1 - EDGE)
    return logit(score), np.maximum(curve.luck, LEAST_LUCK) / (score * (1 - score)) ** 2


def first_reached(n: np.ndarray, paths: np.ndarray, goal: float) -> np.ndarray:
    """Return the labels at which paths (B, Q) over n (Q,) first reach a goal, linear in log n; inf where never.

    >>> first_reached(np.array([1, 4]), np.array([[0.5, 0.7], [0.5, 0.55], [0.9, 0.9]]), 0.6)
    array([ 2., inf,  1.])
    """
    reached = paths >= goal
    i = reached.argmax(1)
    before, each = np.maximum(i - 1, 0), np.arange(len(paths))
    x, low, high = np.log2(n), paths[each, before], paths[each, i]
    with np.errstate(invalid="ignore", divide="ignore"):
        at = x[before] + np.where(i > 0, (goal - low) / (high - low), 0) * (x[i] - x[before])
    return np.where(reached.any(1), 2.0**at, np.inf)


def falls(curve: Curve, least: float = 0.01, deviations: float = 2.0) -> bool:
    """Return whether a curve falls by more than the draws explain: by `deviations` and by `least` at the least."""
    drop = -np.diff(curve.score)
    doubt = np.sqrt(curve.luck[1:] + curve.luck[:-1])
    return bool((drop > np.maximum(deviations * doubt, least)).any())


def _merged(centre: np.ndarray, weight: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return atoms (centres, weights), those in steps of a width taken together."""
    step = ((centre - centre.min()) / width).astype(int)
    total = np.bincount(step, weight)
    there = total > 0
    return np.bincount(step, weight * centre)[there] / total[there], total[there]


@lru_cache(maxsize=4)
def _normal_points(count: int, width: int) -> np.ndarray:
    """Return points (count, width) that fill a standard normal evenly, always the same."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    points = ndtri(np.clip(qmc.Sobol(width, scramble=True, seed=0).random(count), 1e-9, 1 - 1e-9))
    points.flags.writeable = False
    return points
