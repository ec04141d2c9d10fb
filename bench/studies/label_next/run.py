"""From images and the labels so far to what to label next: embed, choose a strategy, propose, look for wrong labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bench.active.pool import Pool
from bench.active.propose import propose
from bench.active.strategies import STRATEGIES
from bench.embeddings.embed import DataSpec, OnProgress, Prepared, embed, prepare, stored_or_default
from bench.embeddings.missing import left_out, resolve_all
from bench.errors import BenchError, did_you_mean
from bench.fitting.views import Embedded
from bench.storage.folder_name import check_folder_name
from bench.storage.tables import csv_bytes
from bench.storage.together import put_together
from bench.studies.audit.pictures import unusable
from bench.studies.audit.run import MOST_PICTURES, folder_name, read_grey
from bench.studies.label.items import keys_of
from bench.studies.label.orders import random_order
from bench.studies.label_next.checks import labels_to_check
from bench.studies.label_next.known import Known, labels_so_far
from bench.studies.label_next.models import left_out_skill, opinions, rows_for_picks, side_by_side
from bench.studies.label_next.rows import as_table
from bench.studies.label_next.rule import FIRST, strategy_for
from bench.studies.label_next.table import FOLDER, TABLE
from bench.text import counted

AUTO = "auto"
COUNT = 20
CHECKS = 0.25  # labels to look at again, as a share of the new ones, at most


@dataclass(frozen=True, kw_only=True)
class NextRequest:
    """labels: a label table, None for the labels of the data. count: how many to propose. strategy: a name of
    STRATEGIES, or AUTO. any_image: also what looks blank, out of focus or saturated. name: of the folder
    <out>/next/<name>."""

    source: DataSpec
    labels: Path | None = None
    count: int = COUNT
    strategy: str = AUTO
    encoders: Sequence[str] = ()
    any_image: bool = False
    seed: int = 0
    out: Path = Path("results")
    name: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Next:
    """What to label next. table: of `bench.studies.label_next.table`, as it is written. labels, items: how many there
    are; drawn: labels among them that are a random sample of all. classes: with a label.
    automatic: whether the strategy follows from the labels so far, and is not as asked."""

    folder: Path
    table: pd.DataFrame
    strategy: str
    classes: int
    automatic: bool
    labels: int
    drawn: int
    items: int
    notes: tuple[str, ...]


def next_labels(
    request: NextRequest, *, device: str = "auto", workers: int = 1, on_progress: OnProgress | None = None
) -> Next:
    """Propose what to label next, and write the list that `bench label --order next` takes.

    Raises BenchError where nothing is left, for no such strategy, and for labels of other images.
    """
    check(request)
    source = request.source
    all_of_them = replace(source.reading, labelled=False, leave_out=(), drawn_only=False)
    prepared = prepare(replace(source, reading=all_of_them), request.out, on_progress)
    specs = resolve_all(request.encoders, allow_missing=None)[0] if request.encoders else stored_or_default(prepared)
    _what_is_left(request, prepared)  # where nothing is, it is said here
    prepared, extracted, X = embed(prepared, specs, device, on_progress, allow_missing=True)
    views = {spec.name: Embedded(spec.name, spec.key, spec.scaling, X[spec.name]) for spec in specs if spec.name in X}
    if not views:
        raise BenchError("No encoder could be loaded.", *left_out(extracted.failed))
    rows = prepared.instances
    known, labelled, may = _what_is_left(request, prepared)
    dropped, notes = np.empty(0, np.int64), [*known.notes, *left_out(extracted.failed)]
    if not request.any_image:
        dropped, more = no_use(prepared, may, workers, on_progress)
        notes += more
    may[dropped] = False
    groups = rows["group"].to_numpy(str)
    parts = rows_for_picks(list(views.values()), groups)
    classes, y = np.unique(np.array([known.labels[i] for i in labelled], str), return_inverse=True)
    skill = partial(left_out_skill, parts[0][labelled], y, groups[labelled], len(classes))
    strategy = strategy_for(len(labelled), len(classes), skill) if request.strategy == AUTO else request.strategy
    models = STRATEGIES[strategy].models
    if models and len(classes) < 2:
        strategy, models = FIRST, 0
        notes.append(f"{request.strategy} needs labels of two classes, which there are not yet: {FIRST} instead")
    P = opinions(parts, labelled, y, len(classes), models) if models else None
    order = random_order(keys_of(rows), request.seed)
    pool = Pool(Z=side_by_side(parts), labelled=labelled, P=P, seed=request.seed)
    made = propose(pool, may, np.unique(groups, return_inverse=True)[1], order, count=request.count, strategy=strategy)
    checks = labels_to_check(
        views, labelled, classes[y].tolist(), groups[labelled], most=max(1, int(CHECKS * request.count))
    )
    table = as_table(rows, known.labels, made, strategy, checks=checks, Z=pool.Z)
    folder = Path(request.out) / FOLDER / (request.name or folder_name(prepared.dataset.name))
    put_together(folder, {TABLE: csv_bytes(table)}, {"strategy": strategy, "seed": request.seed})
    return Next(
        folder=folder, table=table, strategy=strategy, labels=len(labelled), drawn=len(made.counts), items=len(rows),
        classes=len(classes), automatic=request.strategy != strategy, notes=(*prepared.notes, *notes),
    )  # fmt: skip


def _what_is_left(request: NextRequest, prepared: Prepared) -> tuple[Known, np.ndarray, np.ndarray]:
    """Return the labels so far, the rows that have one, and which rows may be proposed, bool (N,)."""
    source, rows = request.source, prepared.instances
    known = labels_so_far(source, request.labels, prepared.dataset.root, rows, prepared.cache)
    labelled = np.array([i for i, label in enumerate(known.labels) if label is not None], np.int64)
    may = first_of_each(rows["instance"].to_numpy(str), labelled)
    may[list(known.unsure)] = False
    if not may.any():
        raise BenchError(
            f"Got {source.data}, where every image has a label; expected some without. If its folders are not "
            "classes, or its labels should be ignored, add --labelled FILE: the label table to use instead, which "
            "need not exist yet."
        )
    return known, labelled, may


def check(request: NextRequest) -> None:
    """Raise BenchError for what cannot be asked."""
    if request.count < 1:
        raise BenchError(f"Got --n {request.count}; expected 1 or more.")
    check_folder_name(request.name)
    names = (AUTO, *STRATEGIES)
    if request.strategy not in names:
        raise BenchError(
            f"Got --strategy {request.strategy}{did_you_mean(request.strategy, names) or '.'} Expected one of "
            f"{', '.join(names)}."
        )


def first_of_each(names: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Return which rows may be proposed, bool (N,): of images of one content the first, where none has a label."""
    may = np.zeros(len(names), bool)
    may[np.unique(names, return_index=True)[1]] = True
    found: np.ndarray = may & ~np.isin(names, names[labelled])
    return found


def no_use(
    prepared: Prepared, may: np.ndarray, workers: int, on_progress: OnProgress | None
) -> tuple[np.ndarray, list[str]]:
    """Return the rows that look blank, out of focus or saturated among those that may be proposed, and a note."""
    if len(may) > MOST_PICTURES:
        return np.empty(0, np.int64), [f"more than {MOST_PICTURES:,} images: they were not checked for useless ones"]
    grey, read = read_grey(prepared, workers, on_progress)
    at = np.flatnonzero(read)
    found = {int(at[row]): why for row, why, _ in unusable(grey[at], np.zeros(len(at), np.int64)) if may[at[row]]}
    if not found:
        return np.empty(0, np.int64), []
    row, why = next(iter(found.items()))
    path = prepared.instances["path"].iloc[row]
    note = (
        f"{counted(len(found), 'image is', 'images are')} left out as useless, e.g. {path} ({why}); --any-image keeps "
        "them"
    )
    return np.array(sorted(found), np.int64), [note]
