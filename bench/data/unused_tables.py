"""CSVs beside class folders: what is said of those that are not used, and what of it no longer holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from bench.data.csv_table import read_table
from bench.data.label_boxes import names_boxes, read_boxes
from bench.data.label_csv import path_column
from bench.data.layout import LAYOUT
from bench.data.paths import below
from bench.data.spellings import one_form
from bench.errors import BenchError

BEYOND = 0.1  # of its boxes that reach beyond these images, from which a table is one of other images


def unused_tables(root: Path, tables: Mapping[str, tuple[str, ...]], images: pd.DataFrame) -> list[str]:
    """Return a sentence for each table (name -> columns) with a column of paths and one of labels.

    images: a row each, columns path, width, height. How to use a table is told, unless its boxes are of other images.
    """
    notes = []
    for table, columns in tables.items():
        named = f"(columns {', '.join(columns[:8])})"
        beyond, boxes = _beyond(root, table, images) if names_boxes(columns) else (0, 0)
        if boxes and beyond > BEYOND * boxes:
            notes.append(
                f"{table} is not used, as the folders name the classes: {beyond:,} of its {boxes:,} boxes reach beyond "
                f"these images, so they are of others, such as those that these were cut from {named}"
            )
            continue
        cells = f", --instances boxes --cells {root / table} boxes of cells" if boxes else ""
        notes.append(
            f"{table} is not used, as the folders name the classes; --data {root / table} reads labels from it instead"
            f"{cells} {named}"
        )
    return notes


def without_table(notes: Iterable[str], name: str) -> tuple[str, ...]:
    """Return notes of a dataset without the statement that the table of this name is not used."""
    kept = []
    for note in notes:
        listed = re.fullmatch(r"(.+) (?:is|are) not used, (without a column of paths.*)", note)
        if listed and name in listed[1].split(", "):
            names = [other for other in listed[1].split(", ") if other != name]
            if names:
                kept.append(f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} not used, {listed[2]}")
        elif not note.startswith(f"{name} is not used, as the folders"):
            kept.append(note)
    return tuple(kept)


def _beyond(root: Path, table: str, images: pd.DataFrame) -> tuple[int, int]:
    """Return how many boxes of a table reach beyond their images, and how many boxes of images it has."""
    try:
        columns = read_table(root / table, LAYOUT)
        boxes = read_boxes(columns, "pixels", [])
        paths = below(root, columns[path_column(columns)]).map(one_form, na_action="ignore")
    except BenchError:
        return 0, 0
    sizes = images.assign(path=images["path"].map(one_form)).drop_duplicates("path").set_index("path")
    found = boxes.assign(path=paths).join(sizes[["width", "height"]], on="path").dropna()
    outside = (found["x1"] > found["width"]) | (found["y1"] > found["height"])
    return int(outside.sum()), len(found)
