"""Results that show themselves: the same sentences and tables as text in a terminal and as HTML in a notebook.

What is shown comes from other people's folders and tables: any text in it is data, and passes `bench.text.plain` and,
in HTML, is escaped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.text import encodable, plain

LEFT, RIGHT = "text-align:left", "text-align:right"


@dataclass(frozen=True, kw_only=True)
class Title:
    """What comes first and stands out."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Items:
    """Sentences under a heading; nothing is shown where there are none."""

    heading: str
    items: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Table:
    """rows: as many cells each as `head`; the first `texts` columns stand left, the others right."""

    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""
    texts: int = 1


Part = Title | Items | Table | str


class Shows(ABC):
    """Gives a class whose method `_parts` says what there is to see its look as text and as HTML."""

    @abstractmethod
    def _parts(self) -> Sequence[Part]:
        """Return what there is to see, from the top down."""

    def __repr__(self) -> str:
        return as_text(self._parts())

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook shows."""
        return as_html(self._parts())


def as_text(parts: Sequence[Part]) -> str:
    """Return parts as lines of text without trailing spaces."""
    lines = [line for part in parts for line in _text_lines(part)]
    return "\n".join(line.rstrip() for line in lines)


def as_html(parts: Sequence[Part]) -> str:
    """Return parts as one HTML element; every text is escaped."""
    return f'<div class="bench">{"".join(map(_html, parts))}</div>'


def html_text(value: object) -> str:
    """Return any value as text that means nothing to HTML, on one line, and that every notebook file can hold."""
    return escape(encodable(plain(str(value)), "utf-8"))


def _text_lines(part: Part) -> list[str]:
    if isinstance(part, Title):
        return [plain(part.text)]
    if isinstance(part, Items):
        return [f"{part.heading}:", *(f"  - {plain(item)}" for item in part.items)] if part.items else []
    if isinstance(part, Table):
        return _text_table(part)
    return [plain(part)]


def _text_table(table: Table) -> list[str]:
    rows = [[plain(str(cell)) for cell in row] for row in (table.head, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if at < table.texts else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return ["", *([plain(table.caption)] if table.caption else []), *(f"  {line}" for line in lines), ""]


def _html(part: Part) -> str:
    if isinstance(part, Title):
        return f"<p><b>{html_text(part.text)}</b></p>"
    if isinstance(part, Items):
        items = "".join(f"<li>{html_text(item)}</li>" for item in part.items)
        return f"<p>{html_text(part.heading)}:</p><ul>{items}</ul>" if items else ""
    if isinstance(part, Table):
        caption = f'<caption style="{LEFT}">{html_text(part.caption)}</caption>' if part.caption else ""
        head = _html_row("th", part.head, part.texts)
        body = "".join(_html_row("td", row, part.texts) for row in part.rows)
        return f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>"
    return f"<p>{html_text(part)}</p>"


def _html_row(tag: str, row: Sequence[object], texts: int) -> str:
    cells = (f'<{tag} style="{LEFT if at < texts else RIGHT}">{html_text(cell)}</{tag}>' for at, cell in enumerate(row))
    return f"<tr>{''.join(cells)}</tr>"
