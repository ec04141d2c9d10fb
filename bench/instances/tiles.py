"""Tiles: a grid inside each labelled region."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.data.label_boxes import BOX
from bench.errors import BenchError
from bench.instances.windows import set_boxes

MAX_INSTANCES = 20_000_000
FOREGROUND = 0.1


def read_tiles(words: Sequence[str]) -> tuple[int, int, float | None] | None:
    """Return (size, stride, least share of foreground or None) of words such as ("128", "64", "fg=0.2").

    "fg" alone is FOREGROUND. None for words that are not understood.
    """
    match = re.fullmatch(r"([1-9]\d*)(?::([1-9]\d*))?(?::(fg)(?:=(0?\.\d+|0|1))?)?", ":".join(words))
    if not match:
        return None
    least = None if not match[3] else FOREGROUND if match[4] is None else float(match[4])
    return int(match[1]), int(match[2] or match[1]), least


def with_foreground(tiles: pd.DataFrame, share: np.ndarray, least: float, notes: list[str]) -> pd.DataFrame:
    """Keep the tiles of which at least so much is foreground, and the best one of every image. share: (n,) or NaN."""
    own = pd.Series(share, index=tiles.index)
    enough = own.isna() | (own >= least)  # of an image that cannot be read nothing is known; extraction will tell
    best = own.fillna(-1).groupby(tiles["path"]).idxmax()
    kept = enough | tiles.index.isin(best)
    alone = tiles.loc[kept & ~enough, "path"].nunique()
    notes.append(
        f"{int((~kept).sum()):,} of {len(tiles):,} tiles were left out, as less than {least:.0%} of them is foreground"
        + f"; of {alone} images the best tile is kept though it has less" * bool(alone)
    )
    return tiles[kept]


def cut_tiles(table: pd.DataFrame, spacing: tuple[int, int]) -> pd.DataFrame:
    """Return a row per tile of each row of a table with columns path, BOX, width, height, label, level, cell_label.

    spacing: (size, stride) in pixels; margins left over are equal on both sides, and along an axis shorter than the
    size a tile takes the whole axis. A tile inherits its image's label and says so in `level`, unless it is the entire
    region; one that two regions of one label share is made once.
    """
    size, stride = spacing
    left = table["x0"].fillna(0).to_numpy(int)
    top = table["y0"].fillna(0).to_numpy(int)
    right = table["x1"].fillna(table["width"]).to_numpy(int)
    bottom = table["y1"].fillna(table["height"]).to_numpy(int)
    count = sum(len(_starts(a, b, size, stride)) * len(_starts(c, d, size, stride))
                for a, b, c, d in zip(left, right, top, bottom, strict=True))  # fmt: skip
    if count > MAX_INSTANCES:
        raise BenchError(
            f"Got tiles of {size} pixels every {stride}, which makes {count:,} instances; "
            f"expected at most {MAX_INSTANCES:,}. Use larger tiles or a larger stride."
        )
    rows, boxes = [], []
    for i in range(len(table)):
        for y0, y1 in _spans(top[i], bottom[i], size, stride):
            for x0, x1 in _spans(left[i], right[i], size, stride):
                rows.append(i)
                boxes.append((x0, y0, x1, y1))
    tiles = table.iloc[rows].reset_index(drop=True)
    box = np.array(boxes, dtype=np.int64).reshape(-1, 4)
    entire = (box == np.stack([left, top, right, bottom], 1)[rows]).all(1)
    tiles["level"] = tiles["level"].where(entire, "inherited")
    tiles["cell_label"] = tiles["cell_label"].where(entire)
    tiles = set_boxes(tiles, box)
    # An expert's row before the same tile inherited from a larger region, then the table's order again.
    best = tiles.assign(late=tiles["level"] == "inherited").sort_values("late", kind="stable")
    return tiles.loc[np.sort(best.drop_duplicates(["path", *BOX, "label"]).index)]


def _spans(low: int, high: int, size: int, stride: int) -> list[tuple[int, int]]:
    return [(start, min(start + size, high)) for start in _starts(low, high, size, stride)]


def _starts(low: int, high: int, size: int, stride: int) -> range:
    if high - low <= size:
        return range(low, low + 1)
    count = (high - low - size) // stride + 1
    first = low + (high - low - size - (count - 1) * stride) // 2
    return range(first, first + count * stride, stride)
