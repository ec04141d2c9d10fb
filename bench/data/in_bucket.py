"""Data at an address of an object store, fetched to this machine: what is there already, unchanged, stays.

    s3://bucket/cells             a folder: the images below it that a list shows, and the tables beside them
    s3://bucket/cells/index.csv   a table: the images and masks that it names, each looked up by its key

A folder is what a list of it shows, so it has to be uploaded before it is used. Every object is read under the ETag
that was seen at first, so that no file is of two contents. Sizes are known, and held against the free space, before
anything is read. What was fetched is kept with its ETag in `fetched.json` beside the copy.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from bench.data.csv_table import read_table
from bench.data.label_csv import path_column
from bench.data.layout import LAYOUT
from bench.data.paths import posix_paths
from bench.data.walk import TABLES
from bench.errors import BenchError
from bench.images import IMAGE_SUFFIXES, file_of
from bench.storage.atomic import refusal, write_atomically
from bench.storage.buckets.address import Address, address_of, cache_folder, cache_place, is_address, safe_key
from bench.storage.buckets.client import FIRST_S, Client, Listed
from bench.storage.owner import is_left, temporary
from bench.storage.verified import read_or_none
from bench.text import plain

DATA = "data"
RECORD, PART = "fetched.json", "part"
AT_ONCE = 8  # objects
SPARE = 1_000_000_000  # bytes that are left free
LARGEST_TABLE = 1_000_000_000
PAUSE_S, SHARE = 2.0, 0.05  # between two writings of what was fetched, and how much of the time they may take
OnProgress = Callable[[str, int, int], None]  # what, done, total


def local_data(data: Path, on_progress: OnProgress | None = None) -> Path:
    """Return where data lie on this machine: a local path as it is, or the copy of an address, which is brought up to
    date. Raises BenchError for an address without objects, for more than there is room for, and where a key leads out
    of the copy."""
    if not is_address(data):
        return data
    address = address_of(data)
    is_table = Path(address.name).suffix.lower() in TABLES
    place = address.parent if is_table else address
    client, folder = Client(place, FIRST_S), cache_folder(DATA, place)
    record = cache_place(DATA, place) / RECORD
    known = _known(record)
    _sweep(record.parent)
    if is_table:
        table = _head(client, address)
        _fetch(client, folder, [table], known, record)
        named = _named(folder / address.name)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            wanted = [one for one in pool.map(client.head, named) if one is not None]
    else:
        listed = client.listed()
        wanted = [one for one in listed if _belongs(one.key)]
        if not wanted:
            raise BenchError(
                f"Got --data {address}, where no image lies ({len(listed)} objects below it); expected a folder per "
                f"class, or a table. Check the address. {LAYOUT}"
            )
        _remove_others(folder, {one.key for one in wanted})
    _fetch(client, folder, wanted, known, record, on_progress=on_progress)
    return folder / address.name if is_table else folder


def _head(client: Client, address: Address) -> Listed:
    found = client.head(address.name)
    if found is None:
        raise BenchError(f"Got --data {address}, which does not exist; check the address. {LAYOUT}")
    if found.size > LARGEST_TABLE:
        raise BenchError(f"Got {address} of {found.size / 1e9:.1f} GB; expected a table of at most 1 GB.")
    return found


def _named(table: Path) -> list[str]:
    """Return the keys of the images and masks that a table names; what cannot be a key is for its reader to refuse."""
    columns = read_table(table, LAYOUT)
    names = [columns[name] for name in (path_column(columns), *(["mask"] if "mask" in columns else []))]
    paths = dict.fromkeys(path for column in names for path in posix_paths(column.astype("string")).dropna())
    files = dict.fromkeys(file_of(Path(path))[0].as_posix() for path in paths)
    return [key for key in files if safe_key(key)]


def _belongs(key: str) -> bool:
    ending = os.path.splitext(key)[1].lower()
    return ending in IMAGE_SUFFIXES or ("/" not in key and ending in TABLES)


def _fetch(
    client: Client, folder: Path, wanted: Iterable[Listed], known: dict[str, list[object]], record: Path, *,
    on_progress: OnProgress | None = None,
) -> None:  # fmt: skip
    """Fetch what is not here as it is there. known: key -> [ETag, size] of what is, brought up to date."""
    listed = list(wanted)
    for one in listed:
        if not safe_key(one.key):
            raise BenchError(
                f"Got an object {plain(one.key)!r} below {client.address}, whose name leads out of a folder or is none "
                "of a file; expected plain names with '/' between. Rename or remove it."
            )
    _check_clashes(client.address, {one.key for one in listed})
    todo = [one for one in listed if not _is_here(folder, one, known)]
    _check_room(client.address, folder, sum(one.size for one in todo))

    def fetch(one: Listed) -> Listed:
        part, place = temporary(record.parent, PART), folder / one.key  # beside the data, where nobody looks for images
        try:
            with part.open("wb") as file:
                for data in client.parts(one):
                    file.write(data)
            seconds = one.modified.timestamp()
            os.utime(part, (seconds, seconds))
            place.parent.mkdir(parents=True, exist_ok=True)
            part.replace(place)
        except OSError as error:
            raise refusal(place, error) from error
        finally:
            part.unlink(missing_ok=True)
        return one

    begun, spent = time.monotonic(), 0.0
    try:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch") as pool:
            for done, one in enumerate(pool.map(fetch, todo), 1):
                known[one.key] = [one.tag, one.size]
                if on_progress:
                    on_progress("fetch", done, len(todo))
                now = time.monotonic()
                if now - begun > max(PAUSE_S, spent / SHARE):
                    _save(record, known)
                    begun = time.monotonic()
                    spent = begun - now
    finally:
        if todo:
            _save(record, known)


def _check_clashes(address: Address, keys: set[str]) -> None:
    """Raise BenchError where an object has the name of a folder of others, which a disk cannot hold."""
    folders = {key.rpartition("/")[0] for key in keys}
    folders |= {above.as_posix() for folder in folders for above in Path(folder).parents}
    for key in sorted(keys & folders):
        raise BenchError(
            f"Got an object {plain(key)!r} below {address}, and others below {plain(key + '/')!r}; expected no object "
            "with the name of a folder of others. Rename or remove it."
        )


def _is_here(folder: Path, one: Listed, known: Mapping[str, list[object]]) -> bool:
    with suppress(OSError):
        return known.get(one.key) == [one.tag, one.size] and (folder / one.key).stat().st_size == one.size
    return False


def _check_room(address: Address, folder: Path, wanted: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free - SPARE
    except OSError as error:
        raise refusal(folder / RECORD, error) from error
    if wanted > max(0, free):
        raise BenchError(
            f"Got {wanted / 1e9:,.1f} GB to fetch from {address}; expected at most the {max(0, free) / 1e9:,.1f} GB "
            f"that are free in {folder}. Free some, or name a folder with room by CELL_CLASSIFIER_CACHE."
        )


def _remove_others(folder: Path, keys: set[str]) -> None:
    """Remove what was fetched before and is there no more."""
    for path in folder.rglob("*") if folder.is_dir() else ():
        if path.is_file() and path.relative_to(folder).as_posix() not in keys:
            path.unlink(missing_ok=True)


def _sweep(place: Path) -> None:
    """Remove what killed processes left of objects that they were fetching."""
    for part in place.glob(f".{PART}.*.tmp"):
        with suppress(FileNotFoundError):  # another process was first
            if is_left(part, time.time()):
                part.unlink()


def _known(record: Path) -> dict[str, list[object]]:
    with suppress(ValueError, TypeError):
        return dict(json.loads(read_or_none(record) or b"{}"))
    return {}


def _save(record: Path, known: Mapping[str, list[object]]) -> None:
    write_atomically(record, json.dumps(known).encode())
