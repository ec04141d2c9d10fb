"""A cache of what a command printed when it had nothing to do, valid until something that it reads changes.

Finding out again that there is nothing to do takes a second, mostly for imports. Comparing the fingerprint of all files
takes milliseconds. A fingerprint is made of names, sizes and two times: of the last change of the content, and of the
last change of any kind (ctime), which no program can set back. A file that was changed less than `SETTLED_S` before may
be changed once more within the same tick of the clock. Then nothing is kept.

    <folder>/.unchanged/<key>.json      key: of the options, the program and its surroundings

`--verify` does not use this cache, and it may be removed at any time. This room imports the standard library alone.
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
class Fingerprint:
    """Of files: a digest of their names, sizes and times, and when the latest of them was changed, in s."""

    digest: str
    latest: float


def fingerprint_of(trees: Iterable[Path], files: Iterable[str] = ()) -> Fingerprint:
    """Return the fingerprint of all files below some folders, and of some files. A missing file counts, too.

    Links are followed; a folder that is reached twice is read once. The folder of this cache is left out.
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
    return Fingerprint(digest=digest.hexdigest(), latest=latest / 1e9)


def _line(path: str, name: str) -> tuple[str, int]:
    try:
        stat = os.stat(path)
    except OSError:
        return f"{name} lost\0", 0
    return f"{name} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}\0", max(stat.st_mtime_ns, stat.st_ctime_ns)


def key_of(*parts: object) -> str:
    """Return the name under which an answer is kept, 32 hexadecimal digits of all that it depends on besides files."""
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def recall_answer(folder: Path, key: str, fingerprint: Fingerprint) -> str | None:
    """Return what was printed, None where nothing was kept or a file has changed.

    fingerprint: of all files that are known before the libraries are imported. The cache names the others.
    """
    place = folder / FOLDER / f"{key}.json"
    try:
        if place.stat().st_size > LARGEST:
            return None
        kept = json.loads(place.read_bytes())
        same = kept["fingerprint"] == fingerprint.digest and kept["more"] == fingerprint_of((), kept["files"]).digest
        return str(kept["text"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_answer(
    folder: Path, key: str, fingerprint: Fingerprint, *, since: float, files: Sequence[str], text: str
) -> bool:
    """Keep what was printed, and return whether that was possible.

    fingerprint: taken at the time `since` (s, of the clock), before the command did its work. files: others that it
    read, such as code, and images that a table names. Nothing is kept where one of them was changed shortly before.
    """
    more = fingerprint_of((), files)
    if max(fingerprint.latest, more.latest) > since - SETTLED_S:
        return False
    kept = {"fingerprint": fingerprint.digest, "files": list(files), "more": more.digest, "text": text}
    data = json.dumps(kept).encode("utf-8", "surrogatepass")
    if len(data) > LARGEST:
        return False
    with suppress(OSError, BenchError):  # without it the next command takes longer, and no more
        write_atomically(folder / FOLDER / f"{key}.json", data)
        _forget_old(folder / FOLDER)
        return True
    return False


def _forget_old(folder: Path) -> None:
    """Remove all but the latest `KEPT` answers, and temporary files of processes that were killed."""
    found = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    now = time.time()
    for i, path in enumerate(found):
        if i >= KEPT and (path.suffix == ".json" or now - path.stat().st_mtime > 3600):
            path.unlink(missing_ok=True)
