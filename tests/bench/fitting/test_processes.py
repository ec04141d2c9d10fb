"""Where there are no semaphores one process does the work, says so, and gives the same bits."""

from __future__ import annotations

import multiprocessing

import pytest

from bench.fitting import processes
from bench.fitting.schedule import run_units
from bench.fitting.sweep import Protocol


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
    sweep, views = make_sweep(Protocol((1, 2), seeds=2), ["knn", "centroid"], groups=6)
    assert run_units(sweep, views, tmp_path, workers=3) == (0, 4)
