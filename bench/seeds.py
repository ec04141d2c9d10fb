"""Keyed randomness: a number that depends on the names of things and on nothing else.

A draw that is a function of (key, item) is the same whatever the order of the items, the batch they
travel in, or the other draws made before. That is what makes draws nested over shots and paired
over encoders, heads and noise rates.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np


def content_name(value: object) -> str:
    """Return 32 hex characters naming a JSON-able value by its content (SHA-256, truncated)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def keyed_uniform(key: Sequence[object], items: Sequence[str]) -> np.ndarray:
    """Return one uniform number in [0, 1) per item, a pure function of (key, item).

    key: any JSON-able sequence, e.g. ("support", seed, "rbc"). items: n strings.
    Returns float64 (n,), the top 53 bits of a keyed BLAKE2b of each item.
    """
    start = hashlib.blake2b(digest_size=8, key=hashlib.sha256(json.dumps(list(key)).encode()).digest())
    digests = bytearray()
    for item in items:
        hasher = start.copy()
        hasher.update(item.encode())
        digests += hasher.digest()
    return (np.frombuffer(digests, ">u8") >> 11) / float(1 << 53)
