"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from bench.storage.notices import take_notices

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile("no deadline", deadline=None)  # no test asserts a time
settings.load_profile("no deadline")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what tests and the commands they start remember of libraries out of the user's cache."""
    os.environ["CELL_CLASSIFIER_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def _told_nothing() -> None:
    """Forget what other tests in this process met on the disk, which a command prints at its end."""
    take_notices()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real microscopy (`data/`) and weights (`weights/`); the test is skipped when absent.

    With CELL_SHARED_REQUIRED=1 (as in CI) its absence is a failure, so that real data is never skipped unseen.
    """
    folder = Path(os.environ.get("CELL_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        if os.environ.get("CELL_SHARED_REQUIRED") == "1":
            pytest.fail(f"real data is required here, and {folder} has none")
        pytest.skip(f"no real data at {folder}; set CELL_SHARED")
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One torch thread suffices for small inputs, and is far faster where others use the machine too."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
