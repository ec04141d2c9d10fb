"""What a page is before anything is rendered: a title and blocks, made of words that are ours and of data that is not.

Words of our own are templates, in which *emphasis*, **strong** and `code` may stand:

    say("Best at {labels}: {encoder}.", labels="5 labels", encoder=Code("dino"))

Every text that fills a template, and every text that stands alone, is data of somebody else (a class, a file, a
warning) and is shown as it is, whatever it holds. So a section never escapes anything, and a renderer
(`bench.report.pages.markdown`) is the only one to know a format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bench.report.pages.numbers import Number
from bench.text import counted

LONG = 15  # rows of a table that are shown; the others are folded

Row: TypeAlias = Mapping[Any, Any]  # of a table of data, by column


@dataclass(frozen=True)
class Code:
    """A name or a command, shown in the type of code: within a sentence, in a cell, or as a block by itself."""

    text: str


@dataclass(frozen=True)
class Words:
    """A sentence of ours with the data that fills it; made by `say`."""

    template: str
    values: Mapping[str, Inline] = field(default_factory=dict)


@dataclass(frozen=True)
class Cited:
    """A number with the field of a stored table that it is: the table, its row, counted from 0, and its column. share:
    whether it is printed in percent of the field. A page that can say so does; others show the number alone."""

    number: Number
    table: str
    row: int
    column: str
    share: bool = False

    def __str__(self) -> str:
        return str(self.number)


Inline: TypeAlias = str | Code | Words | Cited  # a plain str is data


def say(template: str, /, **values: Inline | int) -> Words:
    """Return words of ours, filled with data. template: as of `str.format`, and never itself made of data."""
    return Words(template, {name: Number(x) if isinstance(x, int) else x for name, x in values.items()})


def listed(words: Sequence[Inline], between: str = " ") -> Words:
    """Return sentences or other words one after the other, those that are empty left out."""
    kept = [part for part in words if part != ""]
    names = [f"part{i}" for i in range(len(kept))]
    return Words(between.join(f"{{{name}}}" for name in names), dict(zip(names, kept, strict=True)))


@dataclass(frozen=True)
class Heading:
    """A heading within a page; level 2 is the highest, as the title is level 1."""

    words: Inline
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    words: Inline


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[Inline, ...]


@dataclass(frozen=True)
class Header:
    """The head of a column. right: whether its cells stand to the right, as numbers do."""

    words: Inline
    right: bool = False


@dataclass(frozen=True)
class Table:
    """A table; every row has a cell per header. Made by `table_of`."""

    headers: tuple[Header, ...]
    rows: tuple[tuple[Inline, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A picture that lies beside the page. path: relative to the page; alt: what it shows, in words."""

    path: str
    alt: str


@dataclass(frozen=True)
class Folded:
    """Blocks that a reader opens; summary: what is in them, all that is seen before."""

    summary: str
    blocks: tuple[Block, ...]


Block: TypeAlias = Heading | Text | Bullets | Table | Figure | Folded | Code


@dataclass(frozen=True)
class Page:
    """A page: its title and its blocks, in the order of reading."""

    title: Inline
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Field:
    """A column of a table on a page: its heading, and the cell of a row of data."""

    words: Inline
    cell: Callable[[Row], Inline]
    right: bool = True


def name_field(key: str, words: Inline | None = None) -> Field:
    """Return the column that shows a text as it is; the heading is its key where no other is given."""
    return Field(words or key, lambda row: str(row[key]), right=False)


def code_field(key: str, words: Inline | None = None) -> Field:
    """Return the column that shows a name, such as that of an encoder, in the type of code."""
    return Field(words or key, lambda row: Code(str(row[key])), right=False)


def number_field(key: str, text: Callable[[Any], str], words: Inline | None = None) -> Field:
    """Return the column of a number, as `text` prints it; the heading is its key where no other is given."""
    return Field(words or key, lambda row: text(row[key]))


def table_of(rows: Iterable[Row], fields: Sequence[Field]) -> Table:
    """Return the table with a row per row of data and a column per field."""
    headers = tuple(Header(column.words, column.right) for column in fields)
    return Table(headers, tuple(tuple(column.cell(row) for column in fields) for row in rows))


def long_table(table: Table) -> tuple[Block, ...]:
    """Return a table; where it has more than LONG rows, the first ones, and the others folded."""
    rest = table.rows[LONG:]
    if not rest:
        return (table,)
    folded = Folded(counted(len(rest), "more row"), (Table(table.headers, rest),))
    return Table(table.headers, table.rows[:LONG]), folded
