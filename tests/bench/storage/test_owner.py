"""Temporary names: what the dead left is told from what the living use, at once on this machine and by age on others."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from bench.storage import owner
from bench.storage.scratch import scratch, sweep_scratch

OTHER = "from pathlib import Path; from bench.storage.owner import temporary; print(temporary(Path('.'), 'scratch').name)"


@pytest.fixture
def dead():
    """A name that a process gave which has ended since."""
    return subprocess.run([sys.executable, "-c", OTHER], capture_output=True, text=True, check=True).stdout.strip()


def test_what_a_dead_process_left_is_known_at_once_and_what_a_living_one_uses_is_kept(tmp_path, dead):
    mine = owner.temporary(tmp_path, "a.csv")
    for path in (mine, tmp_path / dead):
        path.write_bytes(b"half")
    assert not owner.is_left(mine, time.time())
    assert owner.is_left(tmp_path / dead, time.time())


def test_a_process_that_got_the_number_of_a_dead_one_does_not_keep_what_that_left(tmp_path):
    path = owner.temporary(tmp_path, "a.csv")
    again = path.with_name(path.name.replace(f"-{owner.started(os.getpid())}.", "-1."))
    again.touch()
    assert owner.is_left(again, time.time())


def test_of_another_machine_a_file_is_left_after_an_hour_and_a_folder_after_a_week(tmp_path, monkeypatch):
    file, folder = owner.temporary(tmp_path, "a.csv"), owner.temporary(tmp_path, "scratch")
    file.touch()
    folder.mkdir()
    monkeypatch.setattr(owner, "machine", lambda: "elsewhere")
    now = time.time()
    assert [owner.is_left(path, now + 60) for path in (file, folder)] == [False, False]
    assert [owner.is_left(path, now + 2 * 3600) for path in (file, folder)] == [True, False]
    assert [owner.is_left(path, now + 8 * 24 * 3600) for path in (file, folder)] == [True, True]


def test_a_scratch_folder_sweeps_those_of_the_dead_and_is_gone_at_the_end(tmp_path, dead):
    (tmp_path / dead).mkdir()
    (tmp_path / dead / "x.npy").write_bytes(b"mapped")
    with scratch(tmp_path) as first, scratch(tmp_path) as second:
        assert sorted(tmp_path.iterdir()) == sorted([first, second])
    assert not list(tmp_path.iterdir())
    (tmp_path / dead).mkdir()
    assert sweep_scratch(tmp_path) == 1


def test_semaphores_of_the_dead_alone_are_found(tmp_path, dead):
    gone = dead.split("-")[1]
    for name in (f"sem.loky-{gone}-abc", f"sem.loky-{os.getpid()}-abc", "sem.mp-abc", "other"):
        (tmp_path / name).touch()
    assert [path.name for path in owner.left_semaphores(tmp_path)] == [f"sem.loky-{gone}-abc"]
