"""What lies below a data folder: images, their times, and all else by kind; nothing is opened but CSVs at the top."""

from __future__ import annotations

import os
from array import array
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

from bench.data.label_csv import label_columns
from bench.data.manifest import stat_entry
from bench.data.paths import is_below
from bench.data.strewn import is_strewn
from bench.images import IMAGE_SUFFIXES

#: Endings of files that go with images and are none: a folder with nothing else is no class.
DOCUMENTS = frozenset({
    ".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".log",
    ".html", ".doc", ".docx", ".odt", ".xls", ".xlsx", ".ods", ".ppt", ".pptx", ".rtf", ".py", ".ipynb", ".r", ".m",
    ".ijm", ".roi", ".sh", ".bat", ".geojson",
})  # fmt: skip
TABLES = (".csv", ".tsv", ".txt")
_NAME = "[0-9a-f]" * 32  # of what is kept
OUTPUTS = (
    f"store/manifests/{_NAME}.parquet", f"store/{_NAME}/spec.json", "runs/*/run.json", f"manifests/{_NAME}.parquet",
)  # fmt: skip
LINKED = "is a link to a folder, which is only followed with --follow-links"
NOT_REGULAR = "is no regular file (a pipe, a socket or a device)"


@dataclass
class Walk:
    """What was seen below a folder. paths, stats (of `stat_entry`, flat) and links: of images. strewn: names.
    results: folders of results of this project. others:
    paths of files that are no images. refused: path -> why, of what may be an image. tables: CSVs with labels at the
    top, and their columns. folders: those at the top, and those in them.
    """

    paths: list[str] = field(default_factory=list)
    stats: array[int] = field(default_factory=lambda: array("q"))
    links: set[str] = field(default_factory=set)
    strewn: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)


def look_through(root: Path, *, follow_links: bool = False) -> Walk:
    """Return what lies below a folder. Links to folders are followed only if asked for, and no folder is read twice."""
    walk = Walk()
    folders, linked = [""], list[str]()
    seen: dict[str, str] = {}  # a folder with all links resolved -> as it was first reached
    while folders or linked:
        inner = folders.pop() if folders else linked.pop(0)
        try:
            real = os.path.realpath(root / inner) if follow_links else inner
            if real in seen:
                other = seen[real] or "that holds it"
                walk.refused[inner] = f"is a link to the folder {other}, whose images would count twice"
                continue
            seen[real] = inner
            entries = sorted(os.scandir(root / inner), key=attrgetter("name"))
        except OSError as error:
            walk.refused[inner or "."] = f"is a folder that cannot be listed ({error.strerror})"
            continue
        at_top = "/" not in inner
        for entry in entries:
            path = f"{inner}/{entry.name}" if inner else entry.name
            is_link, folder = entry.is_symlink(), entry.is_dir(follow_symlinks=False)
            to_folder = is_link and _leads_to_folder(entry)
            if is_strewn(entry.name, folder=folder or to_folder):
                walk.strewn.append(entry.name)
                continue
            if folder and _is_output(root / path):
                walk.results.append(path)
                continue
            if at_top and (folder or to_folder or (is_link and _is_lost_link(entry))):
                walk.folders.append(path)
            if folder:
                folders.append(path)
            elif to_folder and follow_links:
                linked.append(path)
            elif to_folder:
                walk.refused[path] = LINKED
            else:
                _take_file(walk, root, path, entry, is_link=is_link, follow_links=follow_links)
        linked.sort()
    return walk


def _is_output(folder: Path) -> bool:
    """Return whether a folder is where this project keeps results, as `--out results` inside of the data makes one.

    It is told by the files in it: a class may have a folder called manifests, store or runs.
    """
    places = (pattern.partition("/") for pattern in OUTPUTS)  # Python 3.12 would list the folder for each pattern
    return any((folder / top).is_dir() and next((folder / top).glob(rest), None) is not None for top, _, rest in places)


def _take_file(
    walk: Walk, root: Path, path: str, entry: os.DirEntry[str], *, is_link: bool, follow_links: bool
) -> None:
    ending = os.path.splitext(entry.name)[1].lower()
    if is_link and not _exists(entry):
        walk.refused[path] = "is a link to nowhere"
    elif ending not in IMAGE_SUFFIXES:
        is_table = "/" not in path and ending in TABLES and _is_file(entry)
        own = follow_links or not is_link or is_below(root / path, os.path.realpath(root))
        columns = label_columns(root / path) if is_table and own else ()
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
        if is_link:
            walk.links.add(path)


def _is_lost_link(entry: os.DirEntry[str]) -> bool:
    """Return whether a link leads to nowhere and may have been one to a folder."""
    return not _exists(entry) and os.path.splitext(entry.name)[1].lower() not in IMAGE_SUFFIXES | DOCUMENTS


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
