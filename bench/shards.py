"""What embeddings and predictions share: safetensors files that carry the checksum of what they hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np


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
