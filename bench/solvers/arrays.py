"""The solver of `bench.solvers.linalg` on whole arrays, of numpy or of a GPU: all problems step at once.

For losses that are not compiled, and for devices that run no code of ours. What it does is (A) and (B) there.
"""

from __future__ import annotations

import numpy as np

from bench.products import Array, Backend
from bench.solvers.ladder import Stage
from bench.solvers.problem import Limits
from bench.solvers.rows import Loss, Rows, Solved

ON_HOST = ("problem", "track", "stage", "passed", "steps", "l2", "f", "slope", "t", "sy")  # of every slot, numpy
ON_DEVICE = ("weight", "penalty", "w", "W", "G", "D", "s", "y", "last", "before", "older")


class Solving:
    """What is not yet solved: each problem on each track, a list of stages, has a slot."""

    def __init__(
        self, on: Backend, rows: Rows, labels: tuple[np.ndarray, int], tracks: list[list[Stage]], loss: Loss,
        weight: np.ndarray | None, limits: Limits,
    ) -> None:  # fmt: skip
        """Begin every problem. labels: Y (P, n) and the number of classes."""
        (Y, K), (r, n) = labels, rows.Zt.shape
        P = len(Y)
        self.on, self.rows, self.tracks, self.loss, self.n_classes, self.limits = on, rows, tracks, loss, K, limits
        self.layouts = on.layout(K, r, n), on.layout(K, n, r)
        self.curvature = rows.curvature * (K / max(K - 1, 1))  # so that diag(p) - pp' is met at W = 0
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
        self.passed = np.zeros(slots, bool)  # whether the next stages know of this one
        self._place_labels()
        for slot in range(slots):
            self._start_next(slot)

    @property
    def active(self) -> bool:
        """Whether anything is left to solve."""
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
        down = f <= self.f + 1e-4 * self.t * self.slope + self.limits.slack * np.abs(self.f)
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
        near, close = (
            down & (above <= np.maximum(0.5 * limit * seen, self.limits.rounding * self.f))
            for limit in (self.limits.tolerance, self.limits.passing)
        )
        over = near | (self.t < 1e-4) | (self.steps >= self.limits.most_steps)
        for slot in np.flatnonzero(over | close).tolist():
            self._leave(slot, bool(over[slot]), above[slot] / max(self.f[slot], np.finfo(np.float32).tiny))
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
        w = np.maximum(self.on.fetch(self.w[..., 0]), self.limits.least)
        return weights / (2 * self.l2) + (intercepts**2 / w).sum(1)

    def _direction(self) -> tuple[Array, np.ndarray]:
        """Return minus the inverse Hessian of L-BFGS times the gradient, and its slope (slots,).

        H is (A), gamma = s'y / y'H^-1 y, rho = 1 / s'y, a = rho s'G, q = H^-1 (G - a y):
        D = -gamma q - (a - gamma rho y'q) s, with s = 0 where there is no pair.
        """
        xp, dots = self.on.xp, self.on.dots
        H = xp.clip(self.w, self.limits.least, None) * self.curvature
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

    def _leave(self, slot: int, solved: bool, gap: float) -> None:
        """Keep a path point that is passed and what is solved; begin the next stage where this one gave what is wanted.

        As `bench.solvers.kernels.leave`.
        """
        stage, problem = self.tracks[self.track[slot]][self.stage[slot]], self.problem[slot]
        W = self.W[slot]
        if self.t[slot] == 1:  # the last step came down: the next one is taken unseen
            W = W + self.D[slot]
        if stage.is_path_point and not self.passed[slot]:
            self.older[slot] = self.before[slot]
            self.before[slot] = self.last[slot]
            self.last[slot] = W
            self.passed[slot] = True
        if solved and stage.at is not None:
            self.solved.W[problem, stage.at] = self.on.fetch(W)
            self.solved.gap[problem, stage.at] = gap
            self.solved.steps[problem, stage.at] = self.steps[slot]
        if solved or stage.at is None:
            self._start_next(slot)

    def _start_next(self, slot: int) -> None:
        self.stage[slot] += 1
        self.passed[slot] = False
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
