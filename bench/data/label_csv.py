"""Labels in a CSV: read, checked and put into the columns of the dataset table."""

from __future__ import annotations

from collections.abc import Sequence
from os.path import splitext
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.chosen_by import CHOSEN_BY, LEARN, about_choice, drawn_rows, picked_rows
from bench.data.csv_table import CsvTable, column_names, read_table
from bench.data.groups import missing_groups
from bench.data.label_boxes import BOX_NAMES, read_boxes, stated_size
from bench.data.layout import LAYOUT, layout_for
from bench.data.reading import UNLABELLED, Reading
from bench.data.spellings import MISSING, NEVER_A_CLASS, alike, column_name, in_one_form, pick, spelled, without_missing
from bench.errors import BenchError, did_you_mean
from bench.images import IMAGE_SUFFIXES
from bench.storage.tables import name_of
from bench.text import counted, counted_of

#: Columns that hold the path of an image, and its class; the first three are taken in this order, as they always were.
PATH_NAMES = (
    "path", "file", "image", "filename", "file_name", "filepath", "file_path", "image_path", "image_name",
    "image_file", "imagefile", "img", "img_path", "image_id", "fname",
)  # fmt: skip
FIRST_NAMES = PATH_NAMES[:3]
LABEL_NAMES = (
    "label", "class", "category", "labels", "class_name", "classname", "class_label", "cell_type", "celltype", "target",
)  # fmt: skip

LEVELS = ("expert", "inherited", "pseudo")
#: Names of parts of an official split, in a column or of folders.
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test",
          "testing": "test"}  # fmt: skip
OTHER = frozenset({"split", "mask", "level", "um_per_px", "group", "width", "height", CHOSEN_BY})
SHOWN = 3


def read_label_csv(path: Path, group_column: str | None, reading: Reading, notes: list[str]) -> pd.DataFrame:
    """Return one row per labelled line: path, label, level, group, source, split, mask (text or NA), um_per_px
    (Float64) and x0..y1 (of `read_boxes`).

    group_column: the column to read groups from instead of 'group'. reading: without labels none are looked for. What a
    user should know is appended to notes.
    Raises BenchError for a table that cannot be understood, naming the line.
    """
    layout = layout_for(labelled=reading.labelled)
    table = read_table(path, layout)
    notes.extend(table.notes)
    path_name = path_column(table, layout)
    label_name = label_column(table) if reading.labelled else path_name
    taken = [f"paths from '{path_name}'"] if path_name not in FIRST_NAMES else []
    taken += [f"labels from '{label_name}'"] if label_name not in ("label", path_name) else []
    if taken:
        notes.append(f"{' and '.join(taken)} of {path.name}")
    if table[path_name].empty:
        raise BenchError(f"Got {path.name} without rows; expected one row per image. {layout}")
    group_name = column_name(group_column or "group")
    if group_column and group_name not in table:
        raise BenchError(
            f"Got group column '{group_column}'{did_you_mean(group_name, table) or '.'} "
            f"Expected one of: {', '.join(table)}."
        )
    labels = in_one_form(_names(table[label_name])) if reading.labelled else UNLABELLED
    rows = pd.DataFrame({"path": _names(table[path_name]), "label": labels})
    rows = rows.join(read_boxes(table, reading.box_units, notes))
    rows["um_per_px"] = read_scale(table)
    for name, text in stated_size(table).items():
        rows[name] = pd.to_numeric(text, errors="coerce").round().astype("Int64")
    for name in ("source", "split", "mask", "level"):
        rows[name] = _column(table, name)
    rows["split"], rows["level"] = rows["split"].str.lower(), rows["level"].fillna("expert").str.lower()
    rows["group"], without = without_missing(_given(table, group_name))
    _check_paths(rows["path"], table)
    if reading.drawn_only:
        rows = rows[drawn_rows(table, path.name)].reset_index(drop=True)
    elif reading.labelled:
        split = bool(rows["split"].isin(tuple(SPLITS)).any())  # an official one
        labelled = without_missing(rows["label"], NEVER_A_CLASS)[0].notna()
        notes += about_choice(table, labelled, path.name, split)
        if not split:
            rows["split"] = rows["split"].mask(picked_rows(table).reindex(rows.index, fill_value=False), LEARN)
    rows = _labelled(rows, table, notes)
    _one_of(rows["level"], LEVELS, "level", path)
    _one_of(rows["split"].dropna(), (*SPLITS, LEARN), "split", path)
    rows["split"] = rows["split"].map(SPLITS | {LEARN: LEARN}).astype("string")
    missing = rows["group"].isna()
    if missing.any() and not missing.all():
        notes.append(missing_groups(int(missing.sum()), len(rows), without))
    elif missing.all() and group_name in table:
        notes.append(f"the column '{group_name}' of {path.name} names no group{spelled(without)}")
    others = [name for name in table.given if name not in {path_name, label_name, *BOX_NAMES, *OTHER}]
    least = rows["label"].nunique()  # what has so few values is a label as well, or too few groups
    others = [name for name in others if name not in table.doubled and least < table[name].nunique() <= len(rows) / 2]
    if missing.all() and others and not group_column:
        notes.append(f"--group-column can name one of the other columns of {path.name}: {_some(others, 6)}")
    lacking = rows["source"].isna()
    if lacking.any() and not lacking.all():
        notes.append(counted_of(int(lacking.sum()), len(rows), "rows has no source", "rows have no source"))
    notes += alike(rows["group"].dropna().unique().tolist(), "groups")
    if rows["split"].isna().any() and rows["split"].isin(tuple(SPLITS)).any():
        unused = int(rows["split"].isna().sum())
        notes.append(counted(unused, "row has no split and stays unused", "rows have no split and stay unused"))
    return rows


def path_column(table: CsvTable, layout: str = LAYOUT) -> str:
    """Return the name of the column of paths. Raises BenchError where there is none, or several that it could be."""
    first = next(iter(pick([*table], FIRST_NAMES)), None)
    return first or (
        "id" if "id" in table and not pick([*table], PATH_NAMES) else _only(table, PATH_NAMES, "path", layout)
    )


def label_column(table: CsvTable) -> str:
    """Return the name of the column of labels. Raises BenchError where there is none, or several that it could be."""
    return "label" if "label" in table else _only(table, LABEL_NAMES, "label")


def label_columns(path: Path) -> tuple[str, ...]:
    """Return the columns of a file where it is a CSV with a path and a label, else nothing."""
    names = column_names(path)
    return names if pick(names, (*PATH_NAMES, "id")) and pick(names, LABEL_NAMES) else ()


def read_scale(table: CsvTable) -> pd.Series:
    """Return micrometres per pixel (Float64 or NA) of every line, from the column um_per_px."""
    if "um_per_px" not in table:
        return pd.Series(pd.NA, index=table.index, dtype="Float64")
    text, _ = without_missing(table.numbers("um_per_px"))
    scale = pd.to_numeric(text, errors="coerce").astype("Float64")
    wrong = np.flatnonzero(text.notna() & ~((scale > 0) & (scale < np.inf)).fillna(False))
    if len(wrong):
        raise BenchError(
            f"Got um_per_px '{text.iloc[wrong[0]]}' in line {table.line(int(wrong[0]))} of {table.path.name}; expected "
            "micrometres per pixel, e.g. 0.25, or nothing."
        )
    return scale


def _only(table: CsvTable, names: Sequence[str], wanted: str, layout: str = LAYOUT) -> str:
    found = pick([*table], names)
    if len(found) == 1:
        return found[0]
    given = ", ".join(table.given)
    if found:
        raise BenchError(
            f"Got columns {' and '.join(found)} in {table.path.name}, each of which could be the {wanted}; expected "
            f"one: rename it to '{wanted}'."
        )
    if any(splitext(name)[1].lower() in IMAGE_SUFFIXES for name in table.given):
        raise BenchError(
            f"Got {table.path.name}, whose first line names an image ({given}); expected the names of the columns "
            "there, e.g. path,label."
        )
    raise BenchError(
        f"Got columns {given} in {table.path.name}; expected a column '{wanted}'"
        f"{did_you_mean(wanted, table) or '.'} {layout}"
    )


def _given(table: CsvTable, name: str) -> pd.Series:
    if name not in table:
        return pd.Series(pd.NA, index=table.index, dtype="string")
    return in_one_form(_names(table[name]))


def _names(values: pd.Series) -> pd.Series:
    """Return names without the mark by which tables of `bench` keep spreadsheets from running them."""
    return values.map({value: name_of(value) for value in values.dropna().unique()}).astype("string")


def _column(table: CsvTable, name: str) -> pd.Series:
    """Return a column in one spelling, NA for words of a missing value and where there is no such column."""
    return without_missing(_given(table, name), MISSING)[0]


def _check_paths(paths: pd.Series, table: CsvTable) -> None:
    for bad, what in (
        (paths.isna(), "no path"),
        (paths.str.contains("[\r\n]").fillna(False), "a path of several lines"),
    ):
        if bad.any():
            line = table.line(int(np.flatnonzero(bad)[0]))
            raise BenchError(
                f"Got {what} in line {line} of {table.path.name}; expected one in every line"
                f"{': is a quotation mark not closed?' if 'several' in what else '.'}"
            )


def _labelled(rows: pd.DataFrame, table: CsvTable, notes: list[str]) -> pd.DataFrame:
    """Return the rows that have a label; what is spelled as if it were missing but may be a class is said."""
    label, without = without_missing(rows["label"], NEVER_A_CLASS)
    if label.isna().all():
        raise BenchError(f"Got no label in any line of {table.path.name}; expected one for each image. {LAYOUT}")
    if label.isna().any():
        first = table.line(int(np.flatnonzero(label.isna())[0]))
        name, no_label = f"rows of {table.path.name}", f"no label{spelled(without)}"
        said = (f"{name} has {no_label} and was left out", f"{name} have {no_label} and were left out")
        notes.append(f"{counted_of(int(label.isna().sum()), len(rows), *said)}, e.g. line {first:,}")
    return rows.assign(label=label)[label.notna()].reset_index(drop=True)


def doubtful_classes(classes: Sequence[str]) -> list[str]:
    """Return a sentence for each class that is spelled as a missing value."""
    return [
        f"'{name}' is taken for a class, although it usually means a missing value; if it is not a class, add "
        f"--leave-out {name}"
        for name in classes
        if name.lower() in MISSING and not (name == "-" and "+" in classes)
    ]


def _some(names: Sequence[str], most: int = SHOWN) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _one_of(values: pd.Series, allowed: Sequence[str], name: str, path: Path) -> None:
    wrong = values[~values.isin(allowed)]
    if len(wrong):
        raise BenchError(
            f"Got {name} '{wrong.iloc[0]}' in {path.name}{did_you_mean(wrong.iloc[0], allowed) or '.'} "
            f"Expected one of {', '.join(allowed)}."
        )
