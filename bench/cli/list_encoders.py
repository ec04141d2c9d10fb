"""`bench encoders`: the catalogue, chosen and shown; `bench.cli.listing` makes the texts."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.complete import encoder_words
from bench.cli.console import console, print_rows
from bench.cli.options.groups import BASIC, option
from bench.cli.options.output import AsCsv, AsMarkdown
from bench.cli.options.reading import words

EXAMPLES = (
    "bench encoders",
    "bench encoders --family pathology --licence open --max-params 100",
    "bench encoders virchow2",
    "bench encoders --here --json",
)


def list_encoders(
    name: Annotated[
        str | None,
        typer.Argument(help="Show this encoder or variant in full.", metavar="NAME", autocompletion=encoder_words),
    ] = None,
    family: Annotated[
        str | None, option(BASIC, "One family only: pathology, microscopy, clip, ...", "--family", value="FAMILY")
    ] = None,
    licence: Annotated[
        str,
        option(
            BASIC,
            "Only encoders with weights of this licence: open, custom, research, non-commercial, unknown.",
            value="KINDS",
        ),
    ] = "",
    max_params: Annotated[
        float | None, option(BASIC, "At most so many million parameters.", value="MILLIONS", min=0)
    ] = None,
    here: Annotated[bool, option(BASIC, "Only encoders that can be used now, without a download.", "--here")] = False,
    csv: AsCsv = False,
    markdown: AsMarkdown = False,
) -> None:
    """List the encoders: size, licence, what they were pretrained on, and whether their weights are here."""
    from bench.cli import listing
    from encoders import resolve

    if name:
        print_rows([listing.record(resolve(name))])
        console.print(listing.in_full(resolve(name)), soft_wrap=False)
        return
    specs, problems = listing.catalogue()
    chosen = listing.choose(specs, listing.EncoderFilter(family, words(licence), max_params, here))
    if csv or markdown:
        console.write_document(listing.as_csv(chosen) if csv else listing.markdown(chosen))
        return
    print_rows([listing.record(spec) for spec in chosen])
    console.print(listing.table(chosen, console.width), soft_wrap=False)
    console.print(f"{len(chosen)} of {len(specs)} encoders.", *listing.NOTES, *problems, sep="\n")
