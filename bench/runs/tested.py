"""What predictions are scored on: images where tiles inherit the label of theirs, else instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Tested:
    """What the predictions are scored on: images when tiles inherit an image's label, else instances.

    item (N,): which scored item each tested row belongs to, in [0, n_items). y, group: per item.
    level: 'image' or 'instance'.
    """

    level: str
    item: np.ndarray
    y: np.ndarray
    group: np.ndarray

    def pool(self, P: np.ndarray) -> np.ndarray:
        """Return the mean probability per scored item, float64 (..., n_items, K)."""
        if len(self.item) == len(self.y):
            return P.astype(np.float64)
        out = np.zeros((*P.shape[:-2], len(self.y), P.shape[-1]))
        count = np.bincount(self.item, minlength=len(self.y))
        np.add.at(np.moveaxis(out, -2, 0), self.item, np.moveaxis(P.astype(np.float64), -2, 0))
        return out / count[:, None]


def scored_items(table: pd.DataFrame, rows: np.ndarray, classes: Sequence[str]) -> Tested:
    """Describe the scored items of the tested rows (positions into the instance table)."""
    part = table.iloc[rows]
    codes = pd.Categorical(part["label"], categories=list(classes)).codes.astype(np.int64)
    group = part["group"].to_numpy(str)
    if not (part["level"] == "inherited").any():
        return Tested("instance", np.arange(len(part)), codes, group)
    _, first, item = np.unique(part["image"].to_numpy(str), return_index=True, return_inverse=True)
    return Tested("image", item, codes[first], group[first])
