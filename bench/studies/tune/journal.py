"""The journal of a study, every line of which carries a checksum: one changed digit would be another best setting."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bench.seeds import content_name
from bench.storage.locks import JournalLock
from bench.storage.verified import KEY


class SealedJournal:
    """What Optuna's JournalStorage takes for its backend: read_logs and append_logs."""

    def __init__(self, path: Path) -> None:
        from optuna.storages.journal import JournalFileBackend

        self._file = JournalFileBackend(str(path), lock_obj=JournalLock(path))  # type: ignore[arg-type]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append entries, whole lines each."""
        plain = (json.loads(json.dumps(log)) for log in logs)  # as they will be read
        self._file.append_logs([{**log, KEY: content_name(json.dumps(log, sort_keys=True))} for log in plain])

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the entries from a number on. Raises ValueError at one that is not as it was written."""
        return _checked(self._file.read_logs(log_number_from))


def _checked(logs: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for log in logs:
        kept = {name: value for name, value in log.items() if name != KEY} if isinstance(log, dict) else {}
        if not kept or log.get(KEY) != content_name(json.dumps(kept, sort_keys=True)):
            raise ValueError("a line of it is not as it was written")
        yield kept
