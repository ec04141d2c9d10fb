"""The page on which labels are given, and the style and script that belong to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from jinja2 import Template

from bench.report.html.render import asset, template_of
from bench.report.html.words import shown_text

PAGE = "label.html"
INNER = "inner.html"  # of the page, and of a cell of a notebook
SCRIPT = ("page.js", "ask.js", "one.js", "grid.js", "classes.js", "keys.js", "start.js")  # one after the other
AT_PAGE, AT_CELL = "at_page.js", "at_cell.js"  # where the script is, and how it asks; the first of all
CLOSING = "What to type next stands in the terminal. This page can be closed."
IN_CELL = "The table is written, and table() of this widget returns it. Run the cell again to go on."
_ROOT = re.compile(r":root \{(.*?)\}", re.DOTALL)
HERE = "bench.studies.label"


def page_html(title: str, what: str) -> bytes:
    """Return the page. title: of the data; what: "image" or "cell"."""
    page = _template(PAGE).render(title=shown_text(title), what=what, closing=CLOSING)
    return page.encode("utf-8", "backslashreplace")


def script() -> bytes:
    """Return the script, in a scope of its own."""
    return f'"use strict";\n(() => {{\n{_script(AT_PAGE)}\n}})();\n'.encode()


def style() -> bytes:
    """Return the style: what all pages of this program have, then what this one has."""
    return "\n".join((asset("look.css"), _own("assets", "label.css"))).encode()


def cell_html(title: str, what: str) -> str:
    """Return what the page shows, for a cell of a notebook."""
    return _template(INNER).render(title=shown_text(title), what=what, closing=IN_CELL)


def cell_module() -> str:
    """Return the script as a module of anywidget; every view of a widget has a scope of its own."""
    inner = f"{_script(AT_CELL)}\nreturn () => place.leave();"
    return f"function render({{ model, el }}) {{\n{inner}\n}}\nexport default {{ render }};\n"


def cell_style() -> str:
    """Return the style as it holds within a cell: colours are those of the notebook where it says which, and what
    depends on the width of the window depends on that of the cell."""
    page = "\n".join((asset("look.css"), _own("assets", "label.css"), _own("assets", "cell.css")))
    light, dark = _ROOT.findall(page)[:2]
    themes = "\n".join(
        f':host([data-theme="{name}"]) {{{colours} color-scheme: {name}; }}'
        for name, colours in (("light", light), ("dark", dark))
    )
    return f"{page.replace(':root', ':host').replace('@media (max-width', '@container (max-width')}\n{themes}"


def _script(place: str) -> str:
    return "\n\n".join(_own("assets", name) for name in (place, *SCRIPT))


#: What the page asks for besides: name -> (media type, how it is made).
ASSETS: Mapping[str, tuple[str, Callable[[], bytes]]] = MappingProxyType(
    {"label.js": ("text/javascript; charset=utf-8", script), "label.css": ("text/css; charset=utf-8", style)}
)


@cache
def _own(folder: str, name: str) -> str:
    return (files(HERE) / folder / name).read_text("utf-8").strip()


@cache
def _template(name: str) -> Template:
    return template_of(HERE, name)
