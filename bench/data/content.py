"""A dataset is its content: the images, the regions in them and their labels, whatever the folder is called.

Names of folders and files are no part of it, nor are groups: the same images under another rule for their slides are
the same dataset under another protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

import pandas as pd

from bench.data.label_boxes import BOX
from bench.seeds import content_name


def content_of(table: pd.DataFrame) -> str:
    """Return 32 hexadecimal digits that name the labelled regions of a table (n rows), in whatever order.

    table: columns digest (of the file), BOX (Int64, NA for a whole image) and label.
    """
    columns = ["digest", *BOX, "label"]
    rows = rows_of(table, columns)
    if table[BOX].isna().all(axis=None) and table[["digest", "label"]].notna().all(axis=None):
        return content_name(sorted(rows, key=itemgetter(0, len(columns) - 1)))
    return content_name(sorted(rows, key=lambda row: [(value is not None, value) for value in row]))


def data_name(table: pd.DataFrame, classes: Sequence[str]) -> str:
    """Return the name of what is learned from and scored: the instances, their labels, groups and splits."""
    columns = ["instance", "label", "group", "split", "level", "image"]
    return content_name([list(classes), rows_of(table, columns)])


def rows_of(table: pd.DataFrame, columns: Sequence[str]) -> list[tuple[object, ...]]:
    """Return the values of some columns as Python's, row by row, None for a missing one."""
    return list(zip(*(_values(table[name]) for name in columns), strict=True))


def _values(column: pd.Series) -> list[object]:
    missing = column.isna().to_numpy()
    if missing.all():
        return [None] * len(column)
    values = column.tolist()
    return [None if lacks else value for value, lacks in zip(values, missing, strict=True)] if missing.any() else values


def place_of(data: Path | str) -> str:
    """Return the last two names of where a dataset lies, such as 'lab1/cells': what tells two of one name apart.

    As in the name of a dataset, a folder 'raw' and a file index.csv say nothing.
    """
    full = Path(data).expanduser().resolve()
    parts = list(full.with_suffix("").parts if full.is_file() else full.parts)
    for empty in ("index", "raw"):
        if len(parts) > 2 and parts[-1].lower() == empty:
            parts.pop()
    return "/".join(parts[-2:]).lstrip("/")
