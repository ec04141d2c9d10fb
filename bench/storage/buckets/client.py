"""Objects of one store: get, conditional put, delete, list; all of it tried again where the answer may change.

What is tried again: 5xx, 408, 425, 429, 409 of a race, no connection, no answer in time; with pauses that grow and are
drawn at random, until PATIENCE_S have passed (FIRST_S where an address is first used, as it may be wrong). What is told
at once: no such bucket, credentials that are refused or missing, another region.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from bench.errors import BenchError
from bench.storage.atomic import KEPT
from bench.storage.buckets.address import Address
from bench.storage.buckets.answers import at_endpoint, reason, refuse
from bench.storage.buckets.opening import open_store

PATIENCE_S = 120.0
FIRST_S = 20.0
PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
PART = 16_000_000  # bytes of a larger object that are read at once
LARGEST = 5_000_000_000  # bytes of an object that is put in one request, the limit of S3
T = TypeVar("T")


@dataclass(frozen=True)
class Held:
    """What the store holds under a key: its bytes, and what tells this content from a later one."""

    data: bytes
    tag: dict[str, str | None]
    modified: datetime | None = None


@dataclass(frozen=True)
class Listed:
    """An object as a list shows it."""

    key: str
    size: int
    tag: str
    modified: datetime


class Again(Exception):
    """An answer that may be another one later. Its text: what was answered."""


class Client:
    """The objects below one address, by keys below it. Safe for several threads."""

    def __init__(self, address: Address, patience_s: float = PATIENCE_S) -> None:
        self.address = address
        self._patience = patience_s
        self._ahead: timedelta | None = None
        self._store = open_store(address)

    def get(self, key: str, largest: int = LARGEST) -> Held | None:
        """Return an object, None where there is none. BenchError for one of more than `largest` bytes, before it is
        read."""
        import obstore

        def ask() -> Held | None:
            try:
                found = obstore.get(self._store, key)
            except FileNotFoundError as error:
                refuse(error, self.address.at(key))
                return None
            if found.meta["size"] > largest:
                raise BenchError(_too_large(self.address.at(key), found.meta["size"], largest))
            return Held(bytes(found.bytes()), _tag(found.meta), found.meta["last_modified"])

        return self._tried(key, ask)

    def head(self, key: str) -> Listed | None:
        """Return what a list would show of an object, None where there is none."""
        import obstore

        def ask() -> Listed | None:
            try:
                return _listed(obstore.head(self._store, key))
            except FileNotFoundError as error:
                refuse(error, self.address.at(key))
                return None

        return self._tried(key, ask)

    def parts(self, listed: Listed) -> Iterator[bytes]:
        """Yield an object part by part, all of the content that was listed. BenchError where it has changed since."""
        import obstore

        for start in range(0, listed.size, PART):
            end = min(start + PART, listed.size)

            def ask(start: int = start, end: int = end) -> bytes | None:
                from obstore.exceptions import PreconditionError

                try:
                    options: Any = {"range": (start, end), "if_match": listed.tag}
                    return bytes(obstore.get(self._store, listed.key, options=options).bytes())
                except (FileNotFoundError, PreconditionError) as error:
                    refuse(error, self.address.at(listed.key))
                    return None

            part = self._tried(listed.key, ask)
            if part is None or len(part) != end - start:
                raise BenchError(
                    f"Got {self.address.at(listed.key)}, which was changed or removed while it was read; expected data "
                    "that stay as they are. Give the same command again."
                )
            yield part

    def put_new(self, key: str, data: bytes) -> Held:
        """Put an object where there is none and return what the store holds under that key: this, or what was first."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        _check_size(self.address.at(key), data)

        def ask() -> Held:
            try:
                return Held(data, _tag(obstore.put(self._store, key, data, mode="create", use_multipart=False)))
            except AlreadyExistsError:  # 412, as it is there, of this writer perhaps; or 409, as two write at once
                there = self.get(key)
                if there is None:
                    raise Again("409 of two writers at once") from None
                return there

        return self._tried(key, ask)

    def put_over(self, key: str, data: bytes, tag: dict[str, str | None]) -> Held | None:
        """Put an object in place of the content with this tag; None where the store holds another content by now."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        _check_size(self.address.at(key), data)

        def ask() -> Held | None:
            mode: Any = {name: value for name, value in tag.items() if value}
            try:
                return Held(data, _tag(obstore.put(self._store, key, data, mode=mode, use_multipart=False)))
            except (AlreadyExistsError, PreconditionError, FileNotFoundError) as error:
                refuse(error, self.address.at(key))
                there = self.get(key)
                if there is not None and there.data == data:  # an earlier try was done, though its answer was lost
                    return there
                if there is not None and there.tag == tag:
                    raise Again("409 of two writers at once") from None
                return None

        return self._tried(key, ask)

    def put(self, key: str, data: bytes) -> None:
        """Put an object, whatever was there: for what is made anew at any time."""
        import obstore

        _check_size(self.address.at(key), data)
        self._tried(key, lambda: obstore.put(self._store, key, data, use_multipart=False))

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens where there is none."""
        import obstore

        def ask() -> None:
            try:
                obstore.delete(self._store, key)
            except FileNotFoundError as error:
                refuse(error, self.address.at(key))

        self._tried(key, ask)

    def age_s(self, modified: datetime | None, probe: str) -> float:
        """Return the seconds since an object was put, by the clock of the store; 0 where it says no time. probe: a key
        that is put and removed, once, to see that clock."""
        if modified is None:
            return 0.0
        now = datetime.now(modified.tzinfo)
        if self._ahead is None:
            self.put(probe, b"")
            found = self.get(probe)
            self.delete(probe)
            self._ahead = found.modified - now if found and found.modified else timedelta()
        return (now + self._ahead - modified).total_seconds()

    def names(self, prefix: str) -> list[str]:
        """Return the names of what looks like folders below a prefix. A hint: a new one may be missing."""
        import obstore

        found = self._tried(prefix, lambda: obstore.list_with_delimiter(self._store, prefix or None))
        return sorted(str(path).rstrip("/").rpartition("/")[2] for path in found["common_prefixes"])

    def listed(self, prefix: str = "") -> list[Listed]:
        """Return the objects below a prefix, in the order of their keys. A hint: a new one may be missing."""
        import obstore

        def ask() -> list[Listed]:
            return [_listed(one) for some in obstore.list(self._store, prefix or None) for one in some]

        return sorted(self._tried(prefix, ask), key=lambda one: one.key)

    def _tried(self, key: str, ask: Callable[[], T]) -> T:
        """Return what is answered in the end. BenchError for what is refused, or after PATIENCE_S without an answer."""
        from obstore.exceptions import BaseError

        began, tries = time.monotonic(), 0
        while True:
            tries += 1
            try:
                answer = ask()
            except Again as error:
                why = str(error)
            except (BaseError, OSError, ValueError) as error:
                if isinstance(error, BenchError):
                    raise
                refuse(error, self.address.at(key))
                why = reason(error)
            else:
                return answer
            left = self._patience - (time.monotonic() - began)
            if left <= 0:
                raise BenchError(
                    f"Got no answer that can be used from {self.address.at(key)} in {self._patience:.0f} s and {tries} "
                    f"tries (the last: {why}); expected an object store that answers. Check the network"
                    f"{at_endpoint()}, then give the same command again. {KEPT}"
                )
            pause = min(LONGEST_PAUSE_S, PAUSE_S * 2 ** min(tries, 10), left)
            time.sleep(pause * random.uniform(0.5, 1.0))


def _tag(meta: Any) -> dict[str, str | None]:
    return {"e_tag": meta.get("e_tag"), "version": meta.get("version")}


def _listed(meta: Any) -> Listed:
    return Listed(meta["path"], meta["size"], str(meta["e_tag"]), meta["last_modified"])


def _check_size(place: str, data: bytes) -> None:
    if len(data) > LARGEST:
        raise BenchError(_too_large(place, len(data), LARGEST))


def _too_large(place: str, size: int, largest: int) -> str:
    return f"Got {place} of {size / 1e9:,.2f} GB; expected at most {largest / 1e9:,.2f} GB. Use a local folder for it."
