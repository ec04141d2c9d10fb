"""Labels in a CSV: read, checked and put into the columns of the dataset table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.errors import BenchError, did_you_mean

BOX = ["x0", "y0", "x1", "y1"]
PATH_NAMES = ("path", "file", "image")
LEVELS = ("expert", "inherited", "pseudo")
SPLITS = ("train", "val", "valid", "test")
LAYOUT = "Expected <data>/<class>/<image>, e.g. Data/raw/neuron/a.png, or a CSV with columns path,label."


def read_label_csv(path: Path, group_column: str | None, notes: list[str]) -> pd.DataFrame:
    """Return one row per line: path, label, level, group, source, split, mask (text or NA) and x0..y1 (Int64 or NA).

    group_column: the column to read groups from instead of 'group'. What a user should know is appended
    to notes. Raises BenchError for a table that cannot be understood, naming the line.
    """
    columns = read_columns(path, LAYOUT)
    given = list(columns)
    path_name = next((name for name in PATH_NAMES if name in columns), None)
    for name, there in (("path", path_name), ("label", "label" in columns)):
        if not there:
            raise BenchError(
                f"Got columns {', '.join(given)} in {path.name}; expected a column '{name}'"
                f"{did_you_mean(name, columns) or '.'} {LAYOUT}"
            )
    if columns[path_name or "label"].empty:
        raise BenchError(f"Got {path.name} without rows; expected one row per labelled image. {LAYOUT}")
    if group_column and group_column.strip().lower() not in columns:
        raise BenchError(
            f"Got group column '{group_column}'{did_you_mean(group_column.lower(), columns) or '.'} "
            f"Expected one of: {', '.join(given)}."
        )
    assert path_name is not None
    rows = pd.DataFrame({"path": columns[path_name], "label": columns["label"]})
    rows["um_per_px"] = read_scale(columns, path)
    for name in ("source", "split", "mask", "level"):
        rows[name] = columns.get(name, pd.Series(pd.NA, index=rows.index, dtype="string"))
    group = (group_column or "group").strip().lower()
    rows["group"] = columns.get(group, pd.Series(pd.NA, index=rows.index, dtype="string"))
    rows["level"] = rows["level"].fillna("expert").str.lower()
    rows["split"] = rows["split"].str.lower()
    for name in ("path", "label"):
        if rows[name].isna().any():
            line = int(np.flatnonzero(rows[name].isna())[0]) + 2
            raise BenchError(f"Got no {name} in line {line} of {path.name}; expected one in every line.")
    _one_of(rows["level"], LEVELS, "level", path)
    _one_of(rows["split"].dropna(), SPLITS, "split", path)
    rows["split"] = rows["split"].replace("valid", "val")
    if rows["group"].isna().any() and rows["group"].notna().any():
        notes.append(f"{rows['group'].isna().sum()} rows have no group; each of their images counts as its own")
    if rows["split"].isna().any() and rows["split"].notna().any():
        notes.append(f"{rows['split'].isna().sum()} rows have no split and stay unused")
    return rows.join(read_boxes(columns, path, notes))


def read_columns(path: Path, layout: str) -> dict[str, pd.Series]:
    """Return the columns of a CSV by name in lower case, as text or NA. Raises BenchError, which ends in `layout`."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            head = file.readline()
        separator = "," if "," in head else next((mark for mark in ";\t" if mark in head), ",")
        given = pd.read_csv(
            path, sep=separator, dtype="string", keep_default_na=False, na_values=[""], encoding="utf-8-sig"
        )
    except (OSError, UnicodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        why = " ".join(str(error).split())
        raise BenchError(f"Got {path}, which is not a readable UTF-8 CSV ({why}). {layout}") from None
    if not isinstance(given.index, pd.RangeIndex):
        raise BenchError(f"Got more fields than column names in {path.name}; expected one name for each.")
    return {name.strip().lower(): given[name].str.strip().replace({"": pd.NA}) for name in given.columns}


def read_scale(columns: dict[str, pd.Series], path: Path) -> pd.Series:
    """Return micrometres per pixel (Float64 or NA) of every line, from the column um_per_px."""
    text = columns.get("um_per_px", pd.Series(pd.NA, index=next(iter(columns.values())).index, dtype="string"))
    scale = pd.to_numeric(text, errors="coerce").astype("Float64")
    wrong = np.flatnonzero(text.notna() & ~((scale > 0) & (scale < np.inf)).fillna(False))
    if len(wrong):
        raise BenchError(
            f"Got um_per_px '{text.iloc[wrong[0]]}' in line {wrong[0] + 2} of {path.name}; expected micrometres per "
            "pixel, e.g. 0.25, or nothing."
        )
    return scale


def _one_of(values: pd.Series, allowed: Sequence[str], name: str, path: Path) -> None:
    wrong = values[~values.isin(allowed)]
    if len(wrong):
        raise BenchError(
            f"Got {name} '{wrong.iloc[0]}' in {path.name}{did_you_mean(wrong.iloc[0], allowed) or '.'} "
            f"Expected one of {', '.join(allowed)}."
        )


def read_boxes(columns: dict[str, pd.Series], path: Path, notes: list[str]) -> pd.DataFrame:
    """Return x0, y0, x1, y1 (Int64 or NA) of every line, from these columns or from a column box."""
    index = next(iter(columns.values())).index
    none = pd.Series(pd.NA, index=index, dtype="string")
    missing = [name for name in BOX if name not in columns]
    if "box" in columns:
        text = columns["box"].str.strip("[]() ")
        parts = text.str.split(r"[\s,;]+", expand=True, regex=True).reindex(columns=range(5))
        if parts[4].notna().any():
            line = int(np.flatnonzero(parts[4].notna())[0]) + 2
            raise BenchError(f"Got a box of over four numbers in line {line} of {path.name}; expected x0 y0 x1 y1.")
        parts = parts[range(4)].set_axis(BOX, axis=1)
    elif missing and len(missing) < 4:
        there = ", ".join(name for name in BOX if name in columns)
        notes.append(f"columns {there} are no box without {', '.join(missing)} and were ignored")
        parts = pd.DataFrame(dict.fromkeys(BOX, none))
    else:
        parts = pd.DataFrame({name: columns.get(name, none) for name in BOX})
    try:
        box = parts.apply(pd.to_numeric).round().astype("Int64")
    except (ValueError, TypeError, OverflowError) as error:
        message = f"Got a box in {path.name} that is not four numbers x0 y0 x1 y1 in pixels ({error})."
        raise BenchError(message) from None
    partial = box.isna().any(axis=1) & box.notna().any(axis=1)
    if partial.any():
        line = int(np.flatnonzero(partial)[0]) + 2
        raise BenchError(f"Got an incomplete box in line {line} of {path.name}; expected x0, y0, x1 and y1.")
    return box
