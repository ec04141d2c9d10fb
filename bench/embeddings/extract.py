"""Extraction: decode every image once, encode it with every encoder asked for, commit block by block.

The blocks are a function of the instance table alone and a block is committed as one shard, so a run that was killed
and started again, or shared its work with others, leaves the same files as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from bench.embeddings.missing import refuse_missing
from bench.embeddings.outside import look_up_all
from bench.embeddings.spread import opened
from bench.embeddings.station import BLOCK, Recipe
from bench.embeddings.store import EmbeddingStore
from bench.storage.buckets.mirror import mirror_of
from bench.text import counted
from bench.work.calls import Engine
from bench.work.local import LOCAL
from encoders import EncoderSpec, find_placement


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
            text += "; nothing to embed"
        if self.set_aside:
            count = len(self.set_aside)
            text += f"; {counted(count, 'damaged shard')} set aside"
        return text


def extract(
    instances: pd.DataFrame,
    root: Path,
    specs: Sequence[EncoderSpec],
    store: EmbeddingStore,
    *,
    device: str = "auto",
    engine: Engine = LOCAL,
    keep_pixels: bool = False,
    allow_missing: bool | None = True,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> ExtractReport:
    """Embed every instance with every encoder, doing only what the store lacks.

    instances: table of `bench.instances.cut.make_instances`, paths relative to `root`. An encoder that
    cannot be loaded is reported and the others go on, or is an error before anything is embedded where allow_missing is
    false. An image that cannot be decoded is reported. What another process on this store is working on is left to it.
    device: see `find_placement`. engine: where it is done; the files are the same.
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
    if device != "auto" and engine.here:
        find_placement(device, 1)  # raises for a wrong device even where nothing is left to embed
    seeing, outside = [s for s in wanted if not s.vectors], [s for s in wanted if s.vectors]
    recipe = Recipe(
        table=table, root=root, specs=seeing, store=store.root, device=device, keep_pixels=keep_pixels,
        missing={spec.name: missing[spec.name] for spec in seeing},
    )  # fmt: skip
    with opened(recipe, store, engine) as (failed, blocks):
        refuse_missing(failed, allow_missing=allow_missing)
        there = [name for name in recipe.missing if name not in failed]
        total = sum(int(missing[name].sum()) for name in (*there, *(spec.name for spec in outside)))

        def took(name: str, count: int) -> None:
            made[name] += count
            if on_progress:
                on_progress(sum(made.values()), total, name)

        blocks_of = {spec.name: _in_blocks(names, missing[spec.name]) for spec in outside}
        lost = look_up_all(outside, instances, root, store, blocks=blocks_of, on_rows=took)
        refuse_missing(lost, allow_missing=allow_missing)
        seconds = dict.fromkeys(made, 0.0)
        problems: dict[str, str] = {}
        on = ""
        for block in blocks:
            problems |= block.problems
            on = on or block.hardware
            for name, spent in block.seconds.items():
                seconds[name] += spent
            for name, count in block.counts.items():
                took(name, count)
    failed = {**failed, **lost}
    for spec in seeing:
        if made[spec.name]:
            store.note_cost(spec.key, 1000 * seconds[spec.name] / made[spec.name], on)
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
