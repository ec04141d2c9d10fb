"""From labelled images to instances: the regions that get one embedding each."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from bench.datasets import BOX, Dataset
from bench.errors import BenchError
from bench.seeds import content_name

COLUMNS = ["instance", "path", "digest", *BOX, "label", "level", "group", "source", "split", "image"]


def make_instances(dataset: Dataset, kind: str = "whole") -> pd.DataFrame:
    """Return the instance table: one row per region, columns COLUMNS.

    kind: 'whole' (the labelled region itself) or 'tiles:SIZE[:STRIDE]' in pixels (the tiles inside
    each region; margins left over are equal on both sides; along an axis shorter than SIZE a tile
    takes the whole axis). `instance` names the content of the region: file digest and box, no path.
    A tile inherits its image's label and says so in `level`. Raises BenchError for another kind.
    """
    table = dataset.table.assign(image=dataset.table["path"])
    if kind != "whole":
        table = _tiles(table, *_tile_size(kind))
    boxes = table[BOX].astype(object).where(table[BOX].notna(), None).to_numpy().tolist()
    names = [content_name([digest, box]) for digest, box in zip(table["digest"], boxes, strict=True)]
    return table.assign(instance=names)[COLUMNS].reset_index(drop=True)


def _tile_size(kind: str) -> tuple[int, int]:
    match = re.fullmatch(r"tiles:([1-9]\d*)(?::([1-9]\d*))?", kind)
    if not match:
        raise BenchError(f"Got instances '{kind}'; expected whole, or tiles:SIZE[:STRIDE] in pixels, e.g. tiles:128.")
    size = int(match[1])
    return size, int(match[2] or size)


def _tiles(table: pd.DataFrame, size: int, stride: int) -> pd.DataFrame:
    left = table["x0"].fillna(0).to_numpy(int)
    top = table["y0"].fillna(0).to_numpy(int)
    right = table["x1"].fillna(table["width"]).to_numpy(int)
    bottom = table["y1"].fillna(table["height"]).to_numpy(int)
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
    for k, name in enumerate(BOX):
        tiles[name] = pd.array(box[:, k], dtype="Int64")
    return tiles


def _spans(low: int, high: int, size: int, stride: int) -> list[tuple[int, int]]:
    if high - low <= size:
        return [(low, high)]
    count = (high - low - size) // stride + 1
    first = low + (high - low - size - (count - 1) * stride) // 2
    return [(first + i * stride, first + i * stride + size) for i in range(count)]
