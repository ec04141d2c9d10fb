"""Locks where the file system has them, and lock files where it has none."""

from __future__ import annotations

import errno
import fcntl

import pytest
from filelock import SoftFileLock, Timeout

from bench.storage import locks


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_gets_lock_files(tmp_path, monkeypatch, number):
    def refuse(handle: int, how: int) -> None:
        raise OSError(number, "no locks")

    locks._has_locks.cache_clear()
    monkeypatch.setattr(fcntl, "flock", refuse)
    first = locks.file_lock(tmp_path / "a.lock")
    assert isinstance(first, SoftFileLock)
    with first, pytest.raises(Timeout):
        locks.file_lock(tmp_path / "a.lock").acquire(timeout=0)
    locks._has_locks.cache_clear()
    assert not list(tmp_path.iterdir())
