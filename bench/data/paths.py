"""Paths in a table against files on a disk: one file, however its name is spelled, and none outside the data folder."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

from bench.data.spellings import one_form
from bench.data.strewn import strewn_part
from bench.errors import BenchError
from bench.images import file_of
from bench.text import counted

OUTSIDE = "is a link to outside the data folder, so it is not read; --follow-links reads it"
NOT_BELOW = "is not a path below the data folder, so it is not read; write paths relative to the folder of the CSV"


def posix_paths(paths: pd.Series) -> pd.Series:
    """Return paths with forward slashes and without './'; those with '..' stay as they are, to be refused."""
    given = paths.str.replace("\\", "/", regex=False)
    tidy = {path: path if ".." in path.split("/") else posixpath.normpath(path) for path in given.dropna().unique()}
    return given.map(tidy).astype("string")


def below(root: Path, paths: pd.Series) -> pd.Series:
    """Return paths as `posix_paths` does, those that are absolute and lie in the folder relative to it."""
    tops = sorted({os.path.abspath(root).rstrip("/") + "/", os.path.realpath(root).rstrip("/") + "/"})
    found = posix_paths(paths)
    for top in tops:
        found = found.mask(found.str.startswith(top).fillna(False), found.str.slice(len(top)))
    return found


def refuse_paths(root: Path, paths: Iterable[str], *, follow_links: bool = False) -> dict[str, str]:
    """Return path -> reason for those not below `root`, links to folders resolved, each folder once."""
    top = os.path.realpath(root)
    inside: dict[str, bool] = {}
    refused = {}
    for path in paths:
        folder = path.rpartition("/")[0]
        if path[:1] == "/" or (path[1:2] == ":" and path[0].isalpha()) or ".." in path.split("/"):
            refused[path] = NOT_BELOW
            continue
        part = strewn_part(path)
        if part:
            refused[path] = f"is what systems leave behind ({part}), so it is no image"
            continue
        if folder not in inside:
            inside[folder] = follow_links or is_below(root / folder, top)
        if not inside[folder] and not is_below(file_of(root / path)[0], top):
            refused[path] = OUTSIDE
    return refused


def is_below(path: Path | str, top: str) -> bool:
    """Return whether a path, links resolved, lies in the folder `top`, itself resolved; links in a circle do not."""
    real = os.path.realpath(path)
    return real == top or real.startswith(top.rstrip("/") + "/")


def refuse_among_images(data: Path | None, to: Path, what: str) -> None:
    """Raise BenchError where pictures would be written into the folder of images `data`; what: they are, in words."""
    if data is not None and data.is_dir() and is_below(to, os.path.realpath(data)):
        raise BenchError(
            f"Got --to {to}, which lies in the folder of images; expected another place: {what} are pictures, and "
            "would be read as images of a class from then on."
        )


def as_on_disk(root: Path, paths: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return path -> (its file, how that is spelled) for paths that are no file, where just one other spelling is.

    Tried in turn: another Unicode form, percent escapes, another case; of folders and of the file.
    """
    listed: dict[str, list[str]] = {}

    def names(folder: str) -> list[str]:
        if folder not in listed:
            listed[folder] = []
            with suppress(OSError):
                listed[folder] = sorted(os.listdir(root / folder))
        return listed[folder]

    found = {}
    for path in paths:
        for way, key in SPELLINGS:
            places = [""]
            for part in path.split("/"):
                wanted = key(part)
                places = [
                    posixpath.join(place, name) for place in places for name in names(place) if key(name) == wanted
                ]
            if places:
                if len(places) == 1 and places[0] != path:
                    found[path] = (places[0], way)
                break
    return found


#: What is compared of two names, by how they differ; the later ones overlook more.
SPELLINGS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("another Unicode form or other spaces", one_form),
    ("percent escapes", lambda name: one_form(unquote(name))),
    ("another case", lambda name: one_form(unquote(name)).casefold()),
)


def where_they_are(root: Path, paths: Sequence[str]) -> str:
    """Return a hint where paths of which no file was found are files below a folder nearby, or by a shorter path."""
    path = posixpath.normpath(paths[0].replace("\\", "/"))
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for folder in (*list(root.resolve().parents)[:2], Path.cwd()):
        if (folder / path).is_file() and ".." not in path.split("/") and path[:1] != "/":
            return f" {path} is a file below {folder}: put the CSV there."
    for start in range(1, len(parts)):
        if root.joinpath(*parts[start:]).is_file():
            return f" Beside the CSV lies {'/'.join(parts[start:])}: write paths relative to the CSV."
    if path[:1] == "/" or ".." in path.split("/"):
        return " Put the CSV into a folder above the images and write paths relative to it."
    return ""


def spelled_otherwise(found: Mapping[str, tuple[str, str]], file: str) -> Iterator[str]:
    """Say of which paths in a CSV the files are spelled otherwise, by how. found: of `as_on_disk`."""
    ways: dict[str, list[str]] = {}
    for path, (place, way) in found.items():
        ways.setdefault(way, []).append(path if one_form(path) == one_form(place) else f"{path} for {place}")
    for way, examples in ways.items():
        what, are = counted(len(examples), "path"), "is" if len(examples) == 1 else "are"
        yield f"{what} of {file} {are} spelled otherwise than on disk ({way}), e.g. {examples[0]}"
