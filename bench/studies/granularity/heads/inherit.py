"""Inheritance: every cell takes the label of its image, and the image is scored by what its cells say together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from bench.heads.support import Support
from bench.studies.granularity.bags import Bags, mean_log_odds, mean_probability, vote
from bench.studies.granularity.heads.base import fit_base
from bench.studies.granularity.heads.contract import BagHead, BagScored, Draw

Pooling = Callable[[np.ndarray, Bags], np.ndarray]


def scores(pooling: Pooling, draw: Draw, settings: Mapping[str, Any]) -> BagScored:
    """Learn from cells that inherit their image's label, all alike; test bags are scored by pooling theirs."""
    bags, image = draw.bags, draw.bags.of_member
    support = Support(draw.X[bags.rows], draw.X[draw.scored_rows], draw.groups_of(bags)[image])
    P = fit_base(settings["base"], support, bags.y[image], draw.n_classes)
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
