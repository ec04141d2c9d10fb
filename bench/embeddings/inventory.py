"""What the store holds, and what in a results folder serves nobody any more."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.data.manifest import forgotten_manifests
from bench.embeddings.store import PIXELS, EmbeddingStore
from bench.errors import BenchError, did_you_mean
from bench.storage.atomic import refusal
from bench.storage.owner import is_left, left_semaphores, temporary
from bench.storage.shard_index import row_codes
from bench.storage.shards import DamagedShard, read_rows, read_shard
from bench.storage.verified import read_sealed
from bench.work.claims import Claims


@dataclass(frozen=True)
class Variant:
    """One encoder variant as stored. ms: milliseconds per instance, NaN when unknown."""

    key: str
    name: str
    source: str
    rows: int
    width: int
    shards: int
    bytes: int
    ms: float


@dataclass(frozen=True)
class Leftover:
    """A file or folder that can go, why, and how many bytes that frees."""

    path: Path
    why: str
    bytes: int


def list_variants(store: EmbeddingStore) -> list[Variant]:
    """Return every variant of a store, by name; rows are counted once though several shards may hold them."""
    found = []
    for key, name in store.variants().items():
        index = store.index(key)
        rows = len(np.unique(row_codes(index.rows)))
        width = int(index.stat[0, 3]) if len(index.stat) else 0
        size = _size(store.folder(key))
        found.append(Variant(key, name, store.describe(key), rows, width, len(index.names), size, store.cost(key)))
    return sorted(found, key=lambda variant: (variant.name, variant.key))


def pixel_bytes(store: EmbeddingStore) -> int:
    """Return how many bytes the kept pixels take."""
    return _size(store.root / PIXELS)


def check_study_predictions(out: Path) -> tuple[int, list[Path]]:
    """Read every file of predictions that `bench granularity` stored in a results folder, and verify its seal.

    Returns their number, and those that cannot be read or are damaged, and then set aside.
    """
    paths = sorted((out / "granularity").glob("*/predictions/*.safetensors"))
    return len(paths), [path for path in paths if read_sealed(path, path.name) is None]


def find_leftovers(out: Path, encoders: Iterable[str] = (), *, pixels: bool = False) -> list[Leftover]:
    """Return what can be removed from a results folder without a loss, and all of the variants in `encoders`.

    encoders: names or keys, as `list_variants` gives them. pixels: also the decoded images that were kept.
    """
    store = EmbeddingStore(out / "store")
    named = _variants_named(store, encoders)
    if pixels and (store.root / PIXELS).is_dir():
        named.append(Leftover(store.root / PIXELS, "decoded images, made again when needed", pixel_bytes(store)))
    gone = {leftover.path for leftover in named}
    rest = [
        *_unfinished(out), *_semaphores(), *_set_aside(out), *_forgotten(store.root), *_dead_claims(out),
        *_superseded(store),
    ]  # fmt: skip
    return named + [leftover for leftover in rest if not gone & {leftover.path, *leftover.path.parents}]


def remove(leftovers: Iterable[Leftover]) -> int:
    """Remove what `find_leftovers` found; returns the bytes freed. A folder vanishes whole."""
    freed = 0
    for leftover in leftovers:
        path = leftover.path
        try:
            if path.is_dir():
                grave = temporary(path.parent, "removed")
                path.rename(grave)
                shutil.rmtree(grave)
            elif path.suffix == ".claim":
                Claims(path.parent).sweep()  # judges again, so that one taken meanwhile stays
            else:
                path.unlink()
        except FileNotFoundError:  # another process was first
            continue
        except OSError as error:
            raise refusal(path, error) from None
        freed += leftover.bytes
    return freed


def _variants_named(store: EmbeddingStore, encoders: Iterable[str]) -> list[Leftover]:
    variants = store.variants()
    found = []
    for name in encoders:
        keys = [key for key, own in variants.items() if name in (own, key, key[:8])]
        if not keys:
            near = did_you_mean(name, variants.values()) or "."
            raise BenchError(f"Got --encoder {name}, of which nothing is stored{near} `bench store` lists what is.")
        found += [Leftover(store.folder(key), f"all of {name}", _size(store.folder(key))) for key in keys]
    return found


def _unfinished(out: Path) -> Iterator[Leftover]:
    now = _now(out)
    for path in sorted(out.rglob(".*.tmp")):
        with suppress(FileNotFoundError):
            if is_left(path, now):
                yield Leftover(path, "never finished, by a process that is dead or silent for long", _size(path))


def _semaphores() -> Iterator[Leftover]:
    for path in left_semaphores():
        yield Leftover(path, "shared by processes of joblib that are dead", _size(path))


def _set_aside(out: Path) -> Iterator[Leftover]:
    for path in sorted(out.rglob("*.corrupt")):
        yield Leftover(path, "damaged, set aside", _size(path))


def _forgotten(cache: Path) -> Iterator[Leftover]:
    for path, root in forgotten_manifests(cache):
        yield Leftover(path, f"about the files of {root}, which is gone", _size(path))


def _dead_claims(out: Path) -> Iterator[Leftover]:
    for folder in sorted({path.parent for path in out.rglob("*.claim")}):
        for claim in Claims(folder).dead():
            yield Leftover(claim.path, "claimed by a process that is dead", _size(claim.path))


def _superseded(store: EmbeddingStore) -> Iterator[Leftover]:
    """Yield shards of another format, and those whose every row lies in another sound shard that stays."""
    for key in store.variants():
        folder, index = store.folder(key), store.index(key)
        for path in sorted(folder.glob("*.safetensors")):
            with suppress(OSError, DamagedShard):
                if read_rows(path, key) is None:
                    yield Leftover(path, "of another format, and not read any more", _size(path))
        _, code, count = np.unique(row_codes(index.rows), return_inverse=True, return_counts=True)
        parts = np.split(code, index.ends[:-1])
        for s in sorted(range(len(parts)), key=lambda s: len(parts[s])):
            if not len(parts[s]) or (count[parts[s]] == 1).any():
                continue
            others = set(index.shard_of(np.flatnonzero(np.isin(code, parts[s]))).tolist()) - {s}
            if all(_reads(folder / f"{index.names[t]}.safetensors", key) for t in others):
                count[parts[s]] -= 1
                path = folder / f"{index.names[s]}.safetensors"
                yield Leftover(path, "every row of it lies in other shards", _size(path))


def _reads(path: Path, key: str) -> bool:
    try:
        read_shard(path, key)
    except (OSError, DamagedShard):
        return False
    return True


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    total = 0
    for file in files:
        with suppress(FileNotFoundError):
            total += file.stat().st_size if file.is_file() else 0
    return total


def _now(folder: Path) -> float:
    """Return the time by the clock of the file system, which may be another machine's; ours where it is read-only."""
    probe = temporary(folder, "clock")
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        with suppress(OSError):
            probe.unlink()
