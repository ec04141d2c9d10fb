"""Many regularised linear classifiers on the same rows, solved side by side: arrays in, arrays out.

Letters: n rows, r coordinates (the last is the constant 1 of the intercept), K classes, P problems that differ in
their labels. Each problem is wanted for several strengths l2 and minimises over W (K, r)

    f(W) = (1/n) sum_i weight_i loss(W z_i, y_i)  +  (l2 / 2) ||W without the intercepts||^2

by L-BFGS (Nocedal & Wright 2006, sec. 7.2). What makes it fast:

(A) The coordinates are orthogonal, Z'Z = diag(e). With C the mean of diag(p) - pp' over the rows, H = C x diag(e) / n
    + l2 is close to the Hessian, and exactly the Hessian at W = 0 for cross-entropy. It is scaled by the newest pair
    (their eq. 7.20), and the unit step is tried first.
(B) A weak l2 starts from stronger ones (`bench.solvers.ladder`).
(C) On a CPU steps are compiled (`bench.solvers.compiled`), with four pairs, on the axes of C where a stage begins,
    where H is diagonal; and as the losses see differences of scores alone, products are made for all classes but one.
    What is here runs on arrays of a GPU, or for losses that are not compiled: all problems step at once, and keep one
    pair ("memoryless") and the diagonal of C, renewed at every step. Small problems solve all l2 at once, without (B).

What one (problem, l2) gives does not depend on the others, to the bit: products are made in calls that round every row
alike, all l2 lie on one ladder, and nothing else mixes problems. The arrays are torch's or numpy's
(`bench.products`); what there is one number of for every problem stays at this end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench.errors import BenchError
from bench.products import Array, Backend, backend_of, fast_products
from bench.solvers import ladder
from bench.solvers.ladder import Stage, plan_path

# How far f may be above its minimum, as a share of its penalty, before a last step that is taken unseen: near the
# minimum unit steps come down, and an evaluation is saved. W is right to 1e-3 of its length, and mostly to 3e-4.
TOLERANCE = 2e-6
TIGHT = 1e-7  # the same of problems below COMPILED: with few labels margins are thin, and steps cost little
ROUNDING = 1e-12  # the same as a share of f, where W is 0
MOST_STEPS = 1000
SLACK = 8 * float(np.finfo(np.float32).eps)  # rounding of f, as a share of f: what a step may seem to rise
LEAST_WEIGHT = 1e-6  # of the curvature w_k, where all rows are far from the boundary of class k
COMPILED = 500_000  # n r K below which compiled products are as fast as a library's: one problem at a time
SMALL = 30_000  # n r K below which a step costs its calls and not its work: all l2 start at W = 0, side by side


@dataclass(frozen=True)
class Loss:
    """A loss of scores. of_all: for many problems at once; one: the same for one, where it is of the family below.

    of_all(S, own) turns S (P, K, n), the scores, into its derivative by S in place, given where the own labels' scores
    lie in the flattened S, (P, n). It returns the losses (P, n) and the curvature w (P, K).
    one: (smoothing, 0) of cross-entropy with smoothed labels, or (0, q) of (1 - p^q) / q; see `bench.solvers.kernels`.
    """

    of_all: Callable[[Array, Array], tuple[Array, Array]]
    one: tuple[float, float] | None = None


@dataclass(frozen=True)
class Rows:
    """What the problems share, float32: Z' (r, n), Z / n (n, r), and curvature (r,) with Z'Z / n ~ diag(curvature)."""

    Zt: Array
    mean_Z: Array
    curvature: Array

    @classmethod
    def of(cls, Z: np.ndarray, e: np.ndarray, device: str = "cpu") -> Rows:
        """Centre coordinates Z (n, r - 1) of squared lengths e and add the constant 1.

        Only the intercepts notice the centring, and it makes the constant orthogonal to the rest.
        """
        n, send = len(Z), backend_of(device).send
        mean, rows = mean_row(Z), np.ones((n, Z.shape[1] + 1), np.float32)
        np.subtract(Z, mean, out=rows[:, :-1], casting="same_kind")
        curvature = np.append(np.maximum(e / n - mean**2, 0), 1).astype(np.float32)
        Zt = np.ascontiguousarray(rows.T)
        rows /= np.float32(n)
        return cls(send(Zt), send(rows), send(curvature))


def mean_row(Z: np.ndarray) -> np.ndarray:
    """Return the mean of the rows of Z (n, r), of its type; of equal rows it is that row, to the bit."""
    return Z.mean(0, dtype=np.float64).astype(Z.dtype)


class Solved(NamedTuple):
    """W float32 (P, L, K, r); gap and steps (P, L): see `minimise`."""

    W: np.ndarray
    gap: np.ndarray
    steps: np.ndarray


def minimise(
    rows: Rows,
    Y: np.ndarray,
    n_classes: int,
    l2: Sequence[float],
    loss: Loss,
    top: float = ladder.TOP,
    weight: np.ndarray | None = None,
) -> Solved:
    """Minimise f for every label vector of Y, int (P, n), and every l2 > 0.

    A class without rows keeps W = 0 and takes no part. top: the l2 from which on `plan_path` starts from stronger
    ones; 0 starts them all at W = 0. weight (P, n): of the rows, mean 1; all alike if None. gap (P, L):
    (f - minimum) / f was at most this before the last step: the duality gap ||gradient||^2 / (2 l2), which bounds it
    for a convex loss, and a term for the intercepts from their curvature. steps (P, L): evaluations of f. Products are
    float32, sums over rows float64. BenchError if an l2 is not above 0.
    """
    if min(l2) <= 0:
        raise BenchError(f"Got l2={min(l2):g}, expected more than 0; take a small one such as 1e-6.")
    unique, place = np.unique(np.asarray(l2, float), return_inverse=True)
    r, n = rows.Zt.shape
    work, wanted = r * n * n_classes, unique.tolist()
    apart = [Stage(value, None, False, at) for at, value in enumerate(wanted)]
    if loss.one is not None and isinstance(rows.Zt, np.ndarray):
        from bench.solvers.compiled import Limits, solve

        stages = plan_path(wanted, top) if top else apart
        tolerance = TIGHT if work < COMPILED else TOLERANCE
        limits = Limits(tolerance, ROUNDING, SLACK, LEAST_WEIGHT, MOST_STEPS)
        arrays = rows.Zt, rows.mean_Z, rows.curvature
        with fast_products(backend_of(rows.Zt), n * r) as on:
            products = None if work < COMPILED else on
            W, gap, steps = solve(arrays, Y, n_classes, stages, loss.one, weight, limits, products)
        return Solved(W[:, place], gap[:, place], steps[:, place])
    tracks = [[stage] for stage in apart] if top == 0 or work < SMALL else [plan_path(wanted, top)]
    with (
        np.errstate(invalid="ignore", over="ignore", divide="ignore"),  # a step too long is made shorter
        fast_products(backend_of(rows.Zt), n * r) as on,
    ):
        solving = _Solving(on, rows, Y, n_classes, tracks, loss, weight)
        while solving.active:
            solving.step()
    W, gap, steps = solving.solved
    return Solved(W[:, place], gap[:, place], steps[:, place])


ON_HOST = ("problem", "track", "stage", "steps", "l2", "f", "slope", "t", "sy")  # of every slot, numpy
ON_DEVICE = ("weight", "penalty", "w", "W", "G", "D", "s", "y", "last", "before", "older")


class _Solving:
    """What is not yet solved: each problem on each track, a list of stages, has a slot."""

    def __init__(
        self,
        on: Backend,
        rows: Rows,
        Y: np.ndarray,
        n_classes: int,
        tracks: list[list[Stage]],
        loss: Loss,
        weight: np.ndarray | None,
    ) -> None:
        P, (r, n), K = len(Y), rows.Zt.shape, n_classes
        self.on, self.rows, self.tracks, self.loss, self.n_classes = on, rows, tracks, loss, K
        self.layouts = on.layout(K, r, n), on.layout(K, n, r)
        self.curvature = rows.curvature * (K / max(K - 1, 1))  # so that diag(p) - pp' is met at W = 0
        self.is_small = r * n * K < COMPILED
        self.steepest = float(self.curvature[:-1].max()) / K if r > 1 else 0.0  # the most w_k e_i / n can be at W = 0
        L, T = sum(stage.at is not None for stages in tracks for stage in stages), len(tracks)
        self.solved = Solved(np.zeros((P, L, K, r), np.float32), np.zeros((P, L)), np.zeros((P, L), int))
        self.problem, self.track = np.divmod(np.arange(P * T), T)
        slots = P * T
        self.Y = Y[self.problem]
        self.weight = np.ones((P, n), np.float32) if weight is None else weight.astype(np.float32)
        self.weight = self.on.send(self.weight[self.problem])
        self.weighted = weight is not None
        self.W, self.G, self.D, self.s, self.y = (self.on.zeros(slots, K, r) for _ in range(5))
        self.last, self.before, self.older = (self.on.zeros(slots, K, r) for _ in range(3))
        self.penalty, self.w = self.on.zeros(slots, 1, r), self.on.zeros(slots, K, 1)
        self.f, self.slope, self.sy = np.full(slots, np.inf), np.zeros(slots), np.zeros(slots)  # sy: 0 without a pair
        self.t, self.l2 = np.ones(slots, np.float32), np.ones(slots)
        self.stage, self.steps = np.full(slots, -1), np.zeros(slots, int)
        self._place_labels()
        for slot in range(slots):
            self._start_next(slot)

    @property
    def active(self) -> bool:
        return len(self.problem) > 0

    def _place_labels(self) -> None:
        slots, n = self.Y.shape
        own = (np.arange(slots)[:, None] * self.n_classes + self.Y) * n + np.arange(n)
        self.own = self.on.send(own)
        self.absent = np.argwhere((self.Y[:, None, :] != np.arange(self.n_classes)[:, None]).all(2)).tolist()

    def _evaluate(self, W: Array) -> tuple[np.ndarray, Array, Array, np.ndarray]:
        """Return f (slots,), its gradient and the curvature w (slots, K, 1) at W, and twice the penalty in f."""
        S = self.on.product(W, self.rows.Zt, self.layouts[0])  # (slots, K, n)
        for slot, k in self.absent:
            S[slot, k] = -np.inf
        losses, w = self.loss.of_all(S, self.own)
        if self.weighted:
            losses *= self.weight
            S *= self.weight[:, None]
        G = self.on.product(S, self.rows.mean_Z, self.layouts[1])
        shrink = self.penalty * W
        G += shrink
        squared = self.on.dots(shrink, W)
        return self.on.row_means(losses) + 0.5 * squared, G, w[:, :, None], squared

    def step(self) -> None:
        """Evaluate every slot once; those that came down choose a new direction, the others a shorter step."""
        move = self.D if (self.t == 1).all() else self._each(self.t) * self.D
        trial = self.W + move
        f, G, w, squared = self._evaluate(trial)
        change = G - self.G
        sy = self.on.dots(move, change)
        self.steps += 1
        down = f <= self.f + 1e-4 * self.t * self.slope + SLACK * np.abs(self.f)
        if not down.all():
            shorter = np.fmin(np.fmax(-0.5 * self.slope * self.t / (f - self.f - self.slope * self.t), 0.1), 0.5)
            self.t = np.where(down, 1, self.t * shorter).astype(np.float32)
        elif move is not self.D:
            self.t = np.ones_like(self.t)
        pair = down & ((sy > 0) | np.isinf(self.f))  # of length 0 at the start, which is none
        self._keep(pair, s=move, y=change, sy=sy)
        self._keep(down, W=trial, G=G, w=w, f=f)
        D, slope = self._direction()
        self._keep(down, D=D, slope=slope)
        if not down.all():
            squared = self.on.dots(self.penalty * self.W, self.W)
        above = self._above()
        # Where l2 outweighs the curvature, so do the weights that no row sees.
        seen = squared * np.minimum(1, self.steepest / self.l2)
        near = above <= np.maximum(0.5 * (TIGHT if self.is_small else TOLERANCE) * seen, ROUNDING * self.f)
        over = (down & near) | (self.t < 1e-4) | (self.steps >= MOST_STEPS)
        for slot in np.flatnonzero(over):
            self._finish(int(slot), above[slot] / max(self.f[slot], np.finfo(np.float32).tiny))
        if over.any():
            self._leave_out_solved()

    def _keep(self, at: np.ndarray, **new: Array) -> None:
        """Replace the slots at which `at` is true of what is so called: arrays, or a number of every slot."""
        everywhere = at.all()
        for name, values in new.items():
            if everywhere:
                setattr(self, name, values)
            elif isinstance(values, np.ndarray) and values.ndim == 1:
                setattr(self, name, np.where(at, values, getattr(self, name)))
            else:
                setattr(self, name, self.on.xp.where(self.on.send(at)[:, None, None], values, getattr(self, name)))

    def _each(self, numbers: np.ndarray) -> Array:
        """Return numbers (slots,) as a float32 factor of all slots, (slots, 1, 1)."""
        return self.on.send(numbers.astype(np.float32))[:, None, None]

    def _above(self) -> np.ndarray:
        """Return the bound on how far f is above its minimum, (slots,); see `minimise`."""
        intercepts = self.on.fetch(self.G[..., -1]).astype(np.float64)
        weights = np.maximum(self.on.dots(self.G, self.G) - (intercepts**2).sum(1), 0)
        w = np.maximum(self.on.fetch(self.w[..., 0]), LEAST_WEIGHT)
        return weights / (2 * self.l2) + (intercepts**2 / w).sum(1)

    def _direction(self) -> tuple[Array, np.ndarray]:
        """Return minus the inverse Hessian of L-BFGS times the gradient, and its slope (slots,).

        H is (A), gamma = s'y / y'H^-1 y, rho = 1 / s'y, a = rho s'G, q = H^-1 (G - a y):
        D = -gamma q - (a - gamma rho y'q) s, with s = 0 where there is no pair.
        """
        xp, dots = self.on.xp, self.on.dots
        H = xp.clip(self.w, LEAST_WEIGHT, None) * self.curvature
        H += self.penalty
        HG = self.G / H
        Hy = xp.divide(self.y, H, out=H)
        yHy, yHG, GHG, sG = dots(self.y, Hy), dots(self.y, HG), dots(self.G, HG), dots(self.s, self.G)
        there = (self.sy > 0) & (yHy > 0)
        rho = np.where(there, 1 / np.where(there, self.sy, 1), 0)
        gamma = np.where(there, self.sy / np.where(there, yHy, 1), 1)
        a = rho * sG
        along = a - gamma * rho * (yHG - a * yHy)
        HG *= self._each(-gamma)
        Hy *= self._each(gamma * a)
        HG += Hy
        HG -= xp.multiply(self.s, self._each(along), out=Hy)
        return HG, -gamma * (GHG - a * yHG) - along * sG

    def _finish(self, slot: int, gap: float) -> None:
        stage, problem = self.tracks[self.track[slot]][self.stage[slot]], self.problem[slot]
        if self.t[slot] == 1:  # the last step came down: the next one is taken unseen
            self.W[slot] += self.D[slot]
        if stage.at is not None:
            self.solved.W[problem, stage.at] = self.on.fetch(self.W[slot])
            self.solved.gap[problem, stage.at] = gap
            self.solved.steps[problem, stage.at] = self.steps[slot]
        if stage.is_path_point:
            self.older[slot] = self.before[slot]
            self.before[slot] = self.last[slot]
            self.last[slot] = self.W[slot]
        self._start_next(slot)

    def _start_next(self, slot: int) -> None:
        self.stage[slot] += 1
        stages = self.tracks[self.track[slot]]
        if self.stage[slot] == len(stages):
            self.problem[slot] = -1
            return
        stage = stages[self.stage[slot]]
        last, before, older = self.last[slot], self.before[slot], self.older[slot]
        self.W[slot] = 0
        if stage.ahead is not None:
            self.W[slot] = last + stage.ahead * (last - before) + stage.bend * (last - before - (before - older))
        self.penalty[slot, 0, :-1] = stage.l2
        self.D[slot], self.t[slot], self.sy[slot], self.s[slot] = 0, 1, 0, 0
        self.l2[slot], self.f[slot], self.slope[slot], self.steps[slot] = stage.l2, np.inf, 0, 0

    def _leave_out_solved(self) -> None:
        kept = self.problem >= 0
        if kept.all():
            return
        self.Y = self.Y[kept]
        for name in ON_HOST:
            setattr(self, name, getattr(self, name)[kept])
        there = self.on.send(np.flatnonzero(kept))
        for name in ON_DEVICE:
            setattr(self, name, getattr(self, name)[there])
        if kept.any():
            self._place_labels()
