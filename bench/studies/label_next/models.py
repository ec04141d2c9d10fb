"""What strategies look at: rows of all encoders side by side, and what models say that learned from the labels so
far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.fitting.views import Embedded
from bench.heads import get_heads
from bench.products import unit_rows
from bench.statistics.metrics import mcc
from bench.studies.audit.unseen import on_axes, parts_of, without_part

COMMITTEE = ("logreg", "lda", "knn")  # heads that are unlike each other


def rows_for_picks(views: Sequence[Embedded], groups: np.ndarray) -> list[np.ndarray]:
    """Return the rows of every encoder scaled, on their first axes, at length 1, float32 (N, at most 128).

    groups (N,): the slide of each row, which weigh alike.
    """
    return [unit_rows(on_axes(view, groups)) for view in views]


def side_by_side(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return rows of several encoders as one at length 1, whose products are the mean of theirs."""
    return parts[0] if len(parts) == 1 else unit_rows(np.concatenate(parts, axis=1))


def opinions(
    parts: Sequence[np.ndarray], labelled: np.ndarray, y: np.ndarray, n_classes: int, models: int
) -> np.ndarray | None:
    """Return what models say of all rows, float (M, N, K); the first is logistic regression on the first encoder.

    labelled int (n,): rows that are learned from, of labels y int (n,) in [0, K). models: how many are needed: 0 none,
    1 the first, more all heads of COMMITTEE on every encoder."""
    if models == 0:
        return None
    heads = get_heads(COMMITTEE[:1] if models == 1 else COMMITTEE)
    some = parts[:1] if models == 1 else parts
    return np.stack([head.fit(Z[labelled], y, n_classes).scores(Z) for Z in some for head in heads])


def left_out_skill(Z: np.ndarray, y: np.ndarray, groups: np.ndarray, n_classes: int) -> float:
    """Return how much better than guessing logistic regression is on slides that it did not learn from, at most 1.

    Z (n, d): labelled rows; y int (n,) in [0, K); groups (n,). It is the correlation of predicted and given classes
    (Matthews), in which every label counts alike; 0 for one class, or fewer slides than two.
    """
    if n_classes < 2 or len(np.unique(groups)) < 2:
        return 0.0
    [P] = without_part(Z, y, parts_of(groups, 0), n_classes, get_heads(COMMITTEE[:1]))
    return float(mcc(P, y))
