"""From a source to embeddings: read it, cut it into instances, embed what is missing, read all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.data.datasets import Dataset, load_dataset
from bench.data.lost import lost_classes
from bench.data.manifest import record_problems
from bench.data.reading import AS_USUAL, Reading
from bench.embeddings.extract import ExtractReport, bring_stored, extract
from bench.embeddings.prepare import check_cutouts, check_views
from bench.embeddings.store import DamagedRows, EmbeddingStore
from bench.errors import BenchError
from bench.instances.cell_boxes import CellFiles
from bench.instances.cut import cut_instances
from bench.text import counted
from bench.work.calls import Engine
from bench.work.local import LOCAL
from encoders import DEFAULT, EncoderError, EncoderSpec, resolve

OnProgress = Callable[[str, int, int], None]  # what, done, total


@dataclass(frozen=True)
class DataSpec:
    """Where the images are and what one instance of them is."""

    data: Path | str
    instances: str = "whole"
    group_pattern: str | None = None
    group_column: str | None = None
    verify: bool = False  # read every file and every stored embedding again
    cells: CellFiles = field(default_factory=CellFiles)
    reading: Reading = AS_USUAL


@dataclass(frozen=True)
class Prepared:
    """A dataset cut into instances, with undecodable images left out."""

    dataset: Dataset
    instances: pd.DataFrame
    store: EmbeddingStore
    cache: Path
    notes: tuple[str, ...] = ()  # how the instances were made


def prepare(source: DataSpec, out: Path | str = "results", on_progress: OnProgress | None = None) -> Prepared:
    """Read the dataset table and cut it into instances. The cache and the store lie in `out`."""
    store = EmbeddingStore(Path(out) / "store")
    dataset = load_dataset(
        source.data, group_pattern=source.group_pattern, group_column=source.group_column, cache=store.root,
        verify=source.verify, reading=source.reading,
    )  # fmt: skip
    for key in store.variants() if source.verify else ():
        store.verify(key)
    cut = cut_instances(dataset, source.instances, source.cells, store.root, on_progress)
    return Prepared(cut.dataset, cut.table, store, store.root, cut.notes)


def extract_encoders(
    prepared: Prepared,
    specs: Sequence[EncoderSpec],
    device: str = "auto",
    on_progress: OnProgress | None = None,
    *,
    engine: Engine = LOCAL,
    keep_pixels: bool = False,
    allow_missing: bool | None = None,
) -> tuple[Prepared, ExtractReport]:
    """Embed what is missing. Images that turn out undecodable are recorded and leave the instances.

    Raises BenchError where an encoder cannot be loaded, unless that is allowed; nothing is then embedded.
    """

    def progress(done: int, total: int, name: str) -> None:
        if on_progress:
            on_progress(f"extract {name}", done, total)

    check_views(prepared.dataset.table[["path", "channels"]], specs)
    check_cutouts(prepared.instances["blank"], specs)
    report = extract(
        prepared.instances, prepared.dataset.root, specs, prepared.store,
        device=device, engine=engine, keep_pixels=keep_pixels, allow_missing=allow_missing, on_progress=progress,
    )  # fmt: skip
    if not report.problems:
        return prepared, report
    report = replace(report, problems=_of_copies(report.problems, prepared.dataset.table))
    record_problems(prepared.dataset.root, prepared.cache, dict(report.problems))
    return without(prepared, report.problems), report


def without(prepared: Prepared, problems: Mapping[str, str]) -> Prepared:
    """Return the instances without those of some images. problems: path -> why its image cannot be used.

    Raises BenchError where a class, or everything, would be lost.
    """
    found = pd.DataFrame(sorted(problems.items()), columns=["path", "reason"])
    dataset = replace(
        prepared.dataset,
        table=prepared.dataset.table[~prepared.dataset.table["path"].isin(found["path"])].reset_index(drop=True),
        problems=pd.concat([prepared.dataset.problems, found], ignore_index=True),
    )
    kept = prepared.instances[~prepared.instances["path"].isin(found["path"])].reset_index(drop=True)
    if kept.empty:
        path, reason = found.iloc[0]
        raise BenchError(f"Got {counted(len(found), 'image')}, none of which can be used (first: {path}: {reason}).")
    was = prepared.instances.drop_duplicates("label")
    lost = was.loc[~was["label"].isin(set(kept["label"])), ["label", "path"]]
    if len(lost):
        reasons = {label: f"e.g. {path}: {problems[path]}" for label, path in lost.itertuples(index=False)}
        raise BenchError(lost_classes(reasons, prepared.dataset.root))
    return replace(prepared, dataset=dataset, instances=kept)


def _of_copies(problems: Mapping[str, str], table: pd.DataFrame) -> dict[str, str]:
    """Return path -> reason with the copies of each file, of which only the first was looked at."""
    why = {
        digest: problems[path] for path, digest in zip(table["path"], table["digest"], strict=True) if path in problems
    }
    same = table[table["digest"].isin(why)].drop_duplicates("path")
    return {path: why[digest] for path, digest in zip(same["path"], same["digest"], strict=True)}


def cached_encoders(prepared: Prepared) -> list[EncoderSpec]:
    """Return the encoders whose embeddings of every instance are stored."""
    found = []
    bring_stored(prepared.store, list(prepared.store.variants()), prepared.instances)
    for key, name in prepared.store.variants().items():
        if not prepared.store.has(key, prepared.instances["instance"]).all():
            continue
        try:
            spec = resolve(name)
        except EncoderError:
            continue  # e.g. its weights file has moved; it can be named explicitly
        if spec.key == key:
            found.append(spec)
    return found


def lacks(prepared: Prepared, specs: Sequence[EncoderSpec]) -> bool:
    """Return whether there is anything to embed."""
    names = prepared.instances["instance"]
    return not all(prepared.store.has(spec.key, names).all() for spec in specs)


def stored_or_default(prepared: Prepared) -> list[EncoderSpec]:
    """Return the encoders where none is named: all whose embeddings are stored, else the default one."""
    return cached_encoders(prepared) or [resolve(DEFAULT)]


def embed(
    prepared: Prepared,
    specs: Sequence[EncoderSpec],
    device: str,
    on_progress: OnProgress | None,
    keep: Callable[[str, np.ndarray], np.ndarray] = lambda key, X: X,
    *,
    engine: Engine = LOCAL,
    allow_missing: bool | None = None,
) -> tuple[Prepared, ExtractReport, dict[str, np.ndarray]]:
    """Extract what is missing and read all of it; what turns out damaged when it is read is made again, once.

    keep: variant key and embeddings to what is returned of them, encoder by encoder, so that they need not all be in
    memory at once.
    """
    how: dict[str, Any] = {"engine": engine, "allow_missing": allow_missing}
    prepared, report = extract_encoders(prepared, specs, device, on_progress, **how)

    def read() -> dict[str, np.ndarray]:
        names = prepared.instances["instance"].tolist()
        loaded = [spec for spec in specs if spec.name not in report.failed]
        return {spec.name: keep(spec.key, prepared.store.read(spec.key, names)) for spec in loaded}

    try:
        return prepared, report, read()
    except DamagedRows:
        first = report
    for spec in specs:
        prepared.store.verify(spec.key)
    prepared, report = extract_encoders(prepared, specs, device, on_progress, **how)
    made = {name: count + first.made[name] for name, count in report.made.items()}
    reused = {name: count - first.made[name] for name, count in report.reused.items()}
    problems = {**first.problems, **report.problems}
    return prepared, replace(report, made=made, reused=reused, problems=problems), read()
