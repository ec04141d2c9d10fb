"""A folder with the sample images that the examples of the public functions draw."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.demo import DemoSpec, write_demo

SMALL = DemoSpec(images=12, size=(64, 64))  # as in the docstrings


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds demo/, to be left as it is."""
    folder = tmp_path_factory.mktemp("sample")
    write_demo(folder / "demo", SMALL)
    return folder


@pytest.fixture
def here(sample, tmp_path, monkeypatch) -> Path:
    """The working folder: an empty one with demo/ in it."""
    shutil.copytree(sample / "demo", tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    return tmp_path
