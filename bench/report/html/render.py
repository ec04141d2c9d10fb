"""A report as the bytes of one HTML file: the parts in their order, a style, a script and the data it needs.

Nothing is fetched: a policy in the page itself forbids it, and allows this very script alone. Texts of others reach the
page as escaped text or within JSON in which nothing can end the element that holds it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from bench.report.html.charts import symbols
from bench.report.html.context import ReportContext
from bench.report.html.part import Part
from bench.report.html.parts import PARTS
from bench.report.html.words import shown_text, text_html

HERE, PAGE = "bench.report.html", "page.html"
STYLE = ("look.css", "report.css")  # what every page has, and what is of this one
SCRIPT = ("encoders.js", "board.js", "matrix.js", "map.js", "start.js")  # one after the other
#: What could end a script element, or a line of a script.
ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def render(context: ReportContext) -> bytes:
    """Return the page of a run, the same bytes for the same run."""
    shown: list[tuple[Part, Markup]] = []
    data: dict[str, Any] = {"encoders": [shown_text(name) for name in context.encoders]}
    for part in PARTS:
        made = part.make(context)
        why = "" if made else part.empty(context)
        if made:
            data |= made.data
            shown.append((part, made.html))
        elif why:
            html = Markup('<p class="missing">Not available: {}.</p>').format(text_html(why.rstrip(".")))
            shown.append((part, html))
    script = _script()
    page = _template().render(
        title=f"{shown_text(context.facts.dataset)}: which encoder and head to trust", parts=shown,
        encoders=list(enumerate(data["encoders"])), style=look(*STYLE), script=Markup(script),
        data=Markup(json_text(data)), symbols=symbols(), allowed=_digest(script),
    )  # fmt: skip
    return page.encode("utf-8", "backslashreplace")


def json_text(data: Mapping[str, Any]) -> str:
    """Return data as JSON that may stand within a script element, whatever texts it holds."""
    return json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":")).translate(ESCAPES)


@cache
def asset(name: str) -> str:
    """Return a file of `assets`."""
    return (files(HERE) / "assets" / name).read_text("utf-8").strip()


def look(*names: str) -> Markup:
    """Return files of `assets` one after the other, as the style of a page."""
    return Markup("\n".join(map(asset, names)))


@cache
def _script() -> str:
    """Return the script, in a scope of its own."""
    inner = "\n\n".join(map(asset, SCRIPT))
    return f'"use strict";\n(() => {{\n{inner}\n}})();'


@cache
def _template() -> Template:
    return template_of(HERE, PAGE)


def template_of(package: str, name: str) -> Template:
    """Return a file of a package's `templates`, in which every value is escaped and a missing one is an error."""
    return Environment(
        loader=PackageLoader(package), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template(name)


def _digest(script: str) -> str:
    """Return by what a policy allows a script, as it stands between its tags."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
