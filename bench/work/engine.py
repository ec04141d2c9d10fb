"""Making what is missing, piece by piece, beside others who do the same: claim it, make it, wait for the rest.

A piece is known by its name, and made when somebody has committed it under that name. Claims only spare work that would
be done twice (`bench.work.claims`); what is true is what `is_missing` says. Who runs the work is not this room's to
know: `share` hands it out, to a loop, to threads or to processes of one machine or of many that share a folder, and
`make_all` has an engine make it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bench.work.calls import Call, Engine, Processes
from bench.work.claims import Claims

WAIT_S = 0.5  # between two looks at what others are still working on
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Job(Generic[T]):
    """Pieces that are made together. names: what each is claimed by; what: for whoever makes them."""

    names: tuple[str, ...]
    what: T


def claim_missing(names: Iterable[str], claims: Claims, is_missing: Callable[[str], bool]) -> tuple[list[str], bool]:
    """Return (the pieces that are missing and claimed now, whether others hold some that are missing)."""
    wanted = [name for name in names if is_missing(name)]
    taken = [name for name in wanted if claims.take(name)]
    mine = []
    for name in taken:
        if is_missing(name):  # another may have made it since
            mine.append(name)
        else:
            claims.done(name)
    return mine, len(taken) < len(wanted)


def share(
    jobs: Sequence[Job[T]], claims: Claims, is_missing: Callable[[str], bool], *, wait: bool = True
) -> Iterator[Job[T] | None]:
    """Yield jobs with those of their pieces that are missing and now claimed, to be made and let go of by the caller.

    What another one works on comes last, or never where that one finishes it. None is yielded before waiting for
    others, so that what is claimed can be committed meanwhile; wait=False leaves to others what they hold.
    """
    left = [job for job in jobs if any(map(is_missing, job.names))]
    while left:
        held = []
        for job in left:
            mine, of_others = claim_missing(job.names, claims, is_missing)
            if of_others:
                held.append(job)
            if mine:
                yield Job(names=tuple(mine), what=job.what)
        if not wait:
            return
        if len(held) == len(left):
            yield None
            time.sleep(WAIT_S)
        left = held


def make_all(
    todo: Sequence[T],
    calls_for: Callable[[Sequence[T]], tuple[Iterable[Call], Processes]],
    is_missing: Callable[[T], bool],
    engine: Engine,
    on_made: Callable[[int], None] = lambda made: None,
) -> int:
    """Have an engine make pieces until none is missing, made here or by others; returns how many were made here.

    calls_for: the calls that make some pieces, each of which returns how many it made, as others may have made them.
    on_made: is told how many were made here until now.
    """
    made = 0
    while todo:
        before = made
        for count in engine.each(*calls_for(todo)):
            made += count
            on_made(made)
        todo = [piece for piece in todo if is_missing(piece)]
        if todo and made == before:
            time.sleep(WAIT_S)
    return made
