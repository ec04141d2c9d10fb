"""A look at a folder that leaves it as it is, whatever those who look would write there or set aside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def shadow(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that holds what another holds, as links; an empty one where there is none.

    Files here are only ever written aside and renamed, which replaces a link and not the file that it leads to. Folders
    that are links are followed.
    """
    with TemporaryDirectory(prefix="bench-look-") as place:
        top = Path(place) / folder.absolute().name
        top.mkdir()
        seen = set()
        for at, folders, files in os.walk(folder, followlinks=True):
            real = os.path.realpath(at)
            folders[:] = [] if real in seen else folders
            seen.add(real)
            here = top / os.path.relpath(at, folder)
            for name in folders:
                (here / name).mkdir(exist_ok=True)
            for name in files:
                _link(Path(at).absolute() / name, here / name)
        yield top


def _link(file: Path, place: Path) -> None:
    try:
        place.symlink_to(file)
    except OSError:  # where links are not allowed, as on Windows
        shutil.copy2(file, place)
