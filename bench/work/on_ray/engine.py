"""The engine of a Ray cluster; see `bench.work.calls.Engine`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.work.calls import Asked, Call, Processes
from bench.work.on_ray.cluster import Cluster, joined


@dataclass(frozen=True)
class RayEngine:
    """Makes calls on the nodes of a cluster."""

    cluster: Cluster
    here: bool = False

    def size(self, workers: int) -> tuple[int, str]:
        """Return (processors of the cluster, ""), whatever was asked for."""
        return self.cluster.cpus(), ""

    def budget(self, memory: float | None) -> float:
        """Return the bytes of all processors, each taken to have as little as the poorest. memory: GB for a node."""
        most = float("inf") if memory is None else memory * 1e9
        each = min((min(node.memory, most) / node.cpus for node in self.cluster.nodes()), default=most)
        return each * self.cluster.cpus()

    def each(self, calls: Iterable[Call], processes: Processes) -> Iterator[Any]:
        """Yield what calls return as they end."""
        from bench.work.on_ray.tasks import run_tasks

        yield from run_tasks(self.cluster, calls)

    def stations(self, build: Callable[..., Any], shared: Sequence[Any], device: str) -> Any:
        """Return stations on every device of the cluster."""
        from bench.work.on_ray.stations import RayStations

        return RayStations(self.cluster, build, shared, device)


@contextmanager
def open_ray(asked: Asked) -> Iterator[RayEngine]:
    """Yield the engine of the cluster asked for; see `joined`."""
    with joined(asked) as cluster:
        yield RayEngine(cluster)
