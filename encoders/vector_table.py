"""A table of vectors: what its columns are called, which of them are the vector, and rows handed over some at a time.

    path, x0, y0, x1, y1, instance   which image, or part of one, a row is of; path or instance has to be there
    all other columns                the vector: numbers, in the order of the file, or one column `embedding` of lists
                                     (in .npz an array), as `bench export` writes it

label, group and split, which `bench export` writes too, are left unread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import EncoderError, did_you_mean

BOX = ("x0", "y0", "x1", "y1")
PLACES = ("path", "instance", *BOX)
UNREAD = ("label", "group", "split")
VECTOR = "embedding"
#: Names, in lower case, of what says which row or class it is, and is no measurement: as part of the vector it would
#: tell the answer, as files are often sorted by class.
KEYS = frozenset({
    "class", "classes", "class_id", "classid", "class_name", "cls", "category", "target", "targets", "labels",
    "label_id", "labelid", "cell_type", "celltype", "id", "index", "row", "fold", "imagenumber",
    "objectnumber", "image_number", "object_number", "image_id", "object_id",
})  # fmt: skip
INDEX = "__index_level_"  # what pandas calls its row numbers in Parquet
HELD = 64_000_000  # bytes of rows that are in memory at once
LARGEST_DIM = 100_000

Batch = tuple[dict[str, np.ndarray], np.ndarray]  # column -> (n,), texts or boxes as float64 (NaN: none); X (n, d)


@dataclass(frozen=True, kw_only=True)
class VectorTable:
    """What a file holds. dim: d; columns: of what, for people; places: which of `PLACES` it has.

    batches: yields (column of `places` -> (n,), texts, or of boxes float64 with NaN for none; X float32 (n, d)), in the
    order of the file. What is missing, or too large for float32, is NaN or infinite there.
    """

    dim: int
    columns: str
    places: tuple[str, ...]
    batches: Callable[[], Iterator[Batch]]


def rows_at_once(dim: int) -> int:
    """Return how many rows of d numbers are read at once."""
    return max(1, HELD // (16 * dim))


def check_columns(name: str, columns: Sequence[str], textual: Mapping[str, str]) -> tuple[list[str], tuple[str, ...]]:
    """Return (the columns of the vector, which of `PLACES` there are); EncoderError where that makes no table.

    textual: column that is not of numbers -> what it has instead, for people.
    """
    if twice := [column for column, count in Counter(columns).items() if count > 1]:
        raise EncoderError(f"Got column {twice[0]!r} twice in {name}; expected every name once.")
    places = tuple(column for column in PLACES if column in columns)
    if "path" not in places and "instance" not in places:
        listed = ", ".join(map(repr, list(columns)[:5])) + (", ..." if len(columns) > 5 else "")
        raise EncoderError(
            f"Got {name} without a column path{did_you_mean('path', columns)}; expected one that names the image of "
            f"each row. It has {listed or 'no column'}."
        )
    lacking = [column for column in BOX if column not in places]
    if 0 < len(lacking) < len(BOX):
        raise EncoderError(f"Got a box without {', '.join(lacking)} in {name}; expected x0, y0, x1 and y1, or none.")
    vector = [column for column in columns if column not in (*PLACES, *UNREAD) and not column.startswith(INDEX)]
    for column in vector:
        if not column.strip() or column.startswith("Unnamed:"):
            raise EncoderError(
                f"Got a column without a name in {name}, which looks like row numbers; expected a name for every "
                "column of the vector. Write the table without its index (in pandas index=False)."
            )
        if column in textual:
            raise EncoderError(
                f"Got column {column!r} of {textual[column]} in {name}; expected numbers in every column but "
                f"{', '.join((*PLACES, *UNREAD))}. Leave it out of the file."
            )
        lower = column.lower()
        if lower in KEYS or lower.startswith("metadata_") or (lower != column and lower in (*PLACES, *UNREAD)):
            raise EncoderError(
                f"Got column {column!r} in {name}, which by its name tells a class or numbers the rows, and would be a "
                "part of the vector; expected measurements. Leave it out of the file, or rename it if it is one."
            )
    if not vector:
        raise EncoderError(f"Got {name} without a column of numbers; expected those of the vector.")
    return vector, places


def check_dim(name: str, dim: int) -> int:
    """Return the length of the vectors, where that is one that can be used."""
    if not 1 <= dim <= LARGEST_DIM:
        raise EncoderError(f"Got vectors of {dim:,} numbers in {name}; expected 1 to {LARGEST_DIM:,}.")
    return dim


def spelt(vector: Sequence[str]) -> str:
    """Return the columns of the vector for people, "3 columns, a to c"."""
    return f"column {vector[0]}" if len(vector) == 1 else f"{len(vector):,} columns, {vector[0]} to {vector[-1]}"


def float32(X: np.ndarray) -> np.ndarray:
    """Return X as float32; what is too large becomes infinite."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(X, np.float32)


def place_of(column: Any, name: str) -> np.ndarray:
    """Return texts (n,), "" for none, or the coordinates of boxes float64 (n,), NaN for none."""
    import pyarrow as pa

    if name in BOX:
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    return np.array([text or "" for text in column.cast(pa.string()).to_pylist()], object)
