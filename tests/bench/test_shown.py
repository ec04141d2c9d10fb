"""What shows itself: the same parts as text and as HTML, in which nothing that is data means anything."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from bench.shown import Items, Table, Title, as_html, as_text

TAGS = {"div", "p", "b", "ul", "li", "table", "caption", "thead", "tbody", "tr", "th", "td"}


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert all(name in ("class", "style") for name, _ in attrs)
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_text_becomes_html_or_a_second_line(text, other):
    parts = [Title(text=text), Items(heading="Look", items=[other]), text,
             Table(head=("a", text), rows=[(other, 1.5)], caption=other)]  # fmt: skip
    reader = Reader()
    reader.feed(as_html(parts))
    reader.close()
    assert set(reader.tags) == TAGS and reader.tags.count("td") == 2 and reader.tags.count("div") == 1
    as_html(parts).encode("utf-8")
    assert len(as_text(parts).split("\n")) == 9  # title, heading, item, text, empty, caption, head, row, empty


def test_tables_stand_in_columns_and_empty_lists_are_left_out():
    table = Table(head=("name", "score"), rows=[("a", 1), ("longer", 12)], caption="All")
    assert as_text([table]).split("\n") == ["", "All", "  name    score", "  a           1", "  longer     12", ""]
    assert as_text([Items(heading="Skipped", items=[])]) == "" == as_html([Items(heading="Skipped", items=[])])[19:-6]
