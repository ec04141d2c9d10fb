"""Files of one folder that appear together or not at all, and a record that tells whether they still belong together.

    <folder>/run.json   sealed; under "files" the SHA-256 of every file that was written with it
    <folder>/.next/     what is about to take their place; it appears whole, by one rename

Folders of runs are such, those of tunings and of `bench granularity`, and the results folder itself. From that rename
on the new files count: whoever looks at the folder next moves into place what a kill has left in `.next`. The old
files are removed before the first new one is moved, so that files of two writings are never side by side. The
leaderboard, which others wait for, is replaced in one step once the others are gone, and never missing. A file that
does not have the recorded checksum is set aside and counts as missing.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.storage.atomic import refusal, write_atomically
from bench.storage.locks import file_lock
from bench.storage.owner import temporary
from bench.storage.verified import digest_of, is_sealed, json_bytes, parse_json, read_or_none, read_sealed, set_aside

RECORD = "run.json"
NEXT = ".next"
FACE = "leaderboard.csv"
FILES = "files"
LOCK = ".lock"
WAIT_S = 10.0
PATIENCE_S = (0.0, 0.02, 0.1)  # another process may be moving files at this moment


def put_together(folder: Path, files: Mapping[str, bytes | None], about: Mapping[str, Any]) -> None:
    """Replace files of a folder, all or none. None: that file is removed. about: what else the record says.

    Raises BenchError where nothing can be written; the old files are then as they were.
    """
    digests = {name: digest_of(data) for name, data in files.items() if data is not None}
    record = json_bytes({**about, FILES: digests}, RECORD, indent=1)
    stage = temporary(folder, "next")
    try:
        stage.mkdir(parents=True)
        for name, data in {**files, RECORD: record}.items():
            write_atomically(stage / name, data or b"")
        while True:
            settle(folder)
            try:
                stage.rename(folder / NEXT)
                break
            except OSError:
                if not (folder / NEXT).is_dir():
                    raise
        settle(folder)
    except OSError as error:
        raise refusal(folder / RECORD, error) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def settle(folder: Path) -> None:
    """Move into place what a writer left in `.next`, be it alive or dead; an empty file there stands for none."""
    if not (folder / NEXT).is_dir():
        return
    try:
        with held(folder):
            pass
    except OSError as error:
        raise refusal(folder / RECORD, error) from error


@contextmanager
def held(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the record of a settled folder whose files nobody moves meanwhile, {} where there is none. May be OSError.

    No other function of this file may be called of that folder within.
    """
    with _alone(folder):
        _move(folder / NEXT, folder)
        data = read_or_none(folder / RECORD)
        yield parse_json(data) if data is not None and is_sealed(data, RECORD) else {}


def _move(ready: Path, folder: Path) -> None:
    with suppress(FileNotFoundError):  # another process was first
        names = sorted(os.listdir(ready), key=lambda name: (name == RECORD, name != FACE, name))
        for name in reversed(names):  # the record first: without it nothing here counts
            if name != FACE or not (ready / name).stat().st_size:
                (folder / name).unlink(missing_ok=True)
        for name in names:
            if (ready / name).stat().st_size:
                os.replace(ready / name, folder / name)
            else:
                (ready / name).unlink()
        ready.rmdir()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; go on without it where its holder is not heard of, as checksums tell what is whole."""
    from filelock import Timeout

    lock = file_lock(folder / LOCK)
    with suppress(Timeout):
        lock.acquire(timeout=WAIT_S)
    try:
        yield
    finally:
        lock.release()


def read_record(folder: Path) -> dict[str, Any]:
    """Return what the record of a folder says, {} where there is none or it is damaged, and then set aside."""
    for wait in PATIENCE_S:
        time.sleep(wait)
        settle(folder)
        data = read_sealed(folder / RECORD, RECORD)
        if data is not None:
            return parse_json(data)
        if not any(folder.glob("leaderboard.*")):  # nothing was ever here
            return {}
    return {}


def read_member(folder: Path, name: str) -> bytes | None:
    """Return a file that the record lists; None where it is missing, or not the one listed and then set aside."""
    data = None
    for wait in PATIENCE_S:
        time.sleep(wait)
        wanted = read_record(folder).get(FILES, {}).get(name)
        if wanted is None:
            return None
        data = read_or_none(folder / name)
        if data is not None and digest_of(data) == wanted:
            return data
    if data is not None:
        set_aside(folder / name, data)
    return None


def unsound(folder: Path) -> list[str]:
    """Return the files that the record lists and that are missing or damaged."""
    return [name for name in read_record(folder).get(FILES, {}) if read_member(folder, name) is None]
