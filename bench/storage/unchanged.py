"""What a command said when there was nothing to do, kept until something that it looked at changes.

To find that out again takes a second, most of it spent on importing libraries; to see that no file has changed since
takes a look at names, sizes and times. Times are those of the last change of content and of the last change at all
(ctime), which no program can set back. A file that was changed less than `SETTLED_S` before the look may change once
more within the same tick of the clock, so that nothing is kept of it.

    <folder>/.unchanged/<key>.json      key: of what was asked, and of the program that was asked

It is a memory and no result: `--verify` does not ask it, and it may be removed at any time. It imports nothing but what
comes with Python.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.storage.atomic import write_atomically

FOLDER = ".unchanged"
KEPT = 20  # of different questions
SETTLED_S = 2.0
LARGEST = 2**24  # bytes of an answer, or of a list of files


@dataclass(frozen=True, kw_only=True)
class Stand:
    """How files stand: a digest over their names, sizes and times, and when the latest of them was changed, in s."""

    digest: str
    latest: float


def stand_of(trees: Iterable[Path], files: Iterable[str] = ()) -> Stand:
    """Return how all that lies below some folders stands, and some files. What is not there is a stand as well.

    Links are followed; a folder that is reached twice is read once. Folders of this kind of memory are left out.
    """
    digest, latest = hashlib.blake2b(digest_size=16), 0
    folders = [str(tree) for tree in trees]
    seen: set[str] = set()
    for path in files:
        line, changed = _line(path, path)
        digest.update(line.encode("utf-8", "surrogateescape"))
        latest = max(latest, changed)
    while folders:
        folder = folders.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            with os.scandir(folder) as found:
                entries = sorted((entry.name, entry) for entry in found)
        except OSError as error:
            line, changed = _line(folder, f"{folder} {error.errno}")  # a file, or nothing
            digest.update(line.encode("utf-8", "surrogateescape"))
            latest = max(latest, changed)
            continue
        lines = [folder]
        for name, entry in entries:
            try:
                if entry.is_dir():
                    if name != FOLDER:
                        folders.append(entry.path)
                    continue
                stat = entry.stat()
            except OSError:
                lines.append(f"{name} lost")
                continue
            latest = max(latest, stat.st_mtime_ns, stat.st_ctime_ns)
            lines.append(f"{name} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}")
        digest.update("\n".join(lines).encode("utf-8", "surrogateescape"))
        digest.update(b"\0")
    return Stand(digest=digest.hexdigest(), latest=latest / 1e9)


def _line(path: str, name: str) -> tuple[str, int]:
    try:
        stat = os.stat(path)
    except OSError:
        return f"{name} lost\0", 0
    return f"{name} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}\0", max(stat.st_mtime_ns, stat.st_ctime_ns)


def key_of(*parts: object) -> str:
    """Return the name under which an answer is kept, 32 hexadecimal digits of all that it depends on besides files."""
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def recall_answer(folder: Path, key: str, stand: Stand) -> str | None:
    """Return what was said, None where nothing was kept or a file is not as it was.

    stand: of all that is looked at before the libraries are there; files that only they could name are in the memory.
    """
    place = folder / FOLDER / f"{key}.json"
    try:
        if place.stat().st_size > LARGEST:
            return None
        kept = json.loads(place.read_bytes())
        same = kept["stand"] == stand.digest and kept["more"] == stand_of((), kept["files"]).digest
        return str(kept["text"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_answer(folder: Path, key: str, stand: Stand, *, since: float, files: Sequence[str], text: str) -> bool:
    """Keep what was said, and return whether that could be done.

    stand: as it was before the answer was sought, at the time `since` (s, of the clock). files: what else was read,
    such as images that a table names somewhere else, and code. Nothing is kept where any of it was changed lately.
    """
    more = stand_of((), files)
    if max(stand.latest, more.latest) > since - SETTLED_S:
        return False
    kept = {"stand": stand.digest, "files": list(files), "more": more.digest, "text": text}
    data = json.dumps(kept).encode("utf-8", "surrogatepass")
    if len(data) > LARGEST:
        return False
    with suppress(OSError, BenchError):  # a memory that cannot be kept is no harm
        write_atomically(folder / FOLDER / f"{key}.json", data)
        _forget_old(folder / FOLDER)
        return True
    return False


def _forget_old(folder: Path) -> None:
    """Leave the latest `KEPT` answers, and no temporary file of a process that is gone."""
    found = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    now = time.time()
    for i, path in enumerate(found):
        if i >= KEPT and (path.suffix == ".json" or now - path.stat().st_mtime > 3600):
            path.unlink(missing_ok=True)
