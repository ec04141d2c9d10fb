"""The dataset table: one row per labelled region, from a folder per class or from one CSV.

Everything before this table knows files, everything after it knows rows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.errors import BenchError, did_you_mean
from bench.images import IMAGE_SUFFIXES
from bench.manifest import scan

BOX = ["x0", "y0", "x1", "y1"]
COLUMNS = ["path", "digest", *BOX, "label", "level", "group", "source", "split", "mask",
           "height", "width", "channels", "pages", "dtype"]  # fmt: skip
PATH_NAMES = ("path", "file", "image")
LEVELS = ("expert", "inherited", "pseudo")
SPLITS = ("train", "val", "valid", "test")
LAYOUT = "Expected <data>/<class>/<image>, e.g. Data/raw/neuron/a.png, or a CSV with columns path,label."


@dataclass(frozen=True)
class Dataset:
    """Labelled regions of images.

    table: columns COLUMNS, sorted by path and box; x0..y1 (Int64) are NA for a whole image. level:
    'expert' (the label was given for this region), 'inherited' or 'pseudo'. problems: path, reason of
    every listed image that cannot be used. notes: what a user should know before believing a score.
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
    'group'. Without either each image is its own group. cache: where the manifest is kept; verify
    reads every file again. Raises BenchError for a layout that cannot be understood.
    """
    data = Path(data).expanduser()
    if not data.exists():
        raise BenchError(f"Got --data {data}, which does not exist. {LAYOUT}")
    if data.is_file():
        root, (rows, notes) = data.parent, _read_csv(data, group_column)
        name = data.parent.name if data.stem == "index" else data.stem
    elif group_column:
        raise BenchError(f"Got group column '{group_column}' for the folder {data}; expected a CSV. Use --group-pattern.")
    else:
        root, (rows, notes) = data, _read_folder(data)
        name = data.resolve().parent.name if data.resolve().name == "raw" else data.resolve().name
    rows, escaped = _inside(root, rows)
    files = scan(root, sorted(set(rows["path"])), cache, verify=verify)
    table = rows.merge(files.drop(columns=["size", "mtime_ns", "ctime_ns", "format"]), on="path", how="left")
    bad = table["problem"].notna()
    problems = [escaped, table.loc[bad, ["path", "problem"]].rename(columns={"problem": "reason"}).drop_duplicates()]
    table, outside, clipped = _clip_boxes(table[~bad])
    problems.append(outside)
    if clipped:
        notes.append(f"{clipped} boxes reach beyond their image and were clipped to it")
    if table.empty:
        first = pd.concat(problems)["reason"].iloc[0]
        raise BenchError(f"Got {bad.sum()} images in {data}, none of which can be used (first: {first}). {LAYOUT}")
    table = _with_groups(table, group_pattern, notes)
    table = _merge_copies(table, notes)
    table = table.sort_values(["path", *BOX], kind="stable").reset_index(drop=True)[COLUMNS]
    classes = tuple(sorted(table["label"].unique()))
    if len(classes) < 2:
        raise BenchError(f"Got one class, '{classes[0]}', in {data}; expected at least two. {LAYOUT}")
    return Dataset(name, root, table, classes, pd.concat(problems, ignore_index=True), tuple(notes))


def _read_folder(root: Path) -> tuple[pd.DataFrame, list[str]]:
    found: list[tuple[str, str]] = []
    other = 0
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        inner = Path(folder).relative_to(root)
        for name in sorted(files):
            if name.startswith("."):
                continue
            if Path(name).suffix.lower() not in IMAGE_SUFFIXES:
                other += bool(inner.parts)
                continue
            if not inner.parts:
                raise BenchError(f"Got the image {name} directly in {root}; its class is not told. {LAYOUT}")
            found.append(((inner / name).as_posix(), inner.parts[0]))
    if not found:
        raise BenchError(f"Got {root}, which holds no images ({', '.join(sorted(IMAGE_SUFFIXES))}). {LAYOUT}")
    rows = pd.DataFrame(found, columns=["path", "label"]).assign(level="expert")
    for column in (*BOX, "group", "source", "split", "mask"):
        rows[column] = pd.array([pd.NA] * len(rows), dtype="Int64" if column in BOX else "string")
    notes = [f"{other} files in the class folders have no image ending and were ignored"] if other else []
    return rows, notes


def _read_csv(path: Path, group_column: str | None) -> tuple[pd.DataFrame, list[str]]:
    try:
        given = pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""])
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise BenchError(f"Got {path}, which is not a readable UTF-8 CSV ({error}). {LAYOUT}") from None
    columns = {name.strip().lower(): given[name].str.strip() for name in given.columns}
    path_name = next((name for name in PATH_NAMES if name in columns), None)
    for name, there in (("path", path_name), ("label", "label" in columns)):
        if not there:
            raise BenchError(f"Got columns {', '.join(given.columns)} in {path.name}; expected a column '{name}'"
                             f"{did_you_mean(name, columns) or '.'} {LAYOUT}")
    if group_column and group_column.lower() not in columns:
        raise BenchError(f"Got group column '{group_column}'{did_you_mean(group_column, columns) or '.'} "
                         f"Expected one of: {', '.join(given.columns)}.")
    assert path_name is not None
    rows = pd.DataFrame({"path": columns[path_name], "label": columns["label"]})
    for name in ("source", "split", "mask", "level"):
        rows[name] = columns.get(name, pd.Series(pd.NA, index=rows.index, dtype="string"))
    rows["group"] = columns.get((group_column or "group").lower(), pd.Series(pd.NA, index=rows.index, dtype="string"))
    rows["level"] = rows["level"].fillna("expert").str.lower()
    rows["split"] = rows["split"].str.lower()
    for name in ("path", "label"):
        if rows[name].isna().any():
            line = int(np.flatnonzero(rows[name].isna())[0]) + 2
            raise BenchError(f"Got no {name} in line {line} of {path.name}; expected one in every line.")
    _one_of(rows["level"], LEVELS, "level", path)
    _one_of(rows["split"].dropna(), SPLITS, "split", path)
    notes = []
    if rows["group"].isna().any() and rows["group"].notna().any():
        notes.append(f"{rows['group'].isna().sum()} rows have no group; each of their images counts as its own")
    return rows.join(_boxes(columns, path)), notes


def _one_of(values: pd.Series, allowed: Sequence[str], name: str, path: Path) -> None:
    wrong = values[~values.isin(allowed)]
    if len(wrong):
        raise BenchError(f"Got {name} '{wrong.iloc[0]}' in {path.name}{did_you_mean(wrong.iloc[0], allowed) or '.'} "
                         f"Expected one of {', '.join(allowed)}.")


def _boxes(columns: dict[str, pd.Series], path: Path) -> pd.DataFrame:
    index = next(iter(columns.values())).index
    if "box" in columns:
        parts = columns["box"].str.split(r"[\s,;]+", expand=True, regex=True).reindex(columns=range(4))
        parts.columns = pd.Index(BOX)
    else:
        parts = pd.DataFrame({name: columns.get(name, pd.Series(pd.NA, index=index)) for name in BOX})
    try:
        box = parts.apply(pd.to_numeric).round().astype("Int64")
    except (ValueError, TypeError) as error:
        raise BenchError(f"Got a box in {path.name} that is not four numbers x0 y0 x1 y1 in pixels ({error}).") from None
    partial = box.isna().any(axis=1) & box.notna().any(axis=1)
    if partial.any():
        raise BenchError(f"Got an incomplete box in line {int(np.flatnonzero(partial)[0]) + 2} of {path.name}; expected x0, y0, x1 and y1.")
    return box


def _inside(root: Path, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the rows whose file lies in the data folder, links resolved; the others become problems."""
    top = root.resolve()
    refused = {}
    for path in rows["path"].unique():
        if Path(path).is_absolute() or not (root / path).resolve().is_relative_to(top):
            refused[path] = "lies outside the data folder, so it is not read"
    escaped = pd.DataFrame(sorted(refused.items()), columns=["path", "reason"])
    return rows[~rows["path"].isin(refused)].reset_index(drop=True), escaped


def _clip_boxes(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Return (table with boxes inside their images, problems for those wholly outside, number clipped)."""
    table = table.reset_index(drop=True)
    before = table[BOX].copy()
    for name, limit in (("x0", "width"), ("x1", "width"), ("y0", "height"), ("y1", "height")):
        table[name] = table[name].clip(lower=0).where(table[name].isna() | (table[name] <= table[limit]), table[limit])
    empty = ((table["x1"] <= table["x0"]) | (table["y1"] <= table["y0"])).fillna(False).astype(bool)
    text = before[empty].astype("string").agg(" ".join, axis=1) if empty.any() else pd.Series(dtype="string")
    problems = pd.DataFrame({"path": table.loc[empty, "path"], "reason": "box " + text + " holds no pixel of the image"})
    clipped = int(((before != table[BOX]).fillna(False).any(axis=1) & ~empty).sum())
    return table[~empty].reset_index(drop=True), problems, clipped


def _with_groups(table: pd.DataFrame, pattern: str | None, notes: list[str]) -> pd.DataFrame:
    if pattern is not None:
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise BenchError(f"Got --group-pattern '{pattern}', not a regular expression ({error}). Try '([^/]+)__'.") from None
        matches = {path: compiled.search(path) for path in table["path"].unique()}
        missed = [path for path, match in matches.items() if match is None]
        if missed:
            raise BenchError(f"Got --group-pattern '{pattern}', which does not match {len(missed)} of {len(matches)} paths, "
                             f"e.g. '{missed[0]}'. Expected it to name a group in every path, e.g. '([^/]+)__'.")
        named = "group" in compiled.groupindex
        group = {path: match["group"] if named else match[1] if compiled.groups else match[0]
                 for path, match in matches.items() if match}  # fmt: skip
        return table.assign(group=table["path"].map(group).astype("string"))
    if table["group"].isna().all():
        notes.append("no groups were given: every image counts as its own, which is too hopeful if several "
                     "come from one slide or patient (--group-pattern)")
    return table.assign(group=table["group"].fillna(table["path"]))


def _merge_copies(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Put identical files into one group, so that a copy is never both learned from and tested on."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    files = table[["path", "digest", "group", "label"]].drop_duplicates()
    copies = files[files["digest"].duplicated(keep=False)]
    copies = copies[copies.groupby("digest")["path"].transform("nunique") > 1]
    if copies.empty:
        return table
    n_files = copies["path"].nunique()
    notes.append(f"{n_files} files are exact copies of another ({', '.join(sorted(copies['path'])[:2])}, ...)")
    conflicts = copies.groupby("digest")["label"].nunique()
    for digest in conflicts.index[conflicts > 1][:5]:
        named = copies.loc[copies["digest"] == digest, ["path", "label"]].drop_duplicates()
        notes.append("one image has two labels: " + ", ".join(f"{p} ({label})" for p, label in named.to_numpy()))
    groups, g = np.unique(copies["group"].to_numpy(str), return_inverse=True)
    _, d = np.unique(copies["digest"].to_numpy(str), return_inverse=True)
    n = len(groups)
    graph = coo_matrix((np.ones(len(g)), (g, n + d)), shape=(n + d.max() + 1,) * 2)
    _, component = connected_components(graph, directed=False)
    first: dict[int, str] = {}
    merged = {name: first.setdefault(int(c), name) for name, c in zip(groups.tolist(), component[:n], strict=True)}
    joined = sum(name != target for name, target in merged.items())
    if joined:
        notes.append(f"{joined} groups were joined to another that holds a copy, so that no copy straddles a split")
    return table.assign(group=table["group"].replace(merged))
