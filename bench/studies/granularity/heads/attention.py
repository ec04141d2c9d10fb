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

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.heads.contract import softmax
from bench.studies.granularity.bags import Bags, bag_means, bag_softmax, bag_sums
from bench.studies.granularity.heads.contract import BagHead, BagScored, Draw
from bench.studies.granularity.heads.mean_pool import typical_length
from bench.work.threads import torch_threads


def scores(draw: Draw, settings: Mapping[str, Any]) -> BagScored:
    """Learn attention and classes together; a class that the draw lacks gets 0."""
    learned, tested = draw.bags, draw.test_bags
    length = typical_length(bag_means(draw.X[learned.rows], learned))
    X, X_test = (draw.X[rows].astype(np.float64) / length for rows in (learned.rows, draw.scored_rows))
    V, U, w, C, c = _train(X, learned, draw.n_classes, settings)
    masked = np.where(np.isin(np.arange(draw.n_classes), learned.y), 0, -np.inf)
    members, cells = np.split(X_test, [len(tested.rows)])
    gate = (np.tanh(members @ V) / (1 + np.exp(-(members @ U)))) @ w
    _, attention = bag_softmax(gate, tested)
    return BagScored(
        softmax(bag_sums(attention[:, None] * (members @ C), tested) + c + masked), softmax(cells @ C + c + masked)
    )


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
        "attention", "gated attention over the image's cells", scores, {"hidden": 16, "l2": 0.01, "steps": 100},
        least_bags=50,
    ),
)  # fmt: skip
