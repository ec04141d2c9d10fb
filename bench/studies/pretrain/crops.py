"""The instances of a dataset as inputs of an encoder, in memory: what an encoder is learned from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.embeddings.embed import Prepared
from bench.embeddings.extract import in_order
from bench.embeddings.views import read_views
from bench.seeds import keyed_uniform
from encoders import Preprocess

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Crops:
    """What an encoder is learned from.

    pixels: uint8 (n, S, S, 3), the views of instances in the order of their names. instances: the names, (n,), each as
    often as an instance has views. problems: path -> why an image cannot be read.
    """

    pixels: np.ndarray
    instances: np.ndarray
    problems: dict[str, str]


@dataclass(frozen=True)
class Labelled:
    """Images with labels, to see whether an encoder tells them apart. pixels: uint8 (N, S, S, 3); labels,
    groups: (N,)."""

    pixels: np.ndarray
    labels: np.ndarray
    groups: np.ndarray


def read_labelled(
    prepared: Prepared, policy: Preprocess, most: int, workers: int, on_progress: Progress | None = None
) -> Labelled:
    """Return at most so many labelled instances, drawn by their names."""
    crops = read_crops(prepared, policy, most, workers, on_progress)
    rows = prepared.instances.set_index("instance").loc[crops.instances]
    return Labelled(crops.pixels, rows["label"].to_numpy(str), rows["group"].to_numpy(str))


def read_crops(
    prepared: Prepared,
    policy: Preprocess,
    most: int,
    workers: int,
    on_progress: Progress | None = None,
) -> Crops:
    """Return at most so many instances, drawn by their names, so that the same ones come whatever lies beside them."""
    table = in_order(prepared.instances)
    names = table["instance"].to_numpy(str)
    if len(names) > most:
        table = table[np.argsort(np.argsort(keyed_uniform(("pretrain",), names.tolist()))) < most]
        names = table["instance"].to_numpy(str)
    found: dict[int, np.ndarray] = {}
    problems: dict[str, str] = {}
    for made, bad in read_views(prepared, table, policy, workers):
        found |= made
        problems |= bad
        if on_progress:
            on_progress("read images", len(found), len(names))
    order = sorted(found, key=lambda row: names[row])
    pixels = [view for row in order for view in found[row]]
    kept = [names[row] for row in order for _ in found[row]]
    shape = (0, policy.size or 0, policy.size or 0, 3)
    return Crops(np.stack(pixels) if pixels else np.zeros(shape, np.uint8), np.array(kept, dtype=str), problems)
