"""Stations: an actor on every device, which keeps its state, such as encoders whose weights it has loaded once.

A device is a GPU, or all processors of a node. A station that is lost is made again where its device still is, and
nodes that come get theirs. The station of a GPU has what can be done on any processor, such as decoding images, done
by Ray tasks on all nodes, so that the two grow apart from each other.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import ray
from ray import ObjectRef
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from bench.errors import BenchError
from bench.work.calls import WORKER_DEATHS, Attempts, Call
from bench.work.on_ray.cluster import LOOK_S, Cluster, Node
from bench.work.on_ray.tasks import DEATHS, NODE_LOST, Shared, answer, enter, settle

AHEAD = 2  # calls at a station: one is made, one waits


class Host:
    """The actor of a station."""

    def __init__(self, folder: str, build: Callable[..., Any], cores: int, shared: Sequence[ObjectRef], gpu: bool):
        self.folder, self.build, self.cores, self.shared, self.gpu = folder, build, cores, shared, gpu
        self.state: Any = None

    def ready(self) -> None:
        """Make the state. Not done by __init__, whose errors Ray would tell as a death."""
        settle(self.folder)
        self.state = self.build(*ray.get(list(self.shared)), self.cores, self.submit if self.gpu else None)

    def call(self, do: Callable[..., Any], own: tuple[Any, ...], *shared: Any) -> tuple[str, Any]:
        """Make a call with the state; returns the node, and what the call returned."""
        return ray.get_runtime_context().get_node_id(), do(self.state, *own, *shared)

    def submit(self, do: Callable[..., Any], *args: Any) -> Future[Any]:
        """Have do(*args) made on any processor."""
        task = ray.remote(num_cpus=1, max_retries=2, scheduling_strategy="SPREAD")(_made)
        return task.remote(self.folder, do, args).future()  # type: ignore[no-any-return]


def _made(folder: str, do: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return enter(folder, do, args)[1]


@dataclass(eq=False)
class _Station:
    actor: Any
    is_ready: ObjectRef
    ready: bool = False
    flying: dict[ObjectRef, Call] = field(default_factory=dict)  # in the order in which they are made


class RayStations:
    """Stations on all devices of a cluster; see `bench.work.calls.Stations`. Use as a context manager."""

    def __init__(self, cluster: Cluster, build: Callable[..., Any], shared: Sequence[Any], device: str) -> None:
        self.cluster, self.build, self.device = cluster, build, device
        self.sent = Shared()
        self.shared = [self.sent(value) for value in shared]
        self.stations: dict[tuple[str, int], _Station] = {}
        self.attempts = Attempts()
        self.starts = Counter[str]()  # node -> stations that died before they had made anything

    def __enter__(self) -> RayStations:
        return self

    def __exit__(self, *_: object) -> None:
        for station in self.stations.values():
            _end(station)
        self.stations.clear()

    def count(self) -> int:
        """Return the devices of the cluster, at least 1."""
        return max(1, sum(len(_places(node, self.cluster, self.device)) for node in self.cluster.nodes()))

    def each(self, calls: Iterable[Call]) -> Iterator[Any]:
        """Yield what calls return as they end."""
        left, again = iter(calls), deque[Call]()
        exhausted = False
        while True:
            self._settle(again)
            for station in sorted(self.stations.values(), key=lambda one: len(one.flying)):
                while station.ready and len(station.flying) < AHEAD and not (exhausted and not again):
                    call = again.popleft() if again else next(left, None)
                    if call is None:
                        exhausted = True
                        break
                    args = map(self.sent, call.shared)
                    station.flying[station.actor.call.remote(call.do, call.own, *args)] = call
            if exhausted and not again and not any(one.flying for one in self.stations.values()):
                break
            yield from self._ended(again)
        self.attempts.check()

    def _settle(self, again: deque[Call]) -> None:
        """Make the stations that are missing, and forget those whose node is gone."""
        wanted = {place: node for node in self.cluster.nodes() for place in _places(node, self.cluster, self.device)}
        for place in [place for place in self.stations if place not in wanted]:
            self._lose(place, again, of_node=True)
        for place, node in wanted.items():
            if place not in self.stations:
                self.stations[place] = self._new(node, gpu=place[1] >= 0)

    def _new(self, node: Node, *, gpu: bool) -> _Station:
        needs = {"num_cpus": 0, "num_gpus": 1} if gpu else {"num_cpus": node.cpus}
        gpus = sum(one.gpus for one in self.cluster.nodes())
        cores = max(1, self.cluster.cpus() // max(1, gpus)) if gpu else node.cpus
        where = NodeAffinitySchedulingStrategy(node_id=node.id, soft=False)
        host: Any = ray.remote(Host)
        actor = host.options(max_restarts=0, scheduling_strategy=where, **needs).remote(
            self.cluster.folder, self.build, cores, self.shared, gpu
        )  # fmt: skip
        return _Station(actor, actor.ready.remote())

    def _ended(self, again: deque[Call]) -> Iterator[Any]:
        """Wait a little, and yield what calls have returned."""
        owner = {one.is_ready: place for place, one in self.stations.items() if not one.ready}
        owner |= {sent: place for place, one in self.stations.items() for sent in one.flying}
        if not owner:  # there is no node, for now
            time.sleep(LOOK_S)
            return
        for sent in ray.wait(list(owner), timeout=LOOK_S)[0]:
            station = self.stations.get(owner[sent])
            if station is None or (sent != station.is_ready and sent not in station.flying):
                continue  # it went with its station
            try:
                found = answer(sent)
            except DEATHS as death:
                self._lose(owner[sent], again, of_node=isinstance(death, NODE_LOST))
                continue
            if sent == station.is_ready:
                station.ready = True
                continue
            del station.flying[sent]
            self.cluster.done[found[0]] += 1
            yield found[1]

    def _lose(self, place: tuple[str, int], again: deque[Call], *, of_node: bool) -> None:
        """Forget a station that died: the call that it was making is tried elsewhere, those that waited go first."""
        station = self.stations.pop(place)
        of_node = of_node or not self.cluster.lives(place[0])
        first, *waiting = station.flying.values() or [None]
        again.extendleft(reversed([call for call in waiting if call is not None]))
        if first is not None:
            self.cluster.note_death()
            again.extend(self.attempts.after_death(first, of_node=of_node))
        _end(station)
        if not of_node and not station.ready:
            self.starts[place[0]] += 1
            if self.starts[place[0]] >= WORKER_DEATHS:
                raise BenchError(
                    f"Got a worker on {self.cluster.names.get(place[0], place[0])} that died {WORKER_DEATHS} times "
                    "while it loaded the encoders; expected it to live. Give the node more memory, or leave it out."
                )


def _places(node: Node, cluster: Cluster, device: str) -> list[tuple[str, int]]:
    """Return the devices of a node: -1 for its processors, else the number of a GPU.

    Where any node has a GPU, and "cpu" was not asked for, only GPUs are stations.
    """
    on_gpu = device != "cpu" and any(one.gpus for one in cluster.nodes())
    return [(node.id, gpu) for gpu in range(node.gpus)] if on_gpu else [(node.id, -1)]


def _end(station: _Station) -> None:
    with suppress(Exception):
        ray.kill(station.actor)
