"""Many regularised linear classifiers on the same rows, solved side by side: arrays in, arrays out.

Letters: n rows, r coordinates (the last is the constant 1 of the intercept), K classes, P problems that differ in
their labels. Each problem is wanted for several strengths l2 and minimises over W (K, r)

    f(W) = (1/n) sum_i weight_i loss(W z_i, y_i)  +  (l2 / 2) ||W without the intercepts||^2

by L-BFGS (Nocedal & Wright 2006, alg. 7.4). What makes it fast:

(A) The coordinates are orthogonal, Z'Z = diag(e). With w_k the mean of p_k (1 - p_k) over the rows, the matrix
    diag(w_k e_i / n + l2) is close to the Hessian, and exactly the Hessian at W = 0 for cross-entropy. It is
    renewed at every step, scaled by the newest pair (their eq. 7.20), and the unit step is tried first.
(B) All problems step at once: one step is two matrix products, P K rows wide.
(C) A weak l2 starts from stronger ones: W is nearly linear in log(l2), so two solutions foretell the next. Small
    problems solve all l2 at once instead.

What one (problem, l2) gives does not depend on the others, to the bit: every product is made of calls of one fixed
shape, the path of (C) lies on a ladder that is the same for every list of l2, and nothing else mixes problems.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from bench.errors import BenchError

TILE = 32  # rows of one call of a matrix product, at least: the narrowest that runs at nearly full speed
REGISTERS = 16  # a multiple of this many rows leaves no remainder that BLAS would round in another way
PAIRS = 4
TOLERANCE = 1e-6  # on how far f may be above its minimum, as a share of its penalty: W is right to 1e-3 of its length
ROUNDING = 1e-12  # the same as a share of f, where W is 0
MOST_STEPS = 1000
SLACK = 8 * float(np.finfo(np.float32).eps)  # rounding of f, as a share of f: what a step may seem to rise
LEAST_WEIGHT = 1e-6  # of the curvature w_k, where all rows are far from the boundary of class k
SMALL = 100_000  # n r K below which a step costs its calls and not its work: all l2 start at W = 0, side by side
LADDER_TOP = 1e-2  # from here up W = 0 is as good a start as any
LADDER_STEP = 10 ** (-2 / 3)

# A loss turns S (P, K, n), the scores, into its derivative by S in place, given where the own labels' scores lie in
# S.ravel(), (P, n). It returns the losses (P, n) and the curvature w (P, K).
Loss = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Rows:
    """What the problems share, float32: Z' (r, n), Z / n (n, r), and curvature (r,) with Z'Z / n ~ diag(curvature)."""

    Zt: np.ndarray
    mean_Z: np.ndarray
    curvature: np.ndarray

    @classmethod
    def of(cls, Z: np.ndarray, e: np.ndarray) -> Rows:
        """Centre coordinates Z (n, r - 1) of squared lengths e and add the constant 1.

        Only the intercepts notice the centring, and it makes the constant orthogonal to the rest.
        """
        n = len(Z)
        mean = Z.mean(0)
        full = np.column_stack([Z - mean, np.ones(n)])
        curvature = np.append(np.maximum(e / n - mean**2, 0), 1).astype(np.float32)
        return cls(np.ascontiguousarray(full.T, dtype=np.float32), (full / n).astype(np.float32), curvature)


class Solved(NamedTuple):
    """W float32 (P, L, K, r); gap and steps (P, L): see `minimise`."""

    W: np.ndarray
    gap: np.ndarray
    steps: np.ndarray


@dataclass(frozen=True)
class Stage:
    """One l2 of the path. ahead: how far to go on along the last two rungs, in rungs; None starts at W = 0."""

    l2: float
    ahead: float | None
    is_rung: bool
    at: int | None  # place among the wanted l2; None for a rung that is only passed


def plan_path(l2: Sequence[float], top: float = LADDER_TOP) -> list[Stage]:
    """Return the stages that lead to every wanted l2, strongest first. Rungs: top * LADDER_STEP ** j."""
    stages: list[Stage] = []
    rung, rungs_done = top, 0
    for at in sorted(range(len(l2)), key=lambda j: -l2[j]):
        if l2[at] > top * (1 + 1e-9):
            stages.append(Stage(l2[at], None, False, at))
            continue
        while rung >= l2[at] * (1 - 1e-9):
            start = None if rungs_done == 0 else 0.0 if rungs_done == 1 else 1.0
            stages.append(Stage(rung, start, True, None))
            rungs_done += 1
            rung = top * LADDER_STEP**rungs_done
        last = stages[-1]
        if last.is_rung and last.at is None and abs(last.l2 / l2[at] - 1) < 1e-9:
            stages[-1] = replace(last, at=at)
            continue
        above = rung / LADDER_STEP
        ahead = np.log(l2[at] / above) / np.log(LADDER_STEP) if rungs_done > 1 else 0.0
        stages.append(Stage(l2[at], float(ahead), False, at))
    return stages


def product(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return A @ B for A (P, K, r) and B (r, c) as (P, K, c), each problem's bits whatever P is.

    The rows are cut into calls of one shape, filled up with zeros.
    """
    P, K, r = A.shape
    rows = -(-max(K, TILE) // REGISTERS) * REGISTERS
    if rows // K * K < 0.75 * rows:
        rows += REGISTERS
    together = rows // K  # problems a call
    if P % together == 0 and together * K == rows:
        return np.matmul(A.reshape(-1, rows, r), B).reshape(P, K, -1)
    whole = P // together * together
    filled = np.zeros((-(-P // together), rows, r), A.dtype)
    filled[: whole // together, : together * K] = A[:whole].reshape(-1, together * K, r)
    filled[whole // together :, : (P - whole) * K] = A[whole:].reshape(1, -1, r) if whole < P else 0
    return np.matmul(filled, B)[:, : together * K].reshape(-1, K, B.shape[1])[:P]


def cross_entropy(S: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The `Loss` -log softmax(S)[own]; exact to rounding for rows far on either side of the boundary."""
    flat = S.reshape(-1)
    S -= flat[own][:, None]
    top = S.max(1)  # (P, n), 0 where the own class leads
    S -= top[:, None]
    np.exp(S, out=S)
    own_part = flat[own]
    flat[own] = 0
    others = S.sum(1)  # (P, n)
    share = 1 / (others + own_part)
    S *= share[:, None]
    others *= share  # 1 - p of the own class, without a difference
    flat[own] = others
    w = S.mean(2) - np.vecdot(S, S) / S.shape[2]  # p (1 - p) is the same for p and 1 - p
    flat[own] = -others
    with np.errstate(divide="ignore"):
        return np.where(top > 0, top - np.log(share), -np.log1p(-others)), w


def minimise(
    rows: Rows,
    Y: np.ndarray,
    n_classes: int,
    l2: Sequence[float],
    loss: Loss = cross_entropy,
    top: float = LADDER_TOP,
    weight: np.ndarray | None = None,
) -> Solved:
    """Minimise f for every label vector of Y, int (P, n), and every l2 > 0.

    A class without rows keeps W = 0 and takes no part. top: the l2 from which on `plan_path` starts from stronger
    ones; 0 starts them all at W = 0. weight (P, n): of the rows, mean 1; all alike if None. gap (P, L):
    (f - minimum) / f is at most this: the duality gap ||gradient||^2 / (2 l2), which bounds it for a convex loss, and
    a term for the intercepts from their curvature. steps (P, L): evaluations of f. Products are float32, sums over
    rows float64. BenchError if an l2 is not above 0.
    """
    if min(l2) <= 0:
        raise BenchError(f"Got l2={min(l2):g}, expected more than 0; take a small one such as 1e-6.")
    unique, place = np.unique(np.asarray(l2, float), return_inverse=True)
    if top == 0 or rows.Zt.size * n_classes < SMALL:
        tracks = [[Stage(value, None, False, at)] for at, value in enumerate(unique.tolist())]
    else:
        tracks = [plan_path(unique.tolist(), top)]
    solving = _Solving(rows, Y, n_classes, tracks, loss, weight)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):  # a step too long is made shorter
        while solving.active:
            solving.step()
    W, gap, steps = solving.solved
    return Solved(W[:, place], gap[:, place], steps[:, place])


STATE = ("problem", "track", "stage", "steps", "Y", "weight", "penalty", "w", "W", "G", "D", "f", "slope", "t", "gamma")
HISTORY = ("rungs", "S_pairs", "Y_pairs", "inverse")  # (anything, slots, ...)


class _Solving:
    """What is not yet solved: each problem on each track, a list of stages, has a slot."""

    def __init__(
        self,
        rows: Rows,
        Y: np.ndarray,
        n_classes: int,
        tracks: list[list[Stage]],
        loss: Loss,
        weight: np.ndarray | None,
    ) -> None:
        P, (r, n), K = len(Y), rows.Zt.shape, n_classes
        self.rows, self.tracks, self.loss, self.n_classes = rows, tracks, loss, K
        self.curvature = rows.curvature * np.float32(K / max(K - 1, 1))  # so that diag(p) - pp' is met at W = 0
        L, T = sum(stage.at is not None for stages in tracks for stage in stages), len(tracks)
        self.solved = Solved(np.zeros((P, L, K, r), np.float32), np.zeros((P, L)), np.zeros((P, L), int))
        self.problem, self.track = np.divmod(np.arange(P * T), T)
        self.Y = Y[self.problem]
        self.weight = np.ones((P, n), np.float32) if weight is None else weight.astype(np.float32)
        self.weight = self.weight[self.problem]
        self.weighted = weight is not None
        slots = P * T
        self.W, self.G, self.D = (np.zeros((slots, K, r), np.float32) for _ in range(3))
        self.rungs = np.zeros((2, slots, K, r), np.float32)  # the last two solutions on the ladder
        self.S_pairs, self.Y_pairs = (np.zeros((PAIRS, slots, K * r), np.float32) for _ in range(2))
        self.inverse = np.zeros((PAIRS, slots), np.float32)  # 1 / s'y, 0 where there is no pair
        self.gamma, self.t = np.ones(slots), np.ones(slots, np.float32)
        self.penalty = np.zeros((slots, 1, r), np.float32)
        self.w = np.zeros((slots, K, 1), np.float32)
        self.f, self.slope = np.full(slots, np.inf), np.zeros(slots)
        self.stage, self.steps = np.full(slots, -1), np.zeros(slots, int)
        self.age = 0
        self._place_labels()
        for slot in range(slots):
            self._start_next(slot)

    @property
    def active(self) -> bool:
        return len(self.problem) > 0

    def _place_labels(self) -> None:
        slots, n = self.Y.shape
        self.own = (np.arange(slots)[:, None] * self.n_classes + self.Y) * n + np.arange(n)
        self.absent = (self.Y[:, None, :] != np.arange(self.n_classes)[:, None]).all(2)  # (slots, K)

    def _evaluate(self, W: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return f (slots,), its gradient and the curvature w (slots, K, 1) at W."""
        S = product(W, self.rows.Zt)  # (slots, K, n)
        if self.absent.any():
            S[self.absent] = -np.inf
        losses, w = self.loss(S, self.own)
        if self.weighted:
            losses *= self.weight
            S *= self.weight[:, None]
        G = product(S, self.rows.mean_Z)
        shrink = self.penalty * W
        G += shrink
        return losses.mean(1, dtype=np.float64) + 0.5 * _dot(shrink, W), G, w[:, :, None]

    def step(self) -> None:
        """Evaluate every slot once; those that came down choose a new direction, the others a shorter step."""
        newest = self.age % PAIRS
        move, change = (pairs[newest].reshape(self.W.shape) for pairs in (self.S_pairs, self.Y_pairs))
        np.multiply(self.t[:, None, None], self.D, out=move)
        trial = self.W + move
        f, G, w = self._evaluate(trial)
        np.subtract(G, self.G, out=change)
        self.age += 1
        self.steps += 1
        down = f <= self.f + 1e-4 * self.t * self.slope + SLACK * np.abs(self.f)
        shorter = np.fmin(np.fmax(-0.5 * self.slope * self.t / (f - self.f - self.slope * self.t), 0.1), 0.5)
        self.t = np.where(down, 1, self.t * shorter).astype(np.float32)
        first = ~np.isfinite(self.f)
        took = slice(None) if down.all() else down
        self.W[took], self.G[took], self.w[took], self.f[took] = trial[took], G[took], w[took], f[took]
        scale = 1 / (np.maximum(self.w, np.float32(LEAST_WEIGHT)) * self.curvature + self.penalty)
        sy = _dot(move, change)
        good = down & ~first & (sy > 0)
        self.inverse[newest] = np.where(good, 1 / np.where(good, sy, 1), 0)
        self.gamma = np.where(good, sy / np.where(good, _dot(change * scale, change), 1), self.gamma)
        self.D[took] = self._direction(scale)[took]
        self.slope[took] = _dot(self.G, self.D)[took]
        above = self._above()
        enough = above <= np.maximum(0.5 * TOLERANCE * _dot(self.penalty * self.W, self.W), ROUNDING * self.f)
        over = (down & enough) | (self.t < 1e-4) | (self.steps >= MOST_STEPS)
        for slot in np.flatnonzero(over):
            self._finish(int(slot), above[slot] / max(self.f[slot], np.finfo(np.float32).tiny))
        if over.any():
            self._leave_out_solved()

    def _above(self) -> np.ndarray:
        """Return the bound on how far f is above its minimum, (slots,); see `minimise`."""
        weights, intercepts = self.G[..., :-1], self.G[..., -1]
        strength = self.penalty[:, 0, 0].astype(np.float64)
        bound = np.vecdot(weights, weights).sum(1, dtype=np.float64) / (2 * strength)
        return bound + (intercepts**2 / np.maximum(self.w[..., 0], LEAST_WEIGHT)).sum(1, dtype=np.float64)

    def _direction(self, scale: np.ndarray) -> np.ndarray:
        """Return minus L-BFGS's inverse Hessian times the gradient; scale (slots, K, r): its start, but for gamma."""
        q = self.G.reshape(len(self.G), -1).copy()
        newest_first = [(self.age - 1 - j) % PAIRS for j in range(min(self.age, PAIRS))]
        back = []
        for j in newest_first:
            back.append(self.inverse[j] * np.vecdot(self.S_pairs[j], q))
            q -= back[-1][:, None] * self.Y_pairs[j]
        q *= scale.reshape(q.shape)
        q *= self.gamma[:, None].astype(np.float32)
        for j, a in zip(newest_first[::-1], back[::-1], strict=True):
            q += (a - self.inverse[j] * np.vecdot(self.Y_pairs[j], q))[:, None] * self.S_pairs[j]
        return np.negative(q, out=q).reshape(self.G.shape)

    def _finish(self, slot: int, gap: float) -> None:
        stage, problem = self.tracks[self.track[slot]][self.stage[slot]], self.problem[slot]
        if stage.at is not None:
            self.solved.W[problem, stage.at] = self.W[slot]
            self.solved.gap[problem, stage.at] = gap
            self.solved.steps[problem, stage.at] = self.steps[slot]
        if stage.is_rung:
            self.rungs[1, slot], self.rungs[0, slot] = self.rungs[0, slot], self.W[slot].copy()
        self._start_next(slot)

    def _start_next(self, slot: int) -> None:
        self.stage[slot] += 1
        stages = self.tracks[self.track[slot]]
        if self.stage[slot] == len(stages):
            self.problem[slot] = -1
            return
        stage = stages[self.stage[slot]]
        last, before = self.rungs[:, slot]
        self.W[slot] = 0 if stage.ahead is None else last + np.float32(stage.ahead) * (last - before)
        self.penalty[slot, 0, :-1] = stage.l2
        self.D[slot], self.t[slot], self.gamma[slot], self.inverse[:, slot] = 0, 1, 1, 0
        self.f[slot], self.slope[slot], self.steps[slot] = np.inf, 0, 0

    def _leave_out_solved(self) -> None:
        kept = self.problem >= 0
        if kept.all():
            return
        for name in STATE:
            setattr(self, name, getattr(self, name)[kept])
        for name in HISTORY:
            setattr(self, name, getattr(self, name)[:, kept])
        self._place_labels()


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the inner products of a and b, problem by problem, (P,)."""
    return np.vecdot(a.reshape(len(a), -1), b.reshape(len(b), -1)).astype(np.float64)
