"""Files that are exact copies of each other, and the groups that they tie together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.label_boxes import BOX
from bench.images import ImageError, read_image
from bench.text import counted

SHOWN = 5  # conflicts that are named
COPIES = 3  # files of a conflict that are named
FLAT = 2  # between the least and the largest grey level of an image of one colour, of 8 bits


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


def merge_copies(table: pd.DataFrame, notes: list[str], root: Path) -> pd.DataFrame:
    """Put identical files into one group, so that a copy is never both learned from and tested on.

    root: of the paths. Images of one flat colour join no groups: blank tiles of two slides are equal by nature.
    """
    if table["digest"].is_unique:
        return table
    pairs = table[["digest", "group"]].drop_duplicates()
    pairs = pairs[pairs["digest"].duplicated(keep=False)]  # one content in several groups
    flat = _flat(table[table["digest"].isin(set(pairs["digest"]))].drop_duplicates("digest"), root)
    copies = copies_of(table[~table["digest"].isin(flat)])
    if copies:
        extra = sum(map(len, copies)) - len(copies)
        are = "file is an exact copy" if extra == 1 else "files are exact copies"
        one, other = sorted(copies[0], key=len)[:2]
        notes.append(f"{extra:,} {are} of another and in its group, e.g. {other} of {one}")
    conflicts = conflicts_of(table)
    for named in conflicts[:SHOWN]:
        text = ", ".join(f"{path} ({label})" for path, label in _some_of_each(named))
        text += f" and {len(named) - COPIES:,} more" if len(named) > COPIES else ""
        notes.append(f"one image has two labels (conflicting): {text}")
    if len(conflicts) > SHOWN:
        notes.append(f"{len(conflicts) - SHOWN:,} more images have two labels each")
    if flat:
        blank = table.loc[table["digest"].isin(flat), "path"].drop_duplicates()
        notes.append(
            f"{counted(len(blank), 'file is', 'files are')} of one flat colour, the same in several groups, e.g. "
            f"{min(blank)}: they join no groups and tell nothing of a class, so leave them out"
        )
        pairs = pairs[~pairs["digest"].isin(flat)]
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
    given = [name for name, target in merged.items() if name != target and name not in set(table["path"])]
    if given:
        were = "was" if len(given) == 1 else "were"
        notes.append(
            f"{counted(len(given), 'group')} {were} joined to another that holds a copy of one of the files, e.g. "
            f"'{given[0]}' to '{merged[given[0]]}'"
        )
    return table.assign(group=table["group"].map(lambda name: merged.get(name, name)).astype("string"))


def _some_of_each(named: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return COPIES of (path, label), one of each label first."""
    labels = [label for _, label in named]
    first = [i for i, label in enumerate(labels) if label not in labels[:i]]
    return [named[i] for i in sorted([*first, *(i for i in range(len(named)) if i not in first)][:COPIES])]


def _flat(files: pd.DataFrame, root: Path) -> set[str]:
    """Return the digests of those files (columns path, digest) that hold one colour only, or nearly so."""
    named = zip(files["path"], files["digest"], strict=True)
    return {digest for path, digest in named if _is_flat(root / path, digest)}


def _is_flat(path: Path, digest: str) -> bool:
    try:
        pixels = read_image(path, digest=digest)
    except (ImageError, OSError):
        return False
    low, high = pixels.min(axis=(0, 1)).astype(float), pixels.max(axis=(0, 1)).astype(float)
    return bool(np.all(high - low <= (FLAT if pixels.dtype == np.uint8 else 0)))
