"""A chunk of instances taken through everything by one worker: prepared images to vectors."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.embeddings.inputs import Inputs, Prepared
from bench.embeddings.prepare import flat_views, join_views
from bench.images import NO_MEMORY
from encoders import (
    LoadedEncoder,
    Preprocess,
)

CHUNK = 32  # instances that a worker takes through at once

Vectors = dict[str, tuple[list[int], np.ndarray]]  # encoder -> rows, float32 (n, V x d)


@dataclass(frozen=True)
class Block:
    """Instances whose embeddings are ours to make: encoder -> rows, and the claims that say so."""

    rows: Mapping[str, np.ndarray]
    claims: Sequence[str]


@dataclass(frozen=True)
class Chunk:
    """What a worker made of some rows of a block."""

    vectors: Vectors
    inputs: Prepared  # for the encoders that workers do not run
    seconds: Mapping[str, float]
    problems: Mapping[str, str]


def encode_chunk(rows: np.ndarray, block: Block, loaded: Sequence[LoadedEncoder], inputs: Inputs) -> Chunk:
    """Prepare some rows of a block and encode them with the encoders that workers run."""
    own = {
        encoder.spec.name: np.intersect1d(rows, block.rows[encoder.spec.name]).tolist()
        for encoder in loaded
        if encoder.spec.name in block.rows
    }
    wanted: dict[Preprocess, set[int]] = {}
    for encoder in loaded:
        wanted.setdefault(encoder.spec.preprocess, set()).update(own.get(encoder.spec.name, ()))
    vectors: Vectors = {}
    seconds: dict[str, float] = {}
    left: Prepared = {}
    problems: dict[str, str] = {}
    rest: Mapping[Preprocess, list[int]] = {policy: sorted(some) for policy, some in wanted.items()}
    while any(rest.values()):
        prepared, found = inputs.get(rest)
        problems |= found
        for encoder in loaded:
            name, policy = encoder.spec.name, encoder.spec.preprocess
            there = {row: prepared[policy][row] for row in own.get(name, ()) if row in prepared.get(policy, ())}
            if not there:
                continue
            if not encoder.parallel:
                left.setdefault(policy, {}).update(there)
                continue
            started = time.perf_counter()
            sound, made = _encode_each(encoder, there)
            problems |= {inputs.path(row): NO_MEMORY for row in there.keys() - set(sound)}
            if sound:
                before = vectors.get(name, ([], made[:0]))
                vectors[name] = before[0] + sound, np.concatenate([before[1], made])
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started
        rest = inputs.left_of(rest, prepared, problems)
    return Chunk(vectors, left, seconds, problems)


def _encode_each(encoder: LoadedEncoder, inputs: Mapping[int, np.ndarray]) -> tuple[list[int], np.ndarray]:
    """Return the rows for which there is memory, and their vectors; where there is too little for all, one by one."""
    try:
        return list(inputs), encode(encoder, list(inputs.values()))
    except MemoryError:
        if len(inputs) == 1:
            return [], np.zeros((0, 0), np.float32)
    parts = [_encode_each(encoder, {row: views}) for row, views in inputs.items()]
    made = [vectors for rows, vectors in parts if rows]
    return [row for rows, _ in parts for row in rows], np.concatenate(made or [np.zeros((0, 0), np.float32)])


def encode(encoder: LoadedEncoder, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Return vectors float32 (n, V x d) of prepared images, each of V views."""
    views, count = flat_views(inputs)
    return join_views(encoder.encode(views), count)


def gather(
    encoder: LoadedEncoder, chunks: Sequence[Chunk], seconds: dict[str, float]
) -> tuple[list[int], np.ndarray]:
    """Return the rows of a finished block and their vectors; those that workers left are encoded here."""
    name, policy = encoder.spec.name, encoder.spec.preprocess
    if encoder.parallel:
        parts = [chunk.vectors[name] for chunk in chunks if name in chunk.vectors]
        return [row for rows, _ in parts for row in rows], np.concatenate([v for _, v in parts] or [np.zeros((0, 0))])
    there = {row: views for chunk in chunks for row, views in chunk.inputs.get(policy, {}).items()}
    started = time.perf_counter()
    vectors = encode(encoder, list(there.values())) if there else np.zeros((0, 0))
    seconds[name] += time.perf_counter() - started
    return list(there), vectors
