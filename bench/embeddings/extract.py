"""Extraction: decode every image once, encode it with every encoder asked for, commit block by block.

On CPUs each worker thread takes a chunk of instances through everything, decoding to vectors, on one core: no
core waits for another. A GPU is fed by the main thread with what the workers prepared. The blocks are a function
of the instance table alone and a block is committed as one shard, so a run that was killed and started again,
or shared its work with others, leaves the same files as one that was not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from bench.embeddings.chunks import CHUNK, Block, Chunk, encode_chunk, gather
from bench.embeddings.inputs import Inputs
from bench.embeddings.missing import refuse_missing
from bench.embeddings.outside import look_up_all
from bench.embeddings.pixels import PixelCache
from bench.embeddings.precision_check import check_precision
from bench.embeddings.store import PIXELS, EmbeddingStore, to_rows
from bench.storage.buckets.mirror import mirror_of, present
from bench.storage.shards import shard_name
from bench.work.claims import Claims
from bench.work.engine import Job, share
from encoders import (
    EncoderError,
    EncoderSpec,
    LoadedEncoder,
    Placement,
    find_placement,
    hardware,
    one_thread_each,
)

BLOCK = 512  # instances committed together: what a kill can cost


@dataclass(frozen=True)
class ExtractReport:
    """What an extraction reused, made, and could not do."""

    reused: Mapping[str, int]
    made: Mapping[str, int]
    failed: dict[str, str] = field(default_factory=dict)  # encoder -> why it could not be loaded
    problems: Mapping[str, str] = field(default_factory=dict)  # image path -> why it could not be decoded
    set_aside: tuple[Path, ...] = ()  # corrupt shards that were found and replaced

    def summary(self) -> str:
        """Return one line: reused and made over all encoders."""
        reused, made = sum(self.reused.values()), sum(self.made.values())
        text = f"{reused:,} embeddings reused, {made:,} made"
        if not made and not self.failed:
            text += "; nothing to do"
        if self.set_aside:
            count = len(self.set_aside)
            text += f"; {count} damaged shard{'s' * (count != 1)} set aside"
        return text


def extract(
    instances: pd.DataFrame,
    root: Path,
    specs: Sequence[EncoderSpec],
    store: EmbeddingStore,
    *,
    device: str = "auto",
    keep_pixels: bool = False,
    allow_missing: bool = True,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> ExtractReport:
    """Embed every instance with every encoder, doing only what the store lacks.

    instances: table of `bench.instances.cut.make_instances`, paths relative to `root`. An encoder that
    cannot be loaded is reported and the others go on, or is an error before anything is embedded where allow_missing is
    false. An image that cannot be decoded is reported. What another process on this store is working on is left to it.
    device: see `find_placement`.
    keep_pixels: keep the prepared images too, for encoders to come.
    on_progress(done, total, encoder name) counts embeddings.
    """
    distinct = instances["instance"].drop_duplicates().tolist()
    bring_stored(store, [spec.key for spec in specs], instances)
    lacking = {spec.name: not store.has(spec.key, distinct).all() for spec in specs}
    made = dict.fromkeys(lacking, 0)
    wanted = [spec for spec in specs if lacking[spec.name]]
    if not wanted:
        return ExtractReport(dict.fromkeys(made, len(distinct)), made, set_aside=tuple(store.set_aside))
    table = in_order(instances)
    names = table["instance"].to_numpy(str)
    missing = {spec.name: ~store.has(spec.key, names) for spec in specs}
    from joblib import cpu_count

    # Descriptors need no torch, which finding a GPU would import.
    if device != "auto":
        find_placement(device, 1)  # a wrong one is told even where nothing would run on it
    seeing, outside = [s for s in wanted if not s.vectors], [s for s in wanted if s.vectors]
    placement = find_placement(device if any(s.weights != "none" for s in seeing) else "cpu", cpu_count(), len(table))
    loaded, failed = _load(seeing, store, placement, table, root)
    refuse_missing(failed, allow_missing=allow_missing)
    todo = {encoder.spec.name: missing[encoder.spec.name].copy() for encoder in loaded}
    total = sum(int(missing[name].sum()) for name in (*todo, *(spec.name for spec in outside)))

    def took(name: str, count: int) -> None:
        made[name] += count
        if on_progress:
            on_progress(sum(made.values()), total, name)

    blocks_of = {spec.name: _in_blocks(names, missing[spec.name]) for spec in outside}
    lost = look_up_all(outside, instances, root, store, blocks=blocks_of, on_rows=took)
    refuse_missing(lost, allow_missing=allow_missing)
    failed |= lost
    seconds = dict.fromkeys(made, 0.0)
    problems: dict[str, str] = {}
    policies = list(dict.fromkeys(encoder.spec.preprocess for encoder in loaded))
    cache = PixelCache(store.root / PIXELS, keep=keep_pixels)
    inputs = Inputs(table, root, policies, cache, placement.workers, store.root)
    with store.claims() as claims, one_thread_each(), _workers(placement.workers) as pool:
        blocks = _claim_blocks(names, todo, {e.spec.name: e.spec.key for e in loaded}, store, claims)
        for block, chunks in _work(blocks, loaded, inputs, pool, placement.workers):
            for chunk in chunks:
                problems |= chunk.problems
                for name, spent in chunk.seconds.items():
                    seconds[name] += spent
            for encoder in loaded:
                name, key = encoder.spec.name, encoder.spec.key
                rows, vectors = gather(encoder, chunks, seconds)
                if rows:
                    store.write(key, [names[r] for r in rows], vectors)
                    took(name, len(rows))
            for claim in block.claims:
                claims.done(claim)
        claims.sweep()  # of who was killed between committing a block and letting go of it
    for encoder in loaded:
        name = encoder.spec.name
        if made[name]:
            store.note_cost(encoder.spec.key, 1000 * seconds[name] / made[name], hardware(placement))
    bad = np.isin(table["path"].to_numpy(str), list(problems))
    left = {name: int((rows & bad).sum()) if name not in failed else int(rows.sum()) for name, rows in missing.items()}
    reused = {name: len(names) - left[name] - made[name] for name in made}  # by others while we ran, too
    return ExtractReport(reused, made, failed, problems, tuple(store.set_aside))


def in_order(instances: pd.DataFrame) -> pd.DataFrame:
    """Return every instance once, those of an image together and from the top down, as a large one is best read."""
    order = ["digest", "y0", "x0", "instance"]
    return instances.sort_values(order, kind="stable", na_position="first").drop_duplicates("instance")


def bring_stored(store: EmbeddingStore, keys: Sequence[str], instances: pd.DataFrame) -> None:
    """Fetch the stored embeddings of a table from the bucket that a store mirrors; nothing where it mirrors none."""
    if mirror_of(store.root) is not None:
        names = in_order(instances)["instance"].to_numpy(str)
        store.bring(keys, [names[start : start + BLOCK] for start in range(0, len(names), BLOCK)])


def _in_blocks(names: np.ndarray, missing: np.ndarray) -> list[list[str]]:
    """Return the instances that lack, in the blocks that are committed together."""
    spans = [slice(start, start + BLOCK) for start in range(0, len(names), BLOCK)]
    return [names[span][missing[span]].tolist() for span in spans if missing[span].any()]


def _load(
    specs: Sequence[EncoderSpec], store: EmbeddingStore, placement: Placement, table: pd.DataFrame, root: Path
) -> tuple[list[LoadedEncoder], dict[str, str]]:
    loaded: list[LoadedEncoder] = []
    failed: dict[str, str] = {}
    for spec in specs:
        try:
            encoder = spec.load(placement)
            store.declare(spec.key, spec.identity(), encoder.weights_digest, spec.full_name)
            check_precision(encoder, store, placement, table, root)
        except EncoderError as error:
            failed[spec.name] = str(error)
            continue
        loaded.append(encoder)
    return loaded, failed


@contextmanager
def _workers(count: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool that does not hold back an error, or Ctrl-C, until all that is queued was done."""
    pool = ThreadPoolExecutor(count, thread_name_prefix="extract")
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _claim_blocks(
    names: np.ndarray,
    todo: dict[str, np.ndarray],
    keys: Mapping[str, str],
    store: EmbeddingStore,
    claims: Claims,
) -> Iterator[Block | None]:
    """Yield the blocks that are ours, as `share` does; None before it waits for others.

    todo: encoder -> rows to be made, bool (N,), cleared as they are given out.
    """
    place: dict[str, tuple[str, slice]] = {}  # claim -> encoder, block
    mirrored = mirror_of(store.root) is not None
    jobs = []
    for start in range(0, len(names), BLOCK):
        span = slice(start, start + BLOCK)
        block = [f"{key}-{shard_name(to_rows(names[span]))}" for key in keys.values()]
        place |= {claim: (name, span) for claim, name in zip(block, keys, strict=True)}
        jobs.append(Job(names=tuple(block), what=span))

    def missing_rows(claim: str) -> np.ndarray:
        name, span = place[claim]
        rows = span.start + np.flatnonzero(todo[name][span])
        if mirrored and len(rows):
            present(store.shard_path(keys[name], names[span]))  # in a bucket another may have made it
        return rows[~store.has(keys[name], names[rows])] if len(rows) else rows

    for job in share(jobs, claims, lambda claim: len(missing_rows(claim)) > 0):
        if job is None:
            yield None
            continue
        rows = {place[claim][0]: missing_rows(claim) for claim in job.names}
        for name in rows:
            todo[name][job.what] = False
        yield Block(rows, job.names)


def _work(
    blocks: Iterator[Block | None],
    loaded: Sequence[LoadedEncoder],
    inputs: Inputs,
    pool: ThreadPoolExecutor,
    workers: int,
) -> Iterator[tuple[Block, list[Chunk]]]:
    """Yield every block with its finished chunks, keeping the workers busy with the blocks after it."""
    ahead = 1 + -(-2 * workers * CHUNK // BLOCK)
    pending: deque[tuple[Block, list[Future[Chunk]]]] = deque()
    for block in blocks:
        if block is not None:
            rows = np.unique(np.concatenate(list(block.rows.values())))
            chunks = [rows[i : i + CHUNK] for i in range(0, len(rows), CHUNK)]
            pending.append((block, [pool.submit(encode_chunk, some, block, loaded, inputs) for some in chunks]))
        while pending and (block is None or len(pending) > ahead):
            done, futures = pending.popleft()
            yield done, [future.result() for future in futures]
    for done, futures in pending:
        yield done, [future.result() for future in futures]
