"""The rows of next.csv, of what was proposed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.active.propose import Proposal
from bench.active.similar import nearest
from bench.active.strategies import BY_LOT as LOT
from bench.active.strategies import STRATEGIES
from bench.data.chosen_by import BY_LOT, CHOSEN_BY
from bench.data.label_boxes import BOX
from bench.studies.label_next.checks import Check
from bench.studies.label_next.table import CHECK, COLUMNS, LABELLED, NEAR, NEW

COUNTS = "has a label, and is the next of the random order: it counts as drawn at random"


def as_table(
    rows: pd.DataFrame, labels: Sequence[str | None], made: Proposal, strategy: str, *, checks: Sequence[Check],
    Z: np.ndarray,
) -> pd.DataFrame:  # fmt: skip
    """Return next.csv. rows: of the instances; labels: of each, or None; Z (N, d): rows of length 1."""
    labelled = np.array([i for i, label in enumerate(labels) if label is not None], np.int64)
    near = nearest(Z, made.rows, labelled, NEAR)
    paths = rows["path"].to_numpy(str)
    found: list[dict[str, Any]] = []
    for i, by_lot, beside in zip(made.rows.tolist(), made.by_lot.tolist(), near.tolist(), strict=True):
        about: dict[str, Any] = {
            "task": NEW, CHOSEN_BY: BY_LOT if by_lot else strategy, "why": LOT if by_lot else STRATEGIES[strategy].why
        }  # fmt: skip
        for k, j in enumerate(beside, start=1):
            about |= {f"near{k}": paths[j], f"near{k}_label": labels[j]}
        found.append(_of(rows, i, labels) | about)
    counts = set(made.counts.tolist())
    found += [
        _of(rows, check.row, labels)
        | {"task": CHECK, "why": check.why, CHOSEN_BY: BY_LOT if check.row in counts else None}
        for check in checks
    ]
    found += [
        _of(rows, i, labels) | {"task": LABELLED, CHOSEN_BY: BY_LOT, "why": COUNTS}
        for i in sorted(counts - {check.row for check in checks})
    ]
    table = pd.DataFrame(found, columns=COLUMNS).assign(order=range(1, len(found) + 1))
    return table.astype(dict.fromkeys(BOX, "Int64"))


def _of(rows: pd.DataFrame, i: int, labels: Sequence[str | None]) -> dict[str, Any]:
    one = rows.iloc[i]
    return {name: one[name] for name in ("path", *BOX, "group")} | {"label": labels[i]}
