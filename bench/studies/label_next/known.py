"""The labels so far: of a label table beside the images, or those that the data have."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.data.label_csv import read_label_csv
from bench.data.reading import Reading
from bench.data.table_place import folder_before
from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.storage.atomic import check_writable
from bench.studies.label.items import keys_of, labelled_table, labels_of
from bench.studies.label.journal import Key
from bench.studies.label.table import EXAMPLE
from bench.text import counted, counted_of


@dataclass(frozen=True, kw_only=True)
class Known:
    """labels: of every item, None where it has none. unsure: items that somebody looked at and could not label. notes:
    what a user should know of them."""

    labels: list[str | None]
    unsure: tuple[int, ...] = ()
    notes: tuple[str, ...]


def labels_so_far(
    source: DataSpec, table: Path | None, root: Path, rows: pd.DataFrame, cache: Path
) -> Known:  # fmt: skip
    """Return the labels of the rows of an instance table, whose images lie in `root`.

    table: a label table, which need not be there yet; None takes the labels of the data. Raises BenchError for a table
    of other images, and a place where none can be."""
    keys = keys_of(rows)
    if table is None:
        named = labelled_table(source, cache)
        return Known(labels=labels_of(rows, keys, named), notes=())
    if not table.exists():
        folder_before(root, table, EXAMPLE, "--labelled")  # where `bench label` is to write it
        check_writable(table)
        return Known(labels=[None] * len(keys), notes=(f"{table} is not there yet: no image has a label so far",))
    return _of_table(table, root, keys)


def _of_table(table: Path, root: Path, keys: Sequence[Key]) -> Known:
    read = read_label_csv(table, None, Reading(), [])
    labels = dict(zip(_keys_from(read, table, root), read["label"].tolist(), strict=True))
    listed = set(_keys_from(read_label_csv(table, None, Reading(labelled=False), []), table, root))
    found = [labels.get(key) for key in keys]
    unsure = tuple(i for i, key in enumerate(keys) if key in listed and key not in labels)
    lost = len(labels) - sum(label is not None for label in found)
    if labels and lost == len(labels):
        raise BenchError(
            f"Got {table}, none of whose {len(labels):,} lines is an image of {root} (e.g. {next(iter(labels))[0]}); "
            "expected labels of the images of --data. Give the --data and --instances that they were given for."
        )
    of = f"labels in {table.name}"
    lacking = (f"{of} is of an image that is not in --data", f"{of} are of images that are not in --data")
    notes = [counted_of(lost, len(labels), *lacking)] if lost else []
    if unsure:
        notes.append(f"{counted(len(unsure), 'image')} in {table.name} without a label (unsure) are not proposed again")
    return Known(labels=found, unsure=unsure, notes=tuple(notes))


def _keys_from(read: pd.DataFrame, table: Path, root: Path) -> list[Key]:
    """Return the keys of the rows of a label table, whose paths are named from `root`."""
    top, folder = root.resolve(), table.resolve().parent
    paths = [Path(os.path.relpath(os.path.normpath(folder / path), top)).as_posix() for path in read["path"]]
    return keys_of(read.assign(path=paths))
