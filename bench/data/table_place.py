"""Where a label table may be written, and how the images of a folder are named in one that lies somewhere else."""

from __future__ import annotations

import os
from pathlib import Path

from bench.errors import BenchError
from bench.storage.tables import guarded_name


def folder_before(root: Path, to: Path, example: str, option: str = "--to") -> str:
    """Return the way from the folder of a new table to the images in `root`, "" where they lie in it.

    example: a name for a table. option: what named it. Raises BenchError for a place from which the images could not
    be named.
    """
    folder, top = to.expanduser().resolve().parent, root.resolve()
    if to.is_dir():
        raise BenchError(f"Got {option} {to}, which is a folder; expected a file, e.g. {to / example}.")
    if to.suffix.lower() != ".csv":
        raise BenchError(f"Got {option} {to}; expected a name ending in .csv, e.g. {to.with_suffix('.csv')}.")
    if folder != top and folder not in top.parents:
        raise BenchError(
            f"Got {option} {to}; expected a file in {root} or in a folder above it, as a table names images below its "
            f"own folder, e.g. {option} {root.parent / example}."
        )
    before = Path(os.path.relpath(top, folder)).as_posix()
    return "" if before == "." else before


def path_text(path: str, before: str) -> str:
    """Return a path as it stands in the table: exactly, and such that no spreadsheet takes it for a formula."""
    text = f"{before}/{path}" if before else path
    return text if guarded_name(text) == text else f"./{text}"
