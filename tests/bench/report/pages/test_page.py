"""Pages: whatever a name holds, Markdown shows it as text and an encoder as code. Held against markdown-it."""

from __future__ import annotations

import ast
import html
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bench.report.pages.inert import code, inert
from bench.report.pages.markdown import inline, render, render_block, table_lines
from bench.report.pages.model import (
    LONG,
    Bullets,
    Code,
    Figure,
    Folded,
    Heading,
    Page,
    Text,
    code_field,
    long_table,
    name_field,
    number_field,
    say,
    table_of,
)
from bench.report.pages.numbers import score
from bench.report.pages.page import page_bytes
from bench.report.pages.sections.verdict import notes_first
from bench.text import plain

ROOT = Path(__file__).resolve().parents[4]
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
@example("``https://x.org/a_b`")
@example("`https://x.org/a_b``")
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
    records = [{"encoder": encoder, "label": label} for encoder, label in rows]
    table = table_of(records, [code_field("encoder"), name_field("label")])
    tokens = MARKDOWN.parse(render_block(table))
    assert sum(token.type == "tr_open" for token in tokens) == len(rows) + 1
    assert sum(token.type == "td_open" for token in tokens) == 2 * len(rows)
    inner = {child.type for token in tokens for child in token.children or ()}
    assert inner <= {"text", "text_special", "code_inline"}


@given(*2 * [HOSTILE.filter(lambda text: plain(text).strip())])
@example("</summary>", "</details>")
@example("a", "b #")
def test_no_data_means_anything_in_any_block(name, text):
    """A page of every kind of block has the same tokens with hostile data as with harmless data, and shows the data."""

    def page(name: str, text: str) -> Page:
        words = say("*Best*: {name} on {text}, {both}.", name=Code(name), text=text, both=say("{text}", text=text))
        table = table_of([{"a": name, "b": text}], [code_field("a", text), name_field("b", words)])
        blocks = (Heading(text), Text(words), Text(text), Bullets((text, words)), table, Code(name), Figure("x.png", text))
        return Page(words, (*blocks, Folded(text, (Text(text), table)), Heading(words, 3)))

    def outline(page: Page) -> list[str]:
        tokens = MARKDOWN.parse(render(page))
        inner = [child for token in tokens for child in token.children or ()]
        return [token.type for token in [*tokens, *inner] if token.type not in ("text", "text_special", "code_inline")]

    assert [kind for kind in outline(page(name, text)) if kind != "softbreak"] == outline(page("a", "b"))
    seen = html.unescape(MARKDOWN.render(render(page(name, text))))
    for data, times in ((name, 4), (text, 6)):
        assert "".join(seen.split()).count("".join(plain(data).replace("`", "").split())) >= times or "`" in data


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


def test_in_a_table_nothing_stands_at_the_beginning_of_a_line():
    assert [inline(text, in_table=True) for text in (">5", "-1", "#")] == [">5", "-1", "#"]


def test_numbers_of_ours_stay_as_they_are_and_the_same_text_of_others_does_not_become_markup():
    assert inline(score(0.715, 0.66, 0.76)) == "71.5 [66-76]"
    assert inline("71.5 [66-76]") == "71.5 \\[66-76\\]"
    assert inline(say("at {n} of {name}", n=3, name="a*b*")) == "at 3 of a\\*b\\*"


def test_a_name_that_ends_in_a_number_sign_keeps_it_in_a_heading():
    assert kinds(render_block(Heading("class #")))[1] == "class #" and kinds(render_block(Heading("# ##", 3)))[1] == "# ##"


def test_a_template_is_filled_once_so_that_data_with_braces_fills_nothing():
    assert inline(say("{a} {b}", a="{b}", b="{a}")) == "{b} {a}"


def test_a_long_table_shows_its_first_rows_and_folds_the_others():
    rows = [{"n": i} for i in range(LONG + 2)]
    assert len(long_table(table_of(rows[:LONG], [number_field("n", str)]))) == 1
    first, folded = long_table(table_of(rows, [number_field("n", str)]))
    assert len(first.rows) == LONG and folded.summary == "2 more rows" and len(folded.blocks[0].rows) == 2
    assert first.headers == folded.blocks[0].headers
    text = render_block(folded)
    assert text.startswith("<details>\n<summary>2 more rows</summary>\n\n| n |\n|---:|") and text.endswith("\n\n</details>")


def test_a_note_that_is_said_twice_stands_once_and_the_seventh_is_folded_with_those_after_it():
    def lengths(notes: list[str]) -> list[int]:
        _, shown, *folded = notes_first(notes)
        return [len(shown.items), *(len(fold.blocks[0].items) for fold in folded)]

    assert notes_first([]) == []
    assert lengths(["a", "a", "b"]) == [2]
    assert lengths(list("abcdefg")) == [7]  # a fold for one note saves nothing
    assert lengths(list("abcdefgh")) == [6, 2]


def test_a_page_can_be_written_whatever_its_names_are():
    assert page_bytes(Page("caf\udce9", ())) == b"# caf\\\\udce9\n"


@pytest.mark.parametrize("path", sorted((ROOT / "bench").rglob("*.py")), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_room_writes_a_page_or_a_table_past_the_door(path):
    """CSV by bench.storage.tables; Markdown by bench.report.pages.page, from templates that are not made of data."""
    name = path.relative_to(ROOT / "bench").as_posix()
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    named = [
        (node, node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", ""))
        for node in calls
    ]
    if name not in ("storage/tables.py", "demo/files.py"):
        assert not [node for node, called in named if called == "to_csv"], f"{name} writes CSV past the door"
    texts = [ast.unparse(node) for node, called in named if called in ("write_atomically", "write_text", "write_bytes")]
    assert not [text for text in texts if ".md" in text], f"{name} writes Markdown past the door"
    if name != "report/pages/model.py":
        templates = [node.args[0] for node, called in named if called in ("say", "Words") and node.args]
        assert not [ast.unparse(node) for node in templates if not is_ours(node)], f"{name} makes a template of data"


def is_ours(node: ast.expr) -> bool:
    """Return whether an expression is a text in the source: a literal, or a constant by its name or from a table."""
    if isinstance(node, ast.Subscript):
        return is_ours(node.value)
    if isinstance(node, ast.IfExp):
        return is_ours(node.body) and is_ours(node.orelse)
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id.isupper())


def test_what_a_template_may_be_is_told_from_what_is_made_of_data():
    ours = ("'a {b}'", "ABOUT", "KINDS[kind]", "A if x else 'b'")
    theirs = ("f'{name}'", "name", "'a' + name", "A if x else name", "KINDS[0].format(name)")
    for text in (*ours, *theirs):
        assert is_ours(ast.parse(text, mode="eval").body) is (text in ours)
