"""Which file of annotations is of which image, by their names, and the cells of all of them as one table."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.label_boxes import BOX
from bench.data.mask_names import candidates_of
from bench.data.paths import is_below
from bench.data.spellings import NEVER_A_CLASS, column_name, in_one_form, without_missing
from bench.errors import BenchError, did_you_mean
from bench.instances.annotations.fiji import read_rois
from bench.instances.annotations.geojson import read_geojson
from bench.instances.annotations.marks import Marks
from bench.instances.annotations.napari import is_shapes_file, read_shapes
from bench.text import counted, counted_of

#: By its ending, how a file of annotations is read; of the endings that fit the longest comes first.
READERS: dict[str, Callable[[Path], Marks]] = {
    ".geojson.gz": read_geojson,
    ".json.gz": read_geojson,
    ".geojson": read_geojson,
    ".json": read_geojson,
    ".roi": read_rois,
    ".zip": read_rois,
    ".csv": read_shapes,
}
#: Columns that hold the label of a cell where none is named, the first in which anything stands.
LABELS = ("classification", "group", "name")
MOST_FILES = 100_000
NAMED = (
    "Expected a file named as its image (a.geojson, a.tif.geojson or a.zip for a.tif), or a folder of such files: "
    ".geojson, .geojson.gz, .roi, .zip, or the .csv of napari's shapes."
)


def is_annotation(path: Path) -> bool:
    """Return whether --cells names annotations of another program: a folder, or a file that is no CSV of boxes."""
    return path.is_dir() or (
        ending_of(path.name) is not None and (path.suffix.lower() != ".csv" or is_shapes_file(path))
    )


def ending_of(name: str) -> str | None:
    """Return the ending by which a file is read, None where it is no file of annotations."""
    return next((ending for ending in READERS if name.lower().endswith(ending) and len(name) > len(ending)), None)


def marked_cells(source: Path, known: Sequence[str], column: str | None, notes: list[str]) -> pd.DataFrame:
    """Return the cells of a file or folder of annotations: path, BOX (Int64), cell_label (text or NA), um_per_px (NA).

    known: the paths of the dataset's images. column: the text that is the label, the first of LABELS with any where
    None. Raises BenchError where no file is of an image, and for files that are not as they should be.
    """
    root = source if source.is_dir() else source.parent
    files = _files_of(source)
    of_image = _matched(files, known, source, notes)
    parts = {image: READERS[str(ending_of(file))](root / file) for image, file in of_image.items()}
    label = _label_column(column, list(parts.values()), source, notes)
    cells = _table(parts, label)
    if cells.empty:
        raise BenchError(f"Got {source.name} without a cell in any file that is of an image. {NAMED}")
    _say(list(parts.values()), cells, notes)
    return cells


def _files_of(source: Path) -> list[str]:
    """Return the files of annotations, posix paths relative to the folder that they lie in, sorted."""
    if not source.is_dir():
        if not source.is_file():
            raise BenchError(f"Got --cells {source}, which is no file and no folder. {NAMED}")
        return [source.name]
    top = os.path.realpath(source)
    found = []
    for path in source.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(source).parts)
        if not hidden and path.is_file() and is_annotation(path) and is_below(path, top):
            found.append(path.relative_to(source).as_posix())
        if len(found) > MOST_FILES:
            raise BenchError(f"Got over {MOST_FILES:,} files of annotations in {source}; expected one for each image.")
    if not found:
        raise BenchError(f"Got --cells {source}, a folder without a file of annotations. {NAMED}")
    return sorted(found)


def _matched(files: Sequence[str], known: Sequence[str], source: Path, notes: list[str]) -> dict[str, str]:
    """Return image -> file. Raises BenchError where there is none, and where two files are of one image."""
    bare = {file: file[: -len(str(ending_of(file)))] for file in files}
    by_name: dict[str, list[str]] = {}
    for file, name in bare.items():
        by_name.setdefault(name, []).append(file)
    of_image: dict[str, str] = {}
    for image, names in candidates_of(known, by_name).items():
        own = sorted(file for name in names for file in by_name[name])
        if len(own) > 1:
            raise BenchError(f"Got {own[0]} and {own[1]} for {image}; expected one file of annotations for an image.")
        of_image[image] = own[0]
    if not of_image:
        raise BenchError(
            f"Got --cells {source.name}, of which no file is named as an image of the data (e.g. {files[0]}, where the "
            f"data has {known[0]}). {NAMED}"
        )
    unused = sorted(set(files) - set(of_image.values()))
    if unused:
        notes.append(
            f"{len(unused):,} of {counted(len(files), 'file')} of annotations {'is' if len(unused) == 1 else 'are'} of "
            f"no image in the data, e.g. {unused[0]}"
        )
    return of_image


def _label_column(column: str | None, all_marks: Sequence[Marks], source: Path, notes: list[str]) -> str | None:
    names = list(dict.fromkeys(name for marks in all_marks for name in marks.columns))
    if column is not None and column_name(column) not in names:
        hint = did_you_mean(column_name(column), names) or "."
        raise BenchError(f"Got --cell-column {column}{hint} {source.name} has {', '.join(names) or 'no texts'}.")
    if column is not None:
        return column_name(column)
    used = [name for name in LABELS if any(any(marks.columns.get(name, ())) for marks in all_marks)]
    if used:
        notes.append(f"labels of cells are read from their {used[0]} in {source.name}")
    return used[0] if used else None


def _table(parts: Mapping[str, Marks], label: str | None) -> pd.DataFrame:
    boxes = np.concatenate([marks.boxes for marks in parts.values()])
    counts = [len(marks.boxes) for marks in parts.values()]
    texts: list[str | None] = []
    for marks in parts.values():
        texts += marks.columns.get(label or "", [None] * len(marks.boxes))
    table = pd.DataFrame({name: pd.array(boxes[:, k], dtype="Int64") for k, name in enumerate(BOX)})
    labels, _ = without_missing(in_one_form(pd.Series(texts, index=table.index, dtype="string")), NEVER_A_CLASS)
    path = pd.Series(np.repeat([*parts], counts), index=table.index, dtype="string")
    return table.assign(path=path, cell_label=labels, um_per_px=pd.Series(pd.NA, index=table.index, dtype="Float64"))


def _say(all_marks: Sequence[Marks], cells: pd.DataFrame, notes: list[str]) -> None:
    left_out: Counter[str] = Counter()
    for marks in all_marks:
        left_out.update(marks.left_out)
    notes.extend(
        f"{count:,} {what} in the annotations are no cells and were left out" for what, count in left_out.items()
    )
    points = sum(marks.sizeless for marks in all_marks)
    if points:
        notes.append(
            f"{counted_of(points, len(cells), 'cells is a point', 'cells are points')}, without a size: give the "
            "window one, e.g. --instances boxes:64"
        )
    again = int(cells.duplicated(["path", *BOX, "cell_label"]).sum())
    if again:
        notes.append(f"{counted(again, 'cell is', 'cells are')} marked twice with one box and label")
