"""Mean pooling: an image is the mean of its cells' embeddings, and any head learns from these.

Means of scattered rows are short, so that a penalty meant for rows of length 1 would weigh many times as much on them:
all rows are divided by one number, the root mean square length of what is learned from (1 for cells of length 1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.heads.logreg import fit_and_score, fit_linear
from bench.heads.state import State
from bench.heads.support import Support
from bench.studies.granularity.bags import Bags, bag_means
from bench.studies.granularity.heads.base import Base, LearnedBase, choose_base, learn_base, restore_base
from bench.studies.granularity.heads.contract import BagHead, BagScored, Draw


@dataclass(frozen=True, kw_only=True, eq=False)
class MeanPoolFit:
    """base: learned from means of images, divided by length."""

    base: Base
    length: float

    def scored(self, X: np.ndarray, bags: Bags, cells: np.ndarray) -> BagScored:
        """Return probabilities of bags and cells; see `bench.studies.granularity.heads.contract.BagFitted`.

        A linear head's score of an image is the mean of its cells' scores.
        """
        tested = np.concatenate([_means(X, bags), X[cells]]) / X.dtype.type(self.length)
        return BagScored(*np.split(self.base.scores(tested), [len(bags)]))

    def state(self) -> State:
        """Return the state of the head for means, and the length."""
        state = self.base.state()
        return State(arrays=state.arrays, about={"kind": "mean-pool", "length": self.length, "base": dict(state.about)})


def load(state: State) -> MeanPoolFit:
    """Return what learned of its state; BenchError for a state of anything else."""
    state.check_kind("mean-pool")
    length, own = state.about.get("length"), state.about.get("base")
    if type(length) is not float or not 0 < length < math.inf or not isinstance(own, dict):
        raise BenchError("Got a state without a length or a head; expected both. Fit it again.")
    return MeanPoolFit(base=restore_base(State(arrays=state.arrays, about=own)), length=length)


def pooled(draw: Draw, learned: Bags) -> tuple[Support, float]:
    """Return means of the learned bags as support, divided by their typical length, and that length."""
    means = _means(draw.X, learned)
    length = typical_length(means)
    rows = means / length
    return Support(rows, rows[:0], draw.groups_of(learned)), float(length)


def typical_length(X: np.ndarray) -> float:
    """Return the root mean square length of rows X (n, d), 1 where all are 0; of its type."""
    return np.sqrt((X.astype(np.float64) ** 2).sum(1).mean()).astype(X.dtype) or X.dtype.type(1)


def _means(X: np.ndarray, bags: Bags) -> np.ndarray:
    return bag_means(X[bags.rows], bags).astype(X.dtype, copy=False)


def learn(draw: Draw, settings: Mapping[str, Any]) -> MeanPoolFit:
    """Learn from the means of images alone."""
    support, length = pooled(draw, draw.bags)
    return MeanPoolFit(base=learn_base(settings["base"], support, draw.bags.y, draw.n_classes), length=length)


def learn_both(draw: Draw, settings: Mapping[str, Any]) -> MeanPoolFit:
    """Learn from means of images and from labelled cells at once, weighed as `Draw.weight` says.

    The penalty is chosen as if all weighed the same.
    """
    learned, K = draw.learned, draw.n_classes
    support, length = pooled(draw, learned)
    setting, temperature = choose_base("logreg", support, learned.y, K)
    y, weight, l2 = learned.y, draw.weight, setting["l2"]
    base = LearnedBase(
        name="logreg", support=support, temperature=temperature,
        score=lambda tested: fit_and_score(tested, y[None], K, [l2], weight=weight[None]).P[0, 0],
        learn=lambda tested: fit_linear(tested, y, K, l2, weight=weight),
    )  # fmt: skip
    return MeanPoolFit(base=base, length=length)


HEADS = (
    BagHead("mean-pool", "mean embedding of the image, then a head", learn, load, {"base": "logreg"}, version=4),
    BagHead(
        "joint", "logreg on mean embeddings of images and on labelled cells, which never weigh less together",
        learn_both, load, mixes=True, version=4,
    ),
)  # fmt: skip
