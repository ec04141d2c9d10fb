"""Ctrl-C and other signals to end, as one exception that says which."""

from __future__ import annotations

import signal
import threading

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
_asked: list[int] = []  # the numbers of the signals that came


class Interrupted(BaseException):
    """Ctrl-C, or another signal to end: its argument is the number of the signal.

    Not KeyboardInterrupt, which the command-line library would answer with 'Aborted!' and exit code 1.
    """


def heed_signals() -> None:
    """Raise Interrupted at Ctrl-C, and where a scheduler or a lost connection ends this process.

    Without, the latter would leave files that are half written. A signal that is ignored, as by nohup, stays so.
    """
    signal.signal(signal.SIGINT, interrupt)
    for name in NAMES[1:]:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, interrupt)


def heed_no_more() -> None:
    """Ignore what comes while the last words are said, as when Ctrl-C is pressed twice."""
    for name in NAMES:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def interrupt(number: int, frame: object) -> None:
    """Raise Interrupted, as the handler of a signal."""
    _asked.append(number)
    raise Interrupted(number)


def asked_to_end() -> int | None:
    """Return the number of the first signal that came, None where none did."""
    return _asked[0] if _asked else None


def heed_interrupt() -> None:
    """Raise Interrupted in the main thread where a signal came and what it raised was lost.

    A library may drop what a handler raises: numpy does while it takes a text out of an array.
    """
    if _asked and threading.current_thread() is threading.main_thread():
        raise Interrupted(_asked[0])
