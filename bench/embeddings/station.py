"""Encoders on one device, the inputs that they take, and the threads that prepare them: spans of a table to shards.

On CPUs each worker thread takes a chunk of instances through everything, decoding to vectors, on one core: no
core waits for another. A GPU is fed by the main thread with what the workers prepared. A process has one station, or
every device of a cluster has one (`bench.embeddings.spread`): what they write is the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd

from bench.embeddings.chunks import CHUNK, Block, Chunk, encode_chunk, gather
from bench.embeddings.inputs import Inputs
from bench.embeddings.pixels import PixelCache
from bench.embeddings.precision_check import check_precision
from bench.embeddings.store import PIXELS, EmbeddingStore, to_rows
from bench.storage.buckets.mirror import mirror_of, present
from bench.storage.shards import shard_name
from bench.work.claims import Claims
from bench.work.engine import Job, share
from encoders import EncoderError, EncoderSpec, LoadedEncoder, Placement, find_placement, hardware, one_thread_each

BLOCK = 512  # instances committed together: what a kill can cost
Submit = Callable[[np.ndarray, Block], "Future[Chunk]"]  # rows of a block to what is made of them


@dataclass(frozen=True, kw_only=True, eq=False)
class Recipe:
    """What a station is made of. table: instances in the order of `in_order`, whose paths are relative to root.

    missing: encoder -> which of its rows are to be made, bool (N,). store: its root. device: see `find_placement`.
    """

    table: pd.DataFrame
    root: Path
    specs: Sequence[EncoderSpec]
    store: Path
    missing: Mapping[str, np.ndarray]
    device: str = "auto"
    keep_pixels: bool = False


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a station made of some spans. counts: encoder -> embeddings; problems: path -> why it cannot be decoded.

    left: the spans of which others hold a part. failed: encoder -> why it could not be loaded.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    left: Sequence[slice] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    hardware: str = ""


class Station:
    """Encoders of a recipe on a device of this machine.

    cores: threads. store: of the recipe, where it is open already. submit: has chunks prepared elsewhere, given what is
    loaded here; else threads of this process do it.
    """

    def __init__(
        self,
        recipe: Recipe,
        cores: int,
        *,
        store: EmbeddingStore | None = None,
        submit: Callable[[Sequence[LoadedEncoder]], Submit] | None = None,
    ) -> None:
        self.recipe = recipe
        self.names = recipe.table["instance"].to_numpy(str)
        self.store = store or EmbeddingStore(recipe.store)
        # Descriptors need no torch, which finding a GPU would import.
        device = recipe.device if any(spec.weights != "none" for spec in recipe.specs) else "cpu"
        self.placement = find_placement(device, cores, len(recipe.table))
        self.loaded, self.failed = _load(recipe.specs, self.store, self.placement, recipe.table, recipe.root)
        self.todo = {encoder.spec.name: recipe.missing[encoder.spec.name].copy() for encoder in self.loaded}
        self.submit = submit(self.loaded) if submit else None

    def make(self, spans: Sequence[slice], *, wait: bool) -> Iterator[Made]:
        """Yield what was made of each block of the spans; wait: also for what others work on."""
        with self.store.claims() as claims, one_thread_each(), self._submitting() as submit:
            blocks = _claim_blocks(self, spans, claims, wait=wait)
            for block, chunks in _work(blocks, submit, self.placement.workers):
                yield self._commit(block, chunks)
                for claim in block.claims:
                    claims.done(claim)
            claims.sweep()  # of who was killed between committing a block and letting go of it

    def left_of(self, spans: Sequence[slice]) -> list[slice]:
        """Return the spans of which another one holds a part."""
        return [span for span in spans if any(self._lacks(encoder.spec, span) for encoder in self.loaded)]

    def _lacks(self, spec: EncoderSpec, span: slice) -> bool:
        names = self.names[span][self.todo[spec.name][span]]
        return len(names) > 0 and not self.store.has(spec.key, names).all()

    def _commit(self, block: Block, chunks: Sequence[Chunk]) -> Made:
        seconds = dict.fromkeys(self.todo, 0.0)
        problems: dict[str, str] = {}
        counts: dict[str, int] = {}
        for chunk in chunks:
            problems |= chunk.problems
            for name, spent in chunk.seconds.items():
                seconds[name] += spent
        for encoder in self.loaded:
            rows, vectors = gather(encoder, chunks, seconds)
            if rows:
                self.store.write(encoder.spec.key, [self.names[r] for r in rows], vectors)
                counts[encoder.spec.name] = len(rows)
        return Made(counts=counts, seconds=seconds, problems=problems, hardware=hardware(self.placement))

    @contextmanager
    def _submitting(self) -> Iterator[Submit]:
        if self.submit:
            yield self.submit
            return
        with _workers(self.placement.workers) as pool:
            yield partial(_submit, pool, self.loaded, self._inputs)

    @cached_property
    def _inputs(self) -> Inputs:
        policies = list(dict.fromkeys(encoder.spec.preprocess for encoder in self.loaded))
        cache = PixelCache(self.store.root / PIXELS, keep=self.recipe.keep_pixels)
        return Inputs(self.recipe.table, self.recipe.root, policies, cache, self.placement.workers, self.store.root)


def _submit(
    pool: ThreadPoolExecutor, loaded: Sequence[LoadedEncoder], inputs: Inputs, rows: np.ndarray, block: Block
) -> Future[Chunk]:
    return pool.submit(encode_chunk, rows, block, loaded, inputs)


def spans_of(recipe: Recipe) -> list[slice]:
    """Return the spans of the table, each of a block, in which something is to be made."""
    spans = [slice(start, start + BLOCK) for start in range(0, len(recipe.table), BLOCK)]
    return [span for span in spans if any(missing[span].any() for missing in recipe.missing.values())]


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
    station: Station, spans: Sequence[slice], claims: Claims, *, wait: bool
) -> Iterator[Block | None]:  # fmt: skip
    """Yield the blocks that are ours, as `share` does; None before it waits for others.

    What is to be made, bool (N,) for each encoder, is cleared as it is given out.
    """
    names, todo, store = station.names, station.todo, station.store
    keys = {encoder.spec.name: encoder.spec.key for encoder in station.loaded}
    place: dict[str, tuple[str, slice]] = {}  # claim -> encoder, block
    mirrored = mirror_of(store.root) is not None
    jobs = []
    for span in spans:
        block = [f"{key}-{shard_name(to_rows(names[span]))}" for key in keys.values()]
        place |= {claim: (name, span) for claim, name in zip(block, keys, strict=True)}
        jobs.append(Job(names=tuple(block), what=span))

    def missing_rows(claim: str) -> np.ndarray:
        name, span = place[claim]
        rows = span.start + np.flatnonzero(todo[name][span])
        if mirrored and len(rows):
            present(store.shard_path(keys[name], names[span]))  # in a bucket another may have made it
        return rows[~store.has(keys[name], names[rows])] if len(rows) else rows

    for job in share(jobs, claims, lambda claim: len(missing_rows(claim)) > 0, wait=wait):
        if job is None:
            yield None
            continue
        rows = {place[claim][0]: missing_rows(claim) for claim in job.names}
        for name in rows:
            todo[name][job.what] = False
        yield Block(rows, job.names)


def _work(blocks: Iterator[Block | None], submit: Submit, workers: int) -> Iterator[tuple[Block, list[Chunk]]]:
    """Yield every block with its finished chunks, keeping the workers busy with the blocks after it."""
    ahead = 1 + -(-2 * workers * CHUNK // BLOCK)
    pending: deque[tuple[Block, list[Future[Chunk]]]] = deque()
    for block in blocks:
        if block is not None:
            rows = np.unique(np.concatenate(list(block.rows.values())))
            pending.append((block, [submit(rows[i : i + CHUNK], block) for i in range(0, len(rows), CHUNK)]))
        while pending and (block is None or len(pending) > ahead):
            done, futures = pending.popleft()
            yield done, [future.result() for future in futures]
    for done, futures in pending:
        yield done, [future.result() for future in futures]
