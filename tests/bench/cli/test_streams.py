"""What is printed is data: one line, no escapes, in letters that the stream has, and a stream that fails ends no work."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.table import Column, Table

from bench.cli.streams import DataConsole
from bench.errors import BenchError

ROOT = Path(__file__).resolve().parents[3]
PIECES = ["[/b]", "[red]", "[link=http://x]", ":smile:", "\x1b[2J", "\x1b]0;x\x07", "\n", "\r", "\u202e", "|", "`", "é", "細胞",
          "ᄀ", "a", " ", "\\", "\\[", "\udce9", "\x9b31m", "\u2028"]  # fmt: skip
HOSTILE = st.one_of(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join), st.text(max_size=12))
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def printed(*objects: object, encoding: str = "utf-8", width: int = 200, **how: object) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="")
    DataConsole(file=file, width=width).print(*objects, **how)
    file.flush()
    return raw.getvalue().decode(encoding)


def is_inert(text: str) -> bool:
    """Return whether a text holds no character that is not seen, but for line ends and joiners."""
    return not {unicodedata.category(c) for c in text.replace("\n", "") if c not in "\u200c\u200d"} & UNSEEN


@given(HOSTILE, st.sampled_from(["utf-8", "cp1252", "ascii"]))
def test_a_text_is_printed_on_one_line_without_markup_or_escapes(text, encoding):
    shown = printed(text, encoding=encoding)
    assert shown.count("\n") == 1 and is_inert(shown)
    assert "[red]" not in text or "[red]" in shown


@given(st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1, max_size=4), HOSTILE, HOSTILE)
def test_a_table_is_as_wide_as_its_cells_and_holds_no_escape_wherever_a_text_stands(rows, title, header):
    table = Table(header, Column(header), title=title, caption=title)
    for row in rows:
        table.add_row(*row)
    shown = printed(table, soft_wrap=False)
    assert is_inert(shown)
    framed = [line for line in shown.split("\n") if line.startswith(("│", "┃", "┡", "└", "┏"))]
    assert len({cell_len(line) for line in framed}) == 1
    assert len(framed) >= len(rows) + 3


def test_several_lines_are_several_texts():
    assert printed("a\nb", "c", sep="\n") == "a\\nb\nc\n"


def test_a_table_in_a_code_page_is_drawn_with_letters_that_it_has():
    table = Table("class")
    table.add_row("β-cell")
    assert "\\u03b2-cell" in printed(table, encoding="cp1252", soft_wrap=False)


@pytest.mark.parametrize("path", sorted((ROOT / "bench").rglob("*.py")), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_room_prints_past_the_door(path):
    tree = ast.parse(path.read_text())
    taken = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
             if (node.module or "").startswith("rich")}  # fmt: skip
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    if path.name not in ("streams.py", "progress.py"):  # which draws bars for callers from Python
        assert not taken & {"Console", "Text", "print", "escape", "Panel", "Markdown"}
    assert not called & {
        "print",
        "typer.echo",
        "click.echo",
        "sys.stdout.write",
        "sys.stderr.write",
        "Text.from_markup",
    }


class Failing(io.StringIO):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, text: str) -> int:
        raise OSError(self.number, os.strerror(self.number))


def test_a_closed_pipe_ends_the_printing_and_not_the_work():
    console = DataConsole(file=Failing(32))
    for _ in range(3):
        console.print("on we go")
    console.write_document("a,b\n")
    assert console.quiet


def test_a_full_disk_behind_standard_output_is_an_error_in_words():
    with pytest.raises(BenchError, match="standard output that cannot be written to .No space left"):
        DataConsole(file=Failing(28)).print("x")
    with pytest.raises(BenchError, match="standard output that cannot be written to"):
        DataConsole(file=Failing(28)).write_document("x")


def test_a_document_goes_to_a_pipe_as_utf_8_whatever_the_code_page():
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="cp1252")
    DataConsole(file=file).write_document("β\n")
    assert raw.getvalue().decode() == "β\n"


CLOSED = """
import os, sys
from bench.cli.streams import open_missing
open_missing()
print("lost"); sys.stderr.write("lost")
with open(sys.argv[1], "w") as file:
    assert file.fileno() > 2
    os.write(1, b"what a library in C prints"); file.write("whole")
"""


def test_without_standard_streams_no_file_takes_their_place(tmp_path):
    command = ["sh", "-c", 'exec "$0" -c "$1" "$2" <&- >&- 2>&-', sys.executable, CLOSED, str(tmp_path / "file")]
    assert subprocess.run(command, cwd=ROOT).returncode == 0
    assert (tmp_path / "file").read_text() == "whole"


LIBRARY = """
import logging, sys, warnings
from bench.cli.console import speak_for_libraries
speak_for_libraries()
warnings.warn("bad \\x1b[2J\\nINJECTED")
logging.getLogger("tifffile").warning("page of \\x1b]0;x\\x07[/b]")
raise KeyError("\\x1b[31m")
"""


def test_warnings_of_libraries_and_unforeseen_errors_pass_the_door_too():
    done = subprocess.run([sys.executable, "-c", LIBRARY], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and is_inert(done.stderr)
    assert "UserWarning: bad \\x1b[2J\\nINJECTED" in done.stderr
    assert "Warning of tifffile: page of \\x1b]0;x\\x07[/b]" in done.stderr and "KeyError" in done.stderr
