"""What is known about the files of one data folder, kept so that nothing is read twice.

One parquet table per folder: path, size, times, content digest, header facts, and the reason when a
file cannot be used. A file is read again only when its size or one of its times changed, or when it
had been modified within two seconds of being read (a coarse clock cannot tell a later edit apart).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bench.errors import BenchError
from bench.images import (
    PASSING,
    VERSION,
    ImageError,
    content_digest,
    digest_as_read,
    file_of,
    probe_image,
    split_series,
)
from bench.storage.atomic import forbidden, write_atomically
from bench.storage.verified import parquet_bytes, read_parquet

STAT = ["size", "mtime_ns", "ctime_ns"]
HEADER = ["height", "width", "channels", "pages", "slices", "series"]
TEXTS = ["digest", "dtype", "format", "names", "remarks", "problem"]
FACTS = ["digest", *HEADER, "um_in_file", "dtype", "format", "names", "remarks", "problem"]
COLUMNS = ["path", *STAT, *FACTS]
STORED = [*COLUMNS, "read_ns"]
NUMBERS = {*STAT, *HEADER, "read_ns"}
ABSENT = (-1, 0, 0)
LONGEST = 2**63 - 1  # nanoseconds that a column holds: files may be of the year 2400, or of 30828 by a broken clock
ROOT = b"root"
READ_BY = {b"read_by": str(VERSION).encode()}  # a table of another version is made again
DIRTY_NS = 2_000_000_000
READERS = 4
BLOCK = 20_000  # files read between two writings of the table: what Ctrl-C can cost


def scan(
    root: Path, paths: Iterable[str], cache: Path | None, *, stat: np.ndarray | None = None, verify: bool = False
) -> pd.DataFrame:
    """Return one row per distinct path (posix, relative to root), in the order given, with the columns COLUMNS.

    digest: the first 16 bytes of the SHA-256 of the content, as hex ('' when it cannot be read); of that and of how it
    is read (`ImageInfo.reading`) where that says something.
    height, width, channels, pages, slices, series: int64, 0 where there is a problem. um_in_file: micrometres per pixel
    as the file states, NaN where it does not. names, remarks: JSON lists of text, of `ImageInfo`. problem: None, or why
    the file cannot be used. stat: int64 (n, 3) of distinct paths, as `stat_files` gives, where it is known already.
    verify=True reads every file again. The table is kept below `cache` when given.
    """
    paths = list(dict.fromkeys(paths))
    now = stat_files(root, paths)[0] if stat is None else stat
    old = _load(root, cache)
    at = positions(paths, old["path"])
    clean = _unchanged(old, at, now) & (not verify)
    table = _rows(old, at[clean])
    if clean.all():
        return _none_for_missing(table[COLUMNS])
    stale = np.flatnonzero(~clean)
    facts = _rows(old.append_column("row", pa.array(np.arange(len(old)))), at[stale][at[stale] >= 0])
    before = pd.DataFrame({"path": pd.Series(paths, dtype="str").iloc[stale], "row": at[stale]})
    before = before.merge(facts[["row", "digest", "problem"]], on="row", how="left").drop(columns="row")
    others = _rows(old, np.setdiff1d(np.arange(len(old)), at))  # of another CSV in this folder
    for start in range(0, len(before), BLOCK):
        block = before.iloc[start : start + BLOCK]
        stats = pd.DataFrame(now[stale[start : start + BLOCK]], columns=STAT, index=block.index)
        made = _read_files(root, block, stats)
        table = pd.concat([table, made], ignore_index=True) if len(table) else made
        _save(root, cache, pd.concat([others, table], ignore_index=True) if len(others) else table)
    order = positions(paths, pa.chunked_array([pa.array(table["path"], pa.large_string())]))
    return _none_for_missing(table[COLUMNS].iloc[order])


def record_problems(root: Path, cache: Path | None, problems: Mapping[str, str]) -> None:
    """Keep reasons found while decoding; each is forgotten when the content of its file changes."""
    lasting = {path: why for path, why in problems.items() if not why.startswith(PASSING)}
    table = _load(root, cache).to_pandas() if lasting else pd.DataFrame()
    if table.empty:
        return
    found = table["path"].map(lasting)
    table["problem"] = found.where(found.notna(), table["problem"])
    _save(root, cache, table)


def stat_files(root: Path, paths: Sequence[str]) -> tuple[np.ndarray, set[str]]:
    """Return STAT of each path, int64 (n, 3), size -1 where there is none, and the paths that are links.

    One scandir per folder, which is twice as fast as asking for each file.
    """
    rows: dict[str, dict[str, list[int]]] = {}
    for i, path in enumerate(paths):
        folder, _, name = path.rpartition("/")
        name = file_of(root / path)[0].name if split_series(name)[1] else name
        rows.setdefault(folder, {}).setdefault(name, []).append(i)
    stat = np.tile(np.array(ABSENT), (len(paths), 1))
    links: set[str] = set()
    for folder, wanted in rows.items():
        with suppress(OSError), os.scandir(os.path.join(root, folder)) as entries:  # no such folder: none of its files
            for entry in entries:
                for row in wanted.get(entry.name, ()):
                    if entry.is_symlink():
                        links.add(paths[row])
                    stat[row] = stat_entry(entry)
    return stat, links


def stat_entry(entry: os.DirEntry[str]) -> tuple[int, int, int]:
    """Return STAT of a file, ABSENT for a link to nowhere and for what is no regular file."""
    try:
        s = entry.stat()
    except OSError:
        return ABSENT
    if not S_ISREG(s.st_mode):
        return ABSENT
    mtime, ctime = s.st_mtime_ns, s.st_ctime_ns
    if not -LONGEST <= mtime <= LONGEST or not -LONGEST <= ctime <= LONGEST:
        mtime, ctime = (max(-LONGEST, min(LONGEST, time)) for time in (mtime, ctime))
    return s.st_size, mtime, ctime


def positions(wanted: Sequence[str], among: pa.ChunkedArray) -> np.ndarray:
    """Return where each wanted text lies among distinct others, int64 (n,), -1 for nowhere."""
    found = pc.index_in(pa.array(wanted, among.type), value_set=among)
    return found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)


def _unchanged(old: pa.Table, at: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return bool (n,): known, of the same stat, settled when it was read, and its problem not a passing one."""
    same = at >= 0
    if not same.any():
        return same
    column = {name: old[name].to_numpy()[at] for name in (*STAT, "read_ns")}
    for k, name in enumerate(STAT):
        same &= column[name] == now[:, k]
    apart = column["read_ns"].astype(np.float64) - column["mtime_ns"]  # as integers it may be too large
    same &= np.abs(apart) > DIRTY_NS
    known = np.flatnonzero(old["problem"].is_valid().to_numpy())
    passing = [i for i in known.tolist() if old["problem"][i].as_py().startswith(PASSING)]
    return same & ~np.isin(at, passing)


def _rows(table: pa.Table, at: np.ndarray) -> pd.DataFrame:
    """Return rows of an arrow table as pandas; the table as it is where that is all of them, in order."""
    if len(at) != len(table) or (at != np.arange(len(table))).any():
        table = table.take(pa.array(at))
    return table.to_pandas()


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
    file = file_of(path)[0]
    try:
        if not S_ISREG(os.stat(file).st_mode):  # a pipe would be waited for
            return _problem("", "is a folder" if file.is_dir() else "is no regular file (a pipe, a socket or a device)")
        with file.open("rb") as opened:
            digest = content_digest(opened)
    except OSError as error:
        return _problem("", f"cannot be opened: {error.strerror}")
    try:
        info = probe_image(path)
    except ImageError as error:
        return _problem(digest, str(error))
    digest = digest_as_read(digest, info.reading)
    header = (getattr(info, name) for name in HEADER)
    lists = (json.dumps(info.names), json.dumps(info.remarks))
    scale = float("nan") if info.um_per_px is None else info.um_per_px
    return (digest, *header, scale, info.dtype, info.format, *lists, None)


def _problem(digest: str, why: str) -> tuple[object, ...]:
    return (digest, *(0,) * len(HEADER), float("nan"), "", "", "[]", "[]", why)


def _none_for_missing(table: pd.DataFrame) -> pd.DataFrame:
    problem = table["problem"].astype(object)
    return table.assign(problem=problem.where(problem.notna(), None)).reset_index(drop=True)


def _place(root: Path, cache: Path | None) -> Path | None:
    name = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:32]
    return Path(cache) / "manifests" / f"{name}.parquet" if cache else None


def _load(root: Path, cache: Path | None) -> pa.Table:
    """Return the stored table with columns STORED; one without rows when there is none that can be read."""
    place = _place(root, cache)
    table = None if place is None else read_parquet(place, place.stem)
    if table is not None and table.schema.names == STORED and READ_BY.items() <= (table.schema.metadata or {}).items():
        return table
    kinds = {"um_in_file": pa.float64(), **dict.fromkeys(NUMBERS, pa.int64())}
    return pa.schema([(name, kinds.get(name, pa.large_string())) for name in STORED]).empty_table()


def _save(root: Path, cache: Path | None, table: pd.DataFrame) -> None:
    place = _place(root, cache)
    if place is None:
        return
    text = {name: table[name].astype("str") for name in ("path", *TEXTS)}
    made = pa.Table.from_pandas(table.assign(**text)[STORED], preserve_index=False)
    about = {ROOT: str(root.resolve()), **READ_BY}
    data = parquet_bytes(made.replace_schema_metadata(about), place.stem)
    try:
        write_atomically(place, data)
    except BenchError as error:
        if not forbidden(error):  # where nothing may be written, files are looked at again each time
            raise


def forgotten_manifests(cache: Path) -> list[tuple[Path, str]]:
    """Return (manifest, folder) for each manifest below `cache` that is about a folder that is gone."""
    found = []
    for path in sorted((cache / "manifests").glob("*.parquet")):
        table = read_parquet(path, path.stem)
        root = "" if table is None else (table.schema.metadata or {}).get(ROOT, b"").decode()
        if root and not os.path.lexists(root):
            found.append((path, root))
    return found
