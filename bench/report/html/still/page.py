"""A page that needs no script: sections below each other, in the look of the report of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar

from jinja2 import Template
from markupsafe import Markup

from bench.report.html.badges import ORDER, PASSED, check_html, checks_html, summary_html
from bench.report.html.regions import webp_address
from bench.report.html.render import HERE, look, template_of
from bench.report.html.words import shown_text, text_html
from bench.text import sentence

PAGE = "still.html"
STYLE = ("look.css", "report.css", "still.css")
FILES = 500  # that are not used, and listed
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Section:
    """key: its address on the page; brief: its name in the list of contents; lead: what it answers, in a sentence."""

    key: str
    title: str
    brief: str
    html: Markup
    lead: str = ""


@dataclass(frozen=True, kw_only=True)
class Check(Generic[T]):
    """Something that is looked at every time. level: what it is where it does not hold; found: what was found then,
    nothing where it holds; passed: what holds then."""

    code: str
    asks: str
    level: str
    found: Callable[[T], Sequence[str]]
    passed: Callable[[T], str]


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A picture and what stands below it. picture: a WebP, None where it could not be made."""

    picture: bytes | None
    name: str
    about: str = ""


def page_bytes(*, kind: str, title: str, sections: Sequence[Section], closing: str) -> bytes:
    """Return the page, the same bytes for the same sections."""
    page = _template().render(
        kind=kind, title=shown_text(title), sections=sections, closing=closing, style=look(*STYLE)
    )
    return page.encode("utf-8", "backslashreplace")


def outcomes_html(checks: Sequence[Check[T]], about: T, hide: Callable[[str], str] = str) -> Markup:
    """Return how many checks hold, then what each says, issues first. hide: what takes names out of a text."""
    lines = []
    for check in checks:
        texts = [_begun(sentence(hide(text))) for text in check.found(about)]
        outcome = check.level if texts else PASSED
        said = _said(texts or [sentence(hide(check.passed(about)))])
        lines.append((outcome, check_html(outcome, check.code, check.asks, said)))
    lines.sort(key=lambda line: ORDER.index(line[0]))
    return summary_html([outcome for outcome, _ in lines]) + checks_html(lines)


def _begun(text: str) -> str:
    """Return a sentence with a capital, unless it begins with a name, such as a path."""
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.isascii() and first.isalpha() else text


def _said(texts: Sequence[str]) -> Markup:
    """Return a sentence as it is, and several as a list."""
    if len(texts) == 1:
        return text_html(texts[0])
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(text_html(x)) for x in texts))


def sentences_html(texts: Sequence[str]) -> Markup:
    """Return the sentences that a page begins with."""
    lines = Markup("").join(Markup("<p>{}</p>").format(text_html(text)) for text in texts)
    return Markup('<div class="lead">{}</div>').format(lines)


def table_html(heads: Sequence[str], rows: Sequence[Sequence[object]], *, caption: str, texts: int = 1) -> Markup:
    """Return a table of texts and numbers. texts: so many columns stand left, the others right."""
    sides = [Markup("") if at < texts else Markup(' class="n"') for at in range(len(heads))]
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(side, text_html(name))
        for side, name in zip(sides, heads, strict=True)
    )
    body = Markup("\n").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            text_html(row[0]),
            Markup("").join(
                Markup("<td{}>{}</td>").format(side, text_html(cell))
                for side, cell in zip(sides[1:], row[1:], strict=True)
            ),
        )
        for row in rows
    )
    return Markup(
        '<div class="wide{}" tabindex="0" role="group" aria-label="{}"><table><caption>{}</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(" files" if texts == len(heads) else "", shown_text(caption), text_html(caption), head, body)


def files_html(files: Sequence[tuple[str, str]]) -> Markup:
    """Return files and why each is not used, the first `FILES` of them."""
    table = table_html(("file", "why"), files[:FILES], caption="Every file that is not used, and why", texts=2)
    left = len(files) - FILES
    more = Markup('<p class="small">And {} more.</p>').format(f"{left:,}") if left > 0 else Markup("")
    return table + more


def pictures_html(tiles: Sequence[Tile], *, wider: bool = False) -> Markup:
    """Return pictures beside each other."""
    return Markup('<ul class="pictures{}">{}</ul>').format(
        " wider" if wider else "", Markup("\n").join(map(_tile, tiles))
    )


def _tile(tile: Tile) -> Markup:
    if tile.picture is None:
        picture = Markup('<span class="lacking">no picture</span>')
    else:
        picture = Markup('<img src="{}" alt="{}">').format(webp_address(tile.picture), shown_text(tile.name))
    about = Markup("<span>{}</span>").format(text_html(tile.about)) if tile.about else Markup("")
    return Markup("<li>{}<strong>{}</strong>{}</li>").format(picture, text_html(tile.name), about)


@cache
def _template() -> Template:
    return template_of(HERE, PAGE)
