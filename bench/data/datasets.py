"""The dataset table: one row per labelled region, from a folder per class or from one CSV.

Everything before this table knows files, everything after it knows rows.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from bench.data.label_csv import BOX, LAYOUT, read_label_csv
from bench.data.label_folder import read_label_folder
from bench.data.manifest import positions, scan, stat_files
from bench.errors import BenchError, did_you_mean

COLUMNS = ["path", "digest", *BOX, "label", "level", "group", "source", "split", "mask", "um_per_px",
           "height", "width", "channels", "pages", "dtype"]  # fmt: skip
FROM_FILE = ["digest", "height", "width", "channels", "pages", "dtype", "problem"]
OUTSIDE = "is a link to outside the data folder, so it is not read"


@dataclass(frozen=True)
class Dataset:
    """Labelled regions of images.

    table: columns COLUMNS, sorted by path and box; x0..y1 (Int64, x1 and y1 exclusive) are NA for a whole
    image. level: 'expert' (the label was given for this region), 'inherited' or 'pseudo'. source, mask:
    text or NA. um_per_px: micrometres per pixel (Float64) or NA. split: 'train', 'val', 'test' or NA.
    problems: path, reason of every listed image that
    cannot be used. notes: what a user should know before believing a score.
    """

    name: str
    root: Path
    table: pd.DataFrame
    classes: tuple[str, ...]
    problems: pd.DataFrame
    notes: tuple[str, ...]


def load_dataset(
    data: Path | str,
    *,
    group_pattern: str | None = None,
    group_column: str | None = None,
    cache: Path | None = None,
    verify: bool = False,
) -> Dataset:
    """Read the dataset table of a folder or CSV; only headers are decoded here.

    group_pattern: regular expression searched in the relative path; its group named 'group', or the
    first group, or the whole match names the slide. group_column: the CSV column to use instead of
    'group'. Without either each image is its own group. Identical files always share a group. cache:
    where the manifest is kept; verify reads every file again. Raises BenchError for a layout that
    cannot be understood.
    """
    data = Path(data).expanduser()
    if not data.exists():
        near = [p.name for p in data.parent.iterdir()] if data.parent.is_dir() else []
        raise BenchError(f"Got --data {data}, which does not exist{did_you_mean(data.name, near) or '.'} {LAYOUT}")
    if group_pattern is not None and group_column is not None:
        raise BenchError("Got both --group-pattern and --group-column; expected one of them.")
    notes: list[str] = []
    refused: dict[str, str] = {}
    if data.is_file():
        root, rows = data.parent, read_label_csv(data, group_column, notes)
        rows["path"], rows["mask"] = posix_paths(rows["path"]), posix_paths(rows["mask"])
        refused = refuse_paths(root, rows["path"].unique())
        paths = sorted(set(rows["path"]) - refused.keys())
        stat, links = stat_files(root, paths)
    elif group_column:
        raise BenchError(f"Got group column '{group_column}' for folder {data}; expected a CSV. Use --group-pattern.")
    else:
        root, (rows, stat, links, refused) = data, read_label_folder(data, notes)
        paths = rows["path"].tolist()
    outward = {link for link in links if not (root / link).resolve().is_relative_to(root.resolve())}
    if outward:
        stat, paths = stat[[path not in outward for path in paths]], [path for path in paths if path not in outward]
        refused |= dict.fromkeys(outward, OUTSIDE)
    if refused:
        rows = rows[~rows["path"].isin(refused)].reset_index(drop=True)
    labels = set(rows["label"].unique())
    files = scan(root, paths, cache, stat=stat, verify=verify)[["path", *FROM_FILE]]
    at = positions(rows["path"].tolist(), pa.chunked_array([pa.array(files["path"])]))
    table = pd.concat([rows, files.iloc[at].reset_index(drop=True)[FROM_FILE]], axis=1)
    bad = table["problem"].notna()
    unread = table.loc[bad, ["path", "problem"]].rename(columns={"problem": "reason"}).drop_duplicates()
    table, outside = clip_boxes(table[~bad], notes)
    table, conflicting = _one_label_each(table, notes)
    refusals = pd.DataFrame({"path": list(refused), "reason": list(refused.values())}, dtype="str")
    problems = pd.concat([part.astype("str") for part in (refusals, unread, outside, conflicting)])
    problems = problems.sort_values(["path", "reason"], ignore_index=True)
    if table.empty:
        first = f"{problems['path'].iloc[0]}: {problems['reason'].iloc[0]}" if len(problems) else "no rows"
        raise BenchError(f"Got {len(problems)} images in {data}, none of which can be used ({first}). {LAYOUT}")
    _check_masks(root, table, notes)
    table = _merge_copies(_with_groups(table, group_pattern, notes), notes)
    if not (table["path"].is_monotonic_increasing and table["path"].is_unique):
        table = table.sort_values(["path", *BOX], kind="stable")
    table = table.reset_index(drop=True)[COLUMNS]
    classes = tuple(sorted(table["label"].unique()))
    if len(classes) < 2:
        hint = _deeper(data, table)
        raise BenchError(f"Got one class, '{classes[0]}', in {data}; expected at least two.{hint} {LAYOUT}")
    notes += [f"class '{name}' has no usable image and was left out" for name in sorted(labels - set(classes))]
    alike = {name.lower(): name for name in classes}
    notes += [f"classes '{n}' and '{alike[n.lower()]}' differ in case only" for n in classes if alike[n.lower()] != n]
    return Dataset(_name(data), root, table, classes, problems, tuple(notes))


def _name(data: Path) -> str:
    full = data.resolve()
    folder = full.parent if data.is_file() else full
    folder = folder.parent if folder.name == "raw" else folder
    name = full.stem if data.is_file() and full.stem.lower() != "index" else folder.name
    return re.sub(r"[^\w.-]+", "_", name) or "data"


def _deeper(data: Path, table: pd.DataFrame) -> str:
    """Return a hint when the classes lie one folder further down than the one given."""
    parts = table["path"].str.split("/")
    inner = sorted({p[1] for p in parts if len(p) > 2}) if data.is_dir() else []
    if len(inner) < 2:
        return ""
    inside = data / parts.iloc[0][0]
    return f" Its sub-folders {', '.join(inner[:4])} look like classes, did you mean --data {inside}?"


def posix_paths(paths: pd.Series) -> pd.Series:
    """Return paths with forward slashes and without './'; those with '..' stay as they are, to be refused."""
    given = paths.str.replace("\\", "/", regex=False)
    tidy = {path: path if ".." in path.split("/") else posixpath.normpath(path) for path in given.dropna().unique()}
    return given.map(tidy).astype("string")


def refuse_paths(root: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return path -> reason for those not below `root`, links to folders resolved, each folder once."""
    top = root.resolve()
    inside: dict[str, bool] = {}
    refused = {}
    for path in paths:
        folder = path.rpartition("/")[0]
        if path[:1] == "/" or (path[1:2] == ":" and path[0].isalpha()) or ".." in path.split("/"):
            refused[path] = "is not a relative path below the data folder, so it is not read"
            continue
        if folder not in inside:
            inside[folder] = (root / folder).resolve().is_relative_to(top)
        if not inside[folder] and not (root / path).resolve().is_relative_to(top):
            refused[path] = OUTSIDE
    return refused


def _check_masks(root: Path, table: pd.DataFrame, notes: list[str]) -> None:
    masks = table["mask"].dropna().unique()
    top = root.resolve()
    refused = refuse_paths(root, masks)
    lost = sorted(
        mask
        for mask in masks
        if mask in refused or not (root / mask).is_file() or not (root / mask).resolve().is_relative_to(top)
    )
    if lost:
        notes.append(f"{len(lost)} masks are not files below the data folder and were ignored, e.g. {lost[0]}")
        table["mask"] = table["mask"].where(~table["mask"].isin(lost))


def clip_boxes(table: pd.DataFrame, notes: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (table with boxes inside their images, problems for those wholly outside).

    table: columns path, BOX, width, height, any others. A box that is its entire image becomes NA.
    """
    table = table.reset_index(drop=True)
    if table[BOX].isna().all(axis=None):
        return table, pd.DataFrame({"path": [], "reason": []}, dtype="str")
    before = table[BOX].copy()
    for name, limit in (("x0", "width"), ("x1", "width"), ("y0", "height"), ("y1", "height")):
        table[name] = table[name].clip(lower=0).where(table[name].isna() | (table[name] <= table[limit]), table[limit])
    empty = ((table["x1"] <= table["x0"]) | (table["y1"] <= table["y0"])).fillna(False).astype(bool)
    text = before[empty].astype("string").agg(" ".join, axis=1) if empty.any() else pd.Series(dtype="string")
    reason = "box " + text + " holds no pixel of the image"
    problems = pd.DataFrame({"path": table.loc[empty, "path"], "reason": reason})
    clipped = int(((before != table[BOX]).fillna(False).any(axis=1) & ~empty).sum())
    if clipped:
        notes.append(f"{clipped} boxes reach beyond their image and were clipped to it")
    if empty.sum() > 0.1 * max(1, before["x0"].notna().sum()):
        notes.append(f"{empty.sum()} boxes lie outside their images: are they of the images these were cut from?")
    entire = (table[["x0", "y0"]] == 0).all(axis=1) & (table["x1"] == table["width"]) & (table["y1"] == table["height"])
    table.loc[entire.fillna(False).astype(bool), BOX] = pd.NA  # one name for one region: it is the whole image
    return table[~empty].reset_index(drop=True), problems


def _one_label_each(table: pd.DataFrame, notes: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Drop repeated rows; regions of one file that were given two labels become problems."""
    if table["path"].is_unique:
        return table, pd.DataFrame({"path": [], "reason": []}, dtype="str")
    single = table.drop_duplicates(["path", *BOX, "label"])
    if len(single) < len(table):
        notes.append(f"{len(table) - len(single)} rows repeat another row and were dropped")
    torn = single.duplicated(["path", *BOX], keep=False)
    reasons = single[torn].groupby(["path", *BOX], dropna=False)["label"].agg(lambda s: " and ".join(sorted(s)))
    text = "one region has the labels " + reasons.astype("str").to_numpy(object)
    problems = pd.DataFrame({"path": reasons.index.get_level_values("path"), "reason": text})
    return single[~torn].reset_index(drop=True), problems


def _with_groups(table: pd.DataFrame, pattern: str | None, notes: list[str]) -> pd.DataFrame:
    if pattern is not None:
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            message = f"Got --group-pattern '{pattern}', not a regular expression ({error}). Try '([^/]+)__'."
            raise BenchError(message) from None
        part: str | int = "group" if "group" in compiled.groupindex else min(1, compiled.groups)
        matches = {path: compiled.search(path) for path in table["path"].unique().tolist()}
        group = {path: match[part] for path, match in matches.items() if match and match[part] is not None}
        missed = sorted(matches.keys() - group.keys())
        if missed:
            raise BenchError(
                f"Got --group-pattern '{pattern}', which does not match {len(missed)} of {len(matches)} paths, "
                f"e.g. '{missed[0]}'. Expected it to name a group in every path, e.g. '([^/]+)__'."
            )
        return table.assign(group=table["path"].map(group).astype("string"))
    if table["group"].isna().all():
        notes.append(
            "no groups were given: every image counts as its own, which is too hopeful if several "
            "come from one slide or patient (--group-pattern)"
        )
    return table.assign(group=table["group"].fillna(table["path"]))


def copies_of(table: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """Return the sets of paths whose files are identical, each sorted."""
    files = table[["path", "digest"]].drop_duplicates()
    files = files[files["digest"].duplicated(keep=False)]
    return tuple(sorted(tuple(sorted(paths)) for _, paths in files.groupby("digest")["path"]))


def conflicts_of(table: pd.DataFrame) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Return the sets of (path, label) where one region of identical files has different labels."""
    copied = table[table["path"].isin({path for paths in copies_of(table) for path in paths})]
    torn = [part for _, part in copied.groupby(["digest", *BOX], dropna=False) if part["label"].nunique() > 1]
    return tuple(sorted(tuple(sorted(zip(part["path"], part["label"], strict=True))) for part in torn))


def _merge_copies(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Put identical files into one group, so that a copy is never both learned from and tested on."""
    if table["digest"].is_unique:
        return table
    copies = copies_of(table)
    if copies:
        notes.append(f"{sum(map(len, copies))} files are exact copies of another, e.g. {copies[0][0]} = {copies[0][1]}")
    for named in conflicts_of(table)[:5]:
        text = ", ".join(f"{path} ({label})" for path, label in named)
        notes.append(f"one image has two labels (conflicting): {text}")
    pairs = table[["digest", "group"]].drop_duplicates()
    pairs = pairs[pairs["digest"].duplicated(keep=False)]  # one content in several groups
    if pairs.empty:
        return table
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    groups, g = np.unique(pairs["group"].to_numpy(str), return_inverse=True)
    _, d = np.unique(pairs["digest"].to_numpy(str), return_inverse=True)
    n = len(groups)
    graph = coo_matrix((np.ones(len(g)), (g, n + d)), shape=(n + d.max() + 1,) * 2)
    _, component = connected_components(graph, directed=False)
    first: dict[int, str] = {}
    merged = {name: first.setdefault(int(c), name) for name, c in zip(groups.tolist(), component[:n], strict=True)}
    joined = sum(name != target for name, target in merged.items())
    notes.append(f"{joined} groups were joined to another that holds a copy, so that no copy straddles a split")
    return table.assign(group=table["group"].map(lambda name: merged.get(name, name)).astype("string"))
