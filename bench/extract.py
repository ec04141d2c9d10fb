"""Extraction: decode every image once, encode it with every encoder asked for, commit block by block.

The blocks are a function of the instance table alone, and a block is committed as one shard, so a run
that was killed and started again leaves the same files as one that was not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from bench.images import ImageError
from bench.prepare import Prepared, flat_views, join_views, prepare_image
from bench.store import EmbeddingStore
from encoders import EncoderError, EncoderSpec, LoadedEncoder

BLOCK = 512  # instances committed together: what a kill can cost, and 77 MB of prepared 224 px images
DECODERS = 4


@dataclass(frozen=True)
class ExtractReport:
    """What an extraction reused, made, and could not do."""

    reused: Mapping[str, int]
    made: Mapping[str, int]
    failed: Mapping[str, str] = field(default_factory=dict)  # encoder -> why it could not be loaded
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
    on_progress: Callable[[int, int, str], None] | None = None,
) -> ExtractReport:
    """Embed every instance with every encoder, doing only what the store lacks.

    instances: table of `bench.instances.make_instances`, paths relative to `root`. An encoder that
    cannot be loaded is reported and the others go on; so is an image that cannot be decoded.
    on_progress(done, total, encoder name) counts embeddings.
    """
    table = instances.sort_values(["digest", "instance"], kind="stable").drop_duplicates("instance")
    names = table["instance"].to_numpy(str)
    missing: dict[str, np.ndarray] = {}
    for spec in specs:
        missing[spec.name] = ~store.has(spec.key, names)
    loaded, failed = _load([spec for spec in specs if missing[spec.name].any()], store)
    reused = {spec.name: int((~missing[spec.name]).sum()) for spec in specs}
    made = dict.fromkeys(reused, 0)
    seconds = dict.fromkeys(reused, 0.0)
    problems: dict[str, str] = {}
    total = sum(int(missing[encoder.spec.name].sum()) for encoder in loaded)
    done = 0
    for block, images in _decoded_blocks(table, root, loaded, missing, problems):
        for encoder in loaded:
            name = encoder.spec.name
            rows = [r for r in block if missing[name][r] and names[r] in images]
            if not rows:
                continue
            started = time.perf_counter()
            views, count = flat_views([images[names[r]][encoder.spec.preprocess] for r in rows])
            vectors = join_views(encoder.encode(views), count)
            seconds[name] += time.perf_counter() - started
            store.write(encoder.spec.key, [names[r] for r in rows], vectors)
            made[name] += len(rows)
            done += len(rows)
            if on_progress:
                on_progress(done, total, name)
    for encoder in loaded:
        name = encoder.spec.name
        if made[name]:
            store.note_cost(encoder.spec.key, 1000 * seconds[name] / made[name])
    return ExtractReport(reused, made, failed, problems, tuple(store.set_aside))


def _load(specs: Sequence[EncoderSpec], store: EmbeddingStore) -> tuple[list[LoadedEncoder], dict[str, str]]:
    loaded: list[LoadedEncoder] = []
    failed: dict[str, str] = {}
    for spec in specs:
        try:
            encoder = spec.load()
        except EncoderError as error:
            failed[spec.name] = str(error)
            continue
        store.declare(spec.key, spec.identity(), encoder.weights_digest, spec.name)
        loaded.append(encoder)
    return loaded, failed


def _decoded_blocks(
    table: pd.DataFrame,
    root: Path,
    loaded: Sequence[LoadedEncoder],
    missing: Mapping[str, np.ndarray],
    problems: dict[str, str],
) -> Iterator[tuple[range, Prepared]]:
    """Yield (row positions, prepared images) per block, decoding one block ahead of the encoder."""
    wanted = np.zeros(len(table), dtype=bool)
    for encoder in loaded:
        wanted |= missing[encoder.spec.name]
    policies = list(dict.fromkeys(encoder.spec.preprocess for encoder in loaded))
    blocks = [range(start, min(start + BLOCK, len(table))) for start in range(0, len(table), BLOCK)]
    blocks = [block for block in blocks if wanted[block.start : block.stop].any()]
    with ThreadPoolExecutor(DECODERS) as pool:

        def begin(block: range) -> list[tuple[str, Future[Prepared]]]:
            rows = table.iloc[[r for r in block if wanted[r]]]
            return [
                (str(path), pool.submit(prepare_image, root / str(path), part, policies))
                for path, part in rows.groupby("path", sort=False)
            ]

        ahead = begin(blocks[0]) if blocks else []
        for i, block in enumerate(blocks):
            current = ahead
            ahead = begin(blocks[i + 1]) if i + 1 < len(blocks) else []
            images: Prepared = {}
            for path, future in current:
                try:
                    images |= future.result()
                except ImageError as error:
                    problems[path] = str(error)
            yield block, images
