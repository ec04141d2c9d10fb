"""Which shard holds which instance, for one variant, so that a million rows are looked up without a loop.

    <variant>/index.npz   names (s,), stat int64 (s, 4): size, mtime_ns, n, D; rows uint8 (N, 16), shard by shard

It is a copy of what the shards say, kept to save opening them: a shard whose size or time differs is
opened again, and one without its file is forgotten. Deleting the index loses nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from bench.errors import BenchError
from bench.storage.atomic import write_atomically
from bench.storage.shards import WIDTH, DamagedShard, ShardHeader, read_rows
from bench.storage.verified import npz_bytes, read_npz

FILE = "index.npz"
WORTH_WRITING = 16  # shards that had to be opened


@dataclass(frozen=True, eq=False)
class Index:
    """The shards of one variant and their rows, in the same order."""

    names: np.ndarray  # str (s,)
    stat: np.ndarray  # int64 (s, 4): size, mtime_ns, n, D
    rows: np.ndarray  # uint8 (N, 16)

    @cached_property
    def ends(self) -> np.ndarray:
        """Where the rows of each shard end, int64 (s,)."""
        return np.cumsum(self.stat[:, 2])

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(row_codes(self.rows), kind="stable")

    @cached_property
    def _sorted(self) -> np.ndarray:
        return row_codes(self.rows)[self._order]

    def find(self, wanted: np.ndarray) -> np.ndarray:
        """Return the position of each wanted row, uint8 (m, 16), among `rows`: int64 (m,), -1 where there is none."""
        if not len(self.rows) or not len(wanted):
            return np.full(len(wanted), -1)
        text = row_codes(wanted)
        at = np.minimum(np.searchsorted(self._sorted, text), len(self.rows) - 1)
        return np.where(self._sorted[at] == text, self._order[at], -1)

    def shard_of(self, positions: np.ndarray) -> np.ndarray:
        """Return the shard that holds each position, int64."""
        return np.searchsorted(self.ends, positions, side="right")


EMPTY = Index(np.empty(0, "U32"), np.empty((0, 4), np.int64), np.empty((0, WIDTH), np.uint8))


def load_index(folder: Path) -> Index:
    """Return the index as last written; an empty one when there is none that can be read."""
    kept = read_npz(folder / FILE, folder.name)
    return EMPTY if kept is None else Index(kept["names"], kept["stat"], kept["rows"])


def refresh(index: Index, folder: Path, key: str) -> tuple[Index, dict[Path, str]]:
    """Return the index of the shards as they are now and path -> reason of those found damaged.

    The very index given comes back when nothing changed. One that cost many openings is written.
    """
    now = _listing(folder)
    known = {name: i for i, name in enumerate(index.names.tolist())}
    kept = [i for name, i in known.items() if now.get(name) == tuple(index.stat[i, :2].tolist())]
    if len(kept) == len(known) == len(now):
        return index, {}
    if len(kept) < len(known):
        index = _part(index, kept)
    damaged: dict[Path, str] = {}
    added: dict[str, tuple[ShardHeader, np.ndarray]] = {}
    for name in sorted(now.keys() - {str(index.names[i]) for i in range(len(index.names))}):
        path = folder / f"{name}.safetensors"
        try:
            found = read_rows(path, key)
        except FileNotFoundError:  # another process set it aside meanwhile
            continue
        except DamagedShard as error:
            damaged[path] = str(error)
            continue
        if found is not None:
            added[name] = found
    made = _extended(index, added) if added else index
    if len(added) >= WORTH_WRITING:
        with suppress(BenchError):
            arrays = {"names": made.names, "stat": made.stat, "rows": made.rows}
            write_atomically(folder / FILE, npz_bytes(arrays, folder.name))
    return made, damaged


def _part(index: Index, kept: list[int]) -> Index:
    """Return the index of some of its shards."""
    starts = index.ends - index.stat[:, 2]
    rows = [index.rows[starts[i] : index.ends[i]] for i in kept]
    return Index(index.names[kept], index.stat[kept], np.concatenate(rows)) if kept else EMPTY


def _extended(index: Index, added: Mapping[str, tuple[ShardHeader, np.ndarray]]) -> Index:
    """Return the index with more shards at its end. Its order is merged, not sorted anew: this happens per block."""
    rows = np.concatenate([rows for _, rows in added.values()])
    stat = np.array([(head.size, head.mtime_ns, head.n, head.d) for head, _ in added.values()], np.int64)
    made = Index(
        np.concatenate([index.names, np.array(list(added))]),
        np.concatenate([index.stat, stat]),
        np.concatenate([index.rows, rows]),
    )
    if "_sorted" in vars(index):
        codes = row_codes(rows)
        order = np.argsort(codes, kind="stable")
        at = np.searchsorted(index._sorted, codes[order], side="right")
        vars(made)["_sorted"] = np.insert(index._sorted, at, codes[order])
        vars(made)["_order"] = np.insert(index._order, at, order + len(index.rows))
    return made


def _listing(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            name, _, suffix = entry.name.rpartition(".")
            if suffix == "safetensors" and not name.startswith("."):
                with suppress(FileNotFoundError):
                    stat = entry.stat()
                    found[name] = (stat.st_size, stat.st_mtime_ns)
    return found


def row_codes(rows: np.ndarray) -> np.ndarray:
    """Return uint8 (n, 16) as (n,) of 16 bytes that sort and compare; numpy pads with zeros, so none is lost."""
    return np.ascontiguousarray(rows).view(f"S{WIDTH}").ravel()
