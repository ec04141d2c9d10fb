"""Processes that fit: how many can work at once on this machine, and that none outlives who started it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from joblib import Parallel

LOOK_S = 0.5  # between two looks of a process at who started it


def processes(wanted: int) -> tuple[int, str]:
    """Return (how many processes there will be of those wanted, why it is one and not more, else "").

    Processes need semaphores, which containers without a writable /dev/shm do not have.
    """
    why = _no_semaphores() if wanted > 1 else ""
    if not why:
        return wanted, ""
    return 1, f"this machine has no semaphores ({why}), so one process fits instead of {wanted}; it takes longer"


@contextmanager
def worker_processes(
    count: int, ahead: str, folder: Path | None = None, libraries: Sequence[str] = ()
) -> Iterator[Parallel]:
    """Yield a `joblib.Parallel` over `count` processes of one BLAS thread each, which die with this one.

    Relative paths mean there what they mean here: processes that an earlier call left in another folder are not reused.
    ahead: how many tasks are sent before they are asked for, as "1.5*n_jobs". folder: where arrays of more than a
    megabyte are shared; None leaves it to joblib. libraries: modules that a process imports before its first task: one
    that grows by hundreds of megabytes later is taken for one that leaks, and replaced. Results come as they are made.
    """
    from joblib import Parallel, parallel_config

    with parallel_config(
        "loky", n_jobs=count, temp_folder=folder, inner_max_num_threads=1, initializer=_begin,
        initargs=(os.getpid(), _current_folder(), tuple(libraries)),
    ):  # fmt: skip
        yield Parallel(return_as="generator_unordered", pre_dispatch=ahead)


def _begin(parent: int, folder: str, libraries: Sequence[str]) -> None:
    """Begin a process of this parent in this folder with these libraries."""
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    for name in libraries:
        import_module(name)
    with suppress(OSError):  # it is gone, and so are the relative paths
        os.chdir(folder)


def _current_folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


def die_with(parent: int) -> None:
    """Let this process end within a second of its parent, of that process number, however that ends.

    A thread looks, as the signal that Linux can send (PR_SET_PDEATHSIG) comes when the thread ends that started the
    process. Without effect on Windows, where the number of a dead parent stays.
    """

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_S)
        os._exit(1)  # nothing of this process is wanted any more: what was finished lies on the disk

    threading.Thread(target=look, daemon=True, name="die-with-parent").start()


@cache
def _no_semaphores() -> str:
    from multiprocessing import get_context

    try:
        get_context("spawn").Lock()
    except (OSError, ImportError) as error:
        return str(getattr(error, "strerror", "") or error)
    return ""
