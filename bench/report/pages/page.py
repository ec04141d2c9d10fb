"""The door for pages: the only way by which one is written, so that no text of others means anything on it."""

from __future__ import annotations

from bench.report.pages.markdown import render
from bench.report.pages.model import Page


def page_bytes(page: Page) -> bytes:
    """Return a page as the bytes of a Markdown file."""
    return render(page).encode("utf-8", "backslashreplace")
