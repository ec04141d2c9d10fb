"""Labels in the names of folders: one walk that finds the images, their classes and their times.

The first folder of a path is the class, `neuron/a.png`; where all of them are named as splits are, the second is,
`train/neuron/a.png`. A folder that seems a class but gives no image is told of, with the reason.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.label_boxes import BOX
from bench.data.label_csv import LAYOUT, label_columns
from bench.data.manifest import stat_entry
from bench.data.spellings import one_form
from bench.data.strewn import is_strewn, strewn_note
from bench.errors import BenchError
from bench.images import IMAGE_SUFFIXES

#: Names of folders that are parts of an official split, not classes.
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test",
          "testing": "test"}  # fmt: skip
#: Endings of files that go with images and are none: a folder with nothing else is no class.
DOCUMENTS = frozenset({
    ".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".log",
    ".html", ".doc", ".docx", ".odt", ".xls", ".xlsx", ".ods", ".ppt", ".pptx", ".rtf", ".py", ".ipynb", ".r", ".m",
    ".ijm", ".roi", ".sh", ".bat",
})  # fmt: skip
TABLES = (".csv", ".tsv", ".txt")
LINKED = "is a link to a folder, which is only followed with --follow-links"
NOT_REGULAR = "is no regular file (a pipe, a socket or a device)"


@dataclass
class Walk:
    """What was seen below a folder. paths, stats (of `stat_entry`, flat) and links: of images. strewn: names. others:
    paths of files that are no images. refused: path -> why, of what may be an image. tables: CSVs with labels beside
    the class folders, and their columns. folders: those at the top, and those in them.
    """

    paths: list[str] = field(default_factory=list)
    stats: array[int] = field(default_factory=lambda: array("q"))
    links: set[str] = field(default_factory=set)
    strewn: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Labelled:
    """rows: the dataset table so far, sorted by path. stat int64 (n, 3), links: of their files. refused: path -> why.
    lost: class -> why none of its images can be had. tables: CSVs with labels, and their columns.
    """

    rows: pd.DataFrame
    stat: np.ndarray
    links: set[str]
    refused: dict[str, str]
    lost: dict[str, str]
    tables: dict[str, tuple[str, ...]]
    walk: Walk


def read_label_folder(root: Path, notes: list[str], *, follow_links: bool = False) -> Labelled:
    """Return the images below a folder with the classes that their folders name; no rows where there is no image."""
    walk = look_through(root, follow_links=follow_links)
    stray = [path for path in walk.paths if "/" not in path]
    paths = [path for path in walk.paths if "/" in path]
    at = 1 if _are_splits(paths) else 0
    stray += [path for path in paths if at and path.count("/") == 1]
    keep = set(stray)
    kept = [i for i, path in enumerate(walk.paths) if path not in keep]
    rows = pd.DataFrame({"path": pd.Series([walk.paths[i] for i in kept], dtype="str")})
    parts = [path.split("/", at + 1) for path in rows["path"]]
    rows["label"] = pd.Series([one_form(part[at]) for part in parts], index=rows.index, dtype="str")
    for column in (*BOX, "group", "source", "split", "mask"):
        rows[column] = pd.Series(pd.NA, index=rows.index, dtype="Int64" if column in BOX else "string")
    if at:
        rows["split"] = pd.Series([SPLITS[part[0].lower()] for part in parts], index=rows.index, dtype="string")
        tops = ", ".join(sorted({part[0] for part in parts}))
        notes.append(f"the folders {tops} are taken for an official split, and the folders in them for classes")
    elif taken := sorted(set(rows["label"]) & SPLITS.keys()):
        notes.append(
            f"the folder{'s' * (len(taken) > 1)} {', '.join(taken)} {'are classes' if len(taken) > 1 else 'is a class'} "
            "here: where the classes are the folders inside, give that folder to --data, or a CSV with a column split"
        )
    rows["um_per_px"] = pd.Series(pd.NA, index=rows.index, dtype="Float64")
    rows["level"] = "expert"
    refused = walk.refused | dict.fromkeys(stray, "lies outside the class folders, so its class is not told")
    lost = _lost_classes(walk, rows, at)
    notes += [*_of_folders(rows, at), *_of_other_files(walk), *strewn_note(walk.strewn)]
    order = rows["path"].argsort(kind="stable").to_numpy()
    stat = np.array(walk.stats, np.int64).reshape(-1, 3)[kept][order]
    rows = rows.iloc[order].reset_index(drop=True)
    return Labelled(rows, stat, walk.links, refused, lost, walk.tables, walk)


def look_through(root: Path, *, follow_links: bool = False) -> Walk:
    """Return what lies below a folder. Links to folders are followed only if asked for, and none of them twice."""
    walk = Walk()
    folders, linked = [""], list[str]()
    seen: dict[str, str] = {}  # folder with all links resolved -> as it was first reached
    while folders or linked:
        inner = folders.pop() if folders else linked.pop(0)
        try:
            real = os.path.realpath(root / inner) if follow_links else inner
            if real in seen:
                other = seen[real] or "the data folder"
                walk.refused[inner] = f"is a link to the folder {other}, whose images would count twice"
                continue
            seen[real] = inner
            entries = sorted(os.scandir(root / inner), key=lambda entry: entry.name)
        except OSError as error:
            walk.refused[inner or "."] = f"is a folder that cannot be listed ({error.strerror})"
            continue
        for entry in entries:
            path = f"{inner}/{entry.name}" if inner else entry.name
            folder = entry.is_dir(follow_symlinks=False)
            to_folder = not folder and entry.is_symlink() and _leads_to_folder(entry)
            if is_strewn(entry.name, folder=folder or to_folder):
                walk.strewn.append(entry.name)
                continue
            if inner.count("/") < 1 and (folder or to_folder or _is_lost_link(entry)):
                walk.folders.append(path)
            if folder:
                folders.append(path)
            elif to_folder and follow_links:
                linked.append(path)
            elif to_folder:
                walk.refused[path] = LINKED
            else:
                _take_file(walk, root, path, entry)
        linked.sort()
    return walk


def _take_file(walk: Walk, root: Path, path: str, entry: os.DirEntry[str]) -> None:
    ending = os.path.splitext(entry.name)[1].lower()
    if entry.is_symlink() and not _exists(entry):
        walk.refused[path] = "is a link to nowhere"
    elif ending not in IMAGE_SUFFIXES:
        columns = label_columns(root / path) if "/" not in path and ending in TABLES and _is_file(entry) else ()
        if columns:
            walk.tables[path] = columns
        else:
            walk.others.append(path)
    elif not path.isascii() and path.encode("utf-8", "replace").decode() != path:
        walk.refused[path.encode("utf-8", "backslashreplace").decode()] = "its name is not valid UTF-8; rename it"
    elif not _is_file(entry):
        walk.refused[path] = NOT_REGULAR
    else:
        walk.paths.append(path)
        walk.stats.extend(stat_entry(entry))
        if entry.is_symlink():
            walk.links.add(path)


def no_images(root: Path, found: Labelled) -> BenchError:
    """Return the error for a folder in which no class folder holds an image."""
    stray = [path for path in found.walk.paths if "/" not in path]
    tables = ", ".join(sorted(found.tables))
    hint = f" Labels may be in {tables}: --data {root / min(found.tables)}." if tables else ""
    if stray:
        return BenchError(f"Got the image {min(stray)} directly in {root}; its class is not told.{hint} {LAYOUT}")
    why = "".join(f" {path} {reason}." for path, reason in sorted(found.walk.refused.items())[:1])
    others = f" It holds {_endings(found.walk.others)}." if found.walk.others else ""
    return BenchError(
        f"Got {root}, which holds no images ({', '.join(sorted(IMAGE_SUFFIXES))}).{others}{why}{hint} {LAYOUT}"
    )


def _are_splits(paths: list[str]) -> bool:
    """Return whether the folders at the top are train, test and the like, with two folders or more in them."""
    inner: dict[str, set[str]] = {}
    for path in paths:
        top, *rest = path.split("/")
        inner.setdefault(top, set()).update(rest[:1] if len(rest) > 1 else ())
    if len(inner) < 2 or not all(name.lower() in SPLITS for name in inner):
        return False
    return len(set.union(*inner.values())) > 1


def _lost_classes(walk: Walk, rows: pd.DataFrame, at: int) -> dict[str, str]:
    """Return class -> why it has no image, for each folder that seems to be one: at the top, or in those (at 1)."""
    have = set(rows["label"])
    others: dict[str, list[str]] = {}
    for path in walk.others:
        others.setdefault(_start(_printable(path), at), []).append(path)
    refused: dict[str, tuple[str, str]] = {}
    for path, reason in sorted(walk.refused.items()):
        refused.setdefault(_start(path, at), (path, reason))
    why = {}
    for folder in sorted(_printable(path) for path in walk.folders if path.count("/") == at):
        label, inside = one_form(folder.split("/")[at]), others.get(folder, [])
        path, reason = refused.get(folder, ("", ""))
        if label in have or label in why:
            continue
        if path:
            why[label] = f"it {reason}" if path == folder else f"{path} {reason}"
        elif not inside:
            why[label] = "it is an empty folder"
        elif any(os.path.splitext(path)[1].lower() not in DOCUMENTS for path in inside):
            why[label] = f"it holds no image that is read, but {_endings(inside)}"
    return why


def _of_folders(rows: pd.DataFrame, at: int) -> Iterator[str]:
    """Say which folders are one class, and which folders in classes look as if they were classes or slides."""
    if rows.empty:
        return
    names = rows["path"].str.split("/").str[at]
    for label, part in names.groupby(rows["label"].to_numpy()):
        spelled = sorted(part.unique())
        if len(spelled) > 1:
            yield (
                f"{len(spelled)} folders are the class '{label}', as their names differ only in their Unicode form or in "
                f"spaces at the ends ({', '.join(map(ascii, spelled[:3]))})"
            )
    deeper = rows[rows["path"].str.count("/") > at + 1]
    if deeper.empty:
        return
    inner = deeper["path"].str.split("/").str[at + 1]
    classes = set(rows["label"])
    astray = deeper[inner.map(one_form).isin(classes) & (inner.map(one_form) != deeper["label"])]
    if len(astray):
        path, label = astray.iloc[0][["path", "label"]]
        yield (
            f"{len(astray):,} images lie in a folder that has the name of another class inside of a class, e.g. {path}, "
            f"which counts as '{label}': was it moved there by mistake?"
        )
    others = inner[inner.map(one_form) != deeper["label"]]
    if others.nunique() > 1:
        yield (
            f"{len(others):,} images lie in folders inside of class folders, e.g. {deeper['path'].loc[others.index[0]]}, and "
            "have the class of the outer folder; if the inner ones are slides or patients, add --group-pattern "
            f"'^{'[^/]+/' * (at + 1)}([^/]+)/'"
        )


def _of_other_files(walk: Walk) -> Iterator[str]:
    if walk.others:
        count = len(walk.others)
        yield f"{count:,} file{'s' * (count > 1)} without the ending of an image {'were' if count > 1 else 'was'} ignored: {_endings(walk.others)}"


def _endings(paths: list[str]) -> str:
    """Return "3 .webp (e.g. c/0.webp), 1 .txt (c/n.txt)", the most frequent endings first."""
    by_ending: dict[str, list[str]] = {}
    for path in paths:
        by_ending.setdefault(os.path.splitext(path)[1].lower() or "without an ending", []).append(path)
    count = Counter({ending: len(own) for ending, own in by_ending.items()})
    listed = [
        f"{number:,} {ending} ({'e.g. ' * (number > 1)}{min(by_ending[ending])})"
        for ending, number in count.most_common(4)
    ]
    return ", ".join(listed) + (f" and {len(count) - 4} other endings" if len(count) > 4 else "")


def _is_lost_link(entry: os.DirEntry[str]) -> bool:
    """Return whether this is a link to nowhere that may have been one to a folder."""
    ending = os.path.splitext(entry.name)[1].lower()
    return entry.is_symlink() and not _exists(entry) and ending not in IMAGE_SUFFIXES | DOCUMENTS


def _start(path: str, at: int) -> str:
    """Return the folders of a path down to that which may be a class."""
    return "/".join(path.split("/")[: at + 1])


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _exists(entry: os.DirEntry[str]) -> bool:
    try:
        entry.stat()
    except OSError:
        return False
    return True
