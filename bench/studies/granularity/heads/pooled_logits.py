"""Logistic scorers of cells, trained through a pooling that turns the scores of an image's cells into its own.

Scores s_ik = w_k x_i + b_k of member i and class k; y_b the label of bag b; weights v_b, mean 1:

    noisy-or      one class against the rest: p_ik = sigmoid(s_ik), p_bk = 1 - prod_i (1 - p_ik): an image shows k if
                  any cell does. Loss: sum_k -log p_bk where k = y_b, -log(1 - p_bk) elsewhere (Maron and Lozano-Perez
                  1998 for the model, Zhang et al. 2005 for learning it so).
    log-sum-exp   s_bk = (1/r) log mean_i exp(r s_ik), between the mean (r -> 0) and the maximum (r -> inf); softmax
                  over classes, cross-entropy (Ramon and De Raedt 2000; Pinheiro and Collobert 2015).

    f = (1/B) sum_b v_b loss_b + (l2 / 2) ||W||^2, not convex

Of a class that the label of a bag says nothing of ("none of these", of an image), the loss of that bag has no term.

minimised by L-BFGS (scipy) with the gradient written out. It starts at W = 0 with intercepts at which every class is
as likely as any in an image of the usual size, so there is nothing random in it.

l2 is fixed, while heads that rest on one of `bench.heads` choose theirs by left-out images. Nothing here leaves an
image out without fitting again, so that a choice among five l2 in five folds takes 18 times as long as a fit. On blood
smears of four classes it made noisy-or better and log-sum-exp worse (results/granularity/penalty.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.heads.contract import softmax
from bench.heads.state import State
from bench.studies.granularity.bags import Bags, bag_softmax, bag_sums
from bench.studies.granularity.heads.contract import BagHead, BagScored, Draw, normalised

KIND = "pooled logits"
MOST_STEPS = 500
TOLERANCE = 1e-5  # on the gradient's largest entry

# Of S (M, K), bags, r and what is told (B, K): (losses (B,) summed over classes, their derivative by S (M, K)).
Pooled = Callable[[np.ndarray, Bags, float, np.ndarray], tuple[np.ndarray, np.ndarray]]
# Of S (M, K), bags and r: class probabilities (B, K).
Answer = Callable[[np.ndarray, Bags, float], np.ndarray]


def softplus(S: np.ndarray) -> np.ndarray:
    """Return log(1 + exp(S)) without overflow."""
    return np.logaddexp(0, S)


def noisy_or_loss(S: np.ndarray, bags: Bags, r: float, told: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return losses (B,) and their derivative by S (M, K). told bool (B, K): see `Draw.told`.

    u = -log(1 - p_bk) = sum_i softplus(s_ik), so that neither logarithm is of a rounded difference.
    """
    own = np.eye(S.shape[1], dtype=bool)[bags.y]  # (B, K)
    u = np.maximum(bag_sums(softplus(S), bags), 1e-300)
    losses = np.where(own, -np.log(-np.expm1(-u)), u * told).sum(1)
    by_u = np.where(own, -1 / np.expm1(np.minimum(u, 700)), told)
    return losses, by_u[bags.of_member] / (1 + np.exp(-np.clip(S, -500, 500)))


def noisy_or(S: np.ndarray, bags: Bags, r: float) -> np.ndarray:
    """Return p_bk over its sum over classes."""
    return normalised(-np.expm1(-bag_sums(softplus(S), bags)))


def log_sum_exp_loss(S: np.ndarray, bags: Bags, r: float, told: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return losses (B,) and their derivative by S (M, K). told bool (B, K): see `Draw.told`."""
    pooled, share = bag_softmax(r * S, bags)
    P = softmax(np.where(told, pooled / r, -np.inf))
    own = np.eye(S.shape[1])[bags.y]
    losses = -np.log(np.maximum(P[np.arange(len(P)), bags.y], 1e-300))
    return losses, (P - own)[bags.of_member] * share


def log_sum_exp(S: np.ndarray, bags: Bags, r: float) -> np.ndarray:
    """Return the softmax of the pooled scores."""
    return softmax(bag_softmax(r * S, bags)[0] / r)


def objective(
    theta: np.ndarray, Z: np.ndarray, bags: Bags, *, weight: np.ndarray, loss: Callable[..., Any], l2: float
) -> tuple[float, np.ndarray]:
    """Return f and its gradient at theta, (d + 1) x K flattened, the last row the intercepts. Z (M, d): members."""
    W = theta.reshape(Z.shape[1] + 1, -1)
    losses, by_S = loss(Z @ W[:-1] + W[-1], bags)
    by_S *= (weight / len(bags))[bags.of_member][:, None]
    gradient = np.vstack([Z.T @ by_S + l2 * W[:-1], by_S.sum(0)])
    return float(weight @ losses / len(bags) + l2 / 2 * (W[:-1] ** 2).sum()), gradient.ravel()


@dataclass(frozen=True, kw_only=True, eq=False)
class PooledFit:
    """W (d + 1, k): weights of the k classes that were learned, the last row their offsets. present int (k,): which of
    the n_classes these are; the others get 0. answer, r: how scores of cells become those of images.
    """

    answer: Answer
    r: float
    W: np.ndarray
    present: np.ndarray
    n_classes: int

    def scored(self, X: np.ndarray, bags: Bags, cells: np.ndarray) -> BagScored:
        """Return probabilities of bags and cells; see `bench.studies.granularity.heads.contract.BagFitted`."""
        S = X[np.concatenate([bags.rows, cells])].astype(np.float64) @ self.W[:-1] + self.W[-1]
        members, single = np.split(S, [len(bags.rows)])
        one = np.arange(len(single))
        return BagScored(
            self._of_all(members, Bags(np.arange(len(bags.rows)), bags.start, bags.y)),
            self._of_all(single, Bags(one, one, one)),
        )

    def _of_all(self, S: np.ndarray, bags: Bags) -> np.ndarray:
        full = np.zeros((len(bags), self.n_classes))
        if len(bags):
            full[:, self.present] = self.answer(S, bags, self.r)
        return full

    def state(self) -> State:
        """Return the weights."""
        arrays = {"W": self.W, "present": self.present}
        return State(arrays=arrays, about={"kind": KIND, "r": self.r, "n_classes": self.n_classes})


def load(answer: Answer, state: State) -> PooledFit:
    """Return what learned of its state; BenchError for a state of anything else."""
    state.check_kind(KIND)
    r, K, W = state.about.get("r"), state.number("n_classes"), state.array("W", "f", (None, None))
    present = state.array("present", "i", (W.shape[1],))
    sound = len(W) > 1 and np.isfinite(W).all() and len(present) and (np.diff(present) > 0).all()
    if not sound or present[0] < 0 or present[-1] >= K or type(r) is not float or not 0 < r < 1e6:
        raise BenchError("Got a state of weights that are not those of a fitted head; expected such. Fit it again.")
    return PooledFit(answer=answer, r=r, W=W, present=present, n_classes=K)


def learn(loss: Pooled, answer: Answer, either: bool, draw: Draw, settings: Mapping[str, Any]) -> PooledFit:
    """Learn through the pooling. either: whether classes are learned one against the rest, which sets the start."""
    from scipy.optimize import minimize

    learned, l2, r = draw.learned, settings["l2"], float(settings.get("r", 1.0))
    present, y = np.unique(learned.y, return_inverse=True)
    K = len(present)
    bags = Bags(np.arange(len(learned.rows)), learned.start, y)
    Z = draw.X[learned.rows].astype(np.float64)
    start = np.zeros((Z.shape[1] + 1, K))
    if either:
        start[-1] = np.log(np.expm1(np.log(K / max(K - 1, 0.5)) / np.median(bags.size)))
    told_loss = partial(_with, loss, r, draw.told[:, present])
    found = minimize(
        partial(objective, weight=draw.weight, loss=told_loss, l2=l2), start.ravel(), (Z, bags), jac=True,
        method="L-BFGS-B", options={"maxiter": MOST_STEPS, "gtol": TOLERANCE},
    )  # fmt: skip
    W = found.x.reshape(start.shape)
    return PooledFit(answer=answer, r=r, W=W, present=present.astype(np.int64), n_classes=draw.n_classes)


def _with(loss: Pooled, r: float, told: np.ndarray, S: np.ndarray, bags: Bags) -> tuple[np.ndarray, np.ndarray]:
    return loss(S, bags, r, told)


HEADS = (
    BagHead(
        "noisy-or", "logistic scorer of cells; an image shows a class if any cell does",
        partial(learn, noisy_or_loss, noisy_or, True), partial(load, noisy_or), {"l2": 0.01}, mixes=True,
        mixes_none=True,
    ),
    BagHead(
        "log-sum-exp", "logistic scorer of cells; an image has a soft maximum of its cells' scores",
        partial(learn, log_sum_exp_loss, log_sum_exp, False), partial(load, log_sum_exp), {"l2": 0.01, "r": 5.0},
        mixes=True, mixes_none=True,
    ),
)  # fmt: skip
