"""The report of a small run, and a page taken apart."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

EMPTY = {"meta", "link", "input", "img", "br", "hr"}  # elements that have no end


@dataclass
class Seen(HTMLParser):
    """A page taken apart: its elements (tag, attributes, text right within), and all of its text."""

    elements: list[tuple[str, dict[str, str], list[str]]] = field(default_factory=list)
    open: list[int] = field(default_factory=list)

    def __post_init__(self):
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}, []))
        if tag not in EMPTY:
            self.open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in EMPTY:
            return
        assert self.elements[self.open.pop()][0] == tag, f"</{tag}> ends another element"

    def handle_data(self, data):
        for number in self.open:
            self.elements[number][2].append(data)

    def text(self, tag: str = "body") -> str:
        return "".join(self.elements[self.tags.index(tag)][2])

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _, _ in self.elements]

    def having(self, attribute: str) -> list[tuple[dict[str, str], str]]:
        return [(attributes, "".join(text)) for _, attributes, text in self.elements if attribute in attributes]


def take_apart(page: bytes) -> Seen:
    seen = Seen()
    seen.feed(page.decode())
    seen.close()
    assert not seen.open, "an element has no end"
    return seen


def data_of(page: bytes) -> dict:
    return json.loads(re.search(rb'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


@pytest.fixture(scope="session")
def small_page(small_run) -> bytes:
    from bench.report.html.report import write_report

    return write_report(small_run).read_bytes()


@pytest.fixture(scope="session")
def context(small_run):
    """What the report of the small run is made of."""
    from bench.report.html.read import read_report

    return read_report(small_run)


@pytest.fixture(scope="session")
def browser():
    """A browser without a window; the test is skipped where there is none."""
    from .browser import start

    driver = start()
    yield driver
    driver.quit()
