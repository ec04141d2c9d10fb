"""Claims: who is working on what, so that processes that share a folder share the work as well.

A claim is a hint and nothing rests on it: what was made is committed by name, so a claim that is
ignored or lost costs work done twice and never a wrong or a missing row. It carries a seal of its content and its name.
One that is damaged, or another's, says nothing of its holder: it is honoured as long as it is touched, and for STALE_S
after that.

    <folder>/<name>.claim           held by whoever created it (the file system names one winner)
    <folder>/<name>.<token>.claim   held by whoever followed the dead holder whose claim has this token

A stale claim is never removed in order to be taken, because between judging and removing it another
process may have put a living one there. Its successor is created under its token instead: one process
wins, and a slow judge of a claim that is gone finds that the chain from the head does not lead to it.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.storage.atomic import create_whole
from bench.storage.owner import machine as _machine
from bench.storage.owner import started as _started
from bench.storage.verified import is_sealed, json_bytes, parse_json

STALE_S = 60.0  # a holder not heard of for so long is taken for dead
BEAT_S = 5.0
_NAME = re.compile(r"[\w-]+")
_TOKEN = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True)
class Claim:
    """One claim as read: file, token, who made it, and the seconds since its holder was last heard of.

    sound: whether it is what was written; a token that leads to its successors is made up where it is not.
    """

    path: Path
    token: str
    machine: str
    pid: int
    started: str | None
    age_s: float
    sound: bool = True

    def stale(self) -> bool:
        """Whether the holder is dead: silent for STALE_S, or a process of this machine that is no more.

        A time so far ahead is none that a holder has set, and would be waited for without an end.
        """
        if abs(self.age_s) > STALE_S:
            return True
        return self.machine == _machine() and _started(self.pid) != self.started


class Claims:
    """The claims of one worker in one folder; use as a context manager, which lets go of all at the end."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.token = secrets.token_hex(8)
        self._held: dict[str, Path] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._beat: threading.Thread | None = None

    def take(self, name: str) -> bool:
        """Return whether `name` is this worker's now: it was free, or its holder is dead, or it was already.

        name: letters, digits, '_', '-'. True as well where no claim can be written (a folder that is
        read-only or full): the work is then not shared.
        """
        check_name(name)
        with self._lock:
            if name in self._held:
                return True
            try:
                path = self._create(name)
            except OSError:
                return True
            if path is None:
                return False
            self._held[name] = path
            self._begin_beat()
            return True

    def done(self, name: str) -> None:
        """Let go of `name`; nothing happens where it is not held or another has taken it over."""
        with self._lock:
            path = self._held.pop(name, None)
            if path is None:
                return
            chain = list(self._chain(name))
            if chain and chain[-1].path == path and (chain[-1].token == self.token or not chain[-1].sound):
                for claim in chain:  # head first: who sees the head gone starts anew and follows no dead token
                    with suppress(OSError):
                        claim.path.unlink()

    def release_all(self) -> None:
        """Let go of everything held."""
        for name in list(self._held):
            self.done(name)
        self._ended.set()

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, *_: object) -> None:
        self.release_all()

    def sweep(self) -> list[Path]:
        """Remove the claims of the dead, by taking them over and letting go; returns what was removed."""
        before = set(self.folder.glob("*.claim"))
        if not before:
            return []
        for head in self._heads():
            if head not in self._held and self.take(head):
                self.done(head)
        for claim in self._strays():
            if claim.stale():
                with suppress(OSError):  # another user's
                    claim.path.unlink()
        return sorted(path for path in before if not path.exists())

    def holders(self) -> list[Claim]:
        """Return the last claim of every chain: who holds what, living or dead."""
        return [chain[-1] for name in self._heads() if (chain := list(self._chain(name)))]

    def dead(self) -> list[Claim]:
        """Return what `sweep` removes: the claims of every chain whose last holder is dead, and dead strays."""
        chains = [list(self._chain(name)) for name in self._heads()]
        dead = [claim for chain in chains if chain and chain[-1].stale() for claim in chain]
        return [*dead, *(claim for claim in self._strays() if claim.stale())]

    def _heads(self) -> list[str]:
        names = (path.name.removesuffix(".claim") for path in self.folder.glob("*.claim"))
        return sorted(name for name in names if _NAME.fullmatch(name))

    def _strays(self) -> list[Claim]:
        """Return the claims that no chain leads to: left by a kill while letting go, or called as no claim is."""
        led = {claim.path for name in self._heads() for claim in self._chain(name)}
        strays = (_read(path, self._now()) for path in sorted(set(self.folder.glob("*.claim")) - led))
        return [claim for claim in strays if claim is not None]

    def _chain(self, name: str) -> Iterator[Claim]:
        """Yield the head and the successors of dead holders; the last one is who holds the name."""
        now, seen = self._now(), set()
        claim = _read(self.folder / f"{name}.claim", now)
        while claim is not None and claim.path not in seen:
            yield claim
            seen.add(claim.path)
            claim = _read(self.folder / f"{name}.{claim.token}.claim", now)

    def _create(self, name: str) -> Path | None:
        """Return the claim made, or None when a living one is there. Raises OSError where none can be written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        chain = list(self._chain(name))
        if chain and not chain[-1].stale():
            return None
        path = self.folder / (f"{name}.{chain[-1].token}.claim" if chain else f"{name}.claim")
        about = {"token": self.token, "machine": _machine(), "pid": os.getpid(), "started": _started(os.getpid())}
        try:
            create_whole(path, json_bytes(about, path.name))
        except FileExistsError:
            return None
        if chain and path not in [claim.path for claim in self._chain(name)]:
            path.unlink(missing_ok=True)  # the claim that was judged stale has gone since
            return None
        return path

    def _now(self) -> float:
        """Return the time by the clock that stamps the claims, which may be another machine's.

        By this machine's where the folder or the probe, which may be another user's, cannot be written.
        """
        probe = self.folder / "clock"
        try:
            probe.touch()
            return probe.stat().st_mtime
        except OSError:
            return time.time()

    def _begin_beat(self) -> None:
        """Start the thread that lets others know that this worker lives, once; the lock is held."""
        if self._beat is None:
            self._beat = threading.Thread(target=self._keep_alive, daemon=True)
            self._beat.start()

    def _keep_alive(self) -> None:
        while not self._ended.wait(BEAT_S):
            with self._lock:
                for path in self._held.values():
                    with suppress(OSError):  # taken over, or the folder is gone: a hint less
                        os.utime(path)


def _read(path: Path, now: float) -> Claim | None:
    """Return a claim, None where there is none. Of one that is damaged or cannot be read the age alone is known."""
    try:
        with path.open("rb") as file:
            data, stat = file.read(), os.fstat(file.fileno())
    except OSError:  # another user's, a folder, a link to nowhere, a disk that fails: its age is seen all the same
        try:
            data, stat = b"", path.lstat()
        except OSError:
            return None
    age = now - stat.st_mtime
    with suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
        about = parse_json(data) if is_sealed(data, path.name) else {}
        if _TOKEN.fullmatch(about["token"]):
            return Claim(path, about["token"], str(about["machine"]), int(about["pid"]), about["started"], age)
    return Claim(path, f"{stat.st_ino:x}-{stat.st_mtime_ns:x}", "", 0, None, age, sound=False)


def check_name(name: str) -> None:
    """Raise ValueError for a name that no claim can have."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"Got claim name {name!r}; expected letters, digits, '_' or '-', as it names a file.")
