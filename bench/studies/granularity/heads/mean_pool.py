"""Mean pooling: an image is the mean of its cells' embeddings, and any head learns from these.

Means of scattered rows are short, so that a penalty meant for rows of length 1 would weigh many times as much on them:
all rows are divided by one number, the root mean square length of what is learned from (1 for cells of length 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.heads.logreg import fit_and_score
from bench.heads.support import Support
from bench.heads.temperature import soften
from bench.studies.granularity.bags import Bags, bag_means
from bench.studies.granularity.heads.base import choose_base, fit_base
from bench.studies.granularity.heads.contract import BagHead, BagScored, Draw


def pooled(draw: Draw, learned: Bags) -> Support:
    """Return means of the learned bags as support; test bags' means, then test cells, as its test rows."""
    X, means = draw.X, _means(draw.X, learned)
    tested = np.concatenate([_means(X, draw.test_bags), X[draw.test_cells]])
    length = typical_length(means)
    return Support(means / length, tested / length, draw.groups_of(learned))


def typical_length(X: np.ndarray) -> float:
    """Return the root mean square length of rows X (n, d), 1 where all are 0; of its type."""
    return np.sqrt((X.astype(np.float64) ** 2).sum(1).mean()).astype(X.dtype) or X.dtype.type(1)


def _means(X: np.ndarray, bags: Bags) -> np.ndarray:
    return bag_means(X[bags.rows], bags).astype(X.dtype, copy=False)


def scores(draw: Draw, settings: Mapping[str, Any]) -> BagScored:
    """Learn from the means of images alone; a linear head's score of an image is the mean of its cells' scores."""
    P = fit_base(settings["base"], pooled(draw, draw.bags), draw.bags.y, draw.n_classes)
    return BagScored(*np.split(P, [len(draw.test_bags)]))


def joint_scores(draw: Draw, settings: Mapping[str, Any]) -> BagScored:
    """Learn from means of images and from labelled cells at once, weighed as `Draw.weight` says.

    The penalty is chosen as if all weighed the same.
    """
    learned = draw.learned
    support = pooled(draw, learned)
    setting, temperature = choose_base("logreg", support, learned.y, draw.n_classes)
    scored = fit_and_score(support, learned.y[None], draw.n_classes, [setting["l2"]], weight=draw.weight[None])
    return BagScored(*np.split(soften(scored.P[:, 0], temperature)[0], [len(draw.test_bags)]))


HEADS = (
    BagHead("mean-pool", "mean embedding of the image, then a head", scores, {"base": "logreg"}),
    BagHead(
        "joint", "logreg on mean embeddings of images and on labelled cells, which never weigh less together",
        joint_scores, mixes=True,
    ),
)  # fmt: skip
