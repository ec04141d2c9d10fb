"""Files that appear together: after a kill at any step the folder holds one writing, and the next reader completes it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.storage import together
from bench.storage.notices import take_notices
from bench.storage.together import NEXT, RECORD, put_together, read_member, read_record, settle, unsound

OLD = {"leaderboard.csv": b"old l", "a.csv": b"old a", "b.csv": b"old b", "gone.csv": b"old gone"}
NEW = {"leaderboard.csv": b"new l", "a.csv": b"new a", "b.csv": b"new b", "gone.csv": None, "more.csv": b"new more"}


class Killed(BaseException):
    pass


def there(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".csv"}


def test_what_is_put_together_is_read_back_and_what_has_no_content_is_removed(tmp_path):
    put_together(tmp_path, OLD, {"request": 1})
    put_together(tmp_path, NEW, {"request": 2})
    assert there(tmp_path) == {name: data for name, data in NEW.items() if data}
    assert read_record(tmp_path)["request"] == 2 and unsound(tmp_path) == []
    assert read_member(tmp_path, "more.csv") == b"new more" and read_member(tmp_path, "gone.csv") is None
    assert sorted(os.listdir(tmp_path)) == sorted([*there(tmp_path), RECORD, together.LOCK])


STEPS = 35  # more than there are calls: the last ones are not killed


@pytest.mark.parametrize("step", range(STEPS))
def test_after_a_kill_at_any_step_old_and_new_files_never_lie_side_by_side(tmp_path, monkeypatch, step):
    put_together(tmp_path, OLD, {"request": 1})
    left = [step]

    def dying(function):
        def call(*args, **more):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return function(*args, **more)

        return call

    killed = False
    with monkeypatch.context() as patch:
        for name in ("unlink", "rename", "rmdir", "mkdir", "replace"):
            patch.setattr(Path, name, dying(getattr(Path, name)))
        patch.setattr(together.os, "replace", dying(os.replace))
        patch.setattr(together.shutil, "rmtree", lambda *_, **__: None)  # the dead do not tidy
        try:
            put_together(tmp_path, NEW, {"request": 2})
        except Killed:
            killed = True
    assert killed or step > 20
    seen = there(tmp_path)
    old, new = (sum(seen.get(name) == data for name, data in files.items() if data) for files in (OLD, NEW))
    assert old == 0 or new == 0
    request = read_record(tmp_path)["request"]
    assert there(tmp_path) == {name: data for name, data in (OLD if request == 1 else NEW).items() if data}
    assert unsound(tmp_path) == [] and not (tmp_path / NEXT).exists() and take_notices() == []


def test_the_leaderboard_that_others_wait_for_is_never_missing_while_files_are_replaced(tmp_path, monkeypatch):
    put_together(tmp_path, OLD, {"request": 1})
    seen, unlink, replace = [], Path.unlink, os.replace

    def look() -> None:
        seen.append((tmp_path / "leaderboard.csv").read_bytes())

    def watched_unlink(path, *args, **kwargs):
        unlink(path, *args, **kwargs)
        look()

    def watched_replace(*args, **kwargs):
        replace(*args, **kwargs)
        look()

    monkeypatch.setattr(Path, "unlink", watched_unlink)
    monkeypatch.setattr(os, "replace", watched_replace)
    put_together(tmp_path, NEW, {"request": 2})
    assert seen[0] == b"old l" and seen[-1] == b"new l" and len(seen) > 8


def test_a_file_that_is_changed_emptied_or_of_another_folder_is_set_aside_and_one_that_is_lost_is_missed(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    put_together(one, OLD, {})
    put_together(other, {**OLD, "a.csv": b"another a"}, {})
    (one / "a.csv").write_bytes((other / "a.csv").read_bytes())
    (one / "b.csv").write_bytes(b"")
    (one / "gone.csv").unlink()
    assert unsound(one) == ["a.csv", "b.csv", "gone.csv"]
    assert {path.name for path in one.glob("*.corrupt")} == {"a.csv.corrupt", "b.csv.corrupt"}
    assert len(take_notices()) == 2


def test_a_damaged_record_vouches_for_nothing(tmp_path):
    put_together(tmp_path, OLD, {"request": 1})
    record = tmp_path / RECORD
    record.write_bytes(record.read_bytes().replace(b'"request": 1', b'"request": 2'))
    (tmp_path / "leaderboard.csv").touch()
    assert read_record(tmp_path) == {} and read_member(tmp_path, "a.csv") is None
    assert (tmp_path / f"{RECORD}.corrupt").exists() and len(take_notices()) == 1


def test_of_many_writers_and_readers_at_once_every_reader_gets_files_of_one_writing(tmp_path):
    def write(k: int) -> None:
        put_together(tmp_path, {name: f"{name} {k}".encode() * 50 for name in OLD}, {"request": k})

    def read(_: int) -> bool:
        settle(tmp_path)
        data = read_member(tmp_path, "a.csv")
        return data is None or data.startswith(b"a.csv ")

    write(0)
    with ThreadPoolExecutor(6) as pool:
        writing = [pool.submit(write, k) for k in range(1, 25)]
        assert all(pool.map(read, range(60)))
    for one in writing:
        one.result()
    last = read_record(tmp_path)["request"]
    assert there(tmp_path) == {name: f"{name} {last}".encode() * 50 for name in OLD}
    assert unsound(tmp_path) == []
    take_notices()


def test_where_nothing_can_be_written_the_old_files_stay_and_it_is_said(tmp_path, monkeypatch):
    put_together(tmp_path, OLD, {})

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(together, "write_atomically", refuse)
    with pytest.raises(BenchError, match="no space left"):
        put_together(tmp_path, NEW, {})
    assert there(tmp_path) == OLD and unsound(tmp_path) == [] and not list(tmp_path.glob("*.tmp"))
