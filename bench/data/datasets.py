"""The dataset table: one row per labelled region, from a folder per class or from one CSV.

Everything before this table knows files, everything after it knows rows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from bench.data.among import among
from bench.data.clip import check_sizes, clip_boxes, one_label_each
from bench.data.copies import merge_copies
from bench.data.groups import with_groups
from bench.data.label_boxes import BOX, scale_boxes
from bench.data.label_csv import doubtful_classes, read_label_csv
from bench.data.label_folder import no_images, read_label_folder, rows_of
from bench.data.layout import LAYOUT, existing, layout_for
from bench.data.lost import leave_out, lost_classes, without_images
from bench.data.manifest import positions, scan, stat_files
from bench.data.mask_names import masks_beside
from bench.data.paths import OUTSIDE, as_on_disk, below, is_below, refuse_paths, spelled_otherwise, where_they_are
from bench.data.reading import AS_USUAL, UNLABELLED, Reading
from bench.data.scales import with_scale
from bench.data.search import found_by_name, unlisted
from bench.data.spellings import alike, one_form
from bench.data.strewn import refuse_data_as_results, results_note, strewn_note
from bench.data.unlabelled import read_unlabelled
from bench.data.unused_tables import unused_tables
from bench.errors import BenchError
from bench.images import file_of, split_series
from bench.text import counted

COLUMNS = ["path", "digest", *BOX, "label", "level", "group", "source", "split", "mask", "um_per_px",
           "height", "width", "channels", "pages", "dtype"]  # fmt: skip
FROM_FILE = ["digest", "height", "width", "channels", "pages", "dtype", "problem"]
ABOUT = ["path", "format", "slices", "series", "um_in_file", "names", "remarks"]
SHOWN = 3


@dataclass(frozen=True)
class Dataset:
    """Labelled regions of images.

    table: columns COLUMNS, sorted by path and box; x0..y1 (Int64, x1 and y1 exclusive) are NA for a whole
    image. level: 'expert' (the label was given for this region), 'inherited' or 'pseudo'. source, mask:
    text or NA. um_per_px: micrometres per pixel (Float64) or NA. split: 'train', 'val', 'test' or NA.
    problems: path, reason of every listed image that
    cannot be used. notes: what a user should know before believing a score. lost: class -> why it has no usable
    image. files: columns ABOUT, what the headers of the images say besides, a row per image.
    """

    name: str
    root: Path
    table: pd.DataFrame
    classes: tuple[str, ...]
    problems: pd.DataFrame
    notes: tuple[str, ...]
    lost: Mapping[str, str] = field(default_factory=dict)
    files: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=ABOUT))


@dataclass(frozen=True)
class _Rows:
    """What labels say, before files are read: rows (COLUMNS without those of files), and stat and links of `paths`."""

    root: Path
    rows: pd.DataFrame
    paths: list[str]
    stat: np.ndarray
    links: set[str]
    refused: dict[str, str]
    lost: dict[str, str] = field(default_factory=dict)
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


def load_dataset(
    data: Path | str,
    *,
    group_pattern: str | None = None,
    group_column: str | None = None,
    cache: Path | None = None,
    verify: bool = False,
    reading: Reading = AS_USUAL,
    strict: bool = True,
) -> Dataset:
    """Read the dataset table of a folder or CSV; only headers are decoded here.

    group_pattern: regular expression searched in the relative path; its group named 'group', or the first group, or the
    whole match names the slide. group_column: the CSV column to use instead of 'group'. Without either each image is
    its own group. Identical files always share a group. cache: where the manifest is kept, in the folder of results;
    verify reads every file again. reading: how files are read. strict: a class without a usable image is an error; else
    it is in `Dataset.lost`. Raises BenchError for a layout that cannot be understood.
    """
    data = existing(data)
    refuse_data_as_results(data, cache)
    if group_pattern is not None and group_column is not None:
        raise BenchError("Got both --group-pattern and --group-column; expected one of them.")
    notes: list[str] = []
    read = _from_csv if data.is_file() else _from_names if reading.only else _from_folder
    given = read(data, group_column, reading, notes)
    while_read = tuple(notes)
    given = _of_series(_within(given, reading), reading)
    rows = given.rows[~among(given.rows["path"], given.refused)].reset_index(drop=True)
    files = scan(given.root, given.paths, cache, stat=given.stat, verify=verify)
    at = positions(rows["path"].tolist(), pa.chunked_array([pa.array(files["path"])]))
    table = pd.concat([rows, files.iloc[at].reset_index(drop=True)[FROM_FILE]], axis=1)
    notes[:0] = unused_tables(given.root, given.tables, files)
    bad = table["problem"].notna()
    unread = table.loc[bad, ["path", "problem"]].rename(columns={"problem": "reason"}).drop_duplicates()
    if "stated_width" in table:
        check_sizes(table[~bad], notes)
    table, outside = clip_boxes(scale_boxes(table[~bad], reading.box_units), notes)
    table, conflicting = one_label_each(table, notes)
    refusals = pd.DataFrame({"path": list(given.refused), "reason": list(given.refused.values())}, dtype="str")
    problems = pd.concat([part.astype("str") for part in (refusals, unread, outside, conflicting)])
    problems = problems.sort_values(["path", "reason"], kind="stable", ignore_index=True)
    lost = without_images(given.rows, table, problems, given.lost)
    table, lost = leave_out(table, lost, reading.leave_out, notes)
    if table.empty:
        raise _nothing_left(data, given, problems, layout_for(labelled=reading.labelled))
    _check_masks(given.root, table, reading, notes)
    table = with_scale(table, files, notes)
    table = with_groups(table, group_pattern, notes if reading.labelled else [])
    table = merge_copies(table, notes, given.root)
    if not (table["path"].is_monotonic_increasing and table["path"].is_unique):
        table = table.sort_values(["path", *BOX], kind="stable")
    table = table.reset_index(drop=True)[COLUMNS]
    classes = tuple(sorted(table["label"].unique()))
    if lost and strict:
        raise BenchError(lost_classes(lost, data))
    if len(classes) < 2 and reading.labelled:
        why = "".join(f" Class '{name}' has no image: {reason}." for name, reason in list(lost.items())[:SHOWN])
        why += "".join(f" {note}." for note in while_read[:SHOWN])
        raise BenchError(
            f"Got one class, '{classes[0]}', in {data}; expected at least two.{why}{_deeper(data, table)}"
            f"{_in_tables(data, given.tables)} {LAYOUT}"
        )
    notes += [*alike(classes, "classes"), *doubtful_classes(classes), *given.ignored]
    about = files[among(files["path"], table["path"])][ABOUT].reset_index(drop=True)
    return Dataset(_name(data), given.root, table, classes, problems, tuple(notes), lost, about)


def _from_csv(data: Path, group_column: str | None, reading: Reading, notes: list[str], *, more: bool = True) -> _Rows:
    """more: say which images beside those that are listed are not."""
    root, rows = data.parent, read_label_csv(data, group_column, reading, notes)
    rows["path"], rows["mask"] = below(root, rows["path"]), below(root, rows["mask"])
    refused = refuse_paths(root, rows["path"].unique(), follow_links=reading.follow_links)
    paths = sorted(set(rows["path"]) - refused.keys())
    stat, links = stat_files(root, paths)
    if masks := masks_beside(paths):
        many = counted(len(masks), "image")
        notes.append(f"{many} in {data.name} named as the mask of another, e.g. {min(masks)}: are they images?")
    lacking = [path for path, size in zip(paths, stat[:, 0].tolist(), strict=True) if size < 0]
    spelled = as_on_disk(root, lacking)
    spelled |= found_by_name(root, [path for path in lacking if path not in spelled])
    if spelled:
        notes += spelled_otherwise(spelled, data.name)
        rows["path"] = rows["path"].replace({path: file for path, (file, _) in spelled.items()})
        paths = sorted(set(rows["path"]) - refused.keys())
        stat, links = stat_files(root, paths)
    if beside := unlisted(root, _files(paths)) if more else []:
        notes.append(
            f"{counted(len(beside), 'image')} beside those that {data.name} lists, not in it: unused, e.g. {beside[0]}"
        )
    absent = [mask for mask in rows["mask"].dropna().unique() if not os.path.isfile(root / mask)]
    rows["mask"] = rows["mask"].replace({mask: file for mask, (file, _) in as_on_disk(root, absent).items()})
    return _Rows(root, rows, paths, stat, links, refused)


def _files(paths: list[str]) -> set[str]:
    """Return paths, and the files of those that name one of several pictures of a file."""
    return {*paths, *(split_series(path)[0] for path in paths)}


def _from_names(data: Path, group_column: str | None, reading: Reading, notes: list[str]) -> _Rows:
    """Return the images that are named one by one, without labels."""
    paths = sorted(set(reading.only))
    refused = refuse_paths(data, paths, follow_links=reading.follow_links)
    kept = [path for path in paths if path not in refused]
    stat, links = stat_files(data, kept)
    return _Rows(data, rows_of(paths, [UNLABELLED] * len(paths), None), kept, stat, links, refused)


def _from_folder(data: Path, group_column: str | None, reading: Reading, notes: list[str]) -> _Rows:
    told: list[str] = []
    read = read_label_folder if reading.labelled else read_unlabelled
    found = read(data, told, follow_links=reading.follow_links)
    rows, tables = found.rows, found.walk.tables
    if reading.labelled and rows["label"].nunique() < 2 and len(tables) == 1:
        table = min(tables)
        notes.append(f"labels are those of {table}, as the folders name fewer than two classes")
        given = _from_csv(data / table, group_column, reading, notes, more=False)
        given = replace(given, ignored=(*strewn_note(found.walk.strewn), *results_note(found.walk.results)))
        unused = sorted(set(found.walk.paths) - _files(given.rows["path"].tolist()))
        if unused:
            notes.append(f"{counted(len(unused), 'image')} in the folder, not in {table}: unused, e.g. {unused[0]}")
        return given
    if group_column:
        hint = f" --data {data / min(tables)} has columns." if tables else " Use --group-pattern."
        raise BenchError(f"Got group column '{group_column}' for folder {data}; expected a CSV.{hint}")
    if reading.drawn_only:
        expected = "expected the label table that `bench label` wrote, which marks what was drawn"
        raise BenchError(f"Got --drawn-only for folder {data}; {expected}. Otherwise leave --drawn-only out.")
    if rows.empty:
        raise no_images(data, found, labelled=reading.labelled)
    notes += told
    return _Rows(
        data,
        rows,
        rows["path"].tolist(),
        found.stat,
        found.walk.links,
        found.refused,
        found.lost,
        tables,
        found.ignored,
    )


def _within(given: _Rows, reading: Reading) -> _Rows:
    """Refuse links that lead out of the data folder, unless they are to be followed."""
    top = os.path.realpath(given.root)
    links = set() if reading.follow_links else given.links
    outward = {link for link in links if not is_below(file_of(given.root / link)[0], top)}
    if not outward:
        return given
    keep = [path not in outward for path in given.paths]
    paths = [path for path in given.paths if path not in outward]
    refused = given.refused | dict.fromkeys(sorted(outward), OUTSIDE)
    return replace(given, paths=paths, stat=given.stat[keep], refused=refused)


def _of_series(given: _Rows, reading: Reading) -> _Rows:
    """Put the number of the picture that is asked for behind every path that has none, as x.lif#2."""
    if reading.series is None:
        return given
    named = {path: path if split_series(path)[1] else f"{path}#{reading.series}" for path in given.paths}
    rows = given.rows.assign(path=given.rows["path"].replace(named))
    return replace(given, rows=rows, paths=list(named.values()))


def _nothing_left(data: Path, given: _Rows, problems: pd.DataFrame, layout: str) -> BenchError:
    first = f"{problems['path'].iloc[0]}: {problems['reason'].iloc[0]}" if len(problems) else "no rows"
    hint = where_they_are(given.root, given.rows["path"].tolist()) if data.is_file() and len(given.rows) else ""
    images = counted(problems["path"].nunique(), "image")
    return BenchError(f"Got {images} in {data}, none of which can be used ({first}).{hint} {layout}")


def _name(data: Path) -> str:
    full = data.resolve()
    folder = full.parent if data.is_file() else full
    folder = folder.parent if folder.name == "raw" else folder
    name = full.stem if data.is_file() and full.stem.lower() != "index" else folder.name
    return re.sub(r"[^\w.-]+", "_", one_form(name)).lstrip("-.") or "data"  # an option or a hidden folder otherwise


def _in_tables(data: Path, tables: Mapping[str, tuple[str, ...]]) -> str:
    return f" Labels may be in {', '.join(sorted(tables))}: --data {data / min(tables)}." if tables else ""


def _deeper(data: Path, table: pd.DataFrame) -> str:
    """Return a hint when the classes lie one folder further down than the one given."""
    folders = [path.split("/")[:-1] for path in table["path"]]
    if not data.is_dir():
        return ""
    depth = 0  # of the folders that all images share
    while all(folder[depth : depth + 1] == folders[0][depth : depth + 1] != [] for folder in folders):
        depth += 1
    inner = sorted({folder[depth] for folder in folders if len(folder) > depth})
    if len(inner) < 2 or depth == 0:
        return ""
    inside = data.joinpath(*folders[0][:depth])
    return f" Its sub-folders {', '.join(inner[:4])} look like classes, did you mean --data {inside}?"


def _check_masks(root: Path, table: pd.DataFrame, reading: Reading, notes: list[str]) -> None:
    masks = table["mask"].dropna().unique()
    top = os.path.realpath(root)
    refused = refuse_paths(root, masks, follow_links=reading.follow_links)
    lost = sorted(
        mask
        for mask in masks
        if mask in refused
        or not os.path.isfile(root / mask)
        or not (reading.follow_links or is_below(root / mask, top))
    )
    if lost:
        are = counted(len(lost), "mask is no file", "masks are no files")
        notes.append(f"{are} below the data folder: ignored, e.g. {lost[0]}")
        table["mask"] = table["mask"].where(~table["mask"].isin(lost))
