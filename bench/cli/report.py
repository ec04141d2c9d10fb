"""`bench report`: a run as one HTML file, to look at instead of to read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import console, print_notes, progress_bars
from bench.cli.options.groups import STUDY, option
from bench.cli.options.output import DEFAULT_OUT, Anonymous, NoImages, Out, ToIfGiven
from bench.cli.startup import imports
from bench.errors import BenchError

EXAMPLES = ("bench report", "bench report blood --to blood.html", "bench report blood --anonymous --no-images")
ENDING = ".html"


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Runs by name below <out>/runs or by folder (default: all of <out>).", metavar="RUN"),
    ] = None,
    to: ToIfGiven = None,
    out: Out = DEFAULT_OUT,
    images: Annotated[
        Path | None,
        option(STUDY, "Where the images of the run lie now (default: where the run read them).", value="FOLDER"),
    ] = None,
    no_images: NoImages = False,
    anonymous: Anonymous = False,
    map_way: Annotated[
        str, option(STUDY, "How embeddings are drawn in two dimensions: {maps}.", "--map", value="KIND")
    ] = "pca",
) -> None:
    """Show a run as one HTML file: report.html in its folder, or --to FILE.html; fits nothing.

    It needs no network and no other file, and can be read without JavaScript.
    """
    if images is not None and not images.is_dir():
        raise BenchError(f"Got --images {images}, which is no folder; expected the one that --data of the run named.")

    with imports():
        from bench.report.html.embedding_map import check_way
        from bench.report.html.read import Look
        from bench.report.html.report import write_report
        from bench.report.tables.merge import find_runs
        from bench.report.write_up import bring_up_to_date

    check_way(map_way)
    folders = find_runs(out, runs or [])
    places = _places(folders, to)
    look = Look(images=images, pictures=not no_images, anonymous=anonymous, map=map_way)
    made, notes = [], []
    with progress_bars() as progress:
        for i, (folder, place) in enumerate(zip(folders, places, strict=True)):
            progress("write report", i, len(folders))
            notes.append(bring_up_to_date(folder))
            made.append(write_report(folder, place, look))
    print_notes(note.removesuffix(".") for note in notes if note)
    for path in made:
        console.print(f"Report: {path} ({path.stat().st_size / 1e6:.1f} MB)")


def report_of(folder: Path) -> str:
    """Write the report of a run, unless the one of its tables lies there, and return the line that says where it is.

    A run is not lost for a report that cannot be made: the line says why.
    """
    from bench.runs.place import REPORT

    place = folder / REPORT
    if place.exists():
        return f"To look at it: {place}"
    from bench.report.html.report import write_report

    try:
        write_report(folder)
    except BenchError as error:
        return f"No report to look at: {error}"
    return f"To look at it: {place}"


def _places(folders: list[Path], to: Path | None) -> list[Path | None]:
    """Return where the report of each run is written; None: into its own folder."""
    if to is None:
        return [None] * len(folders)
    if to.suffix.lower() == ENDING and not to.is_dir():
        if len(folders) > 1:
            raise BenchError(
                f"Got --to {to} for {len(folders)} runs; expected a folder, or one run: a report is of one run each."
            )
        return [to]
    if to.suffix and not to.is_dir():
        raise BenchError(f"Got --to {to}; expected a name ending in {ENDING}, or a folder.")
    names = [folder.name for folder in folders]
    alike = sorted({name for name in names if names.count(name) > 1})
    if alike:
        raise BenchError(f"Got several runs called {alike[0]} for --to {to}; expected one of that name at a time.")
    return [to / f"{name}{ENDING}" for name in names]
