"""One image file to the inputs of every encoder: decoded once, windowed once per view, cut and resized."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.errors import BenchError
from bench.images import ImageError, open_image
from encoders import EncoderError, EncoderSpec, Preprocess
from encoders.preprocess import as_views, fit_input

Prepared = dict[str, dict[Preprocess, np.ndarray]]  # instance -> preprocessing -> uint8 (V, S, S, 3)


def prepare_image(path: Path, rows: pd.DataFrame, policies: Sequence[Preprocess]) -> Prepared:
    """Return the views of the instances `rows` (columns instance, x0, y0, x1, y1) of one image, by policy.

    uint8 (V, S, S, 3), or (V, H, W, 3) where the policy has no size; V is 1 unless each channel is a view.
    Raises ImageError, also where the image lacks a channel that a policy names.
    """
    views: dict[tuple[str, ...], list[np.ndarray]] = {}
    with open_image(path) as picture:
        stacks = {stack: picture.project(stack) for stack in {policy.stack for policy in policies}}
    for policy in policies:
        if _view_of(policy) not in views:
            try:
                views[_view_of(policy)] = as_views(stacks[policy.stack], policy, picture.info.names)
            except EncoderError as error:
                raise ImageError(str(error)) from None
    prepared: Prepared = {}
    for instance, x0, y0, x1, y1 in rows[["instance", "x0", "y0", "x1", "y1"]].itertuples(index=False):
        box = np.s_[:, :] if pd.isna(x0) else np.s_[int(y0) : int(y1), int(x0) : int(x1)]
        prepared[str(instance)] = {
            policy: np.stack([fit_input(view[box], policy) for view in views[_view_of(policy)]]) for policy in policies
        }
    return prepared


def _view_of(policy: Preprocess) -> tuple[str, ...]:
    return policy.stack, policy.channels, policy.window, policy.color


def flat_views(inputs: Sequence[np.ndarray]) -> tuple[list[np.ndarray], int]:
    """Return the views of n instances (each V, S, S, 3) in one list (n x V), and V, which is the same for all."""
    counts = sorted({len(views) for views in inputs})
    if len(counts) != 1:
        raise BenchError(f"Got instances of {' and '.join(map(str, counts))} channels; expected one number for all.")
    return [view for views in inputs for view in views], counts[0]


def join_views(vectors: np.ndarray, count: int) -> np.ndarray:
    """Return (n, V x d) of the vectors (n x V, d) of n instances with `count` = V views each, one after the other."""
    if len(vectors) % count:
        raise BenchError(f"Got {len(vectors)} vectors for instances of {count} views; expected a multiple of {count}.")
    return vectors.reshape(len(vectors) // count, count * vectors.shape[1])


def check_views(images: pd.DataFrame, specs: Sequence[EncoderSpec]) -> None:
    """Refuse an encoder that takes each channel by itself where images (columns path, channels) differ in channels."""
    each = [spec.name for spec in specs if spec.preprocess.channels == "each"]
    if each and images["channels"].nunique() > 1:
        fewest, *_, most = images.sort_values("channels", kind="stable").to_dict("records")
        raise BenchError(
            f"Got {each[0]} for images with {fewest['channels']} ({fewest['path']}) and {most['channels']} "
            f"({most['path']}) channels; expected the same number in all, as every channel has its own columns. Name "
            "those that all have, as channels=each:0, or leave some images out."
        )
