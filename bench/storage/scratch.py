"""A folder in the results folder for what processes share while they work, and what dead processes left of such."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.storage.atomic import refusal
from bench.storage.owner import is_left, temporary


@contextmanager
def scratch(place: Path) -> Iterator[Path]:
    """Yield a new folder in `place` that is removed at the end; what the dead have left there goes first.

    Raises BenchError where it cannot be made.
    """
    sweep_scratch(place)
    folder = temporary(place, "scratch")
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise refusal(folder, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep_scratch(place: Path) -> int:
    """Remove the folders that dead processes left in `place`; returns their number."""
    left = []
    for folder in place.glob(".scratch.*.tmp"):
        with suppress(FileNotFoundError):  # another process was first
            if is_left(folder, time.time()):
                left.append(folder)
                shutil.rmtree(folder, ignore_errors=True)
    return len(left)
