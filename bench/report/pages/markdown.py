"""A page as Markdown: a pure function, and the only place that knows how Markdown is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import Formatter
from typing import assert_never

from bench.report.pages.inert import code, inert, inert_html
from bench.report.pages.model import (
    Block,
    Bullets,
    Cited,
    Code,
    Figure,
    Folded,
    Heading,
    Inline,
    Page,
    Table,
    Text,
    Words,
)
from bench.report.pages.numbers import Number


def render(page: Page) -> str:
    """Return a page as Markdown."""
    return "\n\n".join([_heading(page.title, 1), *map(render_block, page.blocks)]).rstrip() + "\n"


def inline(words: Inline, *, in_table: bool = False) -> str:
    """Return words as they stand in a line. Only templates of ours mean something; all else is shown as it is."""
    match words:
        case Words(template=template, values=values):
            parts = Formatter().parse(template)
            return "".join(
                literal + (inline(values[name], in_table=in_table) if name is not None else "")
                for literal, name, _, _ in parts
            )
        case Code(text=text):
            return code(text, in_table=in_table)
        case Number() | Cited():
            return str(words)
        case _:
            return inert(words, in_table=in_table)


def render_block(block: Block) -> str:
    """Return one block as lines of Markdown, without the blank lines around it."""
    match block:
        case Heading(words=words, level=level):
            return _heading(words, level)
        case Text(words=words):
            return inline(words)
        case Code(text=text):
            return code(text, in_table=False)
        case Bullets(items=items):
            return "\n".join(f"- {inline(item)}" for item in items)
        case Table():
            return _table(block)
        case Figure(path=path, alt=alt):
            return f"![{inline(alt)}]({path})"
        case Folded(summary=summary, blocks=blocks):
            inner = "\n\n".join(map(render_block, blocks))
            return f"<details>\n<summary>{inert_html(summary)}</summary>\n\n{inner}\n\n</details>"
        case _:
            assert_never(block)


def table_lines(lines: Sequence[Sequence[str]], right: Sequence[bool] = ()) -> str:
    """Return a Markdown table of texts that are Markdown already; the first line is the header.

    right: for each column whether its cells stand to the right; none do where it is empty.
    """
    head, *body = lines
    rules = ["---:|" if to_the_right else "---|" for to_the_right in right or [False] * len(head)]
    text = ["| " + " | ".join(head) + " |", "|" + "".join(rules)]
    return "\n".join(text + ["| " + " | ".join(map(_one_cell, row)) + " |" for row in body])


def _heading(words: Inline, level: int) -> str:
    """Return a heading; a # at its end, which Markdown would leave out, is escaped."""
    return f"{'#' * level} {re.sub(r'(#+)$', _escaped, inline(words))}"


def _escaped(match: re.Match[str]) -> str:
    return f"\\{match[1]}"


def _table(table: Table) -> str:
    rows = [[header.words for header in table.headers], *table.rows]
    lines = [[inline(cell, in_table=True) for cell in row] for row in rows]
    return table_lines(lines, [header.right for header in table.headers])


def _one_cell(text: str) -> str:
    """Return a text that ends neither its cell nor its row."""
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.splitlines()))
