"""Calls as Ray tasks: so many in flight, each with a processor and its memory, made again elsewhere after a death."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import ray
from ray import ObjectRef
from ray.exceptions import (
    ActorUnschedulableError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayTaskError,
    TaskUnschedulableError,
    WorkerCrashedError,
)

from bench.errors import BenchError
from bench.work.calls import Attempts, Call
from bench.work.on_ray.cluster import LOOK_S, Cluster

AHEAD = 2  # calls in flight for each processor: one is made, one waits
NODE_LOST = (NodeDiedError, ActorUnschedulableError, TaskUnschedulableError)
DEATHS = (WorkerCrashedError, OutOfMemoryError, RayActorError, ObjectLostError, *NODE_LOST)


class Shared:
    """Arguments that many calls share, sent once; a node keeps one copy, which its workers read where it lies."""

    def __init__(self) -> None:
        self._sent: dict[int, tuple[Any, ObjectRef]] = {}  # keeps the object alive, so that its id is not used again

    def __call__(self, value: Any) -> ObjectRef:
        """Return what stands for a value in a call."""
        if id(value) not in self._sent:
            self._sent[id(value)] = value, ray.put(value)
        return self._sent[id(value)][1]


def run_tasks(cluster: Cluster, calls: Iterable[Call]) -> Iterator[Any]:
    """Yield what calls return as they end; see `bench.work.calls.Engine.each`."""
    left, again = iter(calls), list[Call]()
    flying: dict[ObjectRef, Call] = {}
    attempts, shared = Attempts(), Shared()
    task = ray.remote(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")(enter)
    try:
        while True:
            while len(flying) < AHEAD * cluster.cpus() and (call := again.pop() if again else next(left, None)):
                check_memory(cluster, call)
                options = {"memory": int(call.bytes)} if call.bytes else {}
                sent = task.options(**options).remote(
                    cluster.folder, call.do, call.own, *map(shared, call.shared)
                )  # fmt: skip
                flying[sent] = call
            if not flying:
                break
            ended, _ = ray.wait(list(flying), timeout=LOOK_S)
            for one in ended:
                call = flying.pop(one)
                try:
                    node, result = answer(one)
                except DEATHS as death:
                    cluster.note_death()
                    again += attempts.after_death(call, of_node=isinstance(death, NODE_LOST))
                    continue
                cluster.done[node] += 1
                yield result
    finally:
        for one in flying:
            with suppress(Exception):
                ray.cancel(one, force=True)
    attempts.check()


def enter(folder: str, do: Callable[..., Any], own: tuple[Any, ...], *shared: Any) -> tuple[str, Any]:
    """Make a call in a worker; returns the node it was made on, and what it returned."""
    settle(folder)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to answer
    return ray.get_runtime_context().get_node_id(), do(*own, *shared)


def answer(sent: ObjectRef) -> Any:
    """Return what a call returned. Raises what it raised, as itself, or one of DEATHS."""
    try:
        return ray.get(sent)
    except RayTaskError as error:
        if isinstance(error.cause, (BenchError, *DEATHS)) or _is_of_encoders(error.cause):
            raise error.cause from None
        raise


def _is_of_encoders(error: BaseException) -> bool:
    return type(error).__name__ == "EncoderError"


@cache
def settle(folder: str) -> None:
    """Let this worker compute in one thread, and read relative paths as the command does."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    with suppress(OSError):  # the folder is of another machine
        os.chdir(folder)


def check_memory(cluster: Cluster, call: Call) -> None:
    """Raise BenchError for a call that takes more than the largest node has, which would wait for ever."""
    most = max((node.memory for node in cluster.nodes()), default=0.0)
    if most and call.bytes > most:
        raise BenchError(
            f"Got {call.name}, which takes about {call.bytes / 1e9:.1f} GB; the largest node has {most / 1e9:.1f}. Add "
            "a node with more memory, or ask for fewer shots or draws."
        )
