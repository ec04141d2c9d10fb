"""Cells of the tables of a report: every number says which field of which table it is.

    <span data-field="leaderboard/17/ci_low" data-share>66</span>

The row is counted from 0, as in the file. data-share: shown in percent of the field. So whoever doubts a number finds
it, and a test holds every number that is shown against its field.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan
from string import Formatter
from typing import Any

from markupsafe import Markup, escape

from bench.report.html.words import field_html, is_long, text_html
from bench.report.pages.model import Row
from bench.report.pages.numbers import decimal, p_value, points, rate, whole

ROW = "__row__"  # the key of a row's number in its table


@dataclass(frozen=True, kw_only=True)
class Value:
    """A number of a table: its column, how it is printed, and whether it is printed in percent."""

    column: str
    text: Callable[[float], str]
    share: bool = False


def in_points(column: str) -> Value:
    """Return a share in percent with one digit."""
    return Value(column=column, text=points, share=True)


def in_percent(column: str) -> Value:
    """Return a share in whole percent without the sign."""
    return Value(column=column, text=whole, share=True)


def in_rate(column: str) -> Value:
    """Return a share in whole percent, with the sign."""
    return Value(column=column, text=rate, share=True)


def in_gain(column: str) -> Value:
    """Return a difference of shares in points, with its sign."""
    return Value(column=column, text=lambda x: "" if isnan(x) else f"{100 * x:+z.1f}", share=True)


def in_whole_gain(column: str) -> Value:
    """Return a difference of shares in whole points, with its sign; for the ends of an interval."""
    return Value(column=column, text=lambda x: f"{100 * x:+z.0f}", share=True)


def as_it_is(column: str, digits: int = 2) -> Value:
    """Return a number with so many digits."""
    return Value(column=column, text=lambda x: decimal(x, digits))


def as_p(column: str) -> Value:
    """Return a p."""
    return Value(column=column, text=p_value)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table of a report.

    heading: what stands above it; meaning: what it is, shown where one points at the heading. pattern: how its values
    stand together, as "{0} to {1}"; a cell without its first value is empty. texts: the cell instead, of a column
    without numbers. sort: the column of the data that it is sorted by. down: whether the largest comes first.
    interval: columns (middle, low, high) that are drawn as a bar instead.
    """

    heading: str
    meaning: str = ""
    values: tuple[Value, ...] = ()
    pattern: str = "{0}"
    texts: Callable[[Row], Any] | None = None
    sort: str = ""
    down: bool = True
    interval: tuple[str, str, str] | None = None

    @property
    def pieces(self) -> list[str | int]:
        """The pattern in pieces: literal texts, and positions of values."""
        out: list[str | int] = []
        for literal, name, _, _ in Formatter().parse(self.pattern):
            out += [literal] if literal else []
            out += [int(name)] if name is not None else []
        return out


def value_text(value: Value, row: Row) -> str:
    """Return a value as it is printed, "" where it is not known."""
    number = row.get(value.column)
    return "" if number is None or isinstance(number, str) or isnan(number) else str(value.text(float(number)))


def cell_html(column: Column, row: Row, table: str) -> Markup:
    """Return a cell. table: what the table of data is called, in which row[ROW] is the number of this row."""
    if column.interval:
        return bar_html(*(float(row.get(name, float("nan"))) for name in column.interval))
    if column.texts:
        shown = column.texts(row)
        return shown if isinstance(shown, Markup) else text_html(shown)
    texts = [value_text(value, row) for value in column.values]
    if not texts[0]:
        return Markup("")
    if not all(texts):
        return number_html(texts[0], column.values[0], table, row[ROW])
    return Markup("").join(
        escape(piece) if isinstance(piece, str) else number_html(texts[piece], column.values[piece], table, row[ROW])
        for piece in column.pieces
    )


def number_html(text: str, value: Value, table: str, row: int) -> Markup:
    """Return a number that says which field it is."""
    return field_html(text, f"{table}/{row}/{value.column}", value.share)


def bar_html(middle: float, low: float, high: float) -> Markup:
    """Return a small drawing of shares: a line over the interval, a dot in the middle, on a scale from 0 to 1."""
    if isnan(middle):
        return Markup("")
    low, high = (middle if isnan(end) else end for end in (low, high))
    return Markup(
        '<svg class="bar" viewBox="-4 0 108 12" aria-hidden="true"><line class="whole" x1="0" x2="100" y1="6" y2="6"/>'
        '<line class="span" x1="{:z.1f}" x2="{:z.1f}" y1="6" y2="6"/><circle cx="{:z.1f}" cy="6" r="3.4"/></svg>'
    ).format(100 * low, 100 * high, 100 * middle)


def table_html(
    columns: Sequence[Column], rows: Sequence[Row], table: str, *, caption: str, identifier: str = "",
    of_row: Callable[[Row], Markup] = lambda row: Markup(""),
) -> Markup:  # fmt: skip
    """Return a table that can be read without a script. of_row: attributes of the row. The first cell names the row."""
    head = Markup("").join(
        Markup('<th scope="col"{}{}>{}</th>').format(
            _side(column), Markup(' title="{}"').format(column.meaning) if column.meaning else "", column.heading
        )
        for column in columns
    )
    lines = Markup("\n").join(Markup("<tr{}>{}</tr>").format(of_row(row), _line(columns, row, table)) for row in rows)
    name = Markup(' id="{}"').format(identifier) if identifier else Markup("")
    return Markup(
        '<div class="wide" tabindex="0" role="group" aria-label="{}"><table{}><caption>{}</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(caption, name, caption, head, lines)


def _line(columns: Sequence[Column], row: Row, table: str) -> Markup:
    first, *others = columns
    cells = [Markup('<th scope="row"{}>{}</th>').format(_lines_of(first, row), cell_html(first, row, table))]
    cells += [
        Markup("<td{}{}>{}</td>").format(_side(column), _lines_of(column, row), cell_html(column, row, table))
        for column in others
    ]
    return Markup("").join(cells)


def _side(column: Column) -> Markup:
    return Markup(' class="n"') if column.values else Markup("")


def _lines_of(column: Column, row: Row) -> Markup:
    """Return the attribute by which a long text takes several lines."""
    text = column.texts(row) if column.texts else ""
    return Markup(' class="long"') if not isinstance(text, Markup) and is_long(text) else Markup("")
