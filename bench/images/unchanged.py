"""What is hashed is what is decoded: a file that changes between the two is refused, never stored under its old name.

A file of at most HELD bytes is read once, into memory: its digest and its pixels are of the very same bytes. A larger
one, and one that a library opens by its name, is hashed and then read in place: it is refused where its device, inode,
size or one of its times is another after reading than before hashing. The time of the last change (ctime) cannot be
set by a program; so what stays unseen there is a change within one tick of the file system's clock (4 ms or less on
Linux) of a change before it, and one through mapped memory that the system has not yet noted.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import BinaryIO, TypeVar

from bench.images.limits import read_at_most
from bench.images.picture import CHANGED, ImageError, Picture

HELD = 64 << 20  # bytes of a file that is read into memory
Made = TypeVar("Made")
Stat = tuple[int, int, int, int, int]  # device, inode, size, mtime_ns, ctime_ns


@dataclass(frozen=True)
class Content:
    """The content of a file. file: to read it from. digest: of it, see `content_digest`. check: raises ImageError where
    what was read may be another content.
    """

    file: BinaryIO
    digest: str
    check: Callable[[], None]


def content_digest(file: BinaryIO) -> str:
    """Return the first 16 bytes of the SHA-256 of what is left of a file, as hex."""
    return hashlib.file_digest(file, "sha256").hexdigest()[:32]  # type: ignore[arg-type]  # every file opened here fits


def digest_as_read(digest: str, reading: str) -> str:
    """Return the digest of a content and of how it is read, see `ImageInfo.reading`; that of the content where ""."""
    return hashlib.sha256(f"{digest} {reading}".encode()).hexdigest()[:32] if reading else digest


def hold(file: BinaryIO, by_name: bool = False) -> Content:
    """Return the content of a file that was opened. by_name: who reads it opens it again by its name."""
    if not by_name:
        data = read_at_most(file, HELD + 1)
        if len(data) <= HELD:
            held = io.BytesIO(data)
            digest = content_digest(held)
            held.seek(0)
            return Content(held, digest, lambda: None)
        file.seek(0)
    before = _stat(file, by_name)

    def check() -> None:
        if _stat(file, by_name) != before:
            raise ImageError(f"{CHANGED} while it was being read; run the command again when nothing writes to it")

    digest = _digest(_Opened(file), before)
    check()
    file.seek(0)
    return Content(file, digest, check)


def refuse_another(content: Content, reading: str, digest: str) -> None:
    """Raise ImageError where a file has another content than the one that was hashed first."""
    if digest_as_read(content.digest, reading) != digest:
        raise ImageError(f"{CHANGED} after it was listed; run the command again to embed what is there now")


def checked(picture: Picture, content: Content) -> Picture:
    """Return a picture that looks after each reading whether the file is still the same."""

    def after(read: Callable[..., Made]) -> Callable[..., Made]:
        def looked(*args: object) -> Made:
            made = read(*args)
            content.check()
            return made

        return looked

    return replace(
        picture,
        plane=after(picture.plane),
        window=picture.window and after(picture.window),
        stored=picture.stored and after(picture.stored),
    )


@dataclass(frozen=True)
class _Opened:
    """An open file; all are equal, as `_digest` is remembered by the stat alone."""

    file: BinaryIO

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Opened)

    def __hash__(self) -> int:
        return 0


@lru_cache(1024)
def _digest(opened: _Opened, stat: Stat) -> str:
    """Return the digest of a large file, which is opened several times while its parts are read, but hashed once."""
    opened.file.seek(0)
    return content_digest(opened.file)


def _stat(file: BinaryIO, by_name: bool) -> Stat:
    stat = os.stat(file.name) if by_name else os.fstat(file.fileno())
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
