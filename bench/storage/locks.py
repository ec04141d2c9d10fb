"""Locks that the system lets go of when their holder dies, by kill -9 as well."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bench.storage.owner import temporary

if TYPE_CHECKING:
    from filelock import BaseFileLock

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


def file_lock(path: Path) -> BaseFileLock:
    """Return a lock on a file, a context manager that waits; `acquire(timeout=0)` raises filelock.Timeout instead."""
    from filelock import FileLock, SoftFileLock

    return FileLock(path) if _has_locks(path.parent) else SoftFileLock(path)


@cache
def _has_locks(folder: Path) -> bool:
    """Return whether the file system of a folder has locks; without them a lock is a file, and older by a kill."""
    try:
        import fcntl
    except ImportError:  # not on Windows, which locks in another way
        return True
    probe = temporary(folder, "lock")
    try:
        with suppress(FileNotFoundError), probe.open("wb") as file:
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                return error.errno not in NO_LOCKS
    finally:
        with suppress(OSError):
            probe.unlink()
    return True


class JournalLock:
    """The lock of an Optuna journal, which whoever takes it next mends.

    Optuna's own locks are files, which after a kill hold everybody up for half a minute; and what a writer that was
    killed left of a line would spoil the next one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = file_lock(path.with_name(f"{path.name}.lock"))

    def acquire(self) -> bool:
        """Wait for the lock; then cut off what follows the last whole line."""
        self._lock.acquire()
        with self._path.open("rb+") as file:
            size = end = file.seek(0, os.SEEK_END)
            while end:
                start = max(0, end - 4096)
                file.seek(start)
                at = file.read(end - start).rfind(b"\n")
                if at >= 0:
                    end = start + at + 1
                    break
                end = start
            if end < size:
                file.truncate(end)
        return True

    def release(self) -> None:
        """Let go."""
        self._lock.release()
