"""Standard output as it comes: a terminal, a file, a pipe that closes, a code page, or none at all."""

from __future__ import annotations

import errno
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.text import Text

from bench.errors import BenchError
from bench.text import encodable, plain

CLOSED = (errno.EPIPE, errno.EBADF)
STEERING = re.compile(r"\x1b(?!\[[0-9;]*m)|[^\n\x1b\x20-\x7e\xa0-\U0010ffff]")  # all but lines, letters and styles


class DataConsole(Console):
    """A console to which every text is data: one line, no markup, no escape sequences, in letters that it has.

    All texts that rich prints or puts into a table pass `render_str`, so nobody who prints has to think of it. Two
    lines are two texts: a line break inside one is spelt out.
    """

    def __init__(self, **how: Any) -> None:
        super().__init__(highlight=False, emoji=False, markup=False, soft_wrap=True, **how)
        self.printed = 0  # how often something was
        self._heard: list[str] | None = None

    def render_str(self, text: str, **how: Any) -> Text:
        """Return a text as it is printed; see `bench.text.plain`."""
        return super().render_str(encodable(plain(text), self.encoding), **how | dict(emoji=False, markup=False))

    def print(self, *objects: Any, **how: Any) -> None:
        """Print; where the pipe was closed, nothing more is, and the work goes on. BenchError for a full disk."""
        self.printed += 1
        try:
            if self._heard is None or self.quiet:
                super().print(*objects, **how)
                return
            with self.capture() as captured:
                super().print(*objects, **how)
            self._heard.append(captured.get())
            self._write_text(captured.get())
        except OSError as error:
            self.give_up(error)

    @contextmanager
    def hear(self) -> Iterator[list[str]]:
        """Yield a list that gets all that is printed meanwhile, which is printed as well."""
        self._heard = []
        try:
            yield self._heard
        finally:
            self._heard = None

    def say_again(self, text: str) -> None:
        """Print what was heard before. Of a text from a file no character may steer a terminal, but those of style."""
        try:
            self._write_text(STEERING.sub("", text))
        except OSError as error:
            self.give_up(error)

    def _write_text(self, text: str) -> None:
        self.file.write(encodable(text, self.encoding))
        self.file.flush()

    def on_broken_pipe(self) -> None:
        """Print no more."""
        raise BrokenPipeError(errno.EPIPE, "the pipe was closed")  # answered by `print`

    def give_up(self, error: OSError) -> None:
        """Print no more to a closed stream; raise BenchError for one that cannot be written for another reason."""
        self.quiet = True
        _to_nowhere(self.file)
        if error.errno not in CLOSED:
            stream = "error" if self.stderr else "output"
            raise BenchError(
                f"Got a standard {stream} that cannot be written to ({error.strerror or error}); what was made is kept."
            ) from None

    def write_document(self, text: str) -> None:
        """Write a text that is to be saved, such as CSV, as it is: as UTF-8 to a file or pipe."""
        stream = self.file
        try:
            if stream.isatty() or not hasattr(stream, "buffer"):
                stream.write(encodable(text, self.encoding))
            else:
                stream.flush()
                stream.buffer.write(text.encode("utf-8", "backslashreplace"))
            stream.flush()
        except OSError as error:
            self.give_up(error)


def open_missing() -> None:
    """Give the process the standard streams that it was started without.

    Otherwise the first file that is opened takes the place of standard output, and what a library in C prints would be
    written into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
                os.set_inheritable(number, True)
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - kept to the end
    # Said in our own words, see `bench.work.processes`.
    warnings.filterwarnings("ignore", message=".*joblib will operate in serial mode")
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def flush_all() -> None:
    """Flush what was printed, so that a pipe that was closed ends no process with a message of the interpreter."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _to_nowhere(stream)


def _to_nowhere(stream: Any) -> None:
    with suppress(OSError, ValueError, AttributeError):
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
