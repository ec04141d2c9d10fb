"""Files that are whole or absent: written beside their place, flushed to the disk, then renamed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bench.errors import BenchError
from bench.storage.owner import temporary as temporary_name

# What a file system answers that has no such call, and a folder that may be written to but not read. Files are as whole
# without it; only a power cut may lose the last ones.
NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF)
NO_FOLDER_SYNC = (*NO_SYNC, errno.EACCES, errno.EPERM, errno.EISDIR)
NO_REPLACE = (errno.EEXIST, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
KEPT = "Nothing half-written was left, and what was finished is kept: the same command goes on from there."


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path in the same folder that takes the place of `path` when the block succeeds.

    On an error the temporary file is removed and `path` is as it was. The temporary name tells
    whose it is and has a random part, see `bench.storage.owner`, so writers never share one. Raises BenchError where
    the file system refuses: full, read-only, not permitted.
    """
    path = Path(path)
    temporary = temporary_name(path.parent, path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            sync(file.fileno())
        _put_in_place(temporary, path)
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


def write_beside(files: Mapping[Path, bytes]) -> None:
    """Write files that belong together to places where other things lie as well.

    All are written to the disk before any takes its place, and the old ones go before the first new one comes: after
    a kill there may be fewer of them, and never some of this writing beside some of an earlier one.
    """
    with ExitStack() as opened:
        for path, data in files.items():
            opened.enter_context(replacing(path)).write_bytes(data)
        for path in files:
            path.unlink(missing_ok=True)


def create_whole(path: Path, data: bytes) -> None:
    """Create a file with data in it; FileExistsError where there is one.

    It is written beside its place and linked there, as one without its data, which a kill or Ctrl-C would leave, is
    nobody's until it is old. Where there are no links it is created empty first.
    """
    temporary = temporary_name(path.parent, path.name)
    try:
        temporary.write_bytes(data)
        try:
            os.link(temporary, path)
        except FileExistsError:  # somebody was first
            raise
        except OSError:  # a file system without links; where nothing can be written this fails as well
            _create_and_write(path, data)
    finally:
        temporary.unlink(missing_ok=True)


def _create_and_write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def check_writable(path: Path) -> None:
    """Raise BenchError where `path` is a folder, or no file can be made where it will lie or in the nearest folder.

    For what is written at the end of a long way. It leaves nothing behind.
    """
    there = next(one for one in path.absolute().parents if one.exists())
    probe = temporary_name(there, path.name)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise refusal(path, error) from error


def refusal(path: Path, error: OSError) -> BenchError:
    """Return what to tell of an OSError met while writing `path`."""
    if error.errno in FULL:
        return BenchError(f"Got no space left in {path.parent} to write {path.name}; free some there. {KEPT}")
    return BenchError(
        f"Got {path.parent}, where {path.name} cannot be written ({error.strerror or error}); expected a folder "
        "that can be written to."
    )


def forbidden(error: BenchError) -> bool:
    """Return whether a refusal is of a place that may only be read."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in READ_ONLY


def refused(error: OSError) -> str:
    """Return the sentence for an OSError that nothing closer to its cause has answered."""
    why = error.strerror or str(error) or type(error).__name__
    places = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    if error.errno in FULL:
        return f"Got no space left{' for ' if places else ''}{' and '.join(places)}; free some there. {KEPT}"
    if not places:
        return f"Got a refusal of the system ({why}). {KEPT}"
    return (
        f"Got {' and '.join(places)}, which cannot be used ({why}); expected a file or folder that is there and that "
        f"you may read and write. {KEPT}"
    )


def _put_in_place(temporary: Path, path: Path) -> None:
    """Rename, also where the file system does not rename over a file: the old one then goes first."""
    try:
        temporary.replace(path)
    except OSError as error:
        if error.errno not in NO_REPLACE or not path.is_file():
            raise
        path.unlink()
        temporary.rename(path)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there, and a rename is durable
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno in NO_FOLDER_SYNC:
            return
        raise
    try:
        sync(handle, NO_FOLDER_SYNC)
    finally:
        os.close(handle)


def sync(handle: int, allowed: tuple[int, ...] = NO_SYNC) -> None:
    """Flush to the disk; what a file system answers that cannot is no error."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in allowed:
            raise
