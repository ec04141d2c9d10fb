"""Shapes of napari, as File > Save Selected Layers writes them: a CSV with one line per corner of a shape.

Its columns are index, shape-type, vertex-index, axis-0, axis-1, ...; the last two axes are y and x. napari counts from
the centre of the first pixel, so half a pixel is added here. A shape has no class there: its cells inherit their
image's label.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.csv_table import column_names, read_table
from bench.errors import BenchError
from bench.instances.annotations.marks import Mark, Marks, NoCell, collect
from bench.text import plain

AREAS = ("rectangle", "ellipse", "polygon")
LINES = ("line", "path")
LAYOUT = "Expected the columns index, shape-type, vertex-index, axis-0 and axis-1, as napari saves shapes."
NEEDED = ("index", "shape_type", "axis_0", "axis_1")


def is_napari(columns: Collection[str]) -> bool:
    """Return whether the columns of a CSV are those of napari's shapes."""
    return all(name in columns for name in NEEDED)


def is_shapes_file(path: Path) -> bool:
    """Return whether a file is a CSV of napari's shapes."""
    return path.suffix.lower() == ".csv" and is_napari(column_names(path))


def read_shapes(path: Path) -> Marks:
    """Return what shapes of napari mark; no columns of text. BenchError, with the number of the shape."""
    table = read_table(path, LAYOUT)
    if not is_napari(table):
        raise BenchError(f"Got columns {', '.join(table)} in {path.name}. {LAYOUT}")
    axes = sorted((name for name in table if name.startswith("axis_")), key=lambda name: (len(name), name))[-2:]
    try:
        y, x = (pd.to_numeric(table.numbers(name)).astype("Float64") for name in axes)
    except (ValueError, TypeError) as error:
        raise BenchError(f"Got an axis in {path.name} that is no number ({plain(str(error))}). {LAYOUT}") from None
    points = np.stack([x.to_numpy(float, na_value=np.nan), y.to_numpy(float, na_value=np.nan)], axis=1) + 0.5
    rows = pd.DataFrame({"shape": table["index"], "kind": table["shape_type"]}).groupby("shape", sort=False).indices
    kinds = table["shape_type"].tolist()
    found = ((f"shape {name}", _marks(str(kinds[own[0]]), points[own], path)) for name, own in rows.items())
    return collect(path.name, found)


def _marks(kind: str, points: np.ndarray, path: Path) -> Iterator[Mark]:
    if kind in LINES:
        raise NoCell("lines")
    if kind not in AREAS:
        raise BenchError(f"Got shape-type {plain(kind)} in {path.name}; expected one of {', '.join((*AREAS, *LINES))}.")
    yield Mark((*points.min(0).tolist(), *points.max(0).tolist()), {})
