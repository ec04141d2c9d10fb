"""Files of a mirrored folder that belong together: put below a name of their own, then counted by one conditional put.

    <folder>/tables/<digest of the record>/<file>   the files of one writing; never changed
    <folder>/run.json                               the record of the writing that counts: digests of its files

Locally they lie as `bench.storage.together` says, beside `.published`: the digest of the record that the store had when
they were last the same. A writing that another one has followed stays in the store and counts no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.errors import BenchError
from bench.storage.atomic import write_atomically
from bench.storage.buckets.address import safe_key
from bench.storage.buckets.mirror import mirror_of
from bench.storage.together import FILES, RECORD, put_together, read_member, read_record, unsound
from bench.storage.verified import digest_of, is_sealed, parse_json, read_or_none
from bench.text import plain

TABLES = "tables"
KNOWN = ".published"
LARGEST = 2_000_000_000  # bytes of a table that is fetched
LARGEST_RECORD = 100_000_000


def place_of_tables(record: bytes) -> str:
    """Return the name below a folder where the files of a record lie in the store."""
    return f"{TABLES}/{digest_of(record)[:16]}"


def shown_member(path: Path) -> str:
    """Return how a file that a record lists is called for people: in a mirror by the address where it counts."""
    mirror, record = mirror_of(path), read_or_none(path.parent / RECORD)
    if mirror is None or record is None:
        return str(path)
    return mirror.shown(path.parent / place_of_tables(record) / path.name)


def pull(folder: Path, forget: Sequence[str] = ()) -> bool:
    """Take over what the store has for a mirrored folder; returns whether it has something.

    forget: files that go with tables that are replaced. What was written here and not published since goes as well: it
    is made again from what is committed. Raises BenchError where the store has not what its record says.
    """
    mirror = mirror_of(folder)
    if mirror is None:
        return False
    there = mirror.client.get(mirror.key(folder / RECORD), LARGEST_RECORD)
    if there is None:
        return False
    if (read_or_none(folder / KNOWN) or b"").decode() == digest_of(there.data) and not unsound(folder):
        return True
    about = parse_json(there.data) if is_sealed(there.data, RECORD) else {}
    listed = about.pop(FILES, None)
    if not isinstance(listed, dict):
        raise BenchError(
            f"Got {mirror.shown(folder / RECORD)}, which is not what was written there; expected a record of tables. "
            "Remove it, and the same `bench run` writes them again."
        )
    before = read_record(folder).get(FILES, {})
    files: dict[str, bytes | None] = dict.fromkeys((*before, *forget))
    for name, digest in listed.items():
        key = mirror.key(folder / place_of_tables(there.data) / name) if safe_key(name) and "/" not in name else ""
        found = mirror.client.get(key, LARGEST) if key else None
        if found is None or digest_of(found.data) != digest:
            raise BenchError(
                f"Got {mirror.shown(folder / RECORD)}, whose file {plain(name)} is missing or not what was written; "
                "expected all of them. Remove that record, and the same `bench run` writes them again."
            )
        files[name] = found.data
    put_together(folder, files, about)
    write_atomically(folder / KNOWN, digest_of(there.data).encode())
    return True


def is_published(folder: Path) -> bool:
    """Return whether a folder has no tables but those that the store had when it was last asked."""
    record = read_or_none(folder / RECORD)
    return record is None or (read_or_none(folder / KNOWN) or b"").decode() == digest_of(record)


def publish(folder: Path, more: Sequence[str] = ()) -> bool:
    """Let the tables of a mirrored folder count in the store; False where those of another writing have come meanwhile.

    more: files beside them that are put as well where they are there, such as a report. True where nothing is mirrored.
    """
    mirror = mirror_of(folder)
    record = read_or_none(folder / RECORD)
    if mirror is None or record is None:
        return True
    client, at = mirror.client, folder / place_of_tables(record)
    for name in read_record(folder).get(FILES, {}):
        data = read_member(folder, name)
        if data is None:
            return False
        key = mirror.key(at / name)
        there = client.put_new(key, data)
        if there.data != data:
            client.put_over(key, data, there.tag)
    for name in more:
        if (data := read_or_none(folder / name)) is not None:
            client.put(mirror.key(at / name), data)
    key, known = mirror.key(folder / RECORD), (read_or_none(folder / KNOWN) or b"").decode()
    now = client.get(key, LARGEST_RECORD)
    if now is None:
        now = client.put_new(key, record)
    elif now.data != record:
        if digest_of(now.data) != known:
            return False
        now = client.put_over(key, record, now.tag)
    if now is None or now.data != record:
        return False
    write_atomically(folder / KNOWN, digest_of(record).encode())
    return True
