"""`bench cite`: whom to cite for a run, as BibTeX, plain text or CFF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.console import console, print_notes
from bench.cli.options.groups import OUTPUT, option
from bench.cli.options.output import DEFAULT_OUT, Out
from bench.cli.startup import imports
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.report.citations.sources import EncoderNote, Source
    from encoders.spec import EncoderSpec

EXAMPLES = ("bench cite", "bench cite blood > blood.bib", "bench cite blood nuclei --text")


def cite(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Runs by name below <out>/runs or by folder (default: the program alone).", metavar="RUN"),
    ] = None,
    out: Out = DEFAULT_OUT,
    text: Annotated[bool, option(OUTPUT, "Print plain text.", "--text")] = False,
    cff: Annotated[bool, option(OUTPUT, "Print a CITATION.cff.", "--cff")] = False,
) -> None:
    """Print whom to cite, as BibTeX: the program, and the encoders, heads and data of runs, with licences of weights.

    It prints what the program knows, papers by authors and year, and makes nothing up: complete the entries.
    """
    if text and cff:
        raise BenchError("Got --text and --cff; expected one of them, or neither for BibTeX.")
    with imports():
        from bench import __version__
        from bench.report.citations.formats import FORMATS, KINDS
        from bench.report.citations.sources import Citations, program, unique
        from bench.report.tables.merge import find_runs

    sources, nothing = [program(__version__)], []
    for folder in find_runs(out, runs) if runs else []:
        own, without = _of_run(folder)
        sources += own
        nothing += without
    sources.sort(key=lambda source: list(KINDS).index(source.kind))
    found = Citations(sources=unique(sources), nothing=tuple(dict.fromkeys(nothing)))
    console.write_document(FORMATS["text" if text else "cff" if cff else "bibtex"](found))
    if not runs:
        print_notes(["name a run, as in `bench cite NAME`, to get its encoders, heads and data too"])


def _of_run(folder: Path) -> tuple[list[Source], list[str]]:
    """Return what to cite for a run, and the names of what needs no citation."""
    from bench.fitting.finetune.recipe import KINDS
    from bench.fitting.zero_shot import HEAD
    from bench.heads import all_heads
    from bench.report.citations.sources import of_data, of_encoder, of_head, of_unknown_head
    from bench.runs.record import encoder_keys, read_record_of

    record = read_record_of(folder)
    keys, heads, made_here = encoder_keys(record.units), all_heads(), {HEAD, *KINDS}
    sources, nothing = [of_data(record.facts)], []
    for name in record.facts.encoders:
        base, known = _encoder(name, keys.get(name, ""))
        found = of_encoder(base, known)
        sources += found
        nothing += [] if found else [base]
    for name in dict.fromkeys(unit.head for unit in record.units):
        if name in heads:
            found = of_head(name, heads[name].summary, heads[name].papers)
        else:
            found = [] if name in made_here else [of_unknown_head(name)]
        sources += found
        nothing += [] if found else [name]
    return sources, nothing


def _encoder(name: str, key: str) -> tuple[str, EncoderNote | None]:
    """Return (name without options, what the catalogue says of it). key: by which an alias is recognised.

    Nothing is resolved: that would run the code of a user's encoder, or ask a hub for it.
    """
    from encoders import registered

    specs = {spec.name: spec for spec in registered()[0]}
    base = name.partition("@")[0]
    own = specs.get(base) or next((spec for spec in specs.values() if key and spec.key == key), None)
    return (name, None) if own is None or "weights=" in name else (own.name, _note(own, specs))


def _note(spec: EncoderSpec, specs: dict[str, EncoderSpec]) -> EncoderNote:
    from bench.report.citations.sources import EncoderNote

    learned = not spec.trivial and not spec.source.startswith("descriptor:")
    weights = spec.hub or spec.package or spec.source if learned else ""
    if spec.delta:
        weights += ", and what was learned on from them, which comes with the program (encoders/learned/README.md)"
    before = (one for one in specs.values() if spec.delta and one.source == spec.source and not one.delta)
    base = next(before, None)
    return EncoderNote(
        name=spec.name, about=spec.about, weights=weights, licence=spec.licence, use=spec.licence_class,
        base=None if base is None else _note(base, specs),
    )  # fmt: skip
