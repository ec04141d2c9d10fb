"""Whose a temporary file is: its name tells machine, process and start, so the dead are told from the living.

    .<what>.<machine>-<pid>-<started>.<random>.tmp

A process of another machine (or of this one before it was started again, or in another container) can neither be asked
nor be told from a living one: what it has left counts as the dead's by age alone, see `is_left`.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path

SILENT_S = 3600.0  # a writer touches its file all the time
OLD_S = 7 * 24 * 3600.0  # a folder is not touched while files in it are read
_OWNER = re.compile(r"\.([0-9a-f]{8})-(\d+)-(\d*)\.[0-9a-f]{8}\.tmp$")


def temporary(place: Path, what: str) -> Path:
    """Return a name in a folder for a temporary file or folder of this process; no two calls give the same."""
    pid = os.getpid()
    owner = f"{_machine_code()}-{pid}-{started(pid) or ''}"
    return place / f".{what}.{owner}.{secrets.token_hex(4)}.tmp"


def is_left(path: Path, now: float) -> bool:
    """Say whether who made a temporary file or folder is dead. now: by the clock of the file system.

    Raises OSError where it is gone.
    """
    age = now - path.stat().st_mtime
    named = _OWNER.search(path.name)
    if named is None or named[1] != _machine_code():
        return age > (OLD_S if path.is_dir() else SILENT_S)
    return started(int(named[2])) != named[3]


def left_semaphores(shared: Path = Path("/dev/shm")) -> list[Path]:
    """Return the semaphores of joblib's processes whose maker is dead; they are files of this user, of 32 bytes each.

    They are left only where all processes of a run were killed at once, as one of them cleans up after the others.
    """
    found = []
    with suppress(OSError):
        for path in sorted(shared.glob("sem.loky-*-*")):
            pid = path.name.split("-")[1]
            if pid.isdigit() and started(int(pid)) is None and path.stat().st_uid == os.getuid():
                found.append(path)
    return found


@cache
def machine() -> str:
    """Return what makes process numbers comparable: host, boot, and process namespace where there is one."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), os.readlink("/proc/self/ns/pid")]
    return " ".join(parts)


def _machine_code() -> str:
    return hashlib.sha256(machine().encode()).hexdigest()[:8]


def started(pid: int) -> str | None:
    """Return when a process of this machine started, '' where that cannot be told; None when there is none."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if state in "ZX" else fields[18]
    except ProcessLookupError:
        return None
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    if os.name == "nt":  # there os.kill ends the process, whatever the signal
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:  # another user's
        return ""
    return ""
