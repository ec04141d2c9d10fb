"""Which strengths of a penalty lead to the wanted ones: a weak one starts from where stronger ones ended.

The optimum is nearly linear in log(l2): extrapolate linearly from two solutions, plus half the quadratic term from
three. All paths have the same points, whatever strengths are wanted, so that what is found for one does not depend on
the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

TOP = 1e-2  # from here up W = 0 is as good a start as any
STEP = 10 ** (-2 / 3)


@dataclass(frozen=True)
class Stage:
    """One l2 of the path. ahead: how far to go on along the last two path points, in their distance; None: from W = 0.

    bend: how much to add of the difference between the last two moves from point to point, half of what a parabola
    would.
    """

    l2: float
    ahead: float | None
    is_path_point: bool
    at: int | None  # place among the wanted l2; None for a path point that is only passed
    bend: float = 0.0


def plan_path(l2: Sequence[float], top: float = TOP) -> list[Stage]:
    """Return the stages that lead to every wanted l2, strongest first. Path points: top * STEP ** j."""
    stages: list[Stage] = []
    point, points_done = top, 0
    for at in sorted(range(len(l2)), key=lambda j: -l2[j]):
        if l2[at] > top * (1 + 1e-9):
            stages.append(Stage(l2[at], None, False, at))
            continue
        while point >= l2[at] * (1 - 1e-9):
            stages.append(_next(point, 1.0, points_done, True, None))
            points_done += 1
            point = top * STEP**points_done
        last = stages[-1]
        if last.is_path_point and last.at is None and abs(last.l2 / l2[at] - 1) < 1e-9:
            stages[-1] = replace(last, at=at)
            continue
        above = point / STEP
        stages.append(_next(l2[at], math.log(l2[at] / above) / math.log(STEP), points_done, False, at))
    return stages


def is_point(l2: float, top: float = TOP) -> bool:
    """Return whether this strength is a path point."""
    steps = math.log(l2 / top) / math.log(STEP)
    return abs(steps - round(steps)) < 1e-9 and steps > -0.5


def _next(l2: float, ahead: float, points_done: int, is_path_point: bool, at: int | None) -> Stage:
    """Return a stage so many path points ahead of the last one, extrapolated from those that are done."""
    if points_done < 2:
        return Stage(l2, None if points_done == 0 else 0.0, is_path_point, at)
    return Stage(l2, ahead, is_path_point, at, ahead * (ahead + 1) / 4 if points_done > 2 else 0.0)
