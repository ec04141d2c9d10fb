"""From labelled images to instances: the regions that get one embedding each."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pandas as pd

from bench.datasets import BOX, Dataset
from bench.errors import BenchError

MAX_INSTANCES = 20_000_000
COLUMNS = ["instance", "path", "digest", *BOX, "label", "level", "group", "source", "split", "image", "cell_label"]


def make_instances(dataset: Dataset, kind: str = "whole") -> pd.DataFrame:
    """Return the instance table: one row per region, columns COLUMNS.

    kind: 'whole' (the labelled region itself) or 'tiles:SIZE[:STRIDE]' in pixels (the tiles inside
    each region; margins left over are equal on both sides; along an axis shorter than SIZE a tile
    takes the whole axis). `instance` names the content of the region: file digest and box, no path, so
    two rows share it only where the content is the same. A region that is its whole image has no box.
    `cell_label`: the expert's label of the cell where the dataset labels regions and not images, else NA.
    A tile inherits its image's label and says so in `level`, unless it is the entire region; a tile
    that two regions of one label share is made once. Raises BenchError for another kind.
    """
    own = dataset.table["label"].where(_of_cells(dataset.table))
    table = dataset.table.assign(image=dataset.table["path"], cell_label=own.astype("string"))
    if kind != "whole":
        table = _tiles(table, *_tile_size(kind))
    names = pd.Series(_names(table), index=table.index, dtype="str")
    return table.assign(instance=names)[COLUMNS].reset_index(drop=True)


def _of_cells(table: pd.DataFrame) -> pd.Series:
    """Return which rows of a dataset table an expert labelled as a region of an image, bool (N,)."""
    return table["x0"].notna() & (table["level"] == "expert")


def _names(table: pd.DataFrame) -> list[str]:
    """Return `bench.seeds.content_name([digest, "whole" or [x0, y0, x1, y1]])` of each row, its JSON written here.

    Ten times as fast as asking for each: a hundred thousand names are all that a run with nothing to do does.
    """
    boxed = table["x0"].notna().to_numpy()
    regions = np.full(len(table), '"whole"', dtype=object)
    regions[boxed] = [f"[{a},{b},{c},{d}]" for a, b, c, d in table.loc[boxed, BOX].to_numpy(np.int64).tolist()]
    texts = (f'["{digest}",{region}]' for digest, region in zip(table["digest"].tolist(), regions, strict=True))
    return [hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts]


def _tile_size(kind: str) -> tuple[int, int]:
    match = re.fullmatch(r"tiles:([1-9]\d*)(?::([1-9]\d*))?", kind)
    if not match:
        raise BenchError(
            f"Got instances '{kind}'; expected whole (each labelled region), "
            "or tiles:SIZE[:STRIDE] in pixels, e.g. tiles:128 or tiles:128:64."
        )
    size = int(match[1])
    return size, int(match[2] or size)


def _tiles(table: pd.DataFrame, size: int, stride: int) -> pd.DataFrame:
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
    for k, name in enumerate(BOX):
        tiles[name] = pd.array(box[:, k], dtype="Int64")
    whole = (box[:, :2] == 0).all(1) & (box[:, 2] == tiles["width"]) & (box[:, 3] == tiles["height"])
    tiles.loc[whole, BOX] = pd.NA
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
