"""How a command starts: what takes long to import is imported without the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imports() -> Iterator[None]:
    """Import, for good, what a command needs.

    Tens of thousands of objects are made and none is garbage, so looking for it again and again is a tenth of a start.
    What is there at the end stays to the end of the process: it is not looked at again, at its end neither.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
