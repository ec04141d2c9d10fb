"""How images came to be labelled, as a label table says that is there: the marks that its next writing has to keep."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from bench.data.chosen_by import CHOSEN_BY
from bench.data.csv_table import read_table
from bench.data.label_boxes import BOX, read_boxes
from bench.data.label_csv import path_column
from bench.data.layout import LAYOUT
from bench.data.table_place import path_text
from bench.storage.tables import name_of
from bench.studies.label.journal import Key


def read_marks(table: Path) -> dict[Key, str]:
    """Return what the column chosen_by of a label table says, by path, as the table names it, and box; nothing where
    there is no such column, or no table."""
    if not table.is_file() or not table.stat().st_size:
        return {}
    read = read_table(table, LAYOUT)
    if CHOSEN_BY not in read or read[CHOSEN_BY].isna().all():
        return {}
    boxes = read_boxes(read, "pixels", [])[BOX].to_numpy(object)
    marks: dict[Key, str] = {}
    for path, mark, box in zip(read[path_column(read)], read[CHOSEN_BY], boxes, strict=True):
        if not pd.isna(path) and not pd.isna(mark):
            marks[(name_of(path), *(() if pd.isna(box).any() else map(int, box)))] = name_of(mark)
    return marks


def marks_of(keys: Iterable[Key], table: Path, before: str) -> dict[Key, str]:
    """Return the marks of items in a label table that names them with `before`, see `bench.data.table_place`."""
    there = read_marks(table)
    named = {key: (path_text(str(key[0]), before), *key[1:]) for key in keys} if there else {}
    return {key: there[name] for key, name in named.items() if name in there}
