"""Inheritance: every cell takes the label of its image, and the image is scored by what its cells say together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bench.heads.state import State
from bench.heads.support import Support
from bench.studies.granularity.bags import Bags, mean_log_odds, mean_probability, vote
from bench.studies.granularity.heads.base import Base, learn_base, restore_base
from bench.studies.granularity.heads.contract import BagHead, BagScored, Draw

Pooling = Callable[[np.ndarray, Bags], np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class InheritFit:
    """base: learned from cells; pooling: makes an image's probabilities of its cells'."""

    pooling: Pooling
    base: Base

    def scored(self, X: np.ndarray, bags: Bags, cells: np.ndarray) -> BagScored:
        """Return probabilities of bags and cells; see `bench.studies.granularity.heads.contract.BagFitted`."""
        members, single = np.split(self.base.scores(X[np.concatenate([bags.rows, cells])]), [len(bags.rows)])
        return BagScored(self.pooling(members, bags), single)

    def state(self) -> State:
        """Return the state of the head for cells."""
        return self.base.state()


def learn(pooling: Pooling, draw: Draw, settings: Mapping[str, Any]) -> InheritFit:
    """Learn from cells that inherit their image's label, all alike; bags are scored by pooling their cells' scores."""
    bags, image = draw.bags, draw.bags.of_member
    rows = draw.X[bags.rows]
    support = Support(rows, rows[:0], draw.groups_of(bags)[image])
    return InheritFit(pooling=pooling, base=learn_base(settings["base"], support, bags.y[image], draw.n_classes))


def load(pooling: Pooling, state: State) -> InheritFit:
    """Return what learned of its state."""
    return InheritFit(pooling=pooling, base=restore_base(state))


POOLINGS: Mapping[str, tuple[Pooling, str]] = {
    "inherit": (mean_probability, "mean probability"),
    "inherit-vote": (vote, "vote"),
    "inherit-log-odds": (mean_log_odds, "mean log-odds"),
}
HEADS = tuple(
    BagHead(
        name, f"cells inherit the image's label; image by {what}", partial(learn, pooling), partial(load, pooling),
        {"base": "logreg"},
    )
    for name, (pooling, what) in POOLINGS.items()
)  # fmt: skip
