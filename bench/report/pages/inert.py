"""Any text such that Markdown shows it as it is: nothing in it becomes markup, a link, a cell or HTML."""

from __future__ import annotations

import html
import re

from bench.text import plain

# What begins something in Markdown: escapes, code, emphasis, links, images, mathematics, cells, crossed out text.
_SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
_BARE_LINK = re.compile(r"(?i)(:(?=//)|www(?=\.)|(?:mailto|xmpp)(?=:))")
_BLOCK = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=[-+#=>]))")  # lists, headings, quotations
_OWN_CODE = re.compile(r"((?<!`)`\w[\w =.,/:'@-]*`(?!`))")  # as in "see `bench store`"; harmless whoever wrote it


def inert(text: str, *, in_table: bool = False) -> str:
    """Return any text such that Markdown shows it as it is, on one line. Plain code spans stay code.

    in_table: the text never stands at the beginning of a line, where more would mean something.
    """
    parts = _OWN_CODE.split(plain(text).lstrip())
    shown = "".join(part if i % 2 else _escaped(part) for i, part in enumerate(parts))
    start = None if in_table else _BLOCK.match(shown)
    return f"{start[0]}\\{shown[start.end() :]}" if start else shown


def code(text: str, *, in_table: bool = True) -> str:
    """Return any text as a code span. In a table a bar has to be escaped even there."""
    text = plain(text) or " "
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{space}{text.replace('|', chr(92) + '|') if in_table else text}{space}{fence}"


def inert_html(text: str) -> str:
    """Return any text such that HTML shows it as it is, on one line."""
    return html.escape(plain(text))


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    text = _SPECIAL.sub(lambda match: "\\" + match[0], text)
    return _BARE_LINK.sub(_unlinked, text)


def _unlinked(match: re.Match[str]) -> str:
    """Return the beginning of an address such that no reader of Markdown makes a link of it."""
    text = match[0]
    return f"\\{text}" if text == ":" else f"{text[:-1]}&#{ord(text[-1])};"
