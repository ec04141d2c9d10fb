"""From labelled images to instances: the regions that get one embedding each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.datasets import BOX, Dataset
from bench.data.unused_tables import without_table
from bench.errors import BenchError
from bench.instances.blank import name_blanked, with_blank
from bench.instances.cell_boxes import CellFiles, FoundCells
from bench.instances.doubts import doubt_cells, doubt_sizes, doubt_tiles
from bench.instances.finders import DEFAULT_MOST, FINDERS, SEARCHES, InstanceRequest, OnProgress
from bench.instances.segmented import foreground_shares
from bench.instances.shown import shows_label, wrongly_inherited
from bench.instances.tiles import cut_tiles, read_tiles, with_foreground
from bench.instances.unread import refuse_unread
from bench.instances.windows import Window, boxes_of_cells, cut_windows, merge_windows, set_boxes
from bench.seeds import keyed_uniform
from bench.text import counted, counted_of

OTHER_SCALE = 0.01  # relative difference of two scales that are not the same
CELL_BOX = [f"cell_{name}" for name in BOX]
COLUMNS = [
    "instance", "path", "digest", *BOX, "label", "level", "group", "source", "split", "image", "cell_label", "shows",
    "blank", "value", *CELL_BOX, "cell", "um_per_px",
]  # fmt: skip


@dataclass(frozen=True)
class Instances:
    """table: one row per region, columns COLUMNS. dataset: as given, without the images that have no instance, which
    are in its problems. notes: how the instances were made, which is among the dataset's notes too.
    """

    dataset: Dataset
    table: pd.DataFrame
    notes: tuple[str, ...]


def make_instances(dataset: Dataset, kind: str = "whole") -> pd.DataFrame:
    """Return the table of `cut_instances` where nothing but the dataset is needed for it."""
    return cut_instances(dataset, kind).table


def cut_instances(
    dataset: Dataset,
    kind: str = "whole",
    source: CellFiles | None = None,
    cache: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Instances:
    """Cut the images of a dataset into instances.

    kind: 'whole' (the labelled region itself), 'tiles:SIZE[:STRIDE][:fg]' (see `bench.instances.tiles`), or a kind of
    cells, 'boxes', 'masks', 'segments' or 'cellpose', with the window around each (see `bench.instances.windows`).
    `instance` names the content of the region: file digest and box, no path, so two rows share it only where the
    content is the same. A region that is its whole image has no box. `image` is the bag. `level` is 'inherited' for
    a part of what was labelled. `cell_label`: the expert's label of the cell, NA where unknown. `shows`: whether
    the window shows a cell of the image's class (see `bench.instances.shown`), NA where unknown. `blank`: what of
    it is blanked (see `bench.instances.blank`), which its name tells too, or NA. `value` and `cell_x0` to `cell_y1`:
    where the instance is the window around a cell, its value in the mask and its own box, else NA. `cell`: where its
    pixels are kept, see `FoundCells`, if `source.every` asks for it, else NA. `um_per_px`: of the table of cells, or of
    its image, else NA. cache: folder that keeps what was found in images. Raises BenchError for another kind, and where
    a class is left without an instance.
    """
    name, *words = kind.split(":")
    source = source or CellFiles()
    asked = InstanceRequest(kind, tuple(words), source, cache, on_progress)
    if name not in KINDS:
        raise asked.refuse()
    refuse_unread(name, kind, source, boxed=bool(dataset.table["x0"].notna().any()))
    rows, reasons = KINDS[name](dataset, asked)
    rows = rows.assign(instance=pd.Series(_names(rows), index=rows.index, dtype="str"))
    most = most_of(kind, source)
    rows = _at_most(rows, most, asked.notes)  # by names without what is blanked, so that the same cells are kept
    rows = name_blanked(rows)
    if name in FINDERS and len(rows):
        count = rows.groupby("path").size()
        asked.notes.insert(
            0, f"{counted(len(rows), 'cell')} of {counted(len(count), 'image')}, {_range_of(count)}"
        )  # fmt: skip
    if "shows" not in rows:
        rows = rows.assign(shows=pd.array([pd.NA] * len(rows), dtype="boolean"))
    lacking = [name for name in ("value", *CELL_BOX) if name not in rows]
    rows = rows.assign(**{name: pd.array([pd.NA] * len(rows), dtype="Int64") for name in lacking})
    if "cell" not in rows or not source.every:
        rows = rows.assign(cell=pd.array([pd.NA] * len(rows), dtype="string"))
    asked.notes.extend(wrongly_inherited(rows))
    dataset = _without(dataset, rows, reasons, asked)
    return Instances(dataset, rows[COLUMNS].reset_index(drop=True), tuple(asked.notes))


def _range_of(count: pd.Series) -> str:
    """Return how many there are of an image: '1 to 200 an image, median 12', or '1 an image' where all have as many."""
    low, high = count.min(), count.max()
    return f"{low:,} an image" if low == high else f"{low:,} to {high:,} an image, median {count.median():g}"


def count_instances(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per class: class, images, instances, and their least, median and most of one image."""
    per_image = table.groupby(["label", "path"]).size()
    counts = per_image.groupby("label").agg(["size", "sum", "min", "median", "max"]).reset_index()
    return counts.set_axis(["class", "images", "instances", "least", "median", "most"], axis=1)


def _whole(dataset: Dataset, asked: InstanceRequest) -> tuple[pd.DataFrame, dict[str, str]]:
    if asked.words:
        raise asked.refuse()
    regions = _of_regions(dataset)
    asked.notes.extend(doubt_sizes(regions[regions["x0"].isna()].drop_duplicates("path")))
    return regions, {}


def _tiles(dataset: Dataset, asked: InstanceRequest) -> tuple[pd.DataFrame, dict[str, str]]:
    read = read_tiles(asked.words)
    if read is None:
        raise asked.refuse()
    regions = _of_regions(dataset)
    tiles = cut_tiles(regions, read[:2])
    asked.notes.extend(doubt_tiles(tiles, regions, read[0]))
    if read[2] is not None:
        share = foreground_shares(dataset, tiles, asked.cache, asked.tell("look for foreground"))
        tiles = with_foreground(tiles, share, read[2], asked.notes)
    return tiles, {}


def _of_regions(dataset: Dataset) -> pd.DataFrame:
    table = dataset.table
    own = table["label"].where(table["x0"].notna() & (table["level"] == "expert"))  # a region, and not an image
    return with_blank(table.assign(image=table["path"], cell_label=own.astype("string")), None)


def _cells(dataset: Dataset, asked: InstanceRequest) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return a row per cell whose box is the window around it, sorted, and path -> why it has fewer cells."""
    sizes = [word for word in asked.words if "=" not in word][: -1 if asked.blanked else None]
    window = Window.parse(sizes[0] if sizes else "")
    if window is None or len(sizes) > 1:
        raise asked.refuse()
    name = asked.kind.split(":")[0]
    found = FINDERS[name](dataset, asked)
    asked.notes.extend(found.notes)
    asked.notes.extend(doubt_cells(found.cells, _looked_at(dataset, found, name), name))
    rows = with_blank(_with_labels(dataset.table, found, asked.notes), asked.blanked, asked.notes)
    rows = rows.assign(image=rows["path"])
    if rows.empty:
        return rows, dict(found.reasons)
    box = cut_windows(rows, window, asked.notes)
    if not asked.blanked:  # else a window does not show what lies in it
        rows = rows.assign(shows=shows_label(rows, boxes_of_cells(rows), box))
    own = boxes_of_cells(rows)
    rows = rows.assign(**{name: pd.array(own[:, k], dtype="Int64") for k, name in enumerate(CELL_BOX)})
    rows = set_boxes(rows, box).sort_values(["path", *BOX], kind="stable", na_position="first")
    return merge_windows(rows, asked.notes, every=asked.source.every), dict(found.reasons)


def _looked_at(dataset: Dataset, found: FoundCells, name: str) -> pd.DataFrame:
    """Return the images, one row each, that cells were looked for in: by a program in all, else those with any."""
    images = dataset.table.drop_duplicates("path")
    if name not in SEARCHES:
        return images[images["path"].isin(found.cells["path"])]
    return images[~images["path"].isin([path for path, why in found.reasons.items() if not why.startswith("no cell")])]


def _with_labels(table: pd.DataFrame, found: FoundCells, notes: list[str]) -> pd.DataFrame:
    """Return a row per cell with its box, and all else of the labelled region that it lies in."""
    if found.own:
        return table.assign(cell_label=found.cells["cell_label"].array)
    cells = found.cells.assign(path=found.cells["path"].astype(table["path"].dtype), number=range(len(found.cells)))
    rows = table.merge(cells, on="path", suffixes=("_of_region", ""))
    middle = {axis: (rows[f"{axis}0"] + rows[f"{axis}1"]) / 2 for axis in "xy"}
    inside = pd.Series(True, index=rows.index)
    for axis in "xy":
        low, high = rows[f"{axis}0_of_region"], rows[f"{axis}1_of_region"]
        inside &= (low.isna() | ((low <= middle[axis]) & (middle[axis] < high))).fillna(True).astype(bool)
    lost = len(cells) - rows.loc[inside, "number"].nunique()
    if lost:
        lie = counted_of(lost, len(cells), "cells lies", "cells lie")
        notes.append(f"{lie} in no labelled region, by the middle of a cell: left out")
    told, stated = rows["um_per_px"], rows["um_per_px_of_region"]
    differ = (inside & ((told / stated - 1).abs() > OTHER_SCALE).fillna(False)).astype(bool)
    if differ.any():
        one, count = rows[differ].iloc[0], counted(int(differ.sum()), "cell differs", "cells differ")
        notes.append(
            f"{one['path']} has {one['um_per_px_of_region']:.4g} um per pixel, the table of cells "
            f"{one['um_per_px']:.4g} ({count} so); the table of cells is followed"
        )
    scale = told.fillna(stated)
    return rows[inside].assign(level="inherited", um_per_px=scale[inside]).reset_index(drop=True)


def most_of(kind: str, source: CellFiles) -> int | None:
    """Return how many instances of one image are kept, None for all."""
    if source.most is not None:
        return source.most
    return DEFAULT_MOST if kind.partition(":")[0] in FINDERS else None


def places_in_draw(instances: list[str]) -> np.ndarray:
    """Return numbers in [0, 1), of the contents of instances: those with the least are kept of an image, see `most`."""
    return keyed_uniform(("instances of an image",), instances)


def _at_most(rows: pd.DataFrame, most: int | None, notes: list[str]) -> pd.DataFrame:
    """Keep so many rows of each image, drawn by keyed hash of their content."""
    if most is None or not len(rows) or rows.groupby("path").size().max() <= most:
        return rows
    drawn = pd.Series(places_in_draw(rows["instance"].tolist()), index=rows.index)
    kept = rows[drawn.groupby(rows["path"]).rank(method="first") <= most]
    images = int((rows.groupby("path").size() > most).sum())
    left = counted(len(rows) - len(kept), "instance was", "instances were")
    notes.append(
        f"{left} left out, of {counted(images, 'image')}: {most} of one image are kept, drawn by hash (--max-instances)"
    )
    return kept


def _without(dataset: Dataset, rows: pd.DataFrame, reasons: dict[str, str], asked: InstanceRequest) -> Dataset:
    """Return the dataset without the images that have no instance; BenchError where a class is lost."""
    paths = dataset.table["path"]
    empty = sorted(set(paths.tolist()) - set(rows["path"].tolist()))
    reasons = {**{path: "no cell was found in it" for path in empty}, **reasons}
    lost = sorted(set(dataset.table["label"].unique()) - set(rows["label"].unique()))
    if lost:
        first = dataset.table.loc[dataset.table["label"] == lost[0], "path"].iloc[0]
        raise BenchError(
            f"Got --instances {asked.kind}, which leaves no instance of class '{lost[0]}' "
            f"({first}: {reasons.get(first, 'no cell was found in it')}). Expected cells in images of every class: add "
            "some, leave the class out, or use --instances whole or tiles:128."
        )
    found = pd.DataFrame(sorted(reasons.items()), columns=["path", "reason"], dtype="str")
    problems = pd.concat([dataset.problems, found], ignore_index=True) if len(found) else dataset.problems
    table = dataset.table[~paths.isin(empty)].reset_index(drop=True) if empty else dataset.table
    return replace(dataset, table=table, problems=problems, notes=(*_still_said(dataset, asked), *asked.notes))


def _still_said(dataset: Dataset, asked: InstanceRequest) -> tuple[str, ...]:
    """Return the dataset's notes without that of the table of cells, which is used."""
    file = asked.source.file
    return (
        without_table(dataset.notes, file.name)
        if file and file.parent.resolve() == dataset.root.resolve()
        else dataset.notes
    )


def _names(table: pd.DataFrame) -> list[str]:
    """Return `bench.seeds.content_name([digest, "whole" or [x0, y0, x1, y1]])` of each row, its JSON written here.

    Ten times as fast as asking for each: a hundred thousand names are all that a run with nothing to do does.
    """
    boxed = table["x0"].notna().to_numpy()
    regions = np.full(len(table), '"whole"', dtype=object)
    regions[boxed] = [f"[{a},{b},{c},{d}]" for a, b, c, d in table.loc[boxed, BOX].to_numpy(np.int64).tolist()]
    texts = (f'["{digest}",{region}]' for digest, region in zip(table["digest"].tolist(), regions, strict=True))
    return [hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts]
#: From a dataset to rows with BOX, and path -> why an image has fewer of them.
KINDS: dict[str, Callable[[Dataset, InstanceRequest], tuple[pd.DataFrame, dict[str, str]]]] = {
    "whole": _whole,
    "tiles": _tiles,
    **dict.fromkeys(FINDERS, _cells),
}
