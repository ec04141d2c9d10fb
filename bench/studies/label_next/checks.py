"""Labels that are worth a second look more than a new image is worth a first one.

A label that is looked at again and put right turns a wrong example into a right one, which counts as two: one wrong
less and one right more. A new label is one right more. So a look at a label that is wrong with probability p is worth 2
p, and more than a new label where p is over a half (the trade-off of Lin, Mausam and Weld 2016, "Re-active learning",
reduced to counts). p is that of `bench audit`: models that did not see the slide, and a model of how labels go wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.fitting.views import Embedded
from bench.studies.audit.labels import audit_labels

HEADS = ("knn", "ridge", "logreg")
ENOUGH = 50  # labels, below which models say too little of single ones


@dataclass(frozen=True, kw_only=True)
class Check:
    """row: of the label; why: in words; p_wrong: 0 to 1."""

    row: int
    why: str
    p_wrong: float


def labels_to_check(
    views: Mapping[str, Embedded], labelled: np.ndarray, labels: Sequence[str], groups: np.ndarray, most: int
) -> list[Check]:
    """Return labels that are more likely wrong than right, the most suspicious first, at most so many.

    views: of all N rows. labelled int (n,): rows with a label, labels (n,), groups (n,) their slides.
    """
    classes, y = np.unique(np.array(labels, str), return_inverse=True)
    if len(labelled) < ENOUGH or len(classes) < 2:
        return []
    some = {name: replace(view, X=view.X[labelled]) for name, view in views.items()}
    found = audit_labels(some, y, groups, n_classes=len(classes), heads=HEADS)
    doubted = np.flatnonzero(found.doubted)
    order = doubted[np.argsort(found.rank[doubted], kind="stable")][:most]
    return [
        Check(
            row=int(labelled[i]), p_wrong=float(found.fitted.p[i]),
            why=f"labelled {labels[i]}, and models not trained on it predict {classes[found.other[i]]}",
        )
        for i in order.tolist()
    ]  # fmt: skip
