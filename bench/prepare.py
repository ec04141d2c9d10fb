"""One image file to the inputs of every encoder: decoded once, windowed once per view, cut and resized."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.images import read_image
from encoders import Preprocess
from encoders.preprocess import as_rgb, fit_input

Prepared = dict[str, dict[Preprocess, np.ndarray]]  # instance -> preprocessing -> uint8 (S, S, 3)


def prepare_image(path: Path, rows: pd.DataFrame, policies: Sequence[Preprocess]) -> Prepared:
    """Return the inputs of the instances `rows` (columns instance, x0, y0, x1, y1) of one image. Raises ImageError."""
    image = read_image(path)
    views: dict[tuple[str, str, str], np.ndarray] = {}
    prepared: Prepared = {}
    for policy in policies:
        view = (policy.color, policy.channels, policy.window)
        if view not in views:
            views[view] = as_rgb(image, policy)
    for instance, x0, y0, x1, y1 in rows[["instance", "x0", "y0", "x1", "y1"]].itertuples(index=False):
        box = np.s_[:, :] if pd.isna(x0) else np.s_[int(y0) : int(y1), int(x0) : int(x1)]
        prepared[str(instance)] = {
            policy: fit_input(views[policy.color, policy.channels, policy.window][box], policy) for policy in policies
        }
    return prepared
