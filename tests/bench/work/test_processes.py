"""Where there are no semaphores one process does the work; elsewhere none outlives the one that started it."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from bench.fitting.head_fits import HeadFits
from bench.protocol.protocol import Protocol
from bench.storage.owner import started
from bench.work import processes


@pytest.fixture
def no_semaphores(monkeypatch):
    class Context:
        def Lock(self) -> None:
            raise OSError(30, "Read-only file system")

    processes._no_semaphores.cache_clear()
    monkeypatch.setattr(multiprocessing, "get_context", lambda kind: Context())
    yield
    processes._no_semaphores.cache_clear()


def test_one_process_works_and_the_reason_is_said(no_semaphores):
    assert processes.processes(1) == (1, "")
    count, why = processes.processes(4)
    assert count == 1 and "no semaphores (Read-only file system), so one process fits instead of 4" in why


def test_a_sweep_for_several_processes_is_done_by_one(no_semaphores, make_sweep, tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked for processes")

    monkeypatch.setattr("joblib.parallel_config", refuse)
    sweep, views = make_sweep(Protocol(shots=(1, 2), draws=2), ["knn", "centroid"], groups=6)
    assert HeadFits(views=views, workers=3).make(sweep, sweep.blocks, tmp_path) == (0, 4)


def test_relative_paths_mean_in_processes_what_they_mean_here_also_after_the_folder_was_changed(tmp_path, monkeypatch):
    from joblib import delayed

    seen = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        with processes.worker_processes(2, "2*n_jobs") as parallel:
            seen += parallel([delayed(os.getcwd)()])
    assert seen == [str(tmp_path / "one"), str(tmp_path / "other")]


PARENT = """
import subprocess, sys
child = "import os, time; from bench.work.processes import die_with; die_with(os.getppid()); print(os.getpid(), flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child]).wait()
"""


def test_a_process_ends_soon_after_its_parent_was_killed_alone():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + 60
        while started(child) is not None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
