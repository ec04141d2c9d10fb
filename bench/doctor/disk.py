"""Whether there is a place to write: results, temporary files, downloads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.doctor.finding import Finding
from encoders.hub import cache_folder

PART = "disk"
TOO_LITTLE, LITTLE = 100e6, 2e9  # bytes


def look_at_disk(out: Path) -> Iterator[Finding]:
    """Yield whether the folders of results, temporary files and downloads can be written, and how much fits."""
    temporary = Path(next((os.environ[name] for name in ("TMPDIR", "TEMP", "TMP") if os.environ.get(name)), "/tmp"))
    yield _place("results (--out)", out, "give another folder by --out", needed=True)
    if temporary.is_dir():
        yield _place("temporary files (TMPDIR)", temporary, "set TMPDIR to another folder", needed=True)
    else:
        yield Finding(
            part=PART, what="temporary files (TMPDIR)", state="problem", found=f"{temporary} is no folder",
            do="make it, or set TMPDIR to another folder",
        )  # fmt: skip
    yield _place("downloads (HF_HOME)", cache_folder(), "set HF_HOME to another folder", needed=False)


def _place(what: str, folder: Path, elsewhere: str, *, needed: bool) -> Finding:
    """Return what can be written to a folder, or to what is there of the way to it. needed: a run stops without it."""
    if folder.exists() and not folder.is_dir():
        return Finding(part=PART, what=what, state="problem", found=f"{folder} is a file", do=elsewhere, stops=needed)
    there = next((one for one in (folder, *folder.absolute().parents) if one.is_dir()), Path(os.sep))
    made = "" if there == folder else ", not made yet"
    if not os.access(there, os.W_OK | os.X_OK):
        found = f"{there} cannot be written to"
        return Finding(
            part=PART, what=what, state="problem" if needed else "note", found=found, do=elsewhere, stops=needed
        )
    free = shutil.disk_usage(there).free
    found = f"{folder}{made}: {free / 1e9:,.1f} GB free"
    if free < TOO_LITTLE:
        do = f"free some space, or {elsewhere}"
        return Finding(part=PART, what=what, state="problem", found=found, do=do, stops=needed)
    little = free < LITTLE
    return Finding(
        part=PART, what=what, state="note" if little else "ok", found=found,
        do="keep an eye on it: embeddings are 4 bytes per number" if little else "",
    )  # fmt: skip
