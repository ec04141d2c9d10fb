"""Files that are whole or absent: written beside their place, flushed to the disk, then renamed."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.errors import BenchError

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)
KEPT = "Nothing half-written was left, and what was finished is kept: the same command goes on from there."


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path in the same folder that takes the place of `path` when the block succeeds.

    On an error the temporary file is removed and `path` is as it was. The temporary name holds the
    process id and a random part, so writers never share one. Raises BenchError where the file system
    refuses: full, read-only, not permitted.
    """
    path = Path(path)
    temporary = path.parent / f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise refusal(path, error) from error
        raise


def write_atomically(path: Path | str, data: bytes) -> None:
    """Write `data` to `path`; after a kill at any moment the file holds all of it or what it held before."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def refusal(path: Path, error: OSError) -> BenchError:
    """Return what to tell of an OSError met while writing `path`."""
    if error.errno in FULL:
        return BenchError(f"Got no space left in {path.parent} to write {path.name}; free some there. {KEPT}")
    return BenchError(
        f"Got {path.parent}, where {path.name} cannot be written ({error.strerror or error}); expected a folder "
        "that can be written to."
    )


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there, and a rename is durable
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
