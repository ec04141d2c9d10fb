"""Gated attention (Ilse, Tomczak and Welling 2018, eq. 9): an image is a mean of its cells, weighed by a small network.

    a_i = softmax over the bag of  w'(tanh(V x_i) * sigmoid(U x_i)),   z = sum_i a_i x_i,   classes: softmax(C z + c)

A cell alone has attention 1, so its classes are softmax(C x + c). Rows are scaled as in
`bench.studies.granularity.heads.mean_pool`. All bags are learned from at once: the mean cross-entropy plus l2/2 of all
weights but c, by L-BFGS and torch's gradient, from a start by a fixed seed. (Adam, as in the paper, takes steps as
large along directions of noise: on frozen embeddings of few images it did far worse.) With few images the network
learns which images it has seen, hence `least_bags`.

l2 is fixed, while heads that rest on one of `bench.heads` choose theirs by left-out images: no image is left out
without fitting again, a fit takes about 2 seconds (100 images of 13 cells, 1280 dimensions), and a choice among five l2
in five folds would take 25 of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.heads.contract import softmax
from bench.heads.state import State
from bench.studies.granularity.bags import Bags, bag_means, bag_softmax, bag_sums
from bench.studies.granularity.heads.contract import BagHead, BagScored, Draw
from bench.studies.granularity.heads.mean_pool import typical_length
from bench.work.threads import torch_threads


@dataclass(frozen=True, kw_only=True, eq=False)
class AttentionFit:
    """V, U (d, hidden), w (hidden,): of the attention; C (d, K), c (K,): of the classes, c minus infinity for a class
    without a label. length: what rows are divided by.
    """

    V: np.ndarray
    U: np.ndarray
    w: np.ndarray
    C: np.ndarray
    c: np.ndarray
    length: float

    def scored(self, X: np.ndarray, bags: Bags, cells: np.ndarray) -> BagScored:
        """Return probabilities of bags and cells; see `bench.studies.granularity.heads.contract.BagFitted`."""
        rows = X[np.concatenate([bags.rows, cells])].astype(np.float64) / self.length
        members, single = np.split(rows, [len(bags.rows)])
        gate = (np.tanh(members @ self.V) / (1 + np.exp(-(members @ self.U)))) @ self.w
        _, attention = bag_softmax(gate, bags)
        return BagScored(
            softmax(bag_sums(attention[:, None] * (members @ self.C), bags) + self.c), softmax(single @ self.C + self.c)
        )

    def state(self) -> State:
        """Return the weights."""
        arrays = {name: getattr(self, name) for name in ("V", "U", "w", "C", "c")}
        return State(arrays=arrays, about={"kind": "attention", "length": self.length})


def load(state: State) -> AttentionFit:
    """Return what learned of its state; BenchError for a state of anything else."""
    state.check_kind("attention")
    V = state.array("V", "f", (None, None))
    U, w, C = state.array("U", "f", V.shape), state.array("w", "f", V.shape[1:]), state.array("C", "f", (len(V), None))
    c, length = state.array("c", "f", C.shape[1:]), state.about.get("length")
    finite = all(np.isfinite(part).all() for part in (V, U, w, C)) and (np.isfinite(c) | (c == -np.inf)).all()
    if not finite or not np.isfinite(c).any() or type(length) is not float or not 0 < length < math.inf:
        raise BenchError("Got a state of weights that are not those of a fitted head; expected such. Fit it again.")
    return AttentionFit(V=V, U=U, w=w, C=C, c=c, length=length)


def learn(draw: Draw, settings: Mapping[str, Any]) -> AttentionFit:
    """Learn attention and classes together; a class that the draw lacks gets 0."""
    learned = draw.bags
    length = typical_length(bag_means(draw.X[learned.rows], learned))
    X = draw.X[learned.rows].astype(np.float64) / length
    V, U, w, C, c = _train(X, learned, draw.n_classes, settings)
    lacks = np.isin(np.arange(draw.n_classes), learned.y, invert=True)
    return AttentionFit(V=V, U=U, w=w, C=C, c=np.where(lacks, -np.inf, c), length=float(length))


def _train(X: np.ndarray, bags: Bags, n_classes: int, settings: Mapping[str, Any]) -> list[np.ndarray]:
    """Return V, U (d, hidden), w (hidden,), C (d, K), c (K,), learned from the bags' members X (M, d)."""
    import torch
    from scipy.optimize import minimize

    hidden, d = settings["hidden"], X.shape[1]
    shapes = [(d, hidden), (d, hidden), (hidden,), (d, n_classes), (n_classes,)]
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    start = np.random.default_rng(0).standard_normal(ends[-1]) * 0.1
    start[ends[2] :] = 0
    rows, y, of_member = torch.from_numpy(X), torch.from_numpy(bags.y), torch.from_numpy(bags.of_member)

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        whole = torch.from_numpy(theta).requires_grad_()
        V, U, w, C, c = (part.view(shape) for part, shape in zip(whole.tensor_split(ends[:-1].tolist()), shapes,
                                                                 strict=True))  # fmt: skip
        gate = (torch.tanh(rows @ V) * torch.sigmoid(rows @ U)) @ w
        share = torch.exp(gate - gate.detach().max())
        total = torch.zeros(len(bags), dtype=torch.float64).index_add(0, of_member, share)
        own = (share / total.clamp_min(1e-300)[of_member])[:, None] * (rows @ C)
        logits = torch.zeros(len(bags), n_classes, dtype=torch.float64).index_add(0, of_member, own) + c
        f = torch.nn.functional.cross_entropy(logits, y) + settings["l2"] / 2 * whole[: ends[-2]].square().sum()
        f.backward()
        assert whole.grad is not None
        return float(f.detach()), whole.grad.numpy()

    with torch_threads(1):
        found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": settings["steps"]})
    return [part.reshape(shape) for part, shape in zip(np.split(found.x, ends[:-1]), shapes, strict=True)]


HEADS = (
    BagHead(
        "attention", "gated attention over the image's cells", learn, load, {"hidden": 16, "l2": 0.01, "steps": 100},
        least_bags=50,
    ),
)  # fmt: skip
