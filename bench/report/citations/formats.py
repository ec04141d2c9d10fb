"""Citations as text: BibTeX, the Citation File Format, or plain lines. Any name is shown as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from bench.report.citations.sources import AUTHORS, LICENCE, Citations, Paper, Source
from bench.report.figures.latex import escaped
from bench.report.html.words import shown_text

INCOMPLETE = (
    "The program knows papers by authors and year alone. Look them up and complete the entries before you submit."
)
NOTHING = "The program made these itself, or knows no paper of them: {names}."
KINDS = {"program": "The program", "encoder": "Encoders", "head": "Heads", "data": "Data"}
TYPES = {"program": "software", "encoder": "generic", "head": "generic", "data": "data"}
UNKNOWN = "unknown, see notes"


def bibtex(found: Citations) -> str:
    """Return an entry of type @misc per source."""
    comments = [f"% {INCOMPLETE}"]
    if found.nothing:
        names = ", ".join(re.sub(r"[^\w.+-]", "?", shown_text(name), flags=re.ASCII) for name in found.nothing)
        comments.append("% " + NOTHING.format(names=names))
    return "\n".join(comments) + "\n\n" + "\n\n".join(map(_entry, found.sources)) + "\n"


def _entry(source: Source) -> str:
    one = source.papers[0] if len(source.papers) == 1 else None
    fields = {
        "author": f"{{{AUTHORS}}}" if source.kind == "program" else _authors(one) if one else "",
        "title": f"{{{_value(source.title or source.name)}}}" if source.kind in ("program", "data") else "",
        "year": one.year if one else "",
        "note": _value(source.note),
    }  # fmt: skip
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@misc{{{source.key},\n" + ",\n".join(lines) + "\n}"


def _authors(paper: Paper) -> str:
    names = paper.authors.replace(" et al.", " and others").replace(" & ", " and ")
    return " and ".join(name if name == "others" or " " not in name else f"{{{name}}}" for name in names.split(" and "))


def _value(text: str) -> str:
    """Return a text for a field. Braces are written out: BibTeX counts them even after a backslash."""
    return escaped(text).replace(r"\{", r"\textbraceleft{}").replace(r"\}", r"\textbraceright{}")


def plain(found: Citations) -> str:
    """Return a line per source, under a heading per kind."""
    lines = [INCOMPLETE]
    for kind, heading in KINDS.items():
        own = [source for source in found.sources if source.kind == kind]
        if own:
            lines += ["", heading, *(f"- {_line(source)}" for source in own)]
    if found.nothing:
        lines += ["", NOTHING.format(names=", ".join(map(shown_text, found.nothing)))]
    return "\n".join(lines) + "\n"


def _line(source: Source) -> str:
    papers = "; ".join(f"{paper.authors} {paper.year}" for paper in source.papers)
    begin = f"{AUTHORS}. {source.title}. " if source.kind == "program" else f"{papers}. " if papers else ""
    return shown_text(begin + source.note)


def cff(found: Citations) -> str:
    """Return a CITATION.cff: the program, and all else as its references."""
    program, *others = found.sources
    lines = [
        "cff-version: 1.2.0", f"message: {_text(INCOMPLETE)}", "type: software", f"title: {_text(program.title)}",
        f"version: {_text(program.version)}", f"license: {LICENCE}", "authors:", f"  - name: {_text(AUTHORS)}",
    ]  # fmt: skip
    if others:
        lines.append("references:")
    for source in others:
        people = [f"{paper.authors} {paper.year}" for paper in source.papers] or [UNKNOWN]
        lines += [
            f"  - type: {TYPES[source.kind]}", f"    title: {_text(source.name)}", "    authors:",
            *(f"      - name: {_text(name)}" for name in people), f"    notes: {_text(source.note)}",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """Return a text as YAML: a JSON string is one."""
    return json.dumps(shown_text(text))


FORMATS: Mapping[str, Callable[[Citations], str]] = {"bibtex": bibtex, "text": plain, "cff": cff}
