"""The door for Markdown: a page is written from data of which no text means anything to Markdown or HTML.

`write_page` gives a function that renders a page its data with every text in it made inert, so that names of classes,
files, groups, channels, datasets and encoders are shown as they are and nobody who renders has to think of it. Names of
encoders come as code spans.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from bench.storage.atomic import write_atomically
from bench.text import plain

CODE = ("encoder", "encoder_a", "encoder_b", "intact")  # columns
# What begins something in Markdown: escapes, code, emphasis, links, images, mathematics, cells, crossed out text.
_SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
_BARE_LINK = re.compile(r"(?i)(:(?=//)|www(?=\.)|(?:mailto|xmpp)(?=:))")
_BLOCK = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=[-+#=>]))")  # lists, headings, quotations
_OWN_CODE = re.compile(r"(`\w[\w =.,/:'@-]*`)")  # as in "see `bench store`"; harmless whoever wrote it


class Typed(str):
    """A text to be shown as it was typed, such as a command."""


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
    room = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{room}{text.replace('|', chr(92) + '|') if in_table else text}{room}{fence}"


def for_page(value: Any) -> Any:
    """Return data with all its texts made inert: tables, dataclasses, mappings, sequences and texts, at any depth."""
    if isinstance(value, Typed):
        return code(value, in_table=False)
    if isinstance(value, str):
        return inert(value)
    if isinstance(value, pd.DataFrame):
        return _table(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: for_page(getattr(value, one.name)) for one in fields(value) if one.init})
    if isinstance(value, Mapping):
        return {for_page(name): for_page(own) for name, own in value.items()}
    if type(value) in (tuple, list):
        return type(value)(map(for_page, value))
    return value


def page_bytes(render: Callable[..., str], *data: Any, **more: Any) -> bytes:
    """Return what `render` makes of data, as `for_page` gives it, as the bytes of a Markdown file."""
    text = render(*map(for_page, data), **{name: for_page(own) for name, own in more.items()})
    return text.encode("utf-8", "backslashreplace")


def write_page(path: Path, render: Callable[..., str], *data: Any, **more: Any) -> None:
    """Write what `render` makes of data, as `for_page` gives it, as a Markdown file."""
    write_atomically(path, page_bytes(render, *data, **more))


def _table(table: pd.DataFrame) -> pd.DataFrame:
    shown = table.rename(columns=lambda name: inert(name) if isinstance(name, str) else name)
    for name, column in zip(shown.columns, (table[name] for name in table), strict=True):
        if not pd.api.types.is_numeric_dtype(column):
            made = code if name in CODE else partial(inert, in_table=True)
            inerts = [made(x) if isinstance(x, str) else x for x in column]
            shown[name] = pd.Series(inerts, index=table.index, dtype=column.dtype)
    return shown


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    text = _SPECIAL.sub(lambda found: "\\" + found[0], text)
    return _BARE_LINK.sub(_unlinked, text)


def _unlinked(found: re.Match[str]) -> str:
    """Return the beginning of an address such that no reader of Markdown makes a link of it."""
    text = found[0]
    return f"\\{text}" if text == ":" else f"{text[:-1]}&#{ord(text[-1])};"
