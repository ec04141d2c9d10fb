"""The state of one problem while it is solved, and what solving goes by: arrays and numbers that compiled loops share.

The letters are those of `bench.solvers.linalg`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.solvers.ladder import Stage

# Places of a problem's numbers.
F, SLOPE, T, PAIRS, SQUARED, ABOVE, L2, STEPS, SCALE, FIRST_SCALE, CLOSE, PASSED = range(12)
NUMBERS = 12
MANY = 4  # pairs of L-BFGS


class Limits(NamedTuple):
    """TOLERANCE or TIGHT, PASSING, ROUNDING, SLACK, LEAST_WEIGHT and MOST_STEPS of `linalg`."""

    tolerance: float
    passing: float
    rounding: float
    slack: float
    least: float
    most_steps: int


class Bends(NamedTuple):
    """curvature float32 (r,) of all coordinates; steepest: the most that of the loss can be at W = 0."""

    curvature: np.ndarray
    steepest: float


class Problem(NamedTuple):
    """What is known of one problem, float32 but the numbers and sy, float64.

    rotation (K, K): orthogonal columns u_j, the axes of the classes' curvature, which is bend (K,) along them. All of
    a stage is kept in these coordinates, as U'W: W (K, r), its gradient G, the direction D to go on; s, y
    (MANY, K, r): the newest moves and what they did to G, in a circle; sy (MANY,): their products. As they are: last,
    before, older: W of the three last path points; start (S, K, r): W that the stages without a way begin at, which
    are the first ones. contrast (K - 1, K): the rows of `rotation` minus its last one.
    penalty (r,): l2 but of the intercept. workspace (K, r). numbers: see `F` and so on; PAIRS counts all so far. CLOSE:
    whether f is as near to its minimum as at a path point that is passed; PASSED: whether that was kept for the next.
    """

    rotation: np.ndarray
    bend: np.ndarray
    contrast: np.ndarray
    W: np.ndarray
    G: np.ndarray
    D: np.ndarray
    s: np.ndarray
    y: np.ndarray
    sy: np.ndarray
    last: np.ndarray
    before: np.ndarray
    older: np.ndarray
    start: np.ndarray
    penalty: np.ndarray
    workspace: np.ndarray
    numbers: np.ndarray


class Stages(NamedTuple):
    """The path of `ladder.plan_path` as arrays: l2, ahead (NaN of a start), bend, is_path_point, at (or -1)."""

    l2: np.ndarray
    ahead: np.ndarray
    bend: np.ndarray
    is_path_point: np.ndarray
    at: np.ndarray

    @property
    def starts(self) -> int:
        """How many stages do not follow from others; they come first."""
        return int(np.isnan(self.ahead).sum())

    @classmethod
    def of(cls, path: Sequence[Stage]) -> Stages:
        """Return the stages of a path as arrays."""
        ahead = [np.nan if stage.ahead is None else stage.ahead for stage in path]
        at = [-1 if stage.at is None else stage.at for stage in path]
        path_points = [stage.is_path_point for stage in path]
        l2, bend = [stage.l2 for stage in path], [stage.bend for stage in path]
        return cls(np.array(l2), np.array(ahead), np.array(bend), np.array(path_points), np.array(at))


class Solution(NamedTuple):
    """Of one problem: W float32 (L, K, r), its K classes with rows; gap and steps (L,)."""

    W: np.ndarray
    gap: np.ndarray
    steps: np.ndarray
