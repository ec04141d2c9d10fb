"""Inheritance: every cell takes the label of its image, and the image is scored by what its cells say together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from bench.granularity.bags import Bags, mean_log_odds, mean_probability, vote
from bench.granularity.heads.contract import BagHead, BagScored, Draw
from bench.heads import get_heads
from bench.heads.support import Support

Pooling = Callable[[np.ndarray, Bags], np.ndarray]


def scores(pooling: Pooling, draw: Draw, settings: Mapping[str, Any]) -> BagScored:
    """Learn from cells that inherit their image's label, all alike; test bags are scored by pooling theirs."""
    [head] = get_heads([settings["base"]])
    y = draw.bags.y[draw.bags.of_member]
    support = Support(draw.X[draw.bags.rows], draw.X[draw.scored_rows])
    setting = head.published(len(y), draw.n_classes, draw.X.shape[1])
    P = head.scores(support, y[None], draw.n_classes, [setting]).P[0, 0]
    members, cells = np.split(P, [len(draw.test_bags.rows)])
    return BagScored(pooling(members, draw.test_bags), cells)


POOLINGS: Mapping[str, tuple[Pooling, str]] = {
    "inherit": (mean_probability, "mean probability"),
    "inherit-vote": (vote, "vote"),
    "inherit-log-odds": (mean_log_odds, "mean log-odds"),
}
HEADS = tuple(
    BagHead(name, f"cells inherit the image's label; image by {what}", partial(scores, pooling), {"base": "logreg"})
    for name, (pooling, what) in POOLINGS.items()
)
