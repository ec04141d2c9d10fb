"""Loops that are compiled when they are first called, so that whoever calls none does not wait for numba's import."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any


def compiled_when_called(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that `bench.loops.compiling.compiled` is applied to at its first call.

    For loops that no other compiled loop calls.
    """

    @cache
    def made() -> Callable[..., Any]:
        from bench.loops.compiling import compiled

        return compiled(function)  # type: ignore[no-any-return]

    @wraps(function)
    def call(*arguments: Any) -> Any:
        return made()(*arguments)

    return call
