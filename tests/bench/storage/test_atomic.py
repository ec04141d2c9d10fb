"""A file is whole or as it was before."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.storage.atomic import create_whole, refused, replacing, write_atomically, write_beside


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


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_cannot_flush_is_no_error(tmp_path, monkeypatch, number):
    def refuse(handle: int) -> None:
        raise OSError(number, "cannot")

    monkeypatch.setattr(os, "fsync", refuse)
    write_atomically(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"new"


def test_a_disk_that_fails_to_flush_is_an_error_and_the_old_file_stays(tmp_path, monkeypatch):
    write_atomically(tmp_path / "a.bin", b"old")

    def fail(handle: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(BenchError, match="input/output error"):
        write_atomically(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_may_be_written_but_not_opened_is_no_error(tmp_path, monkeypatch):
    opened = os.open

    def refuse(path: object, flags: int, *more: int) -> int:
        if path == tmp_path:
            raise PermissionError(errno.EACCES, "denied")
        return opened(path, flags, *more)

    monkeypatch.setattr(os, "open", refuse)
    write_atomically(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"new"


def test_where_nothing_is_renamed_over_a_file_the_old_one_goes_first(tmp_path, monkeypatch):
    def refuse(self: Path, target: Path) -> None:
        raise FileExistsError(errno.EEXIST, "there is one")

    write_atomically(tmp_path / "a.bin", b"old")
    monkeypatch.setattr(Path, "replace", refuse)
    write_atomically(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"new" and len(list(tmp_path.iterdir())) == 1


def test_a_file_is_created_once_also_without_links(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no links")

    create_whole(tmp_path / "first", b"1")
    monkeypatch.setattr(os, "link", refuse)
    create_whole(tmp_path / "second", b"2")
    for name in ("first", "second"):
        with pytest.raises(FileExistsError):
            create_whole(tmp_path / name, b"3")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"first": b"1", "second": b"2"}


def test_what_the_system_refuses_is_one_sentence_with_the_file():
    said = refused(PermissionError(errno.EACCES, "Permission denied", "/x/a.bin"))
    assert said.startswith("Got /x/a.bin, which cannot be used (Permission denied)") and "\n" not in said
    assert refused(OSError(errno.ENOSPC, "No space left")).startswith("Got no space left; free some")
    assert "odd" in refused(OSError("odd"))


@pytest.mark.parametrize("step", range(8))
def test_of_files_written_beside_others_a_kill_leaves_none_of_two_writings(tmp_path, monkeypatch, step):
    one, two = tmp_path / "a.csv", tmp_path / "a-more.csv"
    write_beside({one: b"old", two: b"old more"})
    left = [step]

    class Killed(BaseException):
        pass

    def dying(function):
        def call(*given, **more):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return function(*given, **more)

        return call

    with monkeypatch.context() as patch:
        for name in ("write_bytes", "unlink", "replace"):
            patch.setattr(Path, name, dying(getattr(Path, name)))
        with suppress(Killed):
            write_beside({one: b"new", two: b"new more"})
    seen = {path.read_bytes()[:3] for path in (one, two) if path.exists()}
    assert len(seen) <= 1 and (step < 6 or seen == {b"new"})
    write_beside({one: b"last", two: b"last more"})
    assert (one.read_bytes(), two.read_bytes()) == (b"last", b"last more")
