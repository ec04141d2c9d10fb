"""Labels in the names of folders: one walk that finds the images, their classes and their times."""

from __future__ import annotations

import os
from array import array
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.label_csv import BOX, LAYOUT
from bench.data.manifest import stat_entry
from bench.errors import BenchError
from bench.images import IMAGE_SUFFIXES


def read_label_folder(root: Path, notes: list[str]) -> tuple[pd.DataFrame, np.ndarray, set[str], dict[str, str]]:
    """Return (rows sorted by path, their stat int64 (n, 3), paths that are links, path -> why refused)."""
    paths: list[str] = []
    labels: list[str] = []
    stats = array("q")
    links: set[str] = set()
    stray: list[str] = []
    other: list[str] = []
    refused: dict[str, str] = {}
    folders = [""]
    while folders:
        inner = folders.pop()
        label, before = inner.split("/", 1)[0], f"{inner}/" if inner else ""
        try:
            entries = os.scandir(root / inner)
        except OSError as error:
            refused[inner or "."] = f"is a folder that cannot be listed ({error.strerror})"
            continue
        for entry in entries:
            name = entry.name
            path = before + name
            if name[0] == ".":
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif entry.is_symlink() and entry.is_dir():
                refused[path] = "is a link to a folder, which is not followed; move the folder here"
            elif name[name.rfind(".") :].lower() not in IMAGE_SUFFIXES:
                other += [path] if inner else []
            elif not path.isascii() and path.encode("utf-8", "replace").decode() != path:
                refused[path.encode("utf-8", "backslashreplace").decode()] = "its name is not valid UTF-8; rename it"
            elif inner:
                paths.append(path)
                labels.append(label)
                stats.extend(stat_entry(entry))
                if entry.is_symlink():
                    links.add(path)
            else:
                stray.append(path)
    if stray and not paths:
        raise BenchError(f"Got the image {min(stray)} directly in {root}; its class is not told. {LAYOUT}")
    if not paths:
        why = "".join(f" {path} {reason}." for path, reason in sorted(refused.items())[:1])
        raise BenchError(f"Got {root}, which holds no images ({', '.join(sorted(IMAGE_SUFFIXES))}).{why} {LAYOUT}")
    refused |= dict.fromkeys(stray, "lies outside the class folders, so its class is not told")
    if other:
        notes.append(f"{len(other)} files in class folders have no image ending and were ignored, e.g. {min(other)}")
    masks = sorted({label for label in set(labels) if label.lower() in ("mask", "masks")})
    notes += [f"folder '{name}' was taken for a class; give masks in a CSV column mask instead" for name in masks]
    rows = pd.DataFrame({"path": pd.Series(paths, dtype="str"), "label": pd.Series(labels, dtype="str")})
    order = rows["path"].argsort(kind="stable").to_numpy()
    rows = rows.iloc[order].reset_index(drop=True).assign(level="expert")
    for column in (*BOX, "group", "source", "split", "mask"):
        rows[column] = pd.Series(pd.NA, index=rows.index, dtype="Int64" if column in BOX else "string")
    rows["um_per_px"] = pd.Series(pd.NA, index=rows.index, dtype="Float64")
    return rows, np.frombuffer(stats, np.int64).reshape(-1, 3)[order], links, refused
