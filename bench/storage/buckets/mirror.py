"""A local folder that mirrors a bucket: what is committed there first, and what is fetched from there by its key.

    <folder>/.address.json   the mark: {"address": "s3://bucket/prefix"}

All of it does nothing outside caches, where no mark is looked for. A mark counts where the cache puts it alone, so that
one which somebody leaves in a folder that people share sends nobody's results elsewhere.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from bench.errors import BenchError
from bench.storage.atomic import refusal, write_atomically
from bench.storage.buckets.address import OF_BUCKETS, Address, address_of, cache_folder, is_address, is_cache_folder
from bench.storage.buckets.client import FIRST_S, LARGEST, Client, Held

MARK = ".address.json"
CONDITIONS = ".conditional-puts"  # an object that is put where it is already, to see whether that is refused
AT_ONCE = 16  # requests
RESULTS = "results"


@dataclass(frozen=True)
class Mirror:
    """A local folder and the place in an object store that it mirrors."""

    folder: Path
    address: Address

    @property
    def client(self) -> Client:
        """The objects of that place."""
        return _client(self.address)

    def key(self, path: Path) -> str:
        """Return the key of a file of the folder."""
        return path.absolute().relative_to(self.folder).as_posix()

    def shown(self, path: Path) -> str:
        """Return the address of a file of the folder."""
        return self.address.at(self.key(path))


def open_results(out: Path) -> Path:
    """Return the local folder to work in for --out: itself, or the mirror of an address, which is asked whether it can
    be used. Raises BenchError where it cannot: no such bucket, credentials that are refused, no answer."""
    if not is_address(out):
        return out
    address = address_of(out)
    folder = cache_folder(RESULTS, address)
    client = Client(address, FIRST_S)
    client.names("")
    if not (folder / MARK).exists():
        _check_conditions(client)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(folder / MARK, error) from error
    write_atomically(folder / MARK, json.dumps({"address": str(address)}).encode())
    _mirror_at.cache_clear()
    return folder


def _check_conditions(client: Client) -> None:
    """Raise BenchError where a store takes no notice of conditions: one machine would replace what another has made."""
    client.put_new(CONDITIONS, b"")
    other = secrets.token_bytes(8)
    if client.put_new(CONDITIONS, other).data == other or (
        client.address.scheme == "s3" and client.put_over(CONDITIONS, other, {"e_tag": f'"{"0" * 32}"'}) is not None
    ):
        raise BenchError(
            f"Got --out {client.address}, a store that takes no notice of conditional puts; expected one that knows "
            "If-None-Match and If-Match, as S3 does. Use another, a newer version of it, or a folder."
        )


def mirror_of(path: Path) -> Mirror | None:
    """Return the mirror that a path lies in, None where it is simply local."""
    return _mirror_at(path.absolute())


@lru_cache(maxsize=4096)
def _mirror_at(folder: Path) -> Mirror | None:
    if OF_BUCKETS not in folder.parts:
        return None
    with suppress(OSError, ValueError, LookupError, TypeError):
        address = address_of(json.loads((folder / MARK).read_bytes())["address"])
        if is_cache_folder(folder, RESULTS, address):
            return Mirror(folder, address)
    return _mirror_at(folder.parent)


@cache
def _client(address: Address) -> Client:
    return Client(address)


def shown(path: Path) -> str:
    """Return how a place is called for people: by its address in a mirror, else by its path."""
    mirror = mirror_of(path)
    return str(path) if mirror is None else mirror.shown(path)


def commit(path: Path, data: bytes, is_sound: Callable[[Path], bool] | None = None) -> bool:
    """Write a file that is never changed once it is there; in a mirror the store has it first.

    Where the store holds another content under its name, made by whoever was first, that is written instead. is_sound:
    says of the file, as written, whether it is what its name says; what is not is replaced by `data`. Returns whether
    it is `data` that counts.
    """
    mirror = mirror_of(path)
    if mirror is None:
        write_atomically(path, data)
        return True
    there = mirror.client.put_new(mirror.key(path), data)
    write_atomically(path, there.data)
    if there.data == data or is_sound is None or is_sound(path):
        return there.data == data
    mirror.client.put_over(mirror.key(path), data, there.tag)
    write_atomically(path, data)
    return True


def committed(path: Path, data: bytes) -> bytes:
    """Return what counts under the name of a file that is about to be created: `data`, or what the store holds."""
    mirror = mirror_of(path)
    return data if mirror is None else mirror.client.put_new(mirror.key(path), data).data


def drop(path: Path) -> None:
    """Remove from the store what was removed here."""
    mirror = mirror_of(path)
    if mirror is not None:
        mirror.client.delete(mirror.key(path))


def present(path: Path) -> bool:
    """Return whether a file that is never changed is there; in a mirror it is fetched where the store has it."""
    return path.exists() or (mirror_of(path) is not None and _fetch(path))


def bring(paths: Iterable[Path]) -> None:
    """Fetch those of some files that a mirror lacks and the store has, each looked up by its key."""
    lacking = [path for path in paths if not path.exists()]
    if not lacking or mirror_of(lacking[0]) is None:
        return
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="bring") as pool:
        for _ in pool.map(_fetch, lacking):
            pass


def send(paths: Iterable[Path]) -> None:
    """Commit files of a mirror that were not made by `commit`, such as copies; nothing happens elsewhere."""
    for path in paths:
        if mirror_of(path) is not None:
            commit(path, path.read_bytes())


def _fetch(path: Path) -> bool:
    mirror = mirror_of(path)
    there: Held | None = mirror.client.get(mirror.key(path), _room(mirror.folder)) if mirror else None
    if there is None:
        return False
    write_atomically(path, there.data)
    return True


def _room(folder: Path) -> int:
    """Return how large a file may be to be fetched."""
    try:
        return min(LARGEST, shutil.disk_usage(folder).free)
    except OSError as error:
        raise refusal(folder / MARK, error) from None
