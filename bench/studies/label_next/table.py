"""next.csv, the list of what to label next: how it is named, and read by the order `next` of `bench label`.

A row per image or cell, in this order: what is to be labelled (task "new"), labels to look at again ("check"), and
images with a label that count as drawn at random from now on ("labelled"), which nobody has to look at. Columns: path,
x0, y0, x1, y1 (of cells), order, task, chosen_by ("random" where it was drawn so, else the strategy), why, group, label
(so far), near1 to near3 and near1_label to near3_label: the labelled images that are nearest to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.data.chosen_by import CHOSEN_BY
from bench.data.label_boxes import BOX
from bench.errors import BenchError
from bench.storage.tables import read_csv
from bench.studies.label.journal import Key

FOLDER, TABLE = "next", "next.csv"
NEW, CHECK, LABELLED = "new", "check", "labelled"
NEAR = 3
COLUMNS = [
    "path", *BOX, "order", "task", CHOSEN_BY, "why", "group", "label",
    *(name for k in range(1, NEAR + 1) for name in (f"near{k}", f"near{k}_label")),
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What a next.csv says. why: item -> the reason, in the order of the list. chosen_by: item -> its mark."""

    why: dict[Key, str]
    chosen_by: dict[Key, str]


def read_next(table: Path) -> Listed:
    """Return what a next.csv says. Raises BenchError where there is none, or another table."""
    if not table.is_file():
        raise BenchError(
            f"Got --order next, and no {table}; expected what `bench next` wrote. Run it on the same --data first, or "
            "name it, as --order next:NAME."
        )
    rows = read_csv(table)
    missing = [name for name in COLUMNS if name not in rows]
    if missing:
        raise BenchError(
            f"Got {table} without the column {missing[0]}; expected what `bench next` wrote. Run it again."
        )
    why: dict[Key, str] = {}
    chosen_by: dict[Key, str] = {}
    for row in rows.to_dict("records"):
        key: Key = (row["path"], *(() if pd.isna(row[BOX[0]]) else (int(row[name]) for name in BOX)))
        if row["task"] != LABELLED:
            why.setdefault(key, str(row["why"]))
        if not pd.isna(row[CHOSEN_BY]):
            chosen_by.setdefault(key, str(row[CHOSEN_BY]))
    return Listed(why=why, chosen_by=chosen_by)
