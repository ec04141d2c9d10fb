"""A Ray cluster: joined by its address or started here, and left or ended when the command ends.

Ray is asked to report nothing to anybody, to serve no page, and to print nothing. A cluster that is started here cannot
be reached from other machines, asks for a token that this process made, and keeps its files in a temporary folder that
is removed at the end.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.storage.notices import notice
from bench.storage.owner import temporary
from bench.work.calls import Asked
from bench.work.on_ray.reach import not_joined, reach

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray would report each cluster to its makers
    "RAY_DEDUP_LOGS_SKIP_REGEX": "(?s).*",  # it would print deaths of workers into our tables
}
ALONE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray listens to this machine alone, as it does on those anyway
    "RAY_AUTH_MODE": "token",  # of the environment, where Ray would leave one in the home folder
}
STORE = 0.15  # of the machine's memory for what processes share, where a cluster is started here
LOOK_S = 1.0  # between two looks at which nodes there are
CHECK_S = 300.0  # for a node to start a worker and to answer
EMPTY_S = 600.0  # for which a cluster may be without a processor


@dataclass(frozen=True)
class Node:
    """A node that lives: its id, what people call it, and what it has of everything. memory: bytes for calls."""

    id: str
    name: str
    cpus: int
    gpus: int
    memory: float


@dataclass
class Cluster:
    """The cluster that this process has joined. folder: where relative paths start, for workers as for this process."""

    folder: str
    done: Counter[str] = field(default_factory=Counter)  # node -> calls that ended there
    deaths: int = 0  # of workers while they made something
    names: dict[str, str] = field(default_factory=dict)
    _nodes: list[Node] = field(default_factory=list)
    _looked: float = -1e9
    _seen: float = field(default_factory=time.monotonic)

    def nodes(self) -> list[Node]:
        """Return the nodes that have a processor, as of LOOK_S ago. Raises BenchError where there was none for long."""
        import ray

        now = time.monotonic()
        if now - self._looked > LOOK_S:
            self._looked = now
            self._nodes = [_node(one) for one in ray.nodes() if one["Alive"] and one["Resources"].get("CPU", 0) >= 1]
            self.names |= {node.id: node.name for node in self._nodes}
            self._seen = now if self._nodes else self._seen
        if not self._nodes and now - self._seen > EMPTY_S:
            raise BenchError(
                f"Got a Ray cluster without a processor for {EMPTY_S / 60:.0f} minutes; expected nodes to come. What "
                "was finished is kept; the same command goes on from there."
            )
        return self._nodes

    def lives(self, node: str) -> bool:
        """Return whether a node was there at the last look."""
        return any(one.id == node for one in self._nodes)

    def note_death(self) -> None:
        """Count a call that died with its worker, and look at once which nodes are left."""
        self.deaths += 1
        self._looked = -1e9

    def cpus(self) -> int:
        """Return the processors of all nodes, at least 1."""
        return max(1, sum(node.cpus for node in self.nodes()))

    def tell(self) -> None:
        """Keep a sentence on which node did how much, for the end of the command."""
        if not self.done:
            return
        parts = ", ".join(f"{self.names.get(node, node[:8])} {count}" for node, count in sorted(self.done.items()))
        died = f"; {self.deaths} died with their worker and were made again" if self.deaths else ""
        count = len(self.done)
        notice(f"Ray: {self.done.total()} pieces of work on {count} node{'s' if count > 1 else ''} ({parts}){died}")


def _node(about: dict[str, Any]) -> Node:
    has = about["Resources"]
    name = f"{about['NodeManagerHostname']}:{about['NodeManagerPort']}"
    return Node(about["NodeID"], name, int(has["CPU"]), int(has.get("GPU", 0)), float(has.get("memory", 0)))


@contextmanager
def joined(asked: Asked) -> Iterator[Cluster]:
    """Yield the cluster asked for. Raises BenchError where it cannot be had, or where a node does not see the folders.

    Whatever was sent to it and has not ended is cancelled at the end, also by Ctrl-C: its workers die with the job.
    """
    wanted = QUIET if asked.address else QUIET | ALONE | {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
    os.environ.update({name: os.environ.get(name, value) for name, value in wanted.items()})
    try:
        import ray
    except ImportError:
        raise BenchError(
            "Got --engine ray, and Ray is not installed; expected it. Install it: pip install '.[ray]'."
        ) from None
    own = None
    how: dict[str, Any] = {"logging_level": logging.CRITICAL, "log_to_driver": False}
    if asked.address:
        reach(asked.address)
        how["address"] = asked.address
    else:
        own = tempfile.mkdtemp(prefix="br-")  # short: the names of sockets have at most 107 letters
        how |= _for_one_machine(asked, own)
    try:
        try:
            ray.init(**how)
        except (ConnectionError, RuntimeError, ValueError, ImportError, TimeoutError, OSError) as error:
            raise not_joined(asked.address, error) from None
        cluster = Cluster(folder=os.getcwd())
        if not cluster.nodes():
            raise BenchError(
                f"Got {asked.address or 'a cluster'}, whose nodes have no processor; expected at least one."
            )
        if asked.address:
            _check_nodes(cluster, asked)
        try:
            yield cluster
        finally:
            cluster.tell()
    finally:
        with suppress(Exception):  # whatever becomes of it, what was to be said is said
            ray.shutdown()
        if own:
            shutil.rmtree(own, ignore_errors=True)


def _for_one_machine(asked: Asked, folder: str) -> dict[str, Any]:
    total = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) if hasattr(os, "sysconf") else 8e9
    how: dict[str, Any] = {
        "num_cpus": asked.workers, "include_dashboard": False, "_temp_dir": folder,
        "object_store_memory": int(STORE * total),
    }  # fmt: skip
    return how | ({"_memory": int(asked.memory * 1e9)} if asked.memory else {})


def _check_nodes(cluster: Cluster, asked: Asked) -> None:
    """Raise BenchError where a node has another version of this program, or does not see what it has to."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asked.out.mkdir(parents=True, exist_ok=True)
    seen = temporary(asked.out.absolute(), "seen")
    seen.touch()
    paths = [str(seen), *(str(Path(path).absolute()) for path in asked.sees)]
    task = ray.remote(num_cpus=0, max_retries=2)(look_around)
    try:
        answers = {
            node.name: task.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node.id, soft=True)
            ).remote(paths)
            for node in cluster.nodes()
        }  # fmt: skip
        for name, answer in answers.items():
            try:
                version, missing = ray.get(answer, timeout=CHECK_S)
            except ray.exceptions.RayTaskError as error:
                raise BenchError(
                    f"Got node {name}, on which this program does not start ({str(error).strip().splitlines()[-1]}); "
                    "expected it installed on every node, in the same version."
                ) from None
            except ray.exceptions.RayError as error:  # no answer in time, or the worker died
                raise BenchError(
                    f"Got node {name}, on which no worker could be started ({type(error).__name__}); expected it to "
                    "start this program. Look at its memory and its logs, or take it out of the cluster."
                ) from None
            if version != _version():
                raise BenchError(f"Got version {version} on node {name}; expected {_version()}, as here.")
            if missing:
                what = asked.out if missing[0] == str(seen) else missing[0]
                raise BenchError(
                    f"Got node {name}, which does not see {what}; expected images and --out on a file system that all "
                    "nodes share, under the same path."
                )
    finally:
        seen.unlink(missing_ok=True)


def look_around(paths: list[str]) -> tuple[str, list[str]]:
    """Return the version of this program, and which of some paths are not there; on a node."""
    return _version(), [path for path in paths if not os.path.exists(path)]


def _version() -> str:
    return str(import_module("bench").__version__)
