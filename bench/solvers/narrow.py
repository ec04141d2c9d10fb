"""Starts of large problems, from the same problems on their leading coordinates alone.

Where rows lie on principal axes, nearly all that a penalty lets through is in the first ones. There an evaluation costs
a fraction, and from what it finds the whole problem takes half as many as from W = 0. So a strength that lies on its
own is found without those before it (`bench.solvers.ladder`); those of the ladder itself stay on it, as ten of them are
found sooner together. Which way one is found does not depend on the others that are wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.solvers.ladder import Stage, is_point, plan_path

LEADING = 128  # coordinates
FROM = 256  # coordinates of problems that are large: of fewer, half are not much less
NEAR = 2e-5  # weaker strengths are found sooner on the ladder
TOLERANCE = 1e-2  # of a start, see that of `bench.solvers.linalg`

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]  # Z' (r, n), Z / n (n, r), curvature (r,)


def is_large(rows: Arrays) -> bool:
    """Return whether starts on the leading coordinates pay."""
    return len(rows[0]) > FROM


def plan(l2: Sequence[float], top: float) -> list[Stage]:
    """Return the stages of a large problem: those of strengths that are found on their own, then `plan_path`."""
    alone = [at for at, value in enumerate(l2) if NEAR <= value < top and not is_point(value, top)]
    others = [at for at in range(len(l2)) if at not in alone]
    path = plan_path([l2[at] for at in others], top)
    path = [stage if stage.at is None else replace(stage, at=others[stage.at]) for stage in path]
    return [*(Stage(l2[at], None, False, at) for at in alone), *path]


def leading(curvature: np.ndarray) -> np.ndarray:
    """Return which coordinates bend most, of curvature (r,), and the constant, the last: rising."""
    most = np.argsort(-curvature[:-1], kind="stable")[:LEADING]
    return np.append(np.sort(most), len(curvature) - 1)


def narrowed(rows: Arrays, some: np.ndarray) -> Arrays:
    """Return the rows on some coordinates."""
    Zt, mean_Z, curvature = rows
    return Zt[some], np.ascontiguousarray(mean_Z[:, some]), curvature[some]


def widened(W: np.ndarray, some: np.ndarray, r: int) -> np.ndarray:
    """Return W (..., len(some)) of `narrowed` rows as one of all r coordinates."""
    wide = np.zeros((*W.shape[:-1], r), W.dtype)
    wide[..., some] = W
    return wide
