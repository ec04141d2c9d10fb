"""Folders of images as tests of data need them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path, save_png):
    """Two classes of three images each."""
    for c, label in enumerate("ab"):
        for i in range(3):
            save_png(tmp_path / "d" / label / f"{i}.png", seed=10 * c + i)
    return tmp_path / "d"


@pytest.fixture
def lock(monkeypatch):
    """Return a function (name of a folder) that lets no folder of that name be listed."""

    def make(name: str) -> None:
        scandir = os.scandir

        def guarded(path):
            if Path(path).name == name:
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr("bench.data.walk.os.scandir", guarded)

    return make
