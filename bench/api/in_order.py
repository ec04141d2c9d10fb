"""Answers in the order of the image files that were given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.studies.classifier.predict import named_below


def in_order(table: pd.DataFrame, images: Sequence[Path]) -> pd.DataFrame:
    """Return the rows (column path, below the folder that all images are in) in the order of two images or more.

    An image that was given twice has its rows twice; one that cannot be used has none. A single image, folder or table
    leaves the rows as they are.
    """
    if len(images) < 2:
        return table
    rows = table.groupby("path").indices
    found = [rows[name] for name in named_below(images)[1] if name in rows]
    return table.iloc[np.concatenate(found)].reset_index(drop=True) if found else table
