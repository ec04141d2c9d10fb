"""Several runs as their page shows them: their stored tables, and which rows of them are of one method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pandas as pd

from bench.report.html.anonymous import called_of, hidden, without_names, without_paths
from bench.report.html.context import ReportContext, headline_level, methods_of, rows_of
from bench.report.html.read import stored_page
from bench.report.pages.model import Row
from bench.report.pages.sections.datasets import Overview
from bench.report.tables.across import across
from bench.report.tables.merge import ROW, StoredRun, draw_scores, merge_runs, read_runs
from bench.report.tables.protocols import PROTOCOL
from bench.report.tables.rows import competing
from bench.runs.record import RunRecord, read_record_of

RULES = (*PROTOCOL, "seeds")  # columns that are equal where two rows are of the same draws and tested images


@dataclass(frozen=True, kw_only=True, eq=False)
class OneRun:
    """A run among others. number: from 1, by which the page speaks of it. name, dataset: as they are shown; content:
    what the dataset is. rows: those of its leaderboard that may be compared. context: for its verdict; it has no items,
    pictures and map. link: where its own report lies, "" where nobody knows."""

    number: int
    name: str
    dataset: str
    content: str
    rows: tuple[Row, ...]
    context: ReportContext
    link: str = ""

    @property
    def called(self) -> str:
        """How the page speaks of it."""
        return f"Run {self.number}"

    @property
    def rules(self) -> frozenset[tuple[str, ...]]:
        """What its rows with labels were made under."""
        return frozenset(tuple(str(row[name]) for name in RULES) for row in self.rows if row["shots"])


@dataclass(frozen=True, kw_only=True, eq=False)
class Several:
    """runs: in the order in which they were named. notes: what to know first. overview: what holds across datasets."""

    runs: tuple[OneRun, ...]
    notes: tuple[str, ...]
    overview: Overview


def read_several(
    folders: Sequence[Path], links: Mapping[Path, str] | None = None, *, anonymous: bool = False
) -> Several:
    """Return what the page of several runs is made of. Nothing is fitted.

    links: folder of a run -> where its own report lies, as the page may link to it. A run that cannot be read is left
    out, and a note says so. Raises BenchError where none can.
    """
    stored, read_notes = read_runs(folders)
    merged = merge_runs(stored)
    scores, left_out = draw_scores(stored, merged)
    found = across(scores)
    notes = tuple(dict.fromkeys((*read_notes, *left_out, *found.notes)))  # here no row stands for that of another run
    records = [read_record_of(run.folder) for run in stored]
    runs = [_one(run, record, number) for number, (run, record) in enumerate(zip(stored, records, strict=True), 1)]
    if anonymous:
        return _anonymous(runs, records, notes)
    runs = [
        replace(run, link=(links or {}).get(known.folder, "")) for run, known in zip(runs, stored, strict=True)
    ]  # fmt: skip
    return Several(runs=tuple(runs), notes=notes, overview=Overview(table=merged.table, across=found))


def _one(run: StoredRun, record: RunRecord, number: int) -> OneRun:
    page = stored_page(run.folder, record)
    board = page.board.table
    level = headline_level(board)
    return OneRun(
        number=number, name=run.name, dataset=str(run.board["dataset"].iloc[0]) if len(run.board) else run.name,
        content=run.known.content, rows=_compared(board.assign(data=run.data)),
        context=ReportContext(
            run=page, level=level, methods=methods_of(board, level), detailed=(), items=None, tables={}, map=None,
            shown=(), pictures={}, labels=(), names=(), groups=(),
        ),
    )  # fmt: skip


def _compared(board: pd.DataFrame) -> tuple[Row, ...]:
    kept = set(competing(board).index)
    return tuple(row for at, row in zip(board.index, rows_of(board), strict=True) if at in kept)


def _anonymous(runs: Sequence[OneRun], records: Sequence[RunRecord], notes: Sequence[str]) -> Several:
    """Return the same without names of runs, datasets, files and groups, and without what holds across datasets.

    An encoder that is called by a file has the same number in every run.
    """
    methods = [method for run in runs for method in run.context.methods]
    called = called_of([method.encoder for method in methods], [method.head for method in methods])
    contents = list(dict.fromkeys(run.content for run in runs))
    secret: set[str] = set()
    shown = []
    for run, record in zip(runs, records, strict=True):
        paths = record.table["path"].astype(str)
        secret |= {run.name, run.dataset, *paths, *record.table["group"].astype(str), record.facts.dataset}
        secret |= {PurePosixPath(path).stem for path in paths} | {record.facts.place}
        page = without_names(run.context.run, record.table)
        context = without_paths(replace(run.context, run=page), called)
        rows = [
            {**row, "encoder": called.get(row["encoder"], row["encoder"]), "head": called.get(row["head"], row["head"])}
            for row in run.rows
        ]
        shown.append(replace(
            run, name="", dataset=f"dataset {contents.index(run.content) + 1}", rows=tuple(rows), context=context,
        ))  # fmt: skip
    keep = {method.encoder for method in methods} | {method.head for method in methods}
    hide = hidden(secret, keep=keep)
    return Several(
        runs=tuple(shown), notes=tuple(map(hide, notes)), overview=Overview(table=pd.DataFrame(), across=None)
    )


def methods_in(runs: Sequence[OneRun], fewest: int = 2) -> dict[tuple[str, ...], dict[int, Row]]:
    """Return (encoder, head, labels, ...) -> run -> row, of clean labels, of the methods that at least so many runs
    have."""
    found: dict[tuple[str, ...], dict[int, Row]] = {}
    for run in runs:
        for row in run.rows:
            if not row["noise"]:
                found.setdefault(tuple(str(row[name]) for name in ROW), {})[run.number] = row
    return {key: rows for key, rows in found.items() if len(rows) >= fewest}


def differing(a: Row, b: Row) -> list[str]:
    """Return the columns of RULES in which two rows differ; none where they are of the same draws and images."""
    return [name for name in RULES if str(a[name]) != str(b[name])]
