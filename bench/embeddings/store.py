"""The embedding store: one row per (encoder variant, instance), found by content, written atomically.

    <root>/<variant key>/spec.json           what the key stands for, and the digest of the weights seen
    <root>/<variant key>/cost.json           measured milliseconds per instance, for the leaderboard
    <root>/<variant key>/<name>.safetensors  emb float32 (n, D), instance uint8 (n, 16); see `bench.storage.shards`
    <root>/<variant key>/index.npz           a copy of which shard holds what; see `bench.storage.shard_index`
    <root>/claims/                           who is working on what; see `bench.work.claims`

A shard is named by the instances it holds and appears whole or not at all, so the store is never
half-written: what is left to do is the instances wanted minus the instances present. Whether a row is
present is told from headers and instances; the checksum of its embeddings is verified whenever they are
read. A damaged shard is set aside (renamed, not deleted) and its rows count as missing from then on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.storage.atomic import refusal
from bench.storage.buckets.mirror import bring, commit, mirror_of, present
from bench.storage.shard_index import FILE as INDEX_FILE
from bench.storage.shard_index import Index, load_index, refresh
from bench.storage.shards import FORMAT, WIDTH, DamagedShard, pack, read_shard, shard_name
from bench.storage.verified import json_bytes, read_json
from bench.text import counted
from bench.work.bucket_claims import claims_in
from bench.work.claims import Claims

VARIANT = re.compile(r"[0-9a-f]{32}")
SHARD = re.compile(r"[0-9a-f]{32}\.safetensors")
PIXELS = "pixels"  # folder of the store that holds prepared images instead of embeddings


class DamagedRows(BenchError):
    """Embeddings that were to be read turned out damaged; they are missing now, and can be made again."""


def to_rows(instances: Iterable[str]) -> np.ndarray:
    """Return hex names (n) of 32 characters as uint8 (n, 16)."""
    names = instances.tolist() if isinstance(instances, np.ndarray) else instances  # numpy's own texts are slow to make
    return np.frombuffer(bytes.fromhex("".join(names)), dtype=np.uint8).reshape(-1, WIDTH)


def to_names(rows: np.ndarray) -> list[str]:
    """Return uint8 (n, 16) as hex names; the inverse of `to_rows`."""
    text = np.ascontiguousarray(rows).tobytes().hex()
    return [text[i : i + 32] for i in range(0, len(text), 32)]


class EmbeddingStore:
    """Embeddings below one folder. Safe for several writers: a file is complete when it has its name."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.set_aside: list[Path] = []  # damaged shards met so far, under their new names
        self._indices: dict[str, Index] = {}
        self._widths: dict[str, int] = {}

    def folder(self, key: str) -> Path:
        """Return the folder of one variant."""
        return self.root / key

    def claims(self) -> Claims:
        """Return a worker's claims in this store, to be released when it is done."""
        return claims_in(self.root / "claims")

    def declare(self, key: str, identity: Mapping[str, Any], weights_digest: str, name: str) -> None:
        """Record what `key` stands for; BenchError if it was made with other weights before.

        name: what the user calls the variant, for listing what is stored.
        """
        path = self.folder(key) / "spec.json"
        present(path)
        record = read_json(path, key)
        if record is None:
            record = {"format": FORMAT, "name": name, "identity": dict(identity), "weights_digest": weights_digest}
            commit(path, json_bytes(record, key, indent=1), is_sound=lambda path: read_json(path, key) is not None)
            record = read_json(path, key) or record
        before = record.get("weights_digest")
        if before != weights_digest:
            raise BenchError(
                f"Got weights {weights_digest[:12]} for {identity.get('source')}, but the stored embeddings were "
                f"made with {str(before)[:12]}: the weights behind that name have changed. Give the weights you mean "
                f"by @weights=FILE, or use another --out folder."
            )

    def shard_path(self, key: str, instances: Iterable[str]) -> Path:
        """Return where the shard of exactly these instances, in this order, lies or will lie."""
        return self.folder(key) / f"{shard_name(to_rows(instances))}.safetensors"

    def write(self, key: str, instances: Iterable[str], embeddings: np.ndarray) -> Path:
        """Commit rows as one shard; returns its path. embeddings: float32 (n, D), finite, D the same in every shard."""
        rows, emb = to_rows(instances), np.ascontiguousarray(embeddings, dtype=np.float32)
        if emb.ndim != 2 or len(emb) != len(rows):
            raise BenchError(f"Got embeddings of shape {emb.shape} for {len(rows)} instances; expected one row each.")
        if not np.isfinite(emb).all():
            raise BenchError(
                f"Got {int((~np.isfinite(emb)).any(1).sum())} embeddings that are not finite; none stored."
            )
        width = self._width(key)
        if emb.shape[1] != width and width:
            raise BenchError(
                f"Got embeddings of {emb.shape[1]} columns for {self.describe(key)}, whose stored ones have "
                f"{width}; expected the same. If the encoder changed, raise its version."
            )
        path = self.shard_path(key, instances)
        commit(path, pack(key, rows, emb), is_sound=lambda path: _is_sound(path, key))
        self._widths[key] = emb.shape[1]
        return path

    def has(self, key: str, instances: Iterable[str]) -> np.ndarray:
        """Return which instances have an embedding, bool (n,). Embeddings are not read."""
        return self.index(key).find(to_rows(instances)) >= 0

    def bring(self, keys: Sequence[str], blocks: Sequence[np.ndarray]) -> None:
        """Fetch what a bucket has of some variants, where this store mirrors one.

        blocks: names of instances that are committed together. Their shards are looked up by name; where rows are still
        missing, all that a list shows of the variant are fetched as well.
        """
        mirror = mirror_of(self.root)
        if mirror is None:
            return
        bring(self.folder(key) / name for key in keys for name in ("spec.json", "cost.json"))
        bring(self.shard_path(key, block) for key in keys for block in blocks if not self.has(key, block).all())
        for key in keys:
            if not all(self.has(key, block).all() for block in blocks):
                listed = (one.key.rpartition("/")[2] for one in mirror.client.listed(mirror.key(self.folder(key))))
                bring(self.folder(key) / name for name in listed if SHARD.fullmatch(name))

    def read(self, key: str, instances: Iterable[str]) -> np.ndarray:
        """Return float32 (n, D), row i for instances[i]; takes the memory of the result and of one shard.

        Raises BenchError when some are missing, and DamagedRows when a shard fails its checksum: it is
        then set aside, and after `bench extract` the same call succeeds.
        """
        wanted = to_rows(instances)
        if not len(wanted):
            return np.zeros((0, 0), np.float32)
        for _ in range(2):
            index = self.index(key)
            out, damaged, outdated = self._gather(key, index, wanted, self._find_all(key, index, wanted))
            if not outdated:
                break
            self._indices.pop(key)  # shards were removed, or the index was wrong: look again
            (self.folder(key) / INDEX_FILE).unlink(missing_ok=True)
        if damaged:
            self._put_aside(damaged)
        if damaged or outdated:
            path = damaged[0] if damaged else self.folder(key)
            raise DamagedRows(
                f"Got {counted(len(damaged), 'damaged shard')} of {self.describe(key)}, set aside (as "
                f"{path.with_suffix('.corrupt')}); their embeddings are missing now. Run `bench extract` with the same "
                "--data, --instances and --encoder to make them again."
            )
        return out

    def verify(self, key: str) -> list[Path]:
        """Verify the checksum of every shard of a variant; returns those set aside, under their new names."""
        before = len(self.set_aside)
        paths = [self.folder(key) / f"{name}.safetensors" for name in self.index(key).names]
        self._put_aside([path for path in paths if not _is_sound(path, key)])
        return self.set_aside[before:]

    def index(self, key: str) -> Index:
        """Return which shard holds what, as the files are now; those found damaged are set aside."""
        folder = self.folder(key)
        before = self._indices.get(key) or load_index(folder)
        try:
            index, damaged = refresh(before, folder, key)
        except OSError as error:
            where = error.filename or folder
            raise BenchError(f"Got {where}, which cannot be read ({error.strerror}); check its permissions.") from None
        self._put_aside(damaged)
        self._indices[key] = index
        return index

    def variants(self) -> dict[str, str]:
        """Return key -> name of every variant in the store, as the user calls it."""
        mirror = mirror_of(self.root)
        listed = mirror.client.names(mirror.key(self.root)) if mirror else []
        bring(self.folder(key) / "spec.json" for key in listed if VARIANT.fullmatch(key))
        keys = sorted(path.parent.name for path in self.root.glob("*/spec.json"))
        records = {key: read_json(self.folder(key) / "spec.json", key) for key in keys}
        return {key: str(record.get("name", key)) for key, record in records.items() if record}

    def describe(self, key: str) -> str:
        """Return the source a key stands for, or the key itself."""
        identity = (read_json(self.folder(key) / "spec.json", key) or {}).get("identity", {})
        return str(identity.get("source", key))

    def weights(self, key: str) -> str:
        """Return the digest of the weights that the stored embeddings of a variant were made with."""
        record = read_json(self.folder(key) / "spec.json", key)
        if record is None:
            raise BenchError(f"Got no record of the encoder in {self.folder(key)}; extract its embeddings again.")
        return str(record["weights_digest"])

    def note_cost(self, key: str, ms_per_instance: float, hardware: str) -> None:
        """Keep the first measured cost of a variant, and what it was measured on."""
        path = self.folder(key) / "cost.json"
        present(path)
        if read_json(path, key) is None:
            about = {"ms_per_image": round(ms_per_instance, 4), "hardware": hardware}
            commit(path, json_bytes(about, key))

    def cost(self, key: str) -> float:
        """Return the measured milliseconds per instance, NaN when unknown."""
        return float((read_json(self.folder(key) / "cost.json", key) or {}).get("ms_per_image", "nan"))

    def _width(self, key: str) -> int:
        """Return the number of columns of the variant's shards, 0 while it has none."""
        if key not in self._widths:
            index = self.index(key)
            if not len(index.stat):
                return 0
            self._widths[key] = int(index.stat[0, 3])
        return self._widths[key]

    def _find_all(self, key: str, index: Index, wanted: np.ndarray) -> np.ndarray:
        """Return the position in the index of each wanted row, int64 (n,); BenchError when some are missing."""
        at = index.find(wanted)
        if (at < 0).any():
            raise BenchError(
                f"Got {int((at < 0).sum())} of {len(wanted)} instances without an embedding for {self.describe(key)}; "
                "expected all. Run `bench extract` with the same --data, --instances and --encoder."
            )
        return at

    def _gather(
        self, key: str, index: Index, wanted: np.ndarray, at: np.ndarray
    ) -> tuple[np.ndarray, list[Path], bool]:
        """Return (float32 (n, D), damaged shards, whether shards are not as the index says), shard by shard."""
        shard = index.shard_of(at)
        order = np.argsort(shard, kind="stable")
        used, first = np.unique(shard[order], return_index=True)
        widths = np.unique(index.stat[used, 3])
        if len(widths) > 1:
            raise BenchError(f"Got shards of {' and '.join(map(str, widths))} columns for {self.describe(key)}; "
                             "expected one width. Use another --out folder.")  # fmt: skip
        out = np.empty((len(wanted), widths[0]), np.float32)
        damaged, outdated = [], False
        for s, part in zip(used, np.split(order, first[1:]), strict=True):
            path = self.folder(key) / f"{index.names[s]}.safetensors"
            local = at[part] - (index.ends[s] - index.stat[s, 2])
            try:
                rows, emb = read_shard(path, key)
            except FileNotFoundError:
                outdated = True
            except DamagedShard:
                damaged.append(path)
            else:
                if len(rows) == index.stat[s, 2] and (rows[local] == wanted[part]).all():
                    out[part] = emb[local]
                else:
                    outdated = True
        return out, damaged, outdated

    def _put_aside(self, damaged: Iterable[Path]) -> None:
        """Rename damaged shards, unless another process has made them again in the meantime."""
        for path in damaged:
            aside = path.with_suffix(".corrupt")
            try:
                judged = path.stat()
                if _is_sound(path, path.parent.name):
                    continue
                path.replace(aside)
                moved = aside.stat()
                if (moved.st_ino, moved.st_mtime_ns) != (judged.st_ino, judged.st_mtime_ns):
                    aside.replace(path)
                    continue
            except FileNotFoundError:  # another process was first
                continue
            except OSError as error:
                raise refusal(aside, error) from None
            self.set_aside.append(aside)


def _is_sound(path: Path, key: str) -> bool:
    try:
        read_shard(path, key)
    except DamagedShard:
        return False
    except FileNotFoundError:
        return True  # not there is not damaged
    return True
