"""A file is whole or as it was before."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.disk.atomic import replacing, write_atomically
from bench.errors import BenchError


def test_the_file_holds_what_was_written_and_nothing_else_is_left(tmp_path):
    write_atomically(tmp_path / "new" / "a.bin", b"first")
    write_atomically(tmp_path / "new" / "a.bin", b"second")
    assert (tmp_path / "new" / "a.bin").read_bytes() == b"second"
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.bin"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_no_temporary_one(tmp_path, error):
    write_atomically(tmp_path / "a.bin", b"old")

    def fail_halfway() -> None:
        with replacing(tmp_path / "a.bin") as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        fail_halfway()
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_the_temporary_file_is_hidden_beside_its_place_and_never_shared(tmp_path):
    with replacing(tmp_path / "a.bin") as one, replacing(tmp_path / "a.bin") as two:
        for path in (one, two):
            assert path.parent == tmp_path
            assert path.name.startswith(".")
            assert path.suffix == ".tmp"
            path.write_bytes(b"x")
        assert one != two


def test_many_writers_of_one_file_leave_the_whole_of_one_of_them(tmp_path):
    contents = [bytes([i]) * 50_000 for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda data: write_atomically(tmp_path / "a.bin", data), contents))
    assert (tmp_path / "a.bin").read_bytes() in contents
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (errno.ENOSPC, "no space left in .* free some there.*what was finished is kept"),
        (errno.EDQUOT, "no space left"),
        (errno.EACCES, r"cannot be written \(Permission denied\)"),
        (errno.EROFS, r"cannot be written \(Read-only file system\)"),
    ],
)
def test_a_refusal_of_the_file_system_is_told_and_leaves_what_was(tmp_path, code, text):
    write_atomically(tmp_path / "a.bin", b"old")
    with pytest.raises(BenchError, match=text), replacing(tmp_path / "a.bin") as temporary:
        temporary.write_bytes(b"half")
        raise OSError(code, os.strerror(code))
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
