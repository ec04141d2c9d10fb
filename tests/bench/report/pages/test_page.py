"""Pages: whatever a name holds, Markdown shows it as text and an encoder as code. Held against markdown-it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bench.report.pages.markdown import table_lines
from bench.report.pages.page import Typed, code, for_page, inert, write_page
from bench.text import plain

ROOT = Path(__file__).resolve().parents[3]
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
PIECES = ["`", "``", "*", "**", "_", "[", "](", ")", "![", "<", ">", "<script>", "</td>", "&amp;", "&#124;", "|", "\\",
          "~~", "#", "# ", "- ", "1. ", "+ ", "=", "---", "\n", "\r\n", "\x1b[31m", "\u202e", "http://x.org", "www.x.org",
          "a", "CD4", " ", "  ", "$x$", "https://x.org/a_b", "<a@b.org>", "\t", "    "]  # fmt: skip
HOSTILE = st.one_of(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join), st.text(max_size=20))
HARMLESS = {"inline", "paragraph_open", "paragraph_close", "text", "text_special", "code_inline", "softbreak"}


def kinds(text: str) -> tuple[set[str], str]:
    """Return the kinds of token of a text as Markdown, and what a reader sees."""
    tokens = MARKDOWN.parse(text)
    inner = [child for token in tokens for child in token.children or ()]
    return {token.type for token in [*tokens, *inner]}, "".join(child.content for child in inner)


def words(text: str) -> list[str]:
    return text.split()


@given(HOSTILE)
@example("`a`b`")
@example("1) a")
@example("[x](javascript:alert(1))")
@example("![x](http://x.org/y.png)")
def test_markdown_shows_a_text_as_it_is(text):
    found, seen = kinds(inert(text))
    assert found <= HARMLESS
    assert words(seen.replace("`", "")) == words(plain(text).replace("`", ""))


@given(HOSTILE)
@example("\nwww.x.org")
def test_no_address_becomes_a_link_of_itself(text):
    shown = re.sub("`[^`]*`", "", inert(text))
    assert "://" not in shown.replace("\\://", "") and "www." not in shown.lower()


@given(HOSTILE)
def test_an_encoder_is_a_code_span(text):
    found, seen = kinds(code(text, in_table=False))
    assert "code_inline" in found and found <= HARMLESS
    assert words(seen) == words(plain(text))


@given(st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1, max_size=4))
def test_no_text_ends_its_cell_or_its_row(rows):
    table = for_page(pd.DataFrame(rows, columns=["encoder", "label"]))
    lines = [["encoder", "label"], *table[["encoder", "label"]].to_numpy().tolist()]
    tokens = MARKDOWN.parse(table_lines(lines))
    assert sum(token.type == "tr_open" for token in tokens) == len(rows) + 1
    assert sum(token.type == "td_open" for token in tokens) == 2 * len(rows)
    inner = {child.type for token in tokens for child in token.children or ()}
    assert inner <= {"text", "text_special", "code_inline"}


def test_a_table_whose_cells_came_by_no_door_keeps_its_form():
    assert table_lines([["a"], ["x|y\nz"]]) == "| a |\n|---|\n| x\\|y z |"


def test_names_that_mean_nothing_to_markdown_stay_as_they_are():
    for name in (
        "CD4+ high",
        "bccd_fields",
        "leave-one-group-out",
        "β, 10 µm (2 of 3)",
        "see `bench store check`",
        "3.5 x",
    ):
        assert inert(name) == name
    assert code("dino@size=448") == "`dino@size=448`"


@dataclass(frozen=True)
class Inner:
    names: tuple[str, ...]
    number: float = 1.5


def test_in_a_table_nothing_stands_at_the_beginning_of_a_line():
    assert for_page(pd.DataFrame({"n90_in": [">5", "-1", "#"]}))["n90_in"].tolist() == [">5", "-1", "#"]


def test_data_is_made_inert_at_any_depth_and_numbers_stay():
    table = pd.DataFrame({"recall:a|b": [0.5], "encoder": ["a|b"], "diagnostic": [np.nan], "n": [3]}).astype(
        {"diagnostic": object}
    )
    shown = for_page({"x": [Inner(("<b>",)), table, None, Typed("bench --x '(a|b)'")]})["x"]
    assert shown[0] == Inner(("&lt;b>",)) and shown[2] is None and shown[3] == "`bench --x '(a|b)'`"
    assert list(shown[1].columns) == ["recall:a\\|b", "encoder", "diagnostic", "n"]
    assert shown[1]["encoder"][0] == "`a\\|b`" and shown[1]["diagnostic"].dtype == object and shown[1]["n"][0] == 3


def test_a_page_can_be_written_whatever_its_names_are(tmp_path):
    write_page(tmp_path / "page.md", lambda name: f"# {name}", "caf\udce9")
    assert (tmp_path / "page.md").read_text() == "# caf\\\\udce9"


@pytest.mark.parametrize("path", sorted((ROOT / "bench").rglob("*.py")), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_room_writes_a_page_or_a_table_past_the_door(path):
    """CSV by bench.storage.tables, Markdown by bench.report.pages.page; granularity joins its page with a picture's line."""
    name = path.relative_to(ROOT / "bench").as_posix()
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    named = [
        (node, node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", ""))
        for node in calls
    ]
    if name not in ("disk/tables.py", "demo/files.py"):
        assert not [node for node, called in named if called == "to_csv"], f"{name} writes CSV past the door"
    if name not in ("report/pages.py", "granularity/run.py"):
        texts = [
            ast.unparse(node) for node, called in named if called in ("write_atomically", "write_text", "write_bytes")
        ]
        assert not [text for text in texts if ".md" in text], f"{name} writes Markdown past the door"
