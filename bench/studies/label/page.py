"""The page on which labels are given, and the style and script that belong to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from jinja2 import Template

from bench.report.html.render import asset, template_of
from bench.report.html.words import shown_text

PAGE = "label.html"
SCRIPT = ("page.js", "ask.js", "one.js", "grid.js", "classes.js", "keys.js", "start.js")  # one after the other
HERE = "bench.studies.label"


def page_html(title: str, what: str) -> bytes:
    """Return the page. title: of the data; what: "image" or "cell"."""
    return _template().render(title=shown_text(title), what=what).encode("utf-8", "backslashreplace")


def script() -> bytes:
    """Return the script, in a scope of its own."""
    inner = "\n\n".join(_own("assets", name) for name in SCRIPT)
    return f'"use strict";\n(() => {{\n{inner}\n}})();\n'.encode()


def style() -> bytes:
    """Return the style: what all pages of this program have, then what this one has."""
    return "\n".join((asset("look.css"), _own("assets", "label.css"))).encode()


#: What the page asks for besides: name -> (media type, how it is made).
ASSETS: Mapping[str, tuple[str, Callable[[], bytes]]] = MappingProxyType(
    {"label.js": ("text/javascript; charset=utf-8", script), "label.css": ("text/css; charset=utf-8", style)}
)


@cache
def _own(folder: str, name: str) -> str:
    return (files(HERE) / folder / name).read_text("utf-8").strip()


@cache
def _template() -> Template:
    return template_of(HERE, PAGE)
