"""The one door for files that are read back: each carries a seal, and one that does not match is set aside and named.

A seal is a text: `PREFIX` and the SHA-256 of the file's name and content, with zeros in place of the seal's own digits.
Every format has a place for a text: an entry of a JSON object, the metadata of parquet and safetensors, the comment of
a zip archive. So the file stays readable by every tool, while a flipped bit, a cut, an empty file and two files that
changed places are noticed. The name is what the file is of, and not where it lies, so that folders may be copied and
renamed.

What is set aside keeps its name with `.corrupt` after it, and `bench store clean` removes it. Every command names it;
see `bench.storage.notices`.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.storage.atomic import write_atomically
from bench.storage.notices import notice

KEY = "seal"
PREFIX = b"sha256-of-name-and-content:"
ZEROS = b"0" * 64
EMPTY_SEAL = (PREFIX + ZEROS).decode()
CORRUPT = ".corrupt"


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of bytes, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def seal(data: bytes, name: str) -> bytes:
    """Return a file's content with its seal filled in. data: holds `EMPTY_SEAL`; the last one is taken."""
    at = data.rfind(EMPTY_SEAL.encode())
    if at < 0:
        raise ValueError(f"Got content of {name} without a place for its seal; expected EMPTY_SEAL in it.")
    start = at + len(PREFIX)
    return data[:start] + _seal_of(data, start, name) + data[start + len(ZEROS) :]


def is_sealed(data: bytes, name: str) -> bool:
    """Return whether a file's content is what `seal` returned for that name."""
    start = data.rfind(PREFIX) + len(PREFIX)
    if start < len(PREFIX):
        return False
    return data[start : start + len(ZEROS)] == _seal_of(data, start, name)


def read_sealed(path: Path, name: str) -> bytes | None:
    """Return the content of a sealed file; None where it cannot be read, or is damaged and then set aside."""
    data = read_or_none(path)
    if data is None or is_sealed(data, name):
        return data
    set_aside(path, data)
    return None


def read_or_none(path: Path) -> bytes | None:
    """Return the content of a file, None where there is none that can be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def set_aside(path: Path, judged: bytes | None = None) -> Path:
    """Rename a damaged file, unless it changed since it was judged by its content; returns its new name."""
    aside = path.with_name(path.name + CORRUPT)
    if judged is None or read_or_none(path) == judged:
        with suppress(OSError):  # another process was first, or the folder is closed: it is not used all the same
            os.replace(path, aside)
        notice(f"{path} is not what was written there (damaged, or another file); set aside as {aside.name}")
    return aside


def json_bytes(about: Mapping[str, Any], name: str, *, indent: int | None = None) -> bytes:
    """Return a sealed JSON object."""
    return seal(json.dumps({**about, KEY: EMPTY_SEAL}, indent=indent).encode(), name)


def write_json(path: Path, about: Mapping[str, Any], name: str, *, indent: int | None = None) -> None:
    """Write a sealed JSON object, whole or not at all."""
    write_atomically(path, json_bytes(about, name, indent=indent))


def read_json(path: Path, name: str) -> dict[str, Any] | None:
    """Return a sealed JSON object without its seal; None as in `read_sealed`."""
    data = read_sealed(path, name)
    return None if data is None else parse_json(data)


def parse_json(data: bytes) -> dict[str, Any]:
    """Return the object of `json_bytes` without its seal."""
    return {key: value for key, value in json.loads(data).items() if key != KEY}


def parquet_bytes(table: pa.Table, name: str) -> bytes:
    """Return a table as a sealed parquet file."""
    file = io.BytesIO()
    kept = dict(table.schema.metadata or {})
    kept.pop(KEY.encode(), None)
    pq.write_table(table.replace_schema_metadata({**kept, KEY.encode(): EMPTY_SEAL.encode()}), file)
    return seal(file.getvalue(), name)


def read_parquet(path: Path, name: str) -> pa.Table | None:
    """Return a sealed table; None as in `read_sealed`."""
    data = read_sealed(path, name)
    return None if data is None else pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)


def npz_bytes(arrays: Mapping[str, np.ndarray], name: str, *, compressed: bool = False) -> bytes:
    """Return arrays as a sealed npz file."""
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **dict(arrays))  # type: ignore[arg-type]
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = EMPTY_SEAL.encode()
    return seal(file.getvalue(), name)


def read_npz(path: Path, name: str) -> dict[str, np.ndarray] | None:
    """Return the arrays of a sealed npz file; None as in `read_sealed`."""
    data = read_sealed(path, name)
    if data is None:
        return None
    with np.load(io.BytesIO(data), allow_pickle=False) as kept:
        return {key: kept[key] for key in kept.files}


def _seal_of(data: bytes, start: int, name: str) -> bytes:
    """Return the 64 digits for a file whose seal's digits begin at `start`."""
    digest = hashlib.sha256(f"{len(name.encode())} {name} ".encode())
    view = memoryview(data)
    digest.update(view[:start])
    digest.update(ZEROS)
    digest.update(view[start + len(ZEROS) :])
    return digest.hexdigest().encode()
