"""Cells found in the images themselves: by the classical segmenter, or by Cellpose where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.datasets import Dataset
from bench.images import open_image, read_image, sample, sample_step
from bench.instances.cell_boxes import FoundCells
from bench.instances.cell_cache import cells_of, look_at
from bench.instances.contrast import foreground_of
from bench.instances.masks import table_of
from bench.instances.segment import VERSION, Segmenter, segment
from bench.seeds import content_name

LOOKED_AT = 8_000_000  # pixels of an image by which its foreground is told, if it has more
Tell = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Tell nobody."""


def segments_of(
    dataset: Dataset,
    identity: list[object],
    find: Callable[[np.ndarray], np.ndarray],
    cache: Path | None,
    tell: Tell = silent,
    beside: Sequence[str] = (),
) -> FoundCells:
    """Return the cells that `find` sees: pixels (H, W, C) to labels (H, W).

    identity: what its result depends on. beside: as of `look_at`.
    """
    images = dataset.table.drop_duplicates("path").set_index("path")
    digests = images["digest"].to_dict()
    names = {str(path): content_name([*identity, digest]) for path, digest in digests.items()}
    make = lambda path: cells_of(find(read_image(dataset.root / path, digest=digests[path])))  # noqa: E731
    looked = dict(look_at(cache, names, ("box",), make, tell, beside))
    reasons = {path: found for path, found in looked.items() if isinstance(found, str)}
    parts = [(path, names[path], found["box"]) for path, found in looked.items() if not isinstance(found, str)]
    empty = [path for path, _, box in parts if not len(box)]
    reasons |= dict.fromkeys(empty, "no cell: the segmenter found none")
    note = "cells were found by a program, which errs (`bench segment --to FOLDER` draws what `segments` finds)"
    some = f"in {len(empty):,} of {len(images):,} images the segmenter found no cell, e.g. {''.join(empty[:1])}"
    return FoundCells(table_of(parts, images), reasons, (note, *[some] * bool(empty)))


def label_images(
    dataset: Dataset, how: Segmenter, cache: Path | None, tell: Tell = silent
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (path, labels (H, W) of the classical segmenter, 0 the background) for images that can be read."""
    digests = dataset.table.drop_duplicates("path").set_index("path")["digest"].to_dict()
    names = {str(path): content_name([*how.identity(), digest]) for path, digest in digests.items()}
    make = lambda path: cells_of(segment(read_image(dataset.root / path, digest=digests[path]), how))  # noqa: E731
    for path, found in look_at(cache, names, ("labels",), make, tell):
        if not isinstance(found, str):
            yield path, found["labels"]


def foreground_shares(dataset: Dataset, tiles: pd.DataFrame, cache: Path | None, tell: Tell = silent) -> np.ndarray:
    """Return the share of each tile (columns path, x0..y1, width, height) that is foreground, float64 (n,).

    NaN where the image cannot be read. Of a large one every n-th pixel along both axes is looked at.
    """
    digests = tiles.drop_duplicates("path").set_index("path")["digest"].to_dict()
    names = {str(path): content_name(["foreground", VERSION, digest]) for path, digest in digests.items()}

    def make(path: str) -> dict[str, np.ndarray]:
        with open_image(dataset.root / path, digests[path]) as picture:
            step = sample_step(picture, LOOKED_AT)
            above = foreground_of(sample(picture, "first", step))
        return {"above": np.packbits(above), "shape": np.array(above.shape), "step": np.array(step)}

    shares = np.full(len(tiles), np.nan)
    rows = {path: part for path, part in tiles.reset_index(drop=True).groupby("path").indices.items()}
    limits = tiles[["width", "height"]].to_numpy(np.int64)
    low = tiles[["x0", "y0"]].fillna(0).to_numpy(np.int64)
    high = tiles[["x1", "y1"]].to_numpy(np.float64, na_value=np.nan)
    high = np.where(np.isnan(high), limits, high).astype(np.int64)
    for path, found in look_at(cache, names, ("above", "shape", "step"), make, tell):
        if isinstance(found, str):
            continue
        height, width = found["shape"].tolist()
        above = np.unpackbits(found["above"], count=height * width).reshape(height, width)
        total = np.zeros((height + 1, width + 1), np.int64)  # of all pixels above and to the left
        total[1:, 1:] = above.cumsum(0, dtype=np.int64).cumsum(1)
        at = rows[path]
        step = int(found["step"])
        (x0, y0), (x1, y1) = low[at].T // step, -(-high[at].T // step)
        inside = total[y1, x1] - total[y0, x1] - total[y1, x0] + total[y0, x0]
        shares[at] = inside / ((x1 - x0) * (y1 - y0))
    return shares
