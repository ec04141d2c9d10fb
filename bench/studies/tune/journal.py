"""The journal of a study: whole lines, each of which carries a seal of itself and of all lines before it.

One changed digit would be another best setting, and a line that is lost or of another study would be as bad. So a line
counts where it and all before it are as they were written. What follows the first that is not is set aside, and the
study goes on from there.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.seeds import content_name
from bench.storage.atomic import write_atomically
from bench.storage.locks import JournalLock
from bench.storage.notices import notice
from bench.storage.verified import CORRUPT, KEY


class DamagedJournal(Exception):
    """A line is not as it was written."""


class SealedJournal:
    """What Optuna's JournalStorage takes for its backend: read_logs and append_logs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = JournalLock(path)
        self._read = [(0, "")]  # after every line that was read: where it ends, its seal
        if not path.exists():
            path.open("ab").close()

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append entries, whole lines each. Raises DamagedJournal where they would follow a damaged one."""
        self._lock.acquire()
        try:
            for _ in self.read_logs(len(self._read) - 1):
                pass
            seal, lines = self._read[-1][1], b""
            for log in logs:
                plain = json.loads(json.dumps(log))  # as it will be read
                seal = _seal_of(plain, seal)
                lines += json.dumps({**plain, KEY: seal}, separators=(",", ":")).encode() + b"\n"
            with self._path.open("ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        finally:
            self._lock.release()

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the entries from a number on. Raises DamagedJournal at one that is not as it was written."""
        del self._read[log_number_from + 1 :]
        start = len(self._read) - 1
        with self._path.open("rb") as file:
            if file.seek(0, os.SEEK_END) < self._read[-1][0]:
                raise DamagedJournal
            file.seek(self._read[-1][0])
            lines = file.readlines()
        for number, line in enumerate(lines, start):
            if not line.endswith(b"\n"):  # being written, or left by a kill
                return
            end, seal = self._read[-1]
            log, seal = _opened(line, seal)
            self._read.append((end + len(line), seal))
            if number >= log_number_from:
                yield log


def mend_journal(path: Path) -> None:
    """Keep of a damaged journal the lines before the damage; all of it is set aside. Nobody may be writing it."""
    data = path.read_bytes()
    lines = [line for line in io.BytesIO(data) if line.endswith(b"\n")]  # what is left of the last one is cut off
    seal, sound = "", 0
    try:
        for line in lines:
            _, seal = _opened(line, seal)
            sound += 1
    except DamagedJournal:
        aside = path.with_name(path.name + CORRUPT)
        write_atomically(aside, data)
        write_atomically(path, b"".join(lines[:sound]))
        notice(
            f"{path} is not what was written there (damaged, or another file); set aside as {aside.name}, and its "
            f"first {sound} lines of {len(lines)}, which are sound, are gone on from"
        )


def _opened(line: bytes, before: str) -> tuple[dict[str, Any], str]:
    """Return (what a line says, its seal). before: that of the line before. DamagedJournal where it is not sound."""
    try:
        log = json.loads(line)
        seal = log.pop(KEY)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise DamagedJournal from None
    if seal != _seal_of(log, before):
        raise DamagedJournal
    return log, seal


def _seal_of(log: dict[str, Any], before: str) -> str:
    return content_name([before, json.dumps(log, sort_keys=True)])
