"""A folder in the results folder for what processes share while they work, and what dead processes left of such."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from bench.storage.atomic import READ_ONLY, refusal
from bench.storage.owner import is_left, temporary


@contextmanager
def scratch(place: Path) -> Iterator[Path]:
    """Yield a new folder in `place` that is removed at the end; what the dead have left there goes first.

    Where `place` may only be read, it is made among the system's temporary files: what is there can still be shown, and
    who has to write there is refused by name. Raises BenchError where it cannot be made.
    """
    try:
        folder = _made(place)
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise refusal(place / "temporary files", error) from error
        try:
            folder = _made(Path(tempfile.gettempdir()))
        except OSError:
            raise refusal(place / "temporary files", error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _made(place: Path) -> Path:
    sweep_scratch(place)
    folder = temporary(place, "scratch")
    folder.mkdir(parents=True)
    return folder


def sweep_scratch(place: Path) -> int:
    """Remove the folders that dead processes left in `place`; returns their number."""
    left = []
    for folder in place.glob(".scratch.*.tmp"):
        with suppress(FileNotFoundError):  # another process was first
            if is_left(folder, time.time()):
                left.append(folder)
                shutil.rmtree(folder, ignore_errors=True)
    return len(left)


def mapped(X: np.ndarray, folder: Path, name: str) -> np.ndarray:
    """Return X written to a file of `folder` and mapped from there, so that processes share it without a copy."""
    path = folder / f"{name}.npy"
    np.save(path, X)
    return np.load(path, mmap_mode="r")
