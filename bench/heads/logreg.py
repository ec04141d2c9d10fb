"""Multinomial logistic regression with an L2 penalty in the mean-loss form.

    minimise over W (K, d), b (K):   (1/n) sum_i -log softmax(W x_i + b)[y_i]  +  (l2 / 2) ||W||^2

l2 does not drift with n; scikit-learn's C is 1 / (l2 n), and 2 / (l2 n) with two classes, for which it keeps one
weight vector and not two of opposite sign. The optimal W lies in the span of the support rows, so the problem is
solved exactly in the coordinates of `Support.linear`, for all label vectors and all l2 at once
(`bench.solvers.linalg`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bench.heads.contract import Head, Params, Range, Scored, softmax
from bench.heads.left_out import rows_left
from bench.heads.linear_fit import LinearFit, load, of_shifted
from bench.heads.support import Support
from bench.products import Array, backend_of
from bench.solvers import ladder
from bench.solvers.left_out import leave_out
from bench.solvers.linalg import minimise
from bench.solvers.rows import Loss, Solved

GRID = tuple({"l2": float(10 ** (-2 * j / 3))} for j in range(10))  # 1 to 1e-6; 0.01 is the fourth


def _cross_entropy(S: Array, own: Array) -> tuple[Array, Array]:
    """-log softmax(S)[own] for `linalg.Loss`; exact to rounding for rows far on either side of the boundary."""
    on = backend_of(S)
    xp = on.xp
    top = xp.amax(S, 1)  # (P, n)
    behind = top - xp.take(S, own)  # 0 where the own class leads
    S -= top[:, None]
    xp.exp(S, out=S)
    own_part = xp.exp(-behind)
    on.set_at(S, own, 0 * own_part)
    others = S.sum(1)
    share = 1 / (others + own_part)
    S *= share[:, None]
    others *= share  # 1 - p of the own class, without a difference
    on.set_at(S, own, others)
    w = S.mean(2) - xp.linalg.vecdot(S, S) / S.shape[2]  # p (1 - p) is the same for p and 1 - p
    on.set_at(S, own, -others)
    return xp.where(behind > 0, behind - xp.log(share), -xp.log1p(-others)), w


CROSS_ENTROPY = Loss(_cross_entropy, (0.0, 0.0))


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return probabilities (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    return fit_and_score(support, Y, n_classes, [g["l2"] for g in grid])


def loo(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return about the same for every support row by the model without its group; see `bench.solvers.left_out`."""
    return fit_and_leave_out(support, Y, n_classes, [g["l2"] for g in grid])


def learn(support: Support, y: np.ndarray, n_classes: int, setting: Params) -> LinearFit:
    """Return the head fitted to labels y (n,); see `bench.heads.contract.Head`."""
    return fit_linear(support, y, n_classes, setting["l2"])


def fit_and_score(
    support: Support,
    Y: np.ndarray,
    n_classes: int,
    l2: Sequence[float],
    loss: Loss = CROSS_ENTROPY,
    top: float = ladder.TOP,
    weight: np.ndarray | None = None,
) -> Scored:
    """Return probabilities (m, len(l2), n_test, K) of the linear model with this loss; see `linalg.minimise`."""
    solved = _solve(support, Y, n_classes, l2, loss, top, weight=weight)
    m, L, K, r = solved.W.shape
    S = support.linear.scores(solved.W.reshape(m * L, K, r)).reshape(m, L, K, -1)
    S.swapaxes(1, 2)[_absent(Y, K)] = -np.inf
    return Scored(softmax(S, 2, overwrite=True).swapaxes(2, 3), solved.gap, solved.steps)


def fit_linear(
    support: Support,
    y: np.ndarray,
    n_classes: int,
    l2: float,
    loss: Loss = CROSS_ENTROPY,
    top: float = ladder.TOP,
    weight: np.ndarray | None = None,
) -> LinearFit:
    """Return the linear model of `fit_and_score` for one label vector y (n,), its weights (n,) and one l2."""
    solved = _solve(support, y[None], n_classes, [l2], loss, top, weight=None if weight is None else weight[None])
    return of_shifted(support, y, *support.in_dimensions(solved.W[0, 0]))


def fit_and_leave_out(
    support: Support,
    Y: np.ndarray,
    n_classes: int,
    l2: Sequence[float],
    loss: Loss = CROSS_ENTROPY,
    top: float = ladder.TOP,
) -> Scored:
    """Return probabilities (m, len(l2), n, K) of the support rows by the same model learned without their group.

    Uniform if nothing is left. What is fitted on the way is kept, so that scoring the test rows next costs no fit.
    """
    linear, (m, n) = support.linear, Y.shape
    solved = _solve(support, Y, n_classes, l2, loss, top, keep=True)
    on = backend_of(support.device)
    W = on.send(solved.W.reshape(-1, *solved.W.shape[2:]))
    S = on.fetch(on.product(W, linear.rows.Zt)).reshape(m, len(l2), n_classes, n)
    P = np.empty((m, len(l2), n, n_classes))
    for some, y, left, place in zip(S, Y, rows_left(Y, support.groups, n_classes), P, strict=True):
        leave_out(support.geometry, y, l2, some, left, loss.one or (0.0, 0.0), place)
    return Scored(P, solved.gap, solved.steps)


def _absent(Y: np.ndarray, n_classes: int) -> np.ndarray:
    """Return which classes have no label, (m, K)."""
    return (Y[:, None, :] != np.arange(n_classes)[:, None]).all(2)  # type: ignore[no-any-return]


def _solve(
    support: Support,
    Y: np.ndarray,
    n_classes: int,
    l2: Sequence[float],
    loss: Loss,
    top: float,
    keep: bool = False,
    weight: np.ndarray | None = None,
) -> Solved:
    """Return `linalg.minimise`, or what `keep` kept of it: a fit does not depend on the others, to the bit."""
    if weight is not None:
        return minimise(support.linear.rows, Y, n_classes, l2, loss, top, weight)
    names = [[(y.tobytes(), float(value), loss.one, top, n_classes) for value in l2] for y in Y]
    kept = support.solved
    if all(name in kept for row in names for name in row):
        parts = [[kept[name] for name in row] for row in names]
        return Solved(*(np.array([[part[at] for part in row] for row in parts]) for at in range(3)))
    solved = minimise(support.linear.rows, Y, n_classes, l2, loss, top)
    if keep and loss.one is not None:
        for i, row in enumerate(names):
            kept |= {name: (solved.W[i, j], solved.gap[i, j], solved.steps[i, j]) for j, name in enumerate(row)}
    return solved


def scores_by(
    parameter: str,
    make_loss: Callable[[float], Loss],
    top: float,
    run: Callable[..., Scored],
    support: Support,
    Y: np.ndarray,
    n_classes: int,
    grid: Sequence[Params],
) -> Scored:
    """Return `Scores` for settings of l2 and of a parameter of the loss; settings that share it are solved at once.

    run: `fit_and_score` or `fit_and_leave_out`.
    """
    parts: list[Scored] = []
    order: list[int] = []
    for value in sorted({float(g[parameter]) for g in grid}):
        own = [j for j, g in enumerate(grid) if float(g[parameter]) == value]
        parts.append(run(support, Y, n_classes, [grid[j]["l2"] for j in own], make_loss(value), top))
        order += own
    place = np.argsort(order)
    return Scored(*(np.concatenate(arrays, 1)[:, place] for arrays in zip(*parts, strict=True)))


def rule(n: int, n_classes: int, d: int) -> Params:
    """Return l2 = .005 / (K n^.2), for n labels of K classes; d changes nothing that could be measured."""
    return {"l2": 0.005 / (n_classes * n**0.2)}


def place(setting: Params) -> float:
    """Return log l2."""
    return float(np.log(setting["l2"]))


def temperature(n: int, n_classes: int, d: int) -> float:
    """Return 4 (n/K)^-.3 K^-.17: the fewer the labels, the more certain a fit is of what it has learned by heart."""
    return float(4.0 * (n / n_classes) ** -0.3 * n_classes**-0.17)


SPACE = {"l2": Range(1e-6, 1.0, log=True)}
HEAD = Head(
    "logreg",
    "multinomial logistic regression, L2",
    scores,
    {"l2": 0.01},
    version=14,
    grid=GRID,
    loo=loo,
    space=SPACE,
    rule=rule,
    place=place,
    temperature=temperature,
    learn=learn,
    load=load,
    gpu=True,
)
