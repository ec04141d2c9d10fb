"""What is known about the files of one data folder, kept so that nothing is read twice.

One parquet table per folder: path, size, times, content digest, header facts, and the reason when a
file cannot be used. A file is read again only when its size or one of its times changed, or when it
was modified within two seconds of the table's writing (the clock may not tell the two apart).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pyarrow

from bench.atomic import replacing
from bench.images import ImageError, probe_image

STAT = ["size", "mtime_ns", "ctime_ns"]
FACTS = ["digest", "height", "width", "channels", "pages", "dtype", "format", "problem"]
COLUMNS = ["path", *STAT, *FACTS]
DIRTY_NS = 2_000_000_000
READERS = 4


def scan(root: Path, paths: Sequence[str], cache: Path | None, *, verify: bool = False) -> pd.DataFrame:
    """Return one row per path (posix, relative to root), in the order given, with the columns COLUMNS.

    digest: the first 16 bytes of the SHA-256 of the content, as hex. problem: None, or why the file
    cannot be used. verify=True reads every file again. The table is kept below `cache` when given.
    """
    now = pd.DataFrame([_stat(root, path) for path in paths], columns=["path", *STAT])
    known = _load(root, cache)
    if known is None or verify:
        fresh = now
        kept = pd.DataFrame(columns=COLUMNS)
    else:
        written, table = known
        table = table[table["mtime_ns"] < written - DIRTY_NS]
        merged = now.merge(table, on=["path", *STAT], how="left", indicator=True)
        fresh = now[(merged["_merge"] == "left_only").to_numpy()]
        kept = merged[merged["_merge"] == "both"][COLUMNS]
    with ThreadPoolExecutor(READERS) as pool:
        facts = list(pool.map(lambda path: _read_facts(root / path), fresh["path"]))
    made = pd.concat([fresh.reset_index(drop=True), pd.DataFrame(facts, columns=FACTS)], axis=1)
    table = made if kept.empty else pd.concat([kept, made], ignore_index=True) if len(made) else kept
    if len(made) or known is None:
        _save(root, cache, table)
    return now[["path"]].merge(table.astype({"problem": object}), on="path", how="left")[COLUMNS]


def record_problems(root: Path, cache: Path | None, problems: Mapping[str, str]) -> None:
    """Keep reasons found while decoding; each is forgotten when its file changes."""
    known = _load(root, cache)
    if known is None or not problems:
        return
    _, table = known
    table["problem"] = table["path"].map(problems).astype(object).where(table["path"].isin(problems), table["problem"])
    _save(root, cache, table)


def _stat(root: Path, path: str) -> tuple[str, int, int, int]:
    try:
        found = os.stat(root / path)
    except OSError:
        return path, -1, 0, 0
    return path, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _read_facts(path: Path) -> tuple[object, ...]:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError as error:
        return ("", 0, 0, 0, 0, "", "", f"cannot be opened: {error.strerror}")
    try:
        info = probe_image(path)
    except ImageError as error:
        return (digest, 0, 0, 0, 0, "", "", str(error))
    return (digest, info.height, info.width, info.channels, info.pages, info.dtype, info.format, None)


def _place(root: Path, cache: Path | None) -> Path | None:
    name = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:32]
    return cache / "manifests" / f"{name}.parquet" if cache else None


def _load(root: Path, cache: Path | None) -> tuple[int, pd.DataFrame] | None:
    """Return (when it was written in ns, table), or None when there is none that can be read."""
    place = _place(root, cache)
    if place is None or not place.exists():
        return None
    try:
        table = pd.read_parquet(place)
        if list(table.columns) != COLUMNS:
            return None
    except (OSError, ValueError, pyarrow.ArrowException):
        return None
    table["problem"] = table["problem"].astype(object).where(table["problem"].notna(), None)
    return place.stat().st_mtime_ns, table


def _save(root: Path, cache: Path | None, table: pd.DataFrame) -> None:
    place = _place(root, cache)
    if place is None:
        return
    with replacing(place) as temporary:
        table[COLUMNS].to_parquet(temporary, index=False)
