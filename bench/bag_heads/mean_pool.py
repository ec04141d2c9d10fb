"""Mean pooling: an image is the mean of its cells' embeddings, and any head learns from these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.bag_heads.contract import BagHead, BagScored, Draw
from bench.bags import Bags, bag_means
from bench.heads import get_heads
from bench.heads.logreg import fit_and_score
from bench.heads.support import Support


def pooled(draw: Draw, learned: Bags) -> Support:
    """Return means of the learned bags as support; test bags' means, then test cells, as its test rows."""
    X = draw.X
    tested = np.concatenate([_means(X, draw.test_bags), X[draw.test_cells]])
    return Support(_means(X, learned), tested)


def _means(X: np.ndarray, bags: Bags) -> np.ndarray:
    return bag_means(X[bags.rows], bags).astype(X.dtype, copy=False)


def scores(draw: Draw, settings: Mapping[str, Any]) -> BagScored:
    """Learn from the means of images alone; a linear head's score of an image is the mean of its cells' scores."""
    [head] = get_heads([settings["base"]])
    P = head.scores(pooled(draw, draw.bags), draw.bags.y[None], draw.n_classes, [head.default]).P[0, 0]
    return BagScored(*np.split(P, [len(draw.test_bags)]))


def joint_scores(draw: Draw, settings: Mapping[str, Any]) -> BagScored:
    """Learn from means of images and from labelled cells at once, weighed as `Draw.weight` says."""
    learned = draw.learned
    support = pooled(draw, learned)
    scored = fit_and_score(support, learned.y[None], draw.n_classes, [settings["l2"]], weight=draw.weight[None])
    return BagScored(*np.split(scored.P[0, 0], [len(draw.test_bags)]))


HEADS = (
    BagHead("mean-pool", "mean embedding of the image, then a head", scores, {"base": "logreg"}),
    BagHead(
        "joint", "logreg on mean embeddings of images and on labelled cells; more images than cells weigh as much",
        joint_scores, {"l2": 0.01}, mixes=True,
    ),
)  # fmt: skip
