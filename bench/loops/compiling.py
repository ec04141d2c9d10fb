"""What compiles loops of this room and of the solvers, and where the compiled code is kept.

numba keeps compiled code until the file of its function changes. A change of another file goes unnoticed, and code that
an earlier version of this package has kept may not even be readable. So it is kept in a folder named by the content of
all files there, and folders of other contents are removed.

What one compiled function calls becomes part of it. Otherwise every function that is called is there several times, as
it was optimised beside each of its callers, and which of them runs depends on what the process compiled or loaded
first; they round differently. For the same reason loops stand where arrays could be assigned: code that is made a part
of another is optimised again, and that of array expressions is long.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import config as _config

HERE = Path(__file__).parent
ROOMS = HERE, HERE.parent / "solvers"
config: Any = _config  # its fields are made at run time
PREFIX = "kernels-"


def content(*folders: Path) -> str:
    """Return 16 hexadecimal digits that name the content of the Python files of some folders."""
    digest = hashlib.sha256()
    for path in [path for folder in folders for path in sorted(folder.glob("*.py"))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def cache_folder() -> Path | None:
    """Return where compiled code of this very content is kept, None where nothing can be written.

    It lies in numba's own folder where NUMBA_CACHE_DIR names one, else beside this file, else in the user's cache.
    """
    name = PREFIX + content(*ROOMS)
    users = Path(os.environ.get("CELL_CLASSIFIER_CACHE") or Path.home() / ".cache" / "cell-classifier")
    for base in (Path(config.CACHE_DIR),) if config.CACHE_DIR else (HERE / "__pycache__", users):
        folder = base / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            for other in base.glob(PREFIX + "*"):
                if other.name != name:
                    shutil.rmtree(other, ignore_errors=True)
            return folder
    return None


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """Let numba keep what is decorated meanwhile in a folder: it asks where only then."""
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        config.CACHE_DIR = before


def _compiler(*fastmath: str) -> Callable[[Any], Any]:
    options: dict[str, Any] = {"error_model": "numpy", "fastmath": set(fastmath), "forceinline": True}

    def decorate(function: Any) -> Any:
        if FOLDER is None:
            return njit(**options)(function)
        with _kept_in(FOLDER):
            return njit(cache=True, **options)(function)

    return decorate


FOLDER = cache_folder()
compiled = _compiler("reassoc", "contract", "nsz", "arcp")  # sums in any order, always the same; NaN and inf are kept
in_order = _compiler("contract")
