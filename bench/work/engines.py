"""The table of engines, and how one is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from bench.errors import BenchError, did_you_mean
from bench.work.calls import Asked, Engine
from bench.work.local import LOCAL


@dataclass(frozen=True, kw_only=True)
class EngineKind:
    """A kind of engine. brief: what it is, for help; open: yields one and closes it at the end."""

    brief: str
    open: Callable[[Asked], AbstractContextManager[Engine]]


@contextmanager
def _local(asked: Asked) -> Iterator[Engine]:
    if asked.address:
        raise BenchError(f"Got --address {asked.address} without --engine ray; expected both, or neither.")
    yield LOCAL


@contextmanager
def _ray(asked: Asked) -> Iterator[Engine]:
    from bench.work.on_ray.engine import open_ray

    with open_ray(asked) as engine:
        yield engine


ENGINES: Mapping[str, EngineKind] = {
    "local": EngineKind(brief="processes of this machine", open=_local),
    "ray": EngineKind(brief="a Ray cluster, or one started here", open=_ray),
}


def open_engine(asked: Asked) -> AbstractContextManager[Engine]:
    """Return a context manager that yields the engine asked for. Raises BenchError for a name that is none."""
    if asked.name not in ENGINES:
        raise BenchError(
            f"Got --engine {asked.name}; expected one of: {', '.join(ENGINES)}{did_you_mean(asked.name, ENGINES)}."
        )
    return ENGINES[asked.name].open(asked)
