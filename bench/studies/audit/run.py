"""An audit from images to its tables: embed, judge labels and slides, look for copies and images that are no use."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.chosen_by import tested_rows
from bench.data.content import content_of
from bench.data.copies import copies_of
from bench.data.datasets import Dataset
from bench.data.warnings import data_warnings
from bench.embeddings.embed import DataSpec, OnProgress, Prepared, embed, prepare, stored_or_default
from bench.embeddings.extract import in_order
from bench.embeddings.missing import left_out
from bench.embeddings.views import read_views
from bench.errors import BenchError
from bench.fitting.views import Embedded
from bench.heads import get_heads, no_head
from bench.report.pages.page import page_bytes
from bench.report.tables.merge import find_runs
from bench.runs.place import content_of_run, keep_tables
from bench.storage.folder_name import check_folder_name
from bench.storage.tables import csv_bytes
from bench.storage.together import put_together
from bench.studies.audit import findings as tables
from bench.studies.audit.copies import COLUMNS as PAIR
from bench.studies.audit.copies import SIDE, find_copies
from bench.studies.audit.fix import FIX
from bench.studies.audit.full_size import full_size
from bench.studies.audit.labels import DRAWS, HEADS, LabelAudit, audit_labels
from bench.studies.audit.page import PAGE, TABLE, AuditPage, audit_page
from bench.studies.audit.pictures import neighbour_distance, unlike, unusable
from bench.studies.audit.unseen import on_axes
from bench.studies.of_run import encoders_and_heads
from bench.work.calls import Engine
from bench.work.local import LOCAL
from encoders import EncoderSpec, Preprocess, resolve

FOLDER = "audit"
CONSTANT = "constant"  # the encoder of guessing, which has nothing to say
BESIDE = ("color-stats", "texture", "image-size")  # judged along with every encoder, as they cost next to nothing
MOST_PICTURES = 20_000  # images that are looked at for copies; more would not fit into memory
FEW = 300  # labels from which on the number of wrong ones is told with some certainty


@dataclass(frozen=True, kw_only=True)
class AuditRequest:
    """What is asked of an audit. encoders: names, none for those of `run`, or those that are stored; run: name or
    folder of a run of the same data; name: of the folder <out>/audit/<name> (default: from the data)."""

    source: DataSpec
    encoders: Sequence[str] = ()
    run: str | None = None
    heads: Sequence[str] = HEADS
    draws: int = DRAWS
    out: Path | str = "results"
    name: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Audit:
    """What an audit found. findings: `bench.studies.audit.findings.COLUMNS`; folder: of the page and the tables."""

    folder: Path
    findings: pd.DataFrame
    labels: LabelAudit
    dataset: Dataset
    about: AuditPage
    notes: tuple[str, ...] = ()


def audit(
    request: AuditRequest, *, command: str = "", device: str = "auto", workers: int = 1, engine: Engine = LOCAL,
    on_progress: OnProgress | None = None, on_data: Callable[[Dataset, Sequence[str]], None] | None = None,
) -> Audit:  # fmt: skip
    """Look for what is wrong with labelled images, and write the findings, a page and the table to decide in.

    Raises BenchError for parts of images, whose labels are those of the images, and for a run of other data.
    """
    check(request)
    prepared = prepare(request.source, request.out, on_progress)
    specs = encoders_of(request, prepared)
    warned = tuple(data_warnings(prepared.dataset))
    if on_data:
        on_data(prepared.dataset, warned)
    prepared, extracted, X = embed(prepared, specs, device, on_progress, engine=engine, allow_missing=True)
    if {spec.name for spec in specs} - set(BESIDE) and not {spec.name for spec in specs} - {*BESIDE, *extracted.failed}:
        raise BenchError("No encoder could be loaded.", *left_out(extracted.failed))
    specs = [spec for spec in specs if spec.name in X]
    views = {spec.name: Embedded(spec.name, spec.key, spec.scaling, X[spec.name]) for spec in specs}
    table = prepared.instances
    classes, y = np.unique(table["label"].to_numpy(str), return_inverse=True)
    groups = table["group"].to_numpy(str)
    found = audit_labels(
        views, y, groups, n_classes=len(classes), heads=request.heads, draws=request.draws, engine=engine,
        on_progress=on_progress,
    )  # fmt: skip
    rows, notes = tables.slide_rows(found) + tables.label_rows(found, table, classes.tolist()), list(prepared.notes)
    pairs, pictures, more = look(prepared, y, workers, on_progress)
    said = found.members.groupby("encoder")["weight"].sum()
    best = said.drop(labels=tables.SIMPLE, errors="ignore").idxmax()
    Z = on_axes(views[str(best)], groups)
    off_topic = unlike(Z, y, neighbour_distance)
    rows += tables.copy_rows(pairs, table) + tables.image_rows([*pictures, *off_topic], table)
    rows += tables.class_rows(found, classes.tolist())
    findings = tables.as_table(rows)
    about = AuditPage(
        dataset=prepared.dataset.name, classes=tuple(classes.tolist()), labels=found, findings=findings,
        test=test_scores(found, table, y), command=command,
        notes=(*notes, *more, *left_out(extracted.failed), *limits(found, y, classes), *of_picked(table)),
    )  # fmt: skip
    folder = Path(request.out) / FOLDER / (request.name or folder_name(prepared.dataset.name))
    kept = keep_tables(folder, TABLE, findings, ["kind", "path", "other_path"])
    fix = tables.fix_of(findings)
    files = {TABLE: csv_bytes(findings), FIX: csv_bytes(fix), PAGE: page_bytes(audit_page(about))}
    put_together(folder, files, {"data": content_of(prepared.dataset.table)})
    return Audit(
        folder=folder, findings=findings, labels=found, dataset=prepared.dataset, about=about,
        notes=tuple(filter(None, (*about.notes, kept))),
    )  # fmt: skip


def check(request: AuditRequest) -> None:
    """Raise BenchError for what an audit cannot be asked."""
    if not get_heads(request.heads):
        raise no_head()
    check_folder_name(request.name)
    if request.source.instances != "whole":
        raise BenchError(
            f"Got --instances {request.source.instances}; expected whole, as the label of a part is that of its image. "
            "For cells give their table as --data, with a box and a label in each line: path,x0,y0,x1,y1,label."
        )
    if request.draws < 1:
        raise BenchError(f"Got --draws {request.draws}; expected 1 or more.")


def encoders_of(request: AuditRequest, prepared: Prepared) -> list[EncoderSpec]:
    """Return the encoders that are asked for, of the run or stored, and the cheap ones beside them."""
    specs = [resolve(name) for name in (*request.encoders, *_of_run(request, prepared))] or stored_or_default(prepared)
    specs += [resolve(name) for name in BESIDE]
    return list({spec.name: spec for spec in specs if spec.name != CONSTANT}.values())


def _of_run(request: AuditRequest, prepared: Prepared) -> list[str]:
    if request.run is None:
        return []
    [folder] = find_runs(Path(request.out), [request.run])
    if content_of_run(folder) != content_of(prepared.dataset.table):
        raise BenchError(
            f"Got --from {request.run}, a run of other images or labels than --data {prepared.dataset.name}; expected "
            "a run of the same data. Give --encoder instead."
        )
    return encoders_and_heads(Path(request.out), request.run)[0]


def look(
    prepared: Prepared, y: np.ndarray, workers: int, on_progress: OnProgress | None
) -> tuple[pd.DataFrame, list[tuple[int, str, float]], list[str]]:
    """Return copies (`find_copies`), images that are no use, and notes; exact copies are told by their bytes."""
    exact = _exact(prepared)
    if len(prepared.instances) > MOST_PICTURES:
        return exact, [], [f"more than {MOST_PICTURES:,} images: only exact copies are looked for"]
    grey, read = read_grey(prepared, workers, on_progress)
    at = np.flatnonzero(read)
    full = partial(full_size, prepared.instances.iloc[at], prepared.dataset.root)
    near = find_copies(grey[at], on_progress, full).assign(
        first=lambda pairs: at[pairs["first"]], second=lambda pairs: at[pairs["second"]]
    )
    same = set(zip(exact["first"], exact["second"], strict=True))
    near = near[[pair not in same for pair in zip(near["first"], near["second"], strict=True)]]
    pictures = [(int(at[row]), why, off) for row, why, off in unusable(grey[at], y[at])]
    return pd.concat([exact, near], ignore_index=True) if len(exact) else near, pictures, []


def read_grey(prepared: Prepared, workers: int, on_progress: OnProgress | None) -> tuple[np.ndarray, np.ndarray]:
    """Return every image small and grey, uint8 (n, SIDE, SIDE), and which could be read, bool (n,)."""
    table = in_order(prepared.instances)
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate(prepared.instances["instance"].tolist()):
        rows_of.setdefault(name, []).append(row)
    grey = np.zeros((len(prepared.instances), SIDE, SIDE), np.uint8)
    read, done, names = np.zeros(len(grey), bool), 0, table["instance"].to_numpy(str)
    for some, _ in read_views(prepared, table, Preprocess(SIDE, "squash", 1.0, "bilinear"), workers):
        for row, views in some.items():
            grey[rows_of[str(names[row])]] = views[0].mean(-1).round()
            read[rows_of[str(names[row])]] = True
        done += len(some)
        if on_progress:
            on_progress("read images", done, len(names))
    return grey, read


def _exact(prepared: Prepared) -> pd.DataFrame:
    table = prepared.instances
    first = {path: row for row, path in reversed(list(enumerate(table["path"].tolist())))}
    pairs = [
        (first[paths[0]], first[path], "the same bytes", 1.0)
        for paths in copies_of(table) for path in paths[1:] if paths[0] in first and path in first
    ]  # fmt: skip
    return pd.DataFrame(pairs, columns=PAIR)


def test_scores(found: LabelAudit, table: pd.DataFrame, y: np.ndarray) -> tuple[float, float, int] | None:
    """Return how many labels of an official test split the pooled models name, as they are and if the doubted ones were
    corrected, and how many these are; None without such a split."""
    test = (table["split"] == "test").to_numpy(bool, na_value=False) & found.judged
    if not test.any():
        return None
    named = np.where(found.fitted.margin > 0, found.other, y)
    corrected = np.where(found.doubted, found.other, y)
    as_given, as_corrected = ((named == labels)[test].mean() for labels in (y, corrected))
    return float(as_given), float(as_corrected), int((found.doubted & test).sum())


def limits(found: LabelAudit, y: np.ndarray, classes: np.ndarray) -> list[str]:
    """Return what the labels are too few to say."""
    out = []
    lacking = [str(classes[k]) for k in np.unique(y[~found.judged])]
    if lacking:
        out.append(f"labels of {', '.join(lacking)} are not judged: a class needs 3 slides (or images) for that")
    if 0 < found.judged.sum() < FEW:
        out.append(
            f"with {int(found.judged.sum()):,} labels the number of wrong ones is only a guess; an estimate "
            f"needs about {FEW} labels"
        )
    return out


def of_picked(table: pd.DataFrame) -> list[str]:
    """Return what labels that were not drawn at random mean for the share of wrong ones, nothing where there are
    none."""
    if tested_rows(table["split"]).all():
        return []
    return [
        "labels that were picked are judged too, and the share of wrong ones is that of all these labels: among hard "
        "images more may be wrong than among those that are drawn at random"
    ]


def folder_name(dataset: str) -> str:
    """Return how the folder of an audit is called that is given no name."""
    return re.sub(r"[^\w.-]+", "-", dataset).strip("-.") or FOLDER
