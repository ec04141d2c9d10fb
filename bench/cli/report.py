"""`bench report`: a run as one HTML file, to look at instead of to read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from bench.cli.console import console, print_notes, progress_bars
from bench.cli.options.groups import STUDY, option
from bench.cli.options.output import DEFAULT_OUT, Anonymous, NoImages, Out, ToIfGiven
from bench.cli.startup import imports
from bench.errors import BenchError

EXAMPLES = ("bench report", "bench report blood --to blood.html", "bench report blood --anonymous --no-images",
            "bench report blood nuclei --to both.html")  # fmt: skip
ENDING = ".html"
INDEX = "index"  # what the page of several runs is called in a folder of their reports


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Runs by name below <out>/runs or by folder (default: all of <out>).", metavar="RUN"),
    ] = None,
    to: ToIfGiven = None,
    out: Out = DEFAULT_OUT,
    images: Annotated[
        Path | None,
        option(STUDY, "Where the images of the run are now (default: where the run read them).", value="FOLDER"),
    ] = None,
    no_images: NoImages = False,
    anonymous: Anonymous = False,
    map_way: Annotated[
        str, option(STUDY, "How embeddings are drawn in two dimensions: {maps}.", "--map", value="KIND")
    ] = "pca",
) -> None:
    """Show a run as one HTML file: report.html in its folder, or --to FILE.html; fits nothing.

    It needs no network and no other file, and can be read without JavaScript. Of several runs there is a page more,
    report.html in the results folder: what they share, and their leaderboards side by side. --to FILE.html is that page
    alone.
    """
    if images is not None and not images.is_dir():
        raise BenchError(f"Got --images {images}, which is no folder; expected the one that --data of the run named.")

    with imports():
        from bench.report.html.context import PCA
        from bench.report.html.embedding_map import check_way
        from bench.report.html.read import Look
        from bench.report.html.report import write_report
        from bench.report.html.several.page import write_several
        from bench.report.tables.merge import find_runs
        from bench.report.write_up import bring_up_to_date

    check_way(map_way)
    folders = find_runs(out, runs or [])
    together = _together(folders, to, out)
    places = [] if together and together == to else _places(folders, to)
    if together and not places and (images or map_way != PCA):
        raise BenchError(
            f"Got --{'images' if images else 'map'} for {to}, the page of {len(folders)} runs, which has no images and "
            "no map; expected it for the report of each, e.g. with --to FOLDER."
        )
    look = Look(images=images, pictures=not no_images, anonymous=anonymous, map=map_way)
    made, notes = [], []
    with progress_bars() as progress:
        for i, folder in enumerate(folders):
            progress("write report", i, len(folders))
            notes.append(bring_up_to_date(folder))
            made += [write_report(folder, place, look) for place in places[i : i + 1]]
    if together:
        links = {} if anonymous else {folder: _way(together, page) for folder, page in zip(folders, made, strict=False)}
        made.append(write_several(folders, together, links, anonymous=anonymous))
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
        return f"Report to open in a browser: {place}"
    from bench.report.html.report import write_report

    try:
        write_report(folder)
    except BenchError as error:
        return f"No report to look at: {error}"
    return f"Report to open in a browser: {place}"


def _is_page(to: Path) -> bool:
    return to.suffix.lower() == ENDING and not to.is_dir()


def _together(folders: list[Path], to: Path | None, out: Path) -> Path | None:
    """Return where the page of several runs is written, None where there is one run."""
    if len(folders) < 2:
        return None
    if to is None:
        return out / f"report{ENDING}"
    return to if _is_page(to) else to / f"{INDEX}{ENDING}"


def _way(page: Path, to: Path) -> str:
    """Return the link from one page to another."""
    return quote(Path(os.path.relpath(to.resolve(), page.resolve().parent)).as_posix())


def _places(folders: list[Path], to: Path | None) -> list[Path | None]:
    """Return where the report of each run is written; None: into its own folder."""
    if to is None:
        return [None] * len(folders)
    if _is_page(to):
        return [to]
    if to.suffix and not to.is_dir():
        raise BenchError(f"Got --to {to}; expected a name ending in {ENDING}, or a folder.")
    names = [folder.name for folder in folders] + [INDEX] * (len(folders) > 1)
    alike = sorted({name for name in names if names.count(name) > 1})
    if alike:
        raise BenchError(f"Got several runs called {alike[0]} for --to {to}; expected one of that name at a time.")
    return [to / f"{name}{ENDING}" for name in names[: len(folders)]]
