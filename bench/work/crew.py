"""Processes of this machine that work on one thing at once and wait for one another: the first that fails ends all.

For pieces of work that another process can take over, see `bench.work.local`. Here none can take another's place. So
the process that started them only listens: when one of them dies or fails, all are ended within seconds, however long
they would have waited for it.
"""

from __future__ import annotations

import os
import pickle
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from bench.errors import BenchError
from bench.work.processes import die_with

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

T = TypeVar("T")
Say = Callable[..., None]
GRACE_S = 3.0  # after a failure, for another one to fail or die: who waits for it may have noticed first
LISTEN_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Member:
    """A process of a crew. name: for people. hears: what it says."""

    name: str
    process: SpawnProcess
    hears: Connection


def in_crew(names: Sequence[str], do: Callable[[int, Say], T], heard: Say) -> T:
    """Call do(i, say) at once in one new process for each of some names, and return what the first one returns.

    Whatever a process gives to `say`, this one gives to `heard`. Raises what a process raised; BenchError where one
    ended without a word. None is left when this returns, nor when this process is killed.
    """
    from joblib import wrap_non_picklable_objects

    work = pickle.dumps(wrap_non_picklable_objects(do, keep_wrapper=False))
    members: list[Member] = []
    try:
        for i, name in enumerate(names):
            members.append(_started(i, name, work))
        return _listen(members, heard)
    finally:
        for member in members:
            member.process.kill()
        for member in members:
            member.process.join()
            member.hears.close()


def _started(i: int, name: str, work: bytes) -> Member:
    from multiprocessing import get_context

    context = get_context("spawn")  # a copy of this process could not use a GPU that this one has used
    hears, says = context.Pipe(duplex=False)
    process = context.Process(target=_begin, args=(i, os.getpid(), says, work), daemon=True)
    process.start()
    says.close()  # so that the end of the process is the end of what is heard
    return Member(name=name, process=process, hears=hears)


def _begin(i: int, parent: int, says: Connection, work: bytes) -> None:
    """Do the work of one process and say what came of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; who started us ends us
    die_with(parent)
    try:
        made = pickle.loads(work)(i, lambda *what: says.send(("said", what)))
        says.send(("done", made))
    except BaseException as error:
        if not isinstance(error, BenchError):
            error.add_note("".join(traceback.format_exception(error)))
        try:
            says.send(("failed", error))
        except Exception:  # it cannot be sent
            says.send(("failed", RuntimeError("".join(traceback.format_exception(error)))))
    says.close()


def _listen(members: Sequence[Member], heard: Say) -> Any:
    """Return what the first member made when all are done; raise the first cause where one failed."""
    from multiprocessing.connection import wait

    open_ones = {member.hears: member for member in members}
    made: dict[str, Any] = {}
    failed: list[tuple[int, BaseException]] = []  # how near to the cause, 0 the nearest
    until = float("inf")
    while open_ones and time.monotonic() < until:
        for hears in wait(list(open_ones), LISTEN_S):
            member = open_ones[hears]  # type: ignore[index]
            try:
                kind, what = member.hears.recv()
            except (EOFError, OSError):
                kind, what = "died", died(member, len(members))
            if kind == "said":
                heard(*what)
                continue
            del open_ones[member.hears]
            if kind == "done":
                made[member.name] = what
                continue
            failed.append((0 if kind == "died" else 1 if isinstance(what, BenchError) else 2, what))
            until = min(until, time.monotonic() + (0 if kind == "died" else GRACE_S))
    if failed:
        raise min(failed, key=lambda one: one[0])[1]
    return made[members[0].name]


def died(member: Member, count: int) -> BenchError:
    """Return the error for a process that ended without a word."""
    member.process.join(1)
    code = member.process.exitcode
    how = "without a word" if code is None else f"with code {code}"
    if code is not None and code < 0:
        with suppress(ValueError):
            how = f"by signal {signal.Signals(-code).name}"
    return BenchError(
        f"Got a process, {member.name}, one of {count} that work at once, that ended {how}; expected it to stay until "
        "all are done. All were stopped. If memory was short (SIGKILL), give fewer devices or smaller batches; then "
        "give the command again."
    )
