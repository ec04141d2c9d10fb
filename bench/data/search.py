"""Paths in a table that are no files: looked for by their names in all folders below, and with an ending added."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from os.path import splitext
from pathlib import Path

from bench.data.mask_names import masks_beside, stem
from bench.data.spellings import one_form
from bench.data.strewn import is_strewn
from bench.images import IMAGE_SUFFIXES

MOST = 2_000_000  # files that are looked through


def found_by_name(root: Path, paths: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return path -> (its file, how it was found) where just one file below `root` is meant.

    A path with a folder may lack its ending; a bare name may lie in a folder below, and lack its ending, too.
    """
    if not paths:
        return {}
    exact: dict[str, set[str]] = defaultdict(set)
    bare: dict[str, set[str]] = defaultdict(set)
    for file in _images(root):
        folder, _, name = one_form(file).rpartition("/")
        exact[name].add(file)
        for key in {stem(name), f"{folder}/{stem(name)}" if folder else stem(name)}:
            bare[key].add(file)
    found = {}
    for path in paths:
        key = one_form(path)
        for files, how in ((exact.get(key, set()), "without the folder"), (bare.get(key, set()), "without the ending")):
            if len(files) == 1:
                found[path] = (min(files), how)
            if files:
                break
    return found


def unlisted(root: Path, listed: Iterable[str]) -> list[str]:
    """Return the images that lie in the folders of some listed ones, and are not listed nor named as masks, sorted."""
    listed = set(listed)
    beside: list[str] = []
    for folder in sorted({path.rpartition("/")[0] for path in listed}):
        try:
            names = [entry.name for entry in os.scandir(root / folder) if _is_image(entry.name) and entry.is_file()]
        except OSError:
            continue
        beside += [f"{folder}/{name}" if folder else name for name in names]
    masks = masks_beside(beside)
    return sorted(path for path in beside if path not in listed and path not in masks)


def _images(root: Path) -> list[str]:
    found: list[str] = []
    for folder, inner, names in os.walk(root):
        inner[:] = sorted(name for name in inner if not is_strewn(name, folder=True))
        place = Path(folder).relative_to(root).as_posix()
        found += [name if place == "." else f"{place}/{name}" for name in names if _is_image(name)]
        if len(found) > MOST:
            return []
    return found


def _is_image(name: str) -> bool:
    return splitext(name)[1].lower() in IMAGE_SUFFIXES and not is_strewn(name, folder=False)
