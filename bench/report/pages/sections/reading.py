"""How to read the page of a run: what its scores estimate, what every column means, why fields are empty.

All of it stands with the columns, see `bench.report.tables.columns`.
"""

from __future__ import annotations

from bench.report.pages.model import Block, Bullets, Code, Field, Folded, Heading, Inline, Row, say, table_of
from bench.report.pages.sections.context import RunPage
from bench.report.tables import columns


def how_to_read(run: RunPage) -> list[Block]:
    """Return the last section of a page. First come the readings of what is shown, then those of what is not."""
    shown = [column for column in columns.COLUMNS if column.shown]
    others = [column for column in columns.COLUMNS if column not in shown]
    readings = [words for column in (*shown, *others) for words in column.reading(run.board.table, run.facts)]
    every = Folded("Every column of leaderboard.csv", (table_of(_entries(run), FIELDS),))
    return [Heading(say("How to read it")), Bullets(tuple(readings)), every]


def _entries(run: RunPage) -> list[Row]:
    """Return a row per column of the file."""
    return [
        {
            "key": column.key, "heading": column.shown.words if column.shown else "", "meaning": column.meaning,
            "empty": run.board.empty.get(column.key, ""),
        }
        for column in columns.COLUMNS
    ]  # fmt: skip


def _cell(key: str) -> Field:
    headings: dict[str, Inline] = {
        "heading": "on this page",
        "meaning": "what it is",
        "empty": "why some fields are empty",
    }
    return Field(headings[key], lambda row: row[key], right=False)


FIELDS = (Field("column", lambda row: Code(row["key"]), right=False), *map(_cell, ("heading", "meaning", "empty")))
