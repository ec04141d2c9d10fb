"""Calls: pieces of work that are made anywhere, and what an engine is that has them made.

What a call makes lies on the disk, committed by name, before it ends; what it returns is a count or a few numbers. So
a call may be made twice, or by another process, and the bits of the results do not depend on who made them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bench.errors import BenchError

WORKER_DEATHS = 3  # after so many deaths of its worker a call is set aside
NODE_DEATHS = 10  # a node takes down whatever ran on it, so more of these are forgiven
SHOWN = 5  # calls that are named in a message


@dataclass(frozen=True, kw_only=True, eq=False)
class Call:
    """A piece of work: do(*own, *shared).

    name: how people know it. do: a function of a module. shared: arguments that are those of many calls, by identity,
    and sent once. bytes: the memory it takes, by estimate; 0 where that is little. parts: the same in smaller pieces,
    for after a worker died on it; none where it has none.
    """

    name: str
    do: Callable[..., Any]
    own: tuple[Any, ...] = ()
    shared: tuple[Any, ...] = ()
    bytes: float = 0.0
    parts: Callable[[], Sequence[Call]] = tuple


@dataclass(frozen=True, kw_only=True)
class Processes:
    """How local processes are made; an engine of other machines has its own ways. See `worker_processes`."""

    at_once: int = 1
    ahead: str = "1.5*n_jobs"
    scratch: Path | None = None
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of an engine. address: of a cluster, "" to start one here with `workers` processors.

    memory: GB. out: the folder of results, which every node has to see; sees: other paths that it has to see.
    """

    name: str = "local"
    address: str = ""
    workers: int = 1
    memory: float | None = None
    out: Path = Path("results")
    sees: Sequence[Path] = ()


class Stations(Protocol):
    """Workers that each hold the same state, such as loaded encoders on a device; they end with the context."""

    def __enter__(self) -> Stations: ...

    def __exit__(self, *_: object) -> None: ...

    def count(self) -> int:
        """Return how many there are, or will be; at least 1."""

    def each(self, calls: Iterable[Call]) -> Iterator[Any]:
        """Yield what calls return as they end; `do` gets the state of its worker first."""


class Engine(Protocol):
    """Who has calls made: processes of this machine, or a cluster."""

    @property
    def here(self) -> bool:
        """Whether it is this machine."""

    def size(self, workers: int) -> tuple[int, str]:
        """Return (how many calls are made at once where `workers` were asked for, why it is fewer, else "")."""

    def budget(self, memory: float | None) -> float | None:
        """Return the bytes that all calls together may take, given --memory in GB; None for this machine's share."""

    def each(self, calls: Iterable[Call], processes: Processes) -> Iterator[Any]:
        """Yield what calls return as they end. Raises what a call raises.

        A call whose worker died is made again, elsewhere if it can be; see `Attempts`. Raises BenchError for those
        that were set aside, once all others have ended.
        """

    def stations(self, build: Callable[..., Any], shared: Sequence[Any], device: str) -> Stations | None:
        """Return a station on every device, with the state build(*shared, cores, submit); None: make it here.

        cores: threads that a station may keep busy. submit: a function (do, *args) to a future, that has
        do(*args) made on any processor, where the device is a GPU; None where the station is to do it itself.
        """


@dataclass
class Attempts:
    """What was tried: which calls are made again after their worker died, and which are set aside.

    A call of several parts is made in parts from then on, so that it is the part that is told from the others.
    """

    deaths: Counter[str] = field(default_factory=Counter)
    nodes: Counter[str] = field(default_factory=Counter)
    aside: list[str] = field(default_factory=list)

    def after_death(self, call: Call, *, of_node: bool) -> list[Call]:
        """Return what is to be made instead of a call whose worker died, alone or with its node."""
        if of_node:
            self.nodes[call.name] += 1
        else:
            self.deaths[call.name] += 1
            if parts := list(call.parts()):
                return parts
        if self.deaths[call.name] < WORKER_DEATHS and self.nodes[call.name] < NODE_DEATHS:
            return [call]
        self.aside.append(call.name)
        return []

    def check(self) -> None:
        """Raise BenchError where calls were set aside."""
        if not self.aside:
            return
        count, names = len(self.aside), self.aside[:SHOWN]
        more = f" and {count - SHOWN} more" if count > SHOWN else ""
        raise BenchError(
            f"Got {count} piece{'s' if count > 1 else ''} of work whose worker died {WORKER_DEATHS} times: "
            f"{'; '.join(names)}{more}; expected each to end. All others were made and are kept. Leave out what they "
            "are of, or give a node more memory; the same command tries them again."
        )
