"""Where the cells of an image are: boxes in a CSV beside the labels of the images, or what was drawn elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.data.clip import clip_boxes
from bench.data.csv_table import read_table
from bench.data.datasets import Dataset
from bench.data.label_boxes import BOX, BOX_NAMES, has_boxes, read_boxes, scale_boxes
from bench.data.label_csv import PATH_NAMES, path_column, read_scale
from bench.data.paths import below
from bench.data.spellings import NEVER_A_CLASS, column_name, in_one_form, one_form, without_missing
from bench.errors import BenchError, did_you_mean
from bench.images import split_series
from bench.images.orientation import UPRIGHT
from bench.instances.annotations.files import is_annotation, marked_cells
from bench.text import counted

LAYOUT = "Expected columns path,x0,y0,x1,y1 (pixels), one line a cell, and any column with the cell's label."
SHOWN = 6  # columns that are offered
LABEL_NAMES = ("cell_label", "label")  # read as the cell's label where --cell-column names none


@dataclass(frozen=True)
class CellFiles:
    """Where cells are told, for the kinds of instances that need it.

    file: CSV of boxes, or annotations of another program (see `bench.instances.annotations`), a file or a folder;
    column: its column with labels of cells. masks: folder of masks that have the names of their images. most:
    instances kept of one image; None is DEFAULT_MOST for cells and all for tiles. units: of the boxes in the file, a
    name of `bench.data.reading.UNITS`. every: each cell is a row, also where several have one window, and tells where
    its pixels are kept, for those who answer cells; else cells of one window are merged.
    """

    file: Path | None = None
    column: str | None = None
    masks: Path | None = None
    most: int | None = None
    units: str = "pixels"
    every: bool = False


@dataclass(frozen=True)
class FoundCells:
    """Cells of the images of a dataset.

    cells: columns path, BOX (Int64, inside the image; NA: the whole image), cell_label (text or NA), um_per_px
    (Float64 or NA); where their pixels are known, cell: "NAME:VALUE", the value in `labels` of what
    `bench.instances.cell_cache` keeps by that name; of masks also value, that of the cell in the mask (Int64, NA where
    a mask has one value for all cells). reasons: path -> why no cell could be looked for. own: the
    dataset's rows are these cells, so that their label is theirs.
    """

    cells: pd.DataFrame
    reasons: dict[str, str]
    notes: tuple[str, ...] = ()
    own: bool = False


def boxes_of(dataset: Dataset, source: CellFiles) -> FoundCells:
    """Return the boxes of `source.file`, or the dataset's own where it labels regions.

    A path in the file is relative to the dataset's folder; where none of them is, files are found by their names alone.
    Raises BenchError where there are no boxes, or none of these images.
    """
    table = dataset.table
    if source.file is None:
        if table["x0"].isna().all():
            raise BenchError(
                f"Got --instances boxes without boxes: {dataset.name} labels whole images. Give them by "
                f"--cells FILE.csv. {LAYOUT}"
            )
        label = table["label"].where(table["level"] == "expert").astype("string")
        boxed = table.loc[table["x0"].notna(), "path"]
        told = of_turned(turned_images(dataset, boxed), "boxes")
        return FoundCells(table[["path", *BOX, "um_per_px"]].assign(cell_label=label), {}, tuple(told), own=True)
    notes: list[str] = []
    known = table["path"].drop_duplicates().tolist()
    if is_annotation(source.file):
        _refuse_units(source.file, source.units)
        cells = marked_cells(source.file, known, source.column, notes)
    else:
        cells = _read(source.file, source.column, source.units, notes)
        cells["path"] = _match(below(dataset.root, cells["path"]), known, source.file, notes)
    sizes = table.drop_duplicates("path").set_index("path")[["width", "height"]]
    cells = cells.dropna(subset="path").join(sizes, on="path").reset_index(drop=True)
    cells, outside = clip_boxes(scale_boxes(cells, source.units), notes)
    kept = set(cells["path"])
    notes += of_turned(turned_images(dataset, cells["path"]), "boxes")
    reasons = {
        str(path): f"used without {len(part):,} of its cells: {part.iloc[0]}" if path in kept else
        f"no cell: {part.iloc[0]}"
        for path, part in outside.groupby("path")["reason"]
    }
    return FoundCells(cells.drop(columns=["width", "height"]), reasons, tuple(notes))


def _refuse_units(file: Path, units: str) -> None:
    if units != "pixels":
        raise BenchError(
            f"Got --box-units {units} with {file.name}; expected pixels, as QuPath, Fiji and napari write."
        )


def turned_images(dataset: Dataset, paths: Iterable[str]) -> list[str]:
    """Return those of some images that were turned upright when they were read, sorted."""
    about = dataset.files
    turned = set(about.loc[about["remarks"].str.contains(UPRIGHT, regex=False), "path"])
    return sorted(turned & set(paths))


def of_turned(paths: Sequence[str], what: str) -> list[str]:
    """Return the sentence on what (boxes, masks) was drawn on images that were turned upright; none without them."""
    if not paths:
        return []
    turned = counted(len(paths), "image was", "images were")
    return [
        f"{turned} turned upright, as the orientation in the file (EXIF) says, e.g. {paths[0]}: the {what} must have "
        "been drawn on the upright picture"
    ]


def _read(file: Path, column: str | None, units: str, notes: list[str]) -> pd.DataFrame:
    if not file.is_file():
        near = [path.name for path in file.parent.glob("*.csv")] if file.parent.is_dir() else []
        raise BenchError(f"Got --cells {file}, which is no file{did_you_mean(file.name, near) or '.'} {LAYOUT}")
    columns = read_table(file, LAYOUT)
    notes.extend(columns.notes)
    if not has_boxes(columns):
        raise BenchError(f"Got columns {', '.join(columns)} in {file.name}, which are no boxes. {LAYOUT}")
    path_name = path_column(columns)
    if column is not None and column_name(column) not in columns:
        raise BenchError(
            f"Got --cell-column {column}{did_you_mean(column_name(column), columns) or '.'} Expected one of: "
            f"{', '.join(columns)}."
        )
    box = read_boxes(columns, units, notes)
    lost = columns[path_name].isna() | box["x0"].isna()
    if lost.all():
        raise BenchError(f"Got {file.name} without a cell. {LAYOUT}")
    if lost.any():
        notes.append(counted(
                int(lost.sum()), f"line of {file.name} has no path or no box and was left out",
                f"lines of {file.name} have no path or no box and were left out",
            ))
    name = column_name(column) if column else next((name for name in LABEL_NAMES if name in columns), None)
    others = [other for other in columns if other not in {*PATH_NAMES, *BOX_NAMES, "um_per_px"}]
    if name is None and others:
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        notes.append(
            f"cells have no label of their own: --cell-column can name one of {', '.join(others[:SHOWN])}{more}"
        )
    label = in_one_form(columns[name]) if name else pd.Series(pd.NA, index=box.index, dtype="string")
    label, _ = without_missing(label, NEVER_A_CLASS)
    cells = box.assign(path=columns[path_name], cell_label=label, um_per_px=read_scale(columns))
    return cells[~lost].reset_index(drop=True)


def _match(given: pd.Series, known: list[str], file: Path, notes: list[str]) -> pd.Series:
    """Return the path in the dataset that each given path stands for, NA for none."""
    paths = in_one_form(given)
    found = paths.map({one_form(path): path for path in known}).astype("string")
    if found.isna().all():  # cells of a file of which one of several pictures is read
        whole = pd.Series([split_series(path)[0] for path in known], dtype="string")
        found = paths.map(dict(zip(in_one_form(whole), known, strict=True)) if whole.is_unique else {}).astype("string")
    if found.isna().all():
        name = in_one_form(pd.Series(known, dtype="string").str.rsplit("/", n=1).str[-1])
        unique = dict(zip(name, known, strict=True)) if name.is_unique else {}
        found = paths.str.rsplit("/", n=1).str[-1].map(unique).astype("string")
    other = found.isna() & paths.notna()
    if other.any():  # as paths in a CSV of labels are found
        folded = pd.Series([one_form(path).casefold() for path in known], dtype="string")
        unique = dict(zip(folded, known, strict=True)) if folded.is_unique else {}
        found = found.where(~other, paths.str.casefold().map(unique).astype("string"))
        if same := int((other & found.notna()).sum()):
            row = paths[other & found.notna()].iloc[0]
            cells = counted(same, "cell names its image", "cells name their image")
            notes.append(f"{cells} in another case than on disk, e.g. {row}")
    if found.isna().all():
        raise BenchError(
            f"Got --cells {file.name}, of which no line is of an image in the data (e.g. '{given.iloc[0]}', where the "
            f"data has '{known[0]}'). Expected paths relative to the data folder, or names that only one image has."
        )
    if found.isna().any():
        strange = given[found.isna()]
        notes.append(
            f"{counted(len(strange), 'cell is', 'cells are')} of {counted(strange.nunique(), 'file')} not in the data, "
            f"e.g. {strange.iloc[0]}"
        )
    return found
