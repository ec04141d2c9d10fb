"""The engine of one machine: calls are made by processes, or by this one where one is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.work.calls import Call, Processes
from bench.work.processes import processes, worker_processes


@dataclass(frozen=True)
class LocalEngine:
    """Makes calls in processes of this machine; see `bench.work.calls.Engine`."""

    here: bool = True

    def size(self, workers: int) -> tuple[int, str]:
        """Return (processes, why they are fewer than asked for, else "")."""
        return processes(workers)

    def budget(self, memory: float | None) -> float | None:
        """Return the bytes given, None where none are."""
        return None if memory is None else memory * 1e9

    def each(self, calls: Iterable[Call], processes: Processes) -> Iterator[Any]:
        """Yield what calls return: in this process, in their order, where one is made at once."""
        if processes.at_once == 1:  # which also works where there can be no other process
            yield from (call.do(*call.own, *call.shared) for call in calls)
            return
        from joblib import delayed

        with worker_processes(
            processes.at_once, processes.ahead, processes.scratch, processes.libraries
        ) as parallel:  # fmt: skip
            yield from parallel(delayed(call.do)(*call.own, *call.shared) for call in calls)

    def stations(self, build: Callable[..., Any], shared: Sequence[Any], device: str) -> None:
        """Return None: encoders run in this process, in threads."""


LOCAL = LocalEngine()
