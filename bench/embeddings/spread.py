"""Extraction on this machine, or on the stations of a cluster: one iterator of what is made, block by block.

Stations write shards to the store themselves, as processes of one machine do; what is sent is which spans of the table
to make, and what comes back are counts. The stations of GPUs have images decoded on the processors of all nodes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.embeddings.chunks import Block, Chunk, encode_chunk
from bench.embeddings.inputs import Inputs
from bench.embeddings.pixels import PixelCache
from bench.embeddings.station import Made, Recipe, Station, Submit, spans_of
from bench.embeddings.store import PIXELS, EmbeddingStore
from bench.errors import BenchError
from bench.work.calls import Call, Engine, Stations
from bench.work.engine import WAIT_S
from encoders import EncoderSpec, LoadedEncoder, Placement

TOGETHER = 8  # spans that a station makes without a pause between them, at most
Opened = tuple[Mapping[str, str], Iterator[Made]]  # encoder -> why it could not be loaded; what is made


@contextmanager
def opened(recipe: Recipe, store: EmbeddingStore, engine: Engine) -> Iterator[Opened]:
    """Yield which encoders cannot be loaded, and what is then made of the recipe, on this machine or on the engine's.

    Nothing is made before the second is iterated.
    """
    if not recipe.specs:
        yield {}, iter(())
        return
    far = replace(recipe, root=recipe.root.absolute(), store=recipe.store.absolute())
    stations = engine.stations(build, [far], far.device)
    if stations is None:
        from joblib import cpu_count

        station = Station(recipe, cpu_count(), store=store)
        yield station.failed, station.make(spans_of(recipe), wait=True)
        return
    with stations:
        [failed] = stations.each([Call(name="loading the encoders", do=load_failures)])
        yield failed, _make_all(recipe, stations, dict(failed))


def _make_all(recipe: Recipe, stations: Stations, failed: Mapping[str, str]) -> Iterator[Made]:
    """Yield what the stations make; what another command works on comes last, or never where that one makes it."""
    spans = spans_of(recipe)
    while spans:
        left: list[slice] = []
        together = max(1, min(TOGETHER, len(spans) // (4 * stations.count())))
        some = [spans[i : i + together] for i in range(0, len(spans), together)]
        for made in stations.each(_call(recipe, own) for own in some):
            if made.failed.keys() - failed.keys():
                raise BenchError(
                    "Got a node on which an encoder cannot be loaded that others have loaded; expected the same "
                    "installation and weights on every node.", *made.failed.values(),
                )  # fmt: skip
            left += made.left
            yield made
        spans = left
        if spans:
            time.sleep(WAIT_S)


def _call(recipe: Recipe, spans: Sequence[slice]) -> Call:
    """Return the call that makes some spans, whose parts are single ones."""
    names = ", ".join(spec.name for spec in recipe.specs)
    first, last = spans[0].start, min(spans[-1].stop, len(recipe.table))
    first_path, last_path = recipe.table["path"].iloc[[first, last - 1]]
    return Call(
        name=f"instances {first + 1} to {last} by {names} ({first_path} to {last_path})",
        do=make_spans, own=(spans,),
        parts=lambda: [_call(recipe, [span]) for span in spans] if len(spans) > 1 else [],
    )  # fmt: skip


def build(recipe: Recipe, cores: int, submit: Callable[..., Future[Any]] | None) -> Station:
    """Return the station of a worker. submit: has a function called on any processor; None on those of this node."""
    return Station(recipe, cores, submit=partial(_remote, recipe, submit) if submit else None)


def load_failures(station: Station) -> dict[str, str]:
    """Return which encoders a station could not load, and why."""
    return dict(station.failed)


def make_spans(station: Station, spans: Sequence[slice]) -> Made:
    """Make what is missing of some spans, and nobody else is making."""
    for span in spans:
        for name, todo in station.todo.items():  # a station may be asked again for what another held
            todo[span] = station.recipe.missing[name][span]
    counts, seconds = Counter[str](), dict.fromkeys(station.todo, 0.0)
    problems: dict[str, str] = {}
    on = ""
    for made in station.make(spans, wait=False):
        counts.update(made.counts)
        seconds = {name: seconds[name] + spent for name, spent in made.seconds.items()}
        problems |= made.problems
        on = made.hardware
    return Made(
        counts=counts, seconds=seconds, problems=problems, left=station.left_of(spans), failed=station.failed,
        hardware=on,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class _Lot:
    """A few rows with all that it takes to prepare them anywhere. parallel: the encoders that run where that is."""

    table: pd.DataFrame
    root: Path
    specs: Sequence[EncoderSpec]
    parallel: frozenset[str]
    store: Path
    keep_pixels: bool


def _remote(recipe: Recipe, submit: Callable[..., Future[Any]], loaded: Sequence[LoadedEncoder]) -> Submit:
    specs = [encoder.spec for encoder in loaded]
    parallel = frozenset(encoder.spec.name for encoder in loaded if encoder.parallel)

    def send(rows: np.ndarray, block: Block) -> Future[Chunk]:
        lot = _Lot(
            table=recipe.table.iloc[rows], root=recipe.root, specs=specs, parallel=parallel, store=recipe.store,
            keep_pixels=recipe.keep_pixels,
        )  # fmt: skip
        own = {name: np.intersect1d(rows, some) for name, some in block.rows.items()}
        return submit(prepare_lot, lot, rows, Block(own, ()))

    return send


def prepare_lot(lot: _Lot, rows: np.ndarray, block: Block) -> Chunk:
    """Prepare rows (n,) of a block, which are those of the lot's table, on any processor."""
    loaded = [
        spec.load(Placement("cpu", 1)) if spec.name in lot.parallel else LoadedEncoder(spec, _elsewhere, "", False)
        for spec in lot.specs
    ]
    policies = list(dict.fromkeys(spec.preprocess for spec in lot.specs))
    inputs = Inputs(lot.table, lot.root, policies, PixelCache(lot.store / PIXELS, keep=lot.keep_pixels), 1, lot.store)
    here = Block({name: np.searchsorted(rows, some) for name, some in block.rows.items()}, ())
    chunk = encode_chunk(np.arange(len(rows)), here, loaded, inputs)
    return replace(
        chunk,
        vectors={name: ([int(rows[i]) for i in some], made) for name, (some, made) in chunk.vectors.items()},
        inputs={policy: {int(rows[i]): views for i, views in some.items()} for policy, some in chunk.inputs.items()},
    )


def _elsewhere(views: Sequence[np.ndarray]) -> np.ndarray:
    raise AssertionError("an encoder of a GPU was called on a processor")
