"""Errors that a user can act on.

A `BenchError` carries one message: the value that was given, what was expected, and what to do.
The command line prints it without a traceback and exits with code 2. Its arguments are its lines: a line break inside
one is from a file, and is shown as \\n.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class BenchError(ValueError):
    """A foreseeable mistake in the input; its text says what was given, what was expected and what to do.

    It is a `ValueError`.

    Examples
    --------
    >>> import bench
    >>> try:
    ...     bench.load_data("nowhere")
    ... except bench.BenchError as error:
    ...     print(str(error).split(",")[0])
    Got path nowhere
    """

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))


def did_you_mean(value: str, choices: Iterable[str]) -> str:
    """Return ", did you mean 'x'?" for the nearest of `choices`, or "" when none is near."""
    near = get_close_matches(value, list(choices), n=1, cutoff=0.6)
    return f", did you mean '{near[0]}'?" if near else ""
