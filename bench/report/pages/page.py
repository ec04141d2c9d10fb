"""The door for pages: the only way by which one is written, so that no text of others means anything on it."""

from __future__ import annotations

from pathlib import Path

from bench.report.pages.markdown import render
from bench.report.pages.model import Page
from bench.storage.atomic import write_atomically


def page_bytes(page: Page) -> bytes:
    """Return a page as the bytes of a Markdown file."""
    return render(page).encode("utf-8", "backslashreplace")


def write_page(path: Path, page: Page) -> None:
    """Write a page as a Markdown file, whole or not at all."""
    write_atomically(path, page_bytes(page))
