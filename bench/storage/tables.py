"""The door for CSV: how a table is written so that no spreadsheet runs what stands in a cell, and how it is read back.

A spreadsheet takes a cell that begins with =, +, -, @, a tab or a carriage return for a formula. Names of datasets,
files and encoders may begin so; such a text gets a ' before it, which spreadsheets take as "this is text" and which
`read_csv` takes away again. Numbers are numbers and stay as they are. Line breaks and other characters that are not
seen are spelt out, see `bench.text.plain`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from bench.storage.atomic import replacing, write_atomically
from bench.text import plain

FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four in full width
MARK = "'"


def csv_bytes(table: pd.DataFrame) -> bytes:
    """Return a table as the bytes of a CSV file, floats with six digits."""
    shown = table.rename(columns=_guarded)
    for name, column in zip(shown.columns, (table[name] for name in table), strict=True):
        if not pd.api.types.is_numeric_dtype(column):
            shown[name] = column.astype(object).map(_guarded)
    return shown.to_csv(index=False, float_format="%.6g").encode("utf-8", "backslashreplace")


@contextmanager
def csv_parts(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Yield what tables of the same columns are given to, which become one CSV, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:

        def write(rows: pd.DataFrame) -> None:
            data = csv_bytes(rows)
            file.write(data.partition(b"\n")[2] if file.tell() else data)

        yield write


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, whole or not at all."""
    write_atomically(path, csv_bytes(table))


def read_csv(path: Path, *, empty_is_text: bool = False) -> pd.DataFrame:
    """Return a table that `write_csv` wrote. An empty field is NaN, or "" where that is asked for; NA is a name."""
    return parse_csv(path.read_bytes(), empty_is_text=empty_is_text)


def parse_csv(data: bytes, *, empty_is_text: bool = False, texts: Collection[str] = ()) -> pd.DataFrame:
    """Return the table of `csv_bytes`; see `read_csv`. texts: columns that are texts even where all look like numbers,
    as classes that are called 01 and 02."""
    empty = [] if empty_is_text else [""]
    table = pd.read_csv(io.BytesIO(data), keep_default_na=False, na_values=empty, dtype=dict.fromkeys(texts, "str"))
    table = table.rename(columns=_plainly)
    for name in table.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]]:
        table[name] = table[name].map(_plainly)
    return table


def guarded_name(name: str) -> str:
    """Return a name that has to come back to the letter, such that no spreadsheet takes it for a formula."""
    return MARK + name if name.startswith((*FORMULA, MARK)) else name


def name_of(text: str) -> str:
    """Undo `guarded_name`."""
    return text[1:] if text.startswith(MARK) and text[1:].startswith((*FORMULA, MARK)) else text


def _guarded(value: object) -> object:
    """Return a text as it is written; anything else as it is."""
    if not isinstance(value, str):
        return value
    return guarded_name(plain(value))  # a tab and a carriage return are spelt out, so they begin no formula


def _plainly(value: object) -> object:
    """Undo `_guarded`."""
    return name_of(value) if isinstance(value, str) else value
