"""No image is waited for without end: one that takes longer than its limit is named, and the others go on.

A file can make a library loop for minutes or for ever, and a library cannot be stopped in the middle of a picture. So
what reads files runs in a thread of its own, which is left behind when its time is over: it may keep a core and its
memory until the program ends, but nothing waits for it, not even the end of the program. This helps where a library
lets other threads run while it decodes, as those for all formats that are read without an extra do; one that does not
would have to be ended with a process. Where there is no memory for another thread there is no limit.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import TypeVar

from bench.images.limits import MAX_PIXELS
from bench.images.picture import LATE, ImageError, ImageInfo, Picture

SECONDS = 120.0  # for a header, a slice or a region, whatever its size
SECONDS_PER_MEGAPIXEL = 5.0  # of the picture, and more; JPEG 2000 takes less than one where a core is free
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
            Thread(target=_attempt, args=(work, done), name="image", daemon=True).start()
        except RuntimeError:  # no room for another thread: better without a limit than not at all
            return work()
        seconds = seconds_for(info)
        try:
            return done.result(seconds)
        except TimeoutError:
            if done.done():  # raised by the work, as by a disk that is far away
                raise
            self.passed = True
            raise ImageError(_late(seconds)) from None
        finally:
            del done  # an error holds this frame: with what it was asked for, all that was decoded would stay in memory

    def leave(self, opened: ExitStack) -> None:
        """Let go of what closes with a file, unless a thread that was left behind may be using it."""
        if self.passed:
            self.kept.append(opened.pop_all())
            LEFT_BEHIND.append(self)


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


def seconds_for(info: ImageInfo | None) -> float:
    """Return the time for a header (None), or for a slice or a region of a picture."""
    pixels = 0 if info is None else min(info.height * info.width, MAX_PIXELS)
    return SECONDS + SECONDS_PER_MEGAPIXEL * pixels / 1e6


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
