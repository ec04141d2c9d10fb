"""The items of a JSON list, one at a time, so that memory is that of the text and not of all its objects.

Limits hold before anything is built: bytes (unpacked), items and nesting. Nothing of it is run.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.text import plain

MOST_BYTES = 512_000_000  # of the text
BLOCK = 1 << 22  # bytes read at a time: as many as are asked for are allocated
MOST_ITEMS = 2_000_000
_GAP = re.compile(r"[ \t\r\n]*")
_GZIP = b"\x1f\x8b"


def read_text(path: Path) -> str:
    """Return the text of a file, which may be packed by gzip. BenchError where it is too long, damaged or no UTF-8."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP
        with gzip.open(path, "rb") if packed else path.open("rb") as opened:
            data = bytearray()
            while len(data) <= MOST_BYTES and (block := opened.read(BLOCK)):
                data += block
    except (OSError, EOFError, zlib.error) as error:
        raise BenchError(f"Got {path.name}, which cannot be read ({plain(str(error))}); export it again.") from None
    if len(data) > MOST_BYTES:
        raise BenchError(
            f"Got {path.name}, which is over {MOST_BYTES / 1e6:,.0f} MB of text; expected less. Export fewer objects."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BenchError(f"Got {path.name}, which is no UTF-8 (byte {error.start}); export it again.") from None


def items_of(text: str, file: str, key: str) -> Iterator[tuple[int, Any]]:
    """Yield (number from 1, item) of a list, or of the list that an object has by `key`; an object without one itself.

    Numbers are floats. Raises BenchError, which names the file and the item, for what is no JSON.
    """
    reader = _Reader(text, file)
    if reader.peek() == "[":
        yield from reader.items()
    elif reader.peek() == "{":
        yield from _of_object(reader, key)
    else:
        raise reader.wrong("a list or an object")
    if reader.peek():
        raise reader.wrong("nothing after the end")


def _of_object(reader: _Reader, key: str) -> Iterator[tuple[int, Any]]:
    rest: dict[str, Any] = {}
    seen = False
    for name in reader.names():
        if name == key and reader.peek() == "[" and not seen:
            seen = True
            yield from reader.items()
        else:
            rest[name] = reader.value()
    if not seen:
        yield 1, rest


class _Reader:
    """A place in a text, that moves on as values are read."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file, self.at, self.item = text, file, 0, 0
        self._decoder = json.JSONDecoder(parse_int=float, parse_constant=self._constant)

    def peek(self) -> str:
        """Return the next character that is no space, "" at the end."""
        self.at = _GAP.match(self.text, self.at).end()  # type: ignore[union-attr]
        return self.text[self.at : self.at + 1]

    def take(self, *wanted: str) -> str:
        mark = self.peek()
        if mark not in wanted or not mark:
            raise self.wrong(" or ".join(f"'{one}'" for one in wanted))
        self.at += 1
        return mark

    def value(self) -> Any:
        self.peek()
        try:
            found, self.at = self._decoder.raw_decode(self.text, self.at)
        except json.JSONDecodeError as error:
            self.at = error.pos
            raise self.wrong("JSON") from None
        except RecursionError:
            raise self.wrong("objects that are not nested as deep") from None
        return found

    def items(self) -> Iterator[tuple[int, Any]]:
        self.take("[")
        if self.peek() == "]":
            self.at += 1
            return
        mark = ","
        while mark == ",":
            self.item += 1
            if self.item > MOST_ITEMS:
                raise self.wrong(f"at most {MOST_ITEMS:,} features")
            yield self.item, self.value()
            mark = self.take(",", "]")

    def names(self) -> Iterator[str]:
        """Yield each key of an object; its value is to be read before the next."""
        self.take("{")
        if self.peek() == "}":
            self.at += 1
            return
        mark = ","
        while mark == ",":
            if self.peek() != '"':
                raise self.wrong("a name in quotation marks")
            name = self.value()
            self.take(":")
            yield name
            mark = self.take(",", "}")

    def wrong(self, expected: str) -> BenchError:
        line = self.text.count("\n", 0, self.at) + 1
        where = f"feature {self.item} of {self.file}" if self.item else self.file
        got = plain(self.text[self.at : self.at + 20]) or "its end"
        return BenchError(f"Got {where}, where line {line} has {got}; expected {expected}. Export it again.")

    def _constant(self, name: str) -> float:
        raise self.wrong(f"finite numbers, and not {name}")
