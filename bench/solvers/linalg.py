"""Many regularised linear classifiers on the same rows, solved side by side: arrays in, arrays out.

Letters: n rows, r coordinates (the last is the constant 1 of the intercept), K classes, P problems that differ in
their labels. Each problem is wanted for several strengths l2 and minimises over W (K, r)

    f(W) = (1/n) sum_i weight_i loss(W z_i, y_i)  +  (l2 / 2) ||W without the intercepts||^2

by L-BFGS (Nocedal & Wright 2006, sec. 7.2). What makes it fast:

(A) The coordinates are orthogonal, Z'Z = diag(e). With C the mean of diag(p) - pp' over the rows, H = C x diag(e) / n
    + l2 is close to the Hessian, and exactly the Hessian at W = 0 for cross-entropy. It is scaled by the newest pair
    (their eq. 7.20), and the unit step is tried first.
(B) A weak l2 starts from stronger ones (`bench.solvers.ladder`), which only have to show the way: `PASSING`.
(C) On a CPU, large problems start from what their leading coordinates alone give (`bench.solvers.narrow`).
(D) On a CPU steps are compiled (`bench.solvers.compiled`), with their products (`bench.loops.tiles`) and four pairs, on
    the axes of C where a stage begins, where H is diagonal; and as the losses see differences of scores alone, products
    are made for all classes but one.
    What is here runs on arrays of a GPU, or for losses that are not compiled: all problems step at once, and keep one
    pair ("memoryless") and the diagonal of C, renewed at every step. Small problems solve all l2 at once, without (B).

What one (problem, l2) gives does not depend on the others, to the bit: products round every row alike, all l2 lie on
one ladder, and nothing else mixes problems. The arrays are torch's or numpy's
(`bench.products`); what there is one number of for every problem stays at this end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.errors import BenchError
from bench.products import backend_of, fast_products
from bench.solvers import ladder
from bench.solvers.arrays import Solving
from bench.solvers.ladder import Stage, plan_path
from bench.solvers.narrow import TOLERANCE as OF_A_START
from bench.solvers.narrow import Arrays, is_large, leading, narrowed, plan, widened
from bench.solvers.problem import Limits
from bench.solvers.rows import Loss, Rows, Solved

# How far f may be above its minimum, as a share of its penalty, before a last step that is taken unseen: near the
# minimum unit steps come down, and an evaluation is saved. W is right to 1e-3 of its length, and mostly to 3e-4.
TOLERANCE = 2e-6
TIGHT = 1e-7  # the same where n r K is below FEW: with few labels margins are thin, and steps cost little
FEW = 500_000
PASSING = 1e-4  # the same where an l2 of the path is left for the next
ROUNDING = 1e-12  # the same as a share of f, where W is 0
MOST_STEPS = 1000
SLACK = 8 * float(np.finfo(np.float32).eps)  # rounding of f, as a share of f: what a step may seem to rise
LEAST_WEIGHT = 1e-6  # of the curvature w_k, where all rows are far from the boundary of class k
SMALL = 30_000  # n r K below which a step costs its calls and not its work: all l2 start at W = 0, side by side


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
    limits = Limits(TIGHT if work < FEW else TOLERANCE, PASSING, ROUNDING, SLACK, LEAST_WEIGHT, MOST_STEPS)
    if loss.one is not None and isinstance(rows.Zt, np.ndarray):
        labels, arrays = (Y, n_classes, weight), (rows.Zt, rows.mean_Z, rows.curvature)
        start, stages = None, plan_path(wanted, top) if top else apart
        if top and is_large(arrays):
            stages = plan(wanted, top)
            first = [stage.l2 for stage in stages if stage.ahead is None]
            each = [Stage(value, None, False, at) for at, value in enumerate(first)]
            roughly = limits._replace(tolerance=OF_A_START)
            some = leading(rows.curvature)
            start = widened(_solve(narrowed(arrays, some), labels, each, loss.one, roughly).W, some, r)
        W, gap, steps = _solve(arrays, labels, stages, loss.one, limits, start)
        return Solved(W[:, place], gap[:, place], steps[:, place])
    tracks = [[stage] for stage in apart] if top == 0 or work < SMALL else [plan_path(wanted, top)]
    with (
        np.errstate(invalid="ignore", over="ignore", divide="ignore"),  # a step too long is made shorter
        fast_products(backend_of(rows.Zt), n * r) as on,
    ):
        solving = Solving(on, rows, (Y, n_classes), tracks, loss, weight, limits)
        while solving.active:
            solving.step()
    W, gap, steps = solving.solved
    return Solved(W[:, place], gap[:, place], steps[:, place])


def _solve(
    rows: Arrays,
    labels: tuple[np.ndarray, int, np.ndarray | None],
    stages: Sequence[Stage],
    loss: tuple[float, float],
    limits: Limits,
    start: np.ndarray | None = None,
) -> Solved:
    """Return `bench.solvers.compiled.solve`. labels: Y, how many classes, weight."""
    from bench.solvers.compiled import solve

    Y, n_classes, weight = labels
    return Solved(*solve(rows, Y, n_classes, stages, loss, weight, limits, start))
