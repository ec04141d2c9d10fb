"""What operating systems, network storage and clouds leave in folders: known by its name, never an image of anybody.

A copy such as 'x (1).png' is not among these: it is an image, and known as a copy by its content.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.errors import BenchError
from bench.text import counted

#: Folders, in lower case.
FOLDERS = frozenset({
    "__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder",  # macOS
    "$recycle.bin", "recycler", "recycled", "system volume information", "lost+found",  # Windows, Linux
    "@eadir", "@tmp", "@sharebin", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "~snapshot",  # NAS
    "_gsdata_", "__pycache__",
})  # fmt: skip
#: Files, in lower case.
FILES = frozenset({"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "folder.htt", "icon\r"})
#: Files that an editor, a browser, Office or a synchronisation left: locks, halves and versions in conflict.
LEFT_BEHIND = re.compile(
    r"~\$.*|.*~|.*\.(tmp|temp|part|partial|crdownload|download|swp|lock)|.*\.sync-conflict-.*"
    r"|.*\((.*'s |)conflicted copy.*\).*",
    re.IGNORECASE | re.DOTALL,
)
FOUND = re.compile(r"found\.\d{3}", re.IGNORECASE)  # of chkdsk
SHOWN = 4  # names in a note


def is_strewn(name: str, *, folder: bool) -> bool:
    """Return whether a file or folder of this name was left by a system and not by a person; hidden ones are."""
    if name.startswith("."):
        return True
    if folder:
        return name.lower() in FOLDERS or FOUND.fullmatch(name) is not None
    return name.lower() in FILES or LEFT_BEHIND.fullmatch(name) is not None


def strewn_part(path: str) -> str:
    """Return the part of a relative path that a system left, "" where there is none; hidden folders may be meant."""
    *folders, name = path.split("/")
    if name.startswith("._") or (not name.startswith(".") and is_strewn(name, folder=False)):
        return name
    return next((part for part in folders if not part.startswith(".") and is_strewn(part, folder=True)), "")


def strewn_note(names: Iterable[str]) -> list[str]:
    """Return the sentence that counts what was ignored, by name; nothing where that is nothing."""
    count = Counter(_kind(name) for name in names)
    if not count:
        return []
    total, kinds = sum(count.values()), sorted(count, key=lambda kind: (-count[kind], kind))
    listed = ", ".join(kinds[:SHOWN]) + (
        f" and {counted(len(kinds) - SHOWN, 'other kind')}" if len(kinds) > SHOWN else ""
    )
    what = counted(total, "file or folder was", "files and folders were")
    return [f"{what} ignored, hidden or left behind by a system or a cloud ({listed})"]


def results_note(folders: Sequence[str]) -> list[str]:
    """Return the sentence that names folders of results of this project inside of data; nothing where there is none."""
    if not folders:
        return []
    more = f" and {len(folders) - SHOWN} more" if len(folders) > SHOWN else ""
    are = "is a folder" if len(folders) == 1 else "are folders"
    return [f"{', '.join(sorted(folders)[:SHOWN])}{more} {are} of results of an earlier command, and not read"]


def refuse_data_as_results(data: Path, cache: Path | None) -> None:
    """Raise BenchError where results, which keep `cache`, are to lie in the folder of images itself.

    Its class folders would then be mixed with runs and a store, and the next command would take these for classes.
    """
    if cache is not None and data.is_dir() and os.path.realpath(cache.parent) == os.path.realpath(data):
        raise BenchError(
            f"Got {data} as the folder of images and of results (--out); expected two. For results inside of it, say "
            f"--out {data / 'results'}, which is not read as images."
        )


def _kind(name: str) -> str:
    """Return the name under which alike ones are counted."""
    if name.startswith("._"):
        return "._*"
    if name.startswith(".nfs"):
        return ".nfs*"
    if name.startswith("~$"):
        return "~$*"
    lower = name.lower()
    if ".sync-conflict-" in lower:
        return "*.sync-conflict-*"
    if "conflicted copy" in lower:
        return "*(conflicted copy)*"
    end = re.search(r"\.(tmp|temp|part|partial|crdownload|download|swp|lock)$", lower)
    return f"*{end.group()}" if end and not name.startswith(".") else name.strip()
