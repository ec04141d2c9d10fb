"""Shards: safetensors files that carry the checksum of what they hold, and what makes one of embeddings sound.

    emb float32 (n, D), instance uint8 (n, 16), and in the header {format, key, emb: checksum}

The file is named by its instances, its header has one allowed form, and its size follows from that: a
shard that was cut or whose header or instances are damaged is recognised without reading the embeddings.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from safetensors.numpy import save

FORMAT = "cell-classifier embeddings 2"
MAX_HEADER = 100_000
WIDTH = 16  # bytes of an instance's name


class DamagedShard(Exception):
    """The file is not what was once written under its name. text: why."""


@dataclass(frozen=True)
class ShardHeader:
    """What a shard says of itself: rows n, columns D, byte at which the embeddings begin, their checksum, its stat."""

    n: int
    d: int
    start: int
    checksum: str
    size: int
    mtime_ns: int


def checksum(tensors: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 over names, types, shapes and bytes, as hex."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def header(data: bytes) -> dict[str, str]:
    """Return the text entries in the header of a safetensors file. Raises ValueError or KeyError when damaged."""
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]


def shard_name(rows: np.ndarray) -> str:
    """Return the name of the shard that holds instances uint8 (n, 16), in this order."""
    return hashlib.sha256(np.ascontiguousarray(rows).data).hexdigest()[:32]


def pack(key: str, rows: np.ndarray, emb: np.ndarray) -> bytes:
    """Return the content of a shard. rows: uint8 (n, 16); emb: float32 (n, D), contiguous."""
    # One entry: safetensors writes several in an order that changes from run to run.
    about = json.dumps({"format": FORMAT, "key": key, "emb": checksum({"emb": emb})}, sort_keys=True)
    return save({"emb": emb, "instance": rows}, metadata={"shard": about})


def read_rows(path: Path, key: str) -> tuple[ShardHeader, np.ndarray] | None:
    """Return (head, instances uint8 (n, 16)) of a shard, its embeddings unread; None for one of another format.

    Raises DamagedShard, or OSError where the file cannot be read.
    """
    with path.open("rb") as file:
        head = _head(file, key)
        if head is None:
            return None
        file.seek(head.start + 4 * head.n * head.d)
        rows = np.frombuffer(file.read(), np.uint8)
    if rows.size != WIDTH * head.n or shard_name(rows) != path.stem:
        raise DamagedShard("its instances are not those it is named by")
    return head, rows.reshape(-1, WIDTH)


def read_shard(path: Path, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (instances uint8 (n, 16), embeddings float32 (n, D)), the checksum verified; raises as `read_rows`."""
    found = read_rows(path, key)
    if found is None:
        raise DamagedShard("it is of another format")
    head, rows = found
    with path.open("rb") as file:
        file.seek(head.start)
        emb = np.fromfile(file, "<f4", head.n * head.d)
    if emb.size != head.n * head.d or checksum({"emb": emb.reshape(head.n, head.d)}) != head.checksum:
        raise DamagedShard("its embeddings do not have the checksum they were written with")
    return rows, emb.reshape(head.n, head.d)


def _head(file: BinaryIO, key: str) -> ShardHeader | None:
    stat = os.fstat(file.fileno())
    length = int.from_bytes(file.read(8), "little")
    if not 0 < length <= min(MAX_HEADER, stat.st_size - 8):
        raise DamagedShard("its header is cut or overlong")
    try:
        fields = json.loads(file.read(length))
        about = json.loads(fields["__metadata__"]["shard"])
        if about["format"] != FORMAT and str(about["format"]).startswith(FORMAT[:-1]):
            return None
        n, d = fields["emb"]["shape"]
        expected = {
            "__metadata__": {"shard": json.dumps({"format": FORMAT, "key": key, "emb": about["emb"]}, sort_keys=True)},
            "emb": {"dtype": "F32", "shape": [n, d], "data_offsets": [0, 4 * n * d]},
            "instance": {"dtype": "U8", "shape": [n, WIDTH], "data_offsets": [4 * n * d, 4 * n * d + WIDTH * n]},
        }
        sound = fields == expected and stat.st_size == 8 + length + 4 * n * d + WIDTH * n
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise DamagedShard(f"its header cannot be read ({type(error).__name__})") from None
    if not sound:
        raise DamagedShard("its size or its header is not as written")
    return ShardHeader(n, d, 8 + length, about["emb"], stat.st_size, stat.st_mtime_ns)
