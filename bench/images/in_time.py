"""No image is waited for without end: one that takes longer than its limit is named, and the others go on.

A file can make a library loop for minutes or for ever, and a library cannot be stopped in the middle of a picture. So
what reads files runs in a thread beside the one that asks, which is left behind when its time is over: it may keep a
core and its memory until the program ends, but nothing waits for it, not even the end of the program. One such thread
serves all readings of a caller, as starting one for every image took a third of the time where 16 threads read. This
helps where a library lets other threads run while it decodes, as those for all formats that are read without an extra
do; one that does not would have to be ended with a process. Where there is no memory for another thread there is no
limit. Time in which the whole machine or this program stood still (a laptop that sleeps, Ctrl-Z, a virtual machine that
waits) counts for one second at most, as nothing could have been decoded in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from threading import Thread, local
from typing import Any, TypeVar

from bench.images.limits import MAX_PIXELS
from bench.images.picture import LATE, ImageError, ImageInfo, Picture

SECONDS = 120.0  # for a header, a slice or a region, whatever its size
SECONDS_PER_MEGAPIXEL = 5.0  # of the picture, and more; JPEG 2000 takes less than one where a core is free
TICK = 1.0  # seconds that are waited at a time
Made = TypeVar("Made")


@dataclass
class Deadline:
    """The time for an opened file. After something took too long nothing more is asked of that file.

    kept: what would have been closed with it, and may still be in use.
    """

    passed: bool = False
    kept: list[ExitStack] = field(default_factory=list)

    def run(self, work: Callable[[], Made], info: ImageInfo | None = None) -> Made:
        """Return what `work` returns, or raise what it raises; ImageError where that takes too long.

        info: of the picture that is decoded, None for a header.
        """
        if self.passed:
            raise ImageError(_late())
        done: Future[Made] = Future()
        try:
            guard = BESIDE.__dict__.pop("guard", None) or Guard()  # not there for others until it is free again
        except RuntimeError:  # no room for another thread: better without a limit than not at all
            return work()
        guard.todo.put((work, done))
        seconds = seconds_for(info)
        try:
            for tick in _ticks(seconds):
                with suppress(TimeoutError):
                    return done.result(tick)
                if done.done():  # between, or raised by the work, as by a disk that is far away
                    return done.result()
            self.passed = True
            raise ImageError(_late(seconds))
        finally:
            if done.done():
                BESIDE.guard = guard
            del done  # an error holds this frame: with what it was asked for, all that was decoded would stay in memory

    def leave(self, opened: ExitStack) -> None:
        """Let go of what closes with a file, unless a thread that was left behind may be using it."""
        if self.passed:
            self.kept.append(opened.pop_all())
            LEFT_BEHIND.append(self)


class Guard:
    """A thread that does one thing after the other for one caller, and ends when nobody holds this any more."""

    def __init__(self) -> None:
        self.todo: SimpleQueue[Any] = SimpleQueue()
        Thread(target=_serve, args=(self.todo,), name="image", daemon=True).start()

    def __del__(self) -> None:
        self.todo.put(None)


def _serve(todo: SimpleQueue[Any]) -> None:
    while (task := todo.get()) is not None:
        _attempt(*task)
        del task  # with it goes what was decoded


def _attempt(work: Callable[[], Made], done: Future[Made]) -> None:
    try:
        made = work()
    except BaseException as error:  # raised again where it is waited for
        done.set_exception(error)
    else:
        done.set_result(made)
    finally:
        del done


LEFT_BEHIND: list[Deadline] = []  # until the program ends
BESIDE = local()  # the guard of a thread that asks, while it is free


def _forget() -> None:
    BESIDE.__dict__.clear()  # a forked process has none of the threads


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def seconds_for(info: ImageInfo | None) -> float:
    """Return the time for a header (None), or for a slice or a region of a picture."""
    pixels = 0 if info is None else min(info.height * info.width, MAX_PIXELS)
    return SECONDS + SECONDS_PER_MEGAPIXEL * pixels / 1e6


def _ticks(seconds: float) -> Iterator[float]:
    """Yield what adds up to `seconds`, `TICK` at a time."""
    while seconds > 0:
        yield min(TICK, seconds)
        seconds -= TICK


def limited(picture: Picture, deadline: Deadline) -> Picture:
    """Return a picture of which each reading has a limit."""

    def within(read: Callable[..., Made]) -> Callable[..., Made]:
        return lambda *args: deadline.run(lambda: read(*args), picture.info)

    return replace(
        picture,
        plane=within(picture.plane),
        window=picture.window and within(picture.window),
        stored=picture.stored and within(picture.stored),
    )


def _late(seconds: float | None = None) -> str:
    limit = "the limit" if seconds is None else f"{seconds:.0f} s"
    return f"{LATE} {limit} to decode and was left out; run again when the machine has less to do, or save it again"
