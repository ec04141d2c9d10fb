"""What there is to cite, as plain data: only what the program knows, and what it does not know is said.

A paper is known by authors and year, as in "Caron et al. 2021". No title, journal or address is made up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.runs.facts import RunFacts

# Authors and year, as in "(Tan & Le 2019, for phones)" or "Di Salvo et al. 2024".
_PAPER = re.compile(
    r"\b((?:[A-Z][\w'-]+ )?[A-Z][\w'-]+(?: et al\.|(?: (?:&|and) [A-Z][\w'-]+))?) ((?:19|20)\d\d)\b"
)
PROGRAM = "Cell-Classifier"
AUTHORS = "The Cell-Classifier authors"
LICENCE = "MIT"


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A paper: its authors as they were written, "Caron et al.", and its year."""

    authors: str
    year: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """Something to cite. key: unique, for its entry. kind: "program", "encoder", "head" or "data"; name: what it is
    called here; papers: who made it; note: what is known of it, in sentences. title, version: of a program."""

    key: str
    kind: str
    name: str
    note: str
    papers: tuple[Paper, ...] = ()
    title: str = ""
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class EncoderNote:
    """What a catalogue says of an encoder. about: a line, with its paper; weights: where they are from, "" without any;
    licence: of the weights; base: the encoder that it was trained on from, None where it was none."""

    name: str
    about: str
    weights: str
    licence: str
    use: str
    base: EncoderNote | None = None


@dataclass(frozen=True, kw_only=True)
class Citations:
    """All there is to cite, and the names of what needs no citation: encoders and heads that the program made itself,
    or that are common knowledge."""

    sources: tuple[Source, ...]
    nothing: tuple[str, ...] = ()


def papers_in(text: str) -> tuple[Paper, ...]:
    """Return the papers that a line names, each once."""
    found = (Paper(authors=authors, year=year) for authors, year in _PAPER.findall(text))
    return tuple(dict.fromkeys(found))


def program(version: str) -> Source:
    """Return the program itself."""
    return Source(
        key="cell-classifier", kind="program", name=PROGRAM, title=PROGRAM, version=version,
        note=f"Computer program, version {version}. Licence: {LICENCE}.",
    )  # fmt: skip


def of_encoder(name: str, known: EncoderNote | None) -> list[Source]:
    """Return what to cite for an encoder; [] where the program made it itself.

    known: what the catalogue says of it, None where it is not in there.
    """
    if known is None:
        note = f"Encoder {name}. It is not in the catalogue of the program: cite it as its authors ask."
        return [_source("encoder", name, note)]
    papers = papers_in(known.about)
    base = of_encoder(known.base.name, known.base) if known.base else []
    if not papers and not known.weights:
        return base
    note = f"Encoder {name}: {known.about.rstrip('.')}."
    if known.weights:
        note += f" Weights: {known.weights}. Licence of the weights: {known.licence} ({known.use})."
    return [_source("encoder", name, note, papers), *base]


def of_head(name: str, summary: str, papers: Sequence[str]) -> list[Source]:
    """Return what to cite for a head, an entry per paper."""
    note, several = f"Method of head {name}: {summary}.", len(papers) > 1
    return [_source("head", name, note, papers_in(paper), i if several else 0) for i, paper in enumerate(papers, 1)]


def of_unknown_head(name: str) -> Source:
    """Return the entry of a head that is not of the program, such as one of a file of the user's."""
    return _source("head", name, f"Head {name}. It is not of the program: cite it as its authors ask.")


def of_data(facts: RunFacts) -> Source:
    """Return the entry of the images, which the user has to complete."""
    note = (
        f"The images of {facts.dataset}, {len(facts.classes)} classes. The program does not know who made them: cite "
        "their own source here."
    )
    return _source("data", facts.dataset, note)


def unique(sources: Sequence[Source]) -> tuple[Source, ...]:
    """Return sources each once, with keys that differ."""
    once = list(dict.fromkeys(sources))
    taken: dict[str, int] = {}
    out = []
    for source in once:
        taken[source.key] = taken.get(source.key, 0) + 1
        count = taken[source.key]
        out.append(source if count == 1 else replace(source, key=f"{source.key}-{count}"))
    return tuple(out)


def _source(kind: str, name: str, note: str, papers: tuple[Paper, ...] = (), number: int = 0) -> Source:
    word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    key = "-".join(part for part in (kind, word, str(number or "")) if part)
    return Source(key=key, kind=kind, name=name, note=note, papers=papers)
