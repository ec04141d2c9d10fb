"""What is known about the files of one data folder, kept so that nothing is read twice.

One parquet table per folder: path, size, times, content digest, header facts, and the reason when a
file cannot be used. A file is read again only when its size or one of its times changed, or when it
had been modified within two seconds of being read (a coarse clock cannot tell a later edit apart).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pyarrow

from bench.atomic import replacing
from bench.images import PASSING, ImageError, probe_image

STAT = ["size", "mtime_ns", "ctime_ns"]
HEADER = ["height", "width", "channels", "pages"]
FACTS = ["digest", *HEADER, "dtype", "format", "problem"]
COLUMNS = ["path", *STAT, *FACTS]
STORED = [*COLUMNS, "read_ns"]
DIRTY_NS = 2_000_000_000
READERS = 4
BLOCK = 20_000  # files read between two writings of the table: what Ctrl-C can cost


def scan(root: Path, paths: Sequence[str], cache: Path | None, *, verify: bool = False) -> pd.DataFrame:
    """Return one row per distinct path (posix, relative to root), in the order given, with the columns COLUMNS.

    digest: the first 16 bytes of the SHA-256 of the content, as hex ('' when it cannot be read).
    height, width, channels, pages: int64, 0 where there is a problem. problem: None, or why the file
    cannot be used. verify=True reads every file again. The table is kept below `cache` when given.
    """
    now = _stat(root, paths)
    known = _load(root, cache)
    old = known if known is not None else pd.DataFrame(columns=STORED)
    merged = now.merge(old, on="path", how="left", suffixes=("", "_old"))
    clean = _unchanged(merged) & (not verify)
    table = merged.loc[clean, STORED].astype(dict.fromkeys(HEADER, "int64")) if clean.any() else old.iloc[:0]
    before = merged.loc[~clean, ["path", "digest", "problem"]]
    others = old[~old["path"].isin(now["path"])] if len(before) else old.iloc[:0]  # of another CSV in this folder
    for start in range(0, len(before), BLOCK):
        block = before.iloc[start : start + BLOCK]
        made = _read_files(root, block, now.loc[block.index, STAT])
        table = pd.concat([table, made], ignore_index=True) if len(table) else made
        _save(root, cache, pd.concat([others, table], ignore_index=True) if len(others) else table)
    if len(table) == len(now) and table["path"].tolist() == now["path"].tolist():
        return _none_for_missing(table[COLUMNS])
    return _none_for_missing(now[["path"]].merge(table[COLUMNS], on="path", how="left"))


def record_problems(root: Path, cache: Path | None, problems: Mapping[str, str]) -> None:
    """Keep reasons found while decoding; each is forgotten when the content of its file changes."""
    lasting = {path: why for path, why in problems.items() if not why.startswith(PASSING)}
    table = _load(root, cache) if lasting else None
    if table is None:
        return
    found = table["path"].map(lasting)
    table["problem"] = found.where(found.notna(), table["problem"])
    _save(root, cache, table)


def _stat(root: Path, paths: Sequence[str]) -> pd.DataFrame:
    """Return path and STAT of each path; size -1 where there is none. One scandir per folder."""
    names: dict[str, set[str]] = {}
    distinct = list(dict.fromkeys(paths))
    for path in distinct:
        folder, _, name = path.rpartition("/")
        names.setdefault(folder, set()).add(name)
    found: dict[str, tuple[int, int, int]] = {}
    for folder, wanted in names.items():
        try:
            with os.scandir(os.path.join(root, folder)) as entries:
                for entry in entries:
                    if entry.name not in wanted:
                        continue
                    try:
                        s = entry.stat()
                    except OSError:  # a broken link
                        continue
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    found[path] = (s.st_size, s.st_mtime_ns, s.st_ctime_ns)
        except OSError:  # no such folder: its files have no row
            continue
    absent = (-1, 0, 0)
    stat = pd.DataFrame([found.get(path, absent) for path in distinct], columns=STAT, dtype="int64")
    stat.insert(0, "path", pd.Series(distinct, dtype="str"))
    return stat


def _unchanged(merged: pd.DataFrame) -> pd.Series:
    same = pd.Series(True, index=merged.index)
    for name in STAT:
        same &= merged[name] == merged[f"{name}_old"].astype("Int64").fillna(-2)
    settled = (merged["read_ns"].astype("Int64").fillna(0) - merged["mtime_ns"]).abs() > DIRTY_NS
    passing = merged["problem"].astype("str").str.startswith(PASSING).fillna(False)
    return (same & settled & ~passing).astype(bool)


def _read_files(root: Path, before: pd.DataFrame, stat: pd.DataFrame) -> pd.DataFrame:
    """Read files whose stat was taken before; a recorded problem stays while the digest is the same."""
    started = time.time_ns()
    with ThreadPoolExecutor(READERS) as pool:
        try:
            facts = list(pool.map(lambda path: _read_facts(root / path), before["path"]))
        except BaseException:  # Ctrl-C: do not go on hashing
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    made = pd.DataFrame(facts, columns=FACTS, index=before.index)
    recorded = before["problem"].where((before["digest"] == made["digest"]) & before["problem"].notna())
    lasting = recorded[recorded.notna() & ~recorded.astype("str").str.startswith(PASSING).fillna(False)]
    without = lasting.index[made.loc[lasting.index, "problem"].isna()]
    made["problem"] = made["problem"].astype(object)
    made.loc[without, "problem"] = lasting[without].astype(object)
    return pd.concat([before[["path"]], stat, made.assign(read_ns=started)], axis=1)[STORED]


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


def _none_for_missing(table: pd.DataFrame) -> pd.DataFrame:
    problem = table["problem"].astype(object)
    return table.assign(problem=problem.where(problem.notna(), None)).reset_index(drop=True)


def _place(root: Path, cache: Path | None) -> Path | None:
    name = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:32]
    return Path(cache) / "manifests" / f"{name}.parquet" if cache else None


def _load(root: Path, cache: Path | None) -> pd.DataFrame | None:
    """Return the stored table, or None when there is none of this form that can be read."""
    place = _place(root, cache)
    if place is None:
        return None
    try:
        table = pd.read_parquet(place)
    except (OSError, ValueError, pyarrow.ArrowException):
        return None
    return table if list(table.columns) == STORED else None


def _save(root: Path, cache: Path | None, table: pd.DataFrame) -> None:
    place = _place(root, cache)
    if place is None:
        return
    text = {name: table[name].astype("str") for name in ("path", "digest", "dtype", "format", "problem")}
    with replacing(place) as temporary:
        table.assign(**text)[STORED].to_parquet(temporary, index=False)
