"""What several runs were made under, a row per property: what is the same in all of them, and what is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TypeAlias

from markupsafe import Markup

from bench.report.html.badges import PASSED, TIP
from bench.report.html.cells import ROW, Column, table_html
from bench.report.html.several.read import RULES, OneRun
from bench.report.html.words import field_html, shown_text, text_html
from bench.report.pages.model import Row
from bench.report.pages.numbers import count, rate
from bench.report.tables.rows import head_label

BOARD = "leaderboard"
Cells: TypeAlias = dict[str, tuple[str, int] | None]  # a text -> the field (column, row) that it is
WORDS = {
    "instances": "what is one instance", "level": "what is scored", "draw": "how labels are drawn",
    "shot_unit": "what a label is", "scale_by": "scaling", "split": "split", "data": "groups or regions",
    "seeds": "draws",
}  # fmt: skip
AS_ROWS = {**WORDS, "data": "groups or regions (digest)"}


def shared_html(runs: Sequence[OneRun]) -> Markup:
    """Return what the runs were made under, a row per property."""

    rows = [{"what": what, "cells": [read(run) for run in runs]} for what, read in SHARED]

    def of_run(at: int) -> Callable[[Row], Markup]:
        return lambda row: Markup('<span data-run="{}">{}</span>').format(runs[at].number, _cell(row["cells"][at]))

    columns = [
        Column(heading="property", texts=lambda row: row["what"]),
        Column(heading="the same?", texts=lambda row: _same(row["cells"])),
        *(Column(heading=run.called, meaning=shown_text(run.name), texts=of_run(at)) for at, run in enumerate(runs)),
    ]
    table = table_html(columns, rows, BOARD, caption="What the runs were made under")
    return Markup('<div class="files">{}</div>').format(table)


def _of_rows(read: Callable[[Row], object]) -> Callable[[OneRun], Cells]:
    """Return what the rows of a run with labels say, each text once."""
    return lambda run: dict.fromkeys(shown_text(read(row)) for row in run.rows if row["shots"])


def _by_name(read: Callable[[Row], object]) -> Callable[[OneRun], Cells]:
    """Return the texts of `_of_rows` in the order of names, so that two runs can be read side by side."""
    return lambda run: dict.fromkeys(sorted(_of_rows(read)(run)))


def _counted(column: str) -> Callable[[OneRun], Cells]:
    """Return the whole numbers of a column of a run, each with the first row that has it."""

    def read(run: OneRun) -> Cells:
        found: Cells = {}
        for row in run.rows:
            if row["shots"]:
                found.setdefault(count(int(row[column])), (column, row[ROW]))
        return found

    return read


def _cell(found: Cells) -> Markup:
    """Return texts one after the other; a number names its field."""
    return Markup(", ").join(
        text_html(text) if field is None else field_html(text, f"{BOARD}/{field[1]}/{field[0]}", False)
        for text, field in found.items()
    )


#: What runs may share: (property, what a run says of it).
SHARED: tuple[tuple[str, Callable[[OneRun], Cells]], ...] = (
    ("data", lambda run: {run.dataset: None}), ("classes", lambda run: dict.fromkeys(run.context.classes)),
    ("items tested", _counted("n_test")), ("groups tested", _counted("n_groups")),
    *((AS_ROWS[name], _counted(name) if name == "seeds" else _of_rows(itemgetter(name))) for name in RULES),
    ("labels per class, or in all", _counted("shots")),
    ("wrong labels", _of_rows(lambda row: rate(row["noise"]))), ("encoders", _by_name(itemgetter("encoder"))),
    ("heads", _by_name(head_label)),
)  # fmt: skip


def _same(cells: Sequence[Cells]) -> Markup:
    same = all(set(own) == set(cells[0]) for own in cells)
    return Markup('<span class="badge {}"><span aria-hidden="true">{}</span> {}</span>').format(
        PASSED if same else TIP, "=" if same else "≠", "same" if same else "differs"
    )
