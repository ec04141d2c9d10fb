"""A CSV as people have them: from R, Python, Excel in any language, on any system; columns of text by name."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
import pandas as pd

from bench.data.spellings import column_name
from bench.errors import BenchError

SEPARATORS = ",;\t|"
SPARE = 8  # empty fields at the end of a line, as spreadsheets leave them, that are taken
HEAD = 65_536  # bytes in which the header lies
ZIP = b"PK\x03\x04"
BINARY = {
    ZIP: "an Excel or OpenOffice workbook",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF", b"\x1f\x8b": "compressed", b"{\\rtf": "a text of Word", b"\x89PNG": "a picture",
}  # fmt: skip
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


@dataclass(frozen=True)
class CsvTable(Mapping[str, pd.Series]):
    """Columns of text or NA by name, in lower case with _ for spaces.

    given: the names as they stand in the file. doubled: names that two columns have that are not the same; asking for
    one raises BenchError. notes: what a user should know.
    """

    path: Path
    columns: dict[str, pd.Series]
    given: tuple[str, ...]
    doubled: frozenset[str]
    encoding: str
    separator: str
    notes: tuple[str, ...] = ()
    skip: int = 0  # lines before the header that are no part of the table

    @property
    def decimal_comma(self) -> bool:
        """Whether 0,25 is a number."""
        return self.separator != ","

    @property
    def index(self) -> pd.Index:
        """The rows."""
        return next(iter(self.columns.values())).index

    def __getitem__(self, name: str) -> pd.Series:
        if name in self.doubled:
            raise BenchError(
                f"Got two columns '{name}' in {self.path.name}, and they differ; expected one. Rename or delete one."
            )
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def numbers(self, name: str) -> pd.Series:
        """Return the text of a column with the decimal point that Python reads."""
        text = self[name]
        comma = text.str.fullmatch(r"[+-]?\d*,\d+").fillna(False) if self.decimal_comma else None
        return text if comma is None else text.mask(comma, text.str.replace(",", ".", regex=False))

    def line(self, row: int) -> int:
        """Return the line of the file in which a row of the table (0 for the first that is not empty) begins."""
        count = -1
        with self.path.open(encoding=self.encoding, newline="", errors="replace") as file:
            reader = csv.reader(file, delimiter=self.separator)
            before = 0
            for fields in reader:
                if reader.line_num > self.skip and any(field.strip() for field in fields) and not _is_hint(fields):
                    if count == row:
                        return before + 1
                    count += 1
                before = reader.line_num
        return row + 2


def read_table(path: Path, layout: str) -> CsvTable:
    """Return the columns of a CSV; separated by commas, semicolons, tabs or bars, in UTF-8, UTF-16 or Windows-1252.

    Lines and columns without a value are left out. Raises BenchError, which ends in `layout`, for what is no table.
    """
    encoding, skip, separator, header = _look(path, layout)
    comments = _comments(path, encoding, skip)
    frame = _read(path, encoding, separator, (skip, len(header)), layout)
    if any("\0" in text for text in header) or any(_holds_zero(frame[name]) for name in frame):
        raise BenchError(
            f"Got {path.name}, which holds a zero byte (NUL), so it was damaged or is no text; save it as CSV (UTF-8) "
            f"again. {layout}"
        )
    notes = []
    if comments:
        lines = "line was" if len(comments) == 1 else "lines were"
        notes.append(f"{len(comments)} {lines} skipped at the start of {path.name} ('{comments[0][:60]}')")
    if encoding == "cp1252":
        strange = min(_not_ascii(frame), key=len, default="")
        notes.append(
            f"{path.name} is not in UTF-8 and was read as Windows-1252 (Latin-1)"
            + (f": is '{strange}' spelled right? If not, save it as CSV (UTF-8)" if strange else "")
        )
    columns, doubled = _by_name(frame, header, path, notes)
    if not columns:
        raise BenchError(f"Got {path.name} without a name of a column; expected one for each. {layout}")
    return CsvTable(path, columns, tuple(columns), doubled, encoding, separator, tuple(notes), skip)


def column_names(path: Path) -> tuple[str, ...]:
    """Return the names of the columns of a CSV, without reading more; nothing where it is none."""
    try:
        return tuple(column_name(text) for text in _look(path, "")[3])
    except (BenchError, OSError, UnicodeError, csv.Error):
        return ()


def _look(path: Path, layout: str) -> tuple[str, int, str, list[str]]:
    """Return (encoding, lines before the header, separator, header). Raises BenchError for what is no text."""
    try:
        with path.open("rb") as file:
            start = file.read(HEAD)
    except OSError as error:
        raise BenchError(f"Got {path}, which cannot be opened ({error.strerror}). {layout}") from None
    if start.startswith(ZIP) and not _is_workbook(path):
        raise BenchError(f"Got {path.name}, a zip archive and no CSV; unpack it, and name its folder. {layout}")
    for magic, what in BINARY.items():
        if start.startswith(magic):
            raise BenchError(f"Got {path.name}, which is {what} and no CSV; save it as CSV (UTF-8). {layout}")
    encoding = _encoding(path, start)
    with path.open(encoding=encoding, newline="", errors="replace") as file:
        head = file.read(HEAD)
    skip, separator = _shape(head)
    rows = csv.reader(io.StringIO("".join(head.splitlines(keepends=True)[skip:]), newline=None), delimiter=separator)
    header = next((row for row in rows if any(field.strip() for field in row) and not _is_hint(row)), [])
    if not header:
        raise BenchError(f"Got {path.name}, which is empty; expected a line with the names of columns. {layout}")
    return encoding, skip, separator, header


def _comments(path: Path, encoding: str, skip: int) -> list[str]:
    """Return those of the lines before the header that begin with #."""
    with path.open(encoding=encoding, errors="replace") as file:
        return [line.strip().lstrip("\ufeff") for line in islice(file, skip) if line.lstrip("\ufeff ").startswith("#")]


def _encoding(path: Path, start: bytes) -> str:
    """Return how the bytes of a text are to be read: its mark, zeros (UTF-16), UTF-8 where that is valid."""
    for mark, name in MARKS:
        if start.startswith(mark):
            return name
    even, odd = start[: len(start) // 2 * 2][::2].count(0), start[1::2].count(0)
    if max(even, odd) > len(start) / 8:
        return "utf-16-le" if odd > even else "utf-16-be"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _shape(head: str) -> tuple[int, str]:
    """Return (lines before the header, separator): the separator that makes the most columns of the header line."""
    lines = head.splitlines()
    skip = 0
    while skip < len(lines) and (not lines[skip].strip(f" {SEPARATORS}") or _is_comment(lines, skip)):
        skip += 1
    hint = re.fullmatch(r"sep=(.)[;,\t|]*", lines[skip].strip(), re.IGNORECASE) if skip < len(lines) else None
    if hint:
        return skip + 1, hint[1]
    line = lines[skip] if skip < len(lines) else ""
    bare = re.sub(r'"[^"]*"', "", line)
    return skip, max(SEPARATORS, key=lambda mark: (bare.count(mark), -SEPARATORS.index(mark)))


def _is_comment(lines: list[str], at: int) -> bool:
    """Return whether a line begins with # and has fewer separators than the one after it; a column may be '#'.

    A comma with a space behind it is one of a text.
    """
    if not lines[at].lstrip("\ufeff ").startswith("#") or at + 1 >= len(lines):
        return False
    after = lines[at + 1]
    return after.lstrip().startswith("#") or all(
        lines[at].count(mark) - lines[at].count(f"{mark} ") < after.count(mark) for mark in SEPARATORS if mark in after
    )


def _is_hint(fields: list[str]) -> bool:
    """Return whether a line is Excel's 'sep=;'."""
    return fields[0].lower().startswith("sep=") and len(fields[0]) <= 5 and not any(fields[1:])


def _read(path: Path, encoding: str, separator: str, shape: tuple[int, int], layout: str) -> pd.DataFrame:
    skip, width = shape
    for spare in (1, SPARE):  # columns that are not there cost as much as those that are
        try:
            frame = pd.read_csv(
                path, sep=separator, header=None, names=range(width + spare), skiprows=skip, dtype="string",
                keep_default_na=False, na_values=[""], encoding=encoding,
                encoding_errors="replace" if encoding == "cp1252" else "strict",
            )  # fmt: skip
            break
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeError, OSError) as error:
            if spare == SPARE or "fields in line" not in str(error):
                raise BenchError(f"Got {path.name}, which is no table ({_plain(str(error), skip)}). {layout}") from None
    frame = frame.apply(lambda column: column.str.strip()).replace({"": pd.NA})
    frame = frame[frame.notna().any(axis=1)].iloc[1:].reset_index(drop=True)  # the first is the header
    beyond = frame.loc[:, width:].notna().any(axis=1)
    if beyond.any():
        row = int(np.flatnonzero(beyond)[0])
        by_r = bool(beyond.all()) and width + 1 not in frame.columns[frame.notna().any()]
        raise BenchError(
            f"Got more fields than column names in {path.name} (first in row {row + 1:,}); expected one name for each: "
            + (
                "did R write the names of rows? Write it with row.names = FALSE."
                if by_r
                else "is a text with a separator in it not in quotes?"
            )
        )
    return frame.loc[:, : width - 1]


def _plain(text: str, skip: int) -> str:
    """Return what the reader says as a sentence."""
    many = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", text)
    if many:
        return f"line {int(many[2])} has {many[3]} fields"
    open_quote = re.search(r"EOF inside string starting at row (\d+)", text)
    if open_quote:
        return f"a quotation mark that opens in line {int(open_quote[1]) + skip + 1} is not closed"
    return "its text is damaged" if "codec" in text else " ".join(text.split())


def _is_workbook(path: Path) -> bool:
    """Return whether a zip archive is a workbook, as all are that cannot be listed: then it is the likelier."""
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
    except (BadZipFile, OSError):
        return True
    return "mimetype" in names or "[Content_Types].xml" in names


def _holds_zero(column: pd.Series) -> bool:
    return bool(column.str.contains("\0", regex=False).fillna(False).any())


def _not_ascii(frame: pd.DataFrame) -> Iterator[str]:
    for name in frame:
        yield from (text for text in frame[name].dropna().unique().tolist() if not text.isascii())


def _by_name(
    frame: pd.DataFrame, header: list[str], path: Path, notes: list[str]
) -> tuple[dict[str, pd.Series], frozenset[str]]:
    columns: dict[str, pd.Series] = {}
    doubled = set()
    nameless = 0
    for place, text in enumerate(header):
        name, values = column_name(text.lstrip("\ufeff")), frame[place]
        if not name:
            nameless += bool(values.notna().any())
        elif name not in columns:
            columns[name] = values
        elif not values.equals(columns[name]):
            doubled.add(name)
    if nameless:
        what = "column was" if nameless == 1 else "columns were"
        notes.append(f"{nameless} {what} ignored in {path.name}, for want of a name")
    return columns, frozenset(doubled)
