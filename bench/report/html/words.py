"""Words and blocks of a page as HTML: the second renderer of `bench.report.pages.model`, beside that of Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import Formatter
from typing import assert_never

from markupsafe import Markup, escape

from bench.report.pages.model import Block, Bullets, Cited, Code, Figure, Folded, Heading, Inline, Table, Text, Words
from bench.report.pages.numbers import Number
from bench.text import encodable, plain

LONGEST = 27  # letters of a name within a picture
WIDE = 40  # letters of a name in a cell, from which on it takes several lines
# What stands for what in templates of ours, after their text was escaped.
_STRONG = re.compile(r"\*\*(.+?)\*\*")
_EMPHASIS = re.compile(r"(?<!\w)\*(?=\S)(.+?)(?<=\S)\*(?!\w)")
_CODE = re.compile(r"`([^`]+)`")
_OWN_CODE = re.compile(r"(?<!`)`(\w[\w =.,/:'@-]*)`(?!`)")


def shown_text(value: object) -> str:
    """Return any value as text on one line, without what a reader would not see; not escaped yet."""
    return encodable(plain(str(value)), "utf-8")


def short(text: str, longest: int = LONGEST) -> str:
    """Return a name that fits at the end of a series."""
    text = shown_text(text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def is_long(value: object) -> bool:
    """Return whether a text takes several lines in a cell of a table."""
    return len(shown_text(value)) > WIDE


def text_html(value: object) -> Markup:
    """Return a text of somebody else such that HTML shows it as it is. What is written from right to left stays so,
    and turns nothing around it."""
    text = shown_text(value)
    return escape(text) if text.isascii() else Markup("<bdi>{}</bdi>").format(text)


def words_html(words: Inline) -> Markup:
    """Return words as they stand in a line; only templates of ours mean something."""
    match words:
        case Words(template=template, values=values):
            parts = [
                (str(escape(literal)), "" if name is None else f"{{{name}}}")
                for literal, name, _, _ in Formatter().parse(template)
            ]
            text = "".join(literal.replace("{", "{{").replace("}", "}}") + field for literal, field in parts)
            text = _CODE.sub(r"<code>\1</code>", text)
            text = _EMPHASIS.sub(r"<em>\1</em>", _STRONG.sub(r"<strong>\1</strong>", text))
            return Markup(text).format(**{name: words_html(value) for name, value in values.items()})
        case Code(text=text):
            return Markup("<code>{}</code>").format(text_html(text))
        case Number():
            return escape(str(words))
        case Cited(number=number, table=table, row=row, column=column, share=share):
            return field_html(number, f"{table}/{row}/{column}", share)
        case _:
            return _with_code(words)


def _with_code(text: str) -> Markup:
    """Return a text of somebody else, in which a plain word between backticks is code, as in Markdown; see `inert`."""
    parts = _OWN_CODE.split(shown_text(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else text_html(part) for i, part in enumerate(parts) if part
    )


def field_html(text: str, field: str, share: bool) -> Markup:
    """Return a number that says which field of which table it is, as table/row/column. share: in percent of it."""
    told = Markup(" data-share") if share else Markup("")
    return Markup('<span data-field="{}"{}>{}</span>').format(field, told, text)


def blocks_html(blocks: Sequence[Block], level: int = 3) -> Markup:
    """Return blocks one after the other. level: that of their headings."""
    return Markup("\n").join(block_html(block, level) for block in blocks)


def block_html(block: Block, level: int = 3) -> Markup:
    """Return a block of a page as HTML. level: of its heading, if it is one."""
    match block:
        case Heading(words=words):
            return Markup("<h{0}>{1}</h{0}>").format(level, words_html(words))
        case Text(words=words):
            return Markup("<p>{}</p>").format(words_html(words))
        case Code(text=text):
            return Markup('<pre tabindex="0"><code>{}</code></pre>').format(text_html(text))
        case Bullets(items=items):
            return Markup("<ul>{}</ul>").format(
                Markup("").join(Markup("<li>{}</li>").format(words_html(item)) for item in items)
            )
        case Table():
            return _table(block)
        case Figure(alt=alt):
            return Markup("<p>{}</p>").format(words_html(alt))
        case Folded(summary=summary, blocks=inner):
            return Markup("<details><summary>{}</summary>{}</details>").format(
                text_html(summary), blocks_html(inner, level)
            )
        case _:
            assert_never(block)


def _table(table: Table) -> Markup:
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(_side(header.right), words_html(header.words))
        for header in table.headers
    )
    rows = Markup("\n").join(Markup("<tr>{}</tr>").format(_cells(row, table)) for row in table.rows)
    return Markup(
        '<div class="wide" tabindex="0"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(head, rows)


def _cells(row: Sequence[Inline], table: Table) -> Markup:
    return Markup("").join(
        Markup("<td{}>{}</td>").format(_side(header.right), words_html(cell))
        for header, cell in zip(table.headers, row, strict=True)
    )


def _side(right: bool) -> Markup:
    return Markup(' class="n"') if right else Markup("")
