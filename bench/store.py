"""The embedding store: one row per (encoder variant, instance), found by content, written atomically.

    <root>/<variant key>/spec.json           what the key stands for, and the digest of the weights seen
    <root>/<variant key>/cost.json           measured milliseconds per instance, for the leaderboard
    <root>/<variant key>/<name>.safetensors  emb float32 (n, D), instance uint8 (n, 16)

A shard is named by the instances it holds and appears whole or not at all, so the store is never
half-written: what is left to do is the instances wanted minus the instances present. A shard whose
checksum fails is set aside (renamed, not deleted) and its rows count as missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bench.atomic import write_atomically
from bench.errors import BenchError
from bench.shards import checksum, header

FORMAT = "cell-classifier embeddings 1"


def to_rows(instances: Sequence[str]) -> np.ndarray:
    """Return hex names (n) of 32 characters as uint8 (n, 16)."""
    return np.frombuffer(bytes.fromhex("".join(instances)), dtype=np.uint8).reshape(-1, 16)


def to_names(rows: np.ndarray) -> list[str]:
    """Return uint8 (n, 16) as hex names; the inverse of `to_rows`."""
    text = np.ascontiguousarray(rows).tobytes().hex()
    return [text[i : i + 32] for i in range(0, len(text), 32)]


@dataclass(frozen=True)
class Shard:
    """One verified shard in memory."""

    embeddings: np.ndarray  # float32 (n, D)
    instances: list[str]


class EmbeddingStore:
    """Embeddings below one folder. Safe for several writers: a file is complete when it has its name."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.set_aside: list[Path] = []  # corrupt shards met so far, under their new names

    def folder(self, key: str) -> Path:
        """Return the folder of one variant."""
        return self.root / key

    def declare(self, key: str, identity: Mapping[str, Any], weights_digest: str, name: str) -> None:
        """Record what `key` stands for; BenchError if it was made with other weights before.

        name: what the user calls the variant, for listing what is stored.
        """
        path = self.folder(key) / "spec.json"
        if path.exists():
            before = json.loads(path.read_text())["weights_digest"]
            if before != weights_digest:
                raise BenchError(
                    f"Got weights {weights_digest[:12]} for {identity.get('source')}, but the stored embeddings were "
                    f"made with {before[:12]}: the weights behind that name have changed. Give the weights you mean by "
                    f"@weights=FILE, or use another --out folder."
                )
            return
        record = {"format": FORMAT, "name": name, "identity": dict(identity), "weights_digest": weights_digest}
        write_atomically(path, json.dumps(record, indent=1, sort_keys=True).encode())

    def write(self, key: str, instances: Sequence[str], embeddings: np.ndarray) -> Path:
        """Commit rows as one shard; returns its path. embeddings: float32 (n, D), finite."""
        rows, emb = to_rows(instances), np.ascontiguousarray(embeddings, dtype=np.float32)
        if emb.ndim != 2 or len(emb) != len(rows):
            raise BenchError(f"Got embeddings of shape {emb.shape} for {len(rows)} instances; expected one row each.")
        if not np.isfinite(emb).all():
            raise BenchError(
                f"Got {int((~np.isfinite(emb)).any(1).sum())} embeddings that are not finite; none stored."
            )
        tensors = {"emb": emb, "instance": rows}
        name = hashlib.sha256(rows.tobytes()).hexdigest()[:32]
        # One entry: safetensors writes several in an order that changes from run to run.
        about = json.dumps({"format": FORMAT, "key": key, "sha256": checksum(tensors)}, sort_keys=True)
        path = self.folder(key) / f"{name}.safetensors"
        write_atomically(path, save(tensors, metadata={"shard": about}))
        return path

    def shards(self, key: str) -> list[Shard]:
        """Return every sound shard of a variant, in name order; corrupt ones are set aside."""
        found = []
        for path in sorted(self.folder(key).glob("*.safetensors")):
            shard = self._read(path, key)
            if shard is not None:
                found.append(shard)
        return found

    def present(self, key: str) -> set[str]:
        """Return the instances that have an embedding."""
        return {name for shard in self.shards(key) for name in shard.instances}

    def read(self, key: str, instances: Sequence[str]) -> np.ndarray:
        """Return float32 (n, D), row i for instances[i]; BenchError when some are missing."""
        shards = self.shards(key)
        where = {name: (s, r) for s, shard in enumerate(shards) for r, name in enumerate(shard.instances)}
        missing = [name for name in instances if name not in where]
        if missing:
            raise BenchError(
                f"Got {len(missing)} of {len(instances)} instances without an embedding for {self.describe(key)}; "
                "expected all. Run `bench extract` with the same --data, --instances and --encoder."
            )
        if not instances:
            return np.zeros((0, 0), np.float32)
        return np.stack([shards[s].embeddings[r] for s, r in (where[name] for name in instances)])

    def variants(self) -> dict[str, str]:
        """Return name -> key of every variant in the store."""
        found = ((path.parent.name, json.loads(path.read_text())) for path in sorted(self.root.glob("*/spec.json")))
        return {record["name"]: key for key, record in found}

    def describe(self, key: str) -> str:
        """Return the source a key stands for, or the key itself."""
        path = self.folder(key) / "spec.json"
        return str(json.loads(path.read_text())["identity"].get("source", key)) if path.exists() else key

    def note_cost(self, key: str, ms_per_instance: float) -> None:
        """Keep the first measured cost of a variant."""
        path = self.folder(key) / "cost.json"
        if not path.exists():
            write_atomically(path, json.dumps({"ms_per_image": round(ms_per_instance, 4)}).encode())

    def cost(self, key: str) -> float:
        """Return the measured milliseconds per instance, NaN when unknown."""
        path = self.folder(key) / "cost.json"
        return float(json.loads(path.read_text())["ms_per_image"]) if path.exists() else float("nan")

    def _read(self, path: Path, key: str) -> Shard | None:
        try:
            data = path.read_bytes()
            tensors = load(data)
            about = json.loads(header(data)["shard"])
            rows, emb = tensors["instance"], tensors["emb"]
            sound = about["key"] == key and about["sha256"] == checksum(tensors)
        except FileNotFoundError:
            return None  # another process set it aside between listing and reading
        except (SafetensorError, KeyError, ValueError, TypeError, OverflowError):
            sound = False
        if not sound:
            aside = path.with_suffix(".corrupt")
            path.replace(aside)
            self.set_aside.append(aside)
            return None
        return Shard(emb, to_names(rows))
