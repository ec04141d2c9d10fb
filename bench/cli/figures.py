"""`bench figures`: the pictures of a report for papers, with captions and a LaTeX table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import console, print_notes, progress_bars
from bench.cli.options.groups import OUTPUT, option
from bench.cli.options.output import DEFAULT_OUT, Anonymous, Out, ToIfGiven
from bench.cli.options.reading import words
from bench.cli.startup import imports
from bench.errors import BenchError

EXAMPLES = (
    "bench figures", "bench figures blood --to paper/figures", "bench figures blood --format pdf --anonymous",
)  # fmt: skip
USUAL = "png,svg,pdf"


def figures(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Runs by name below <out>/runs or by folder (default: all of <out>).", metavar="RUN"),
    ] = None,
    to: ToIfGiven = None,
    formats: Annotated[
        str, option(OUTPUT, "Formats of figures, separated by commas: png, svg, pdf.", "--format", value="FORMATS")
    ] = USUAL,
    out: Out = DEFAULT_OUT,
    anonymous: Anonymous = False,
) -> None:
    """Draw the pictures of a run for a paper: PNG, SVG and PDF, captions, and a LaTeX table; fits nothing.

    They go to <out>/figures/NAME, or --to FOLDER; of several runs each has a folder in it. It needs matplotlib
    (pip install '.[plots]').
    """
    wanted = _formats(formats)
    with imports():
        from bench.report.figures.sheet import need_matplotlib
        from bench.report.figures.write import write_figures
        from bench.report.tables.merge import find_runs
        from bench.report.write_up import bring_up_to_date

    need_matplotlib("bench figures")
    folders = find_runs(out, runs or [])
    places = _places(folders, to, out)
    made, notes = [], []
    for folder, place in zip(folders, places, strict=True):
        with progress_bars() as progress:
            notes.append(bring_up_to_date(folder))
            made.append(write_figures(folder, place, wanted, anonymous=anonymous, report=progress))
    print_notes(note.removesuffix(".") for note in notes if note)
    for written in made:
        print_notes(f"{written.folder}: {key} is left out: {why.removesuffix('.')}" for key, why in written.left_out)
        console.print(f"Figures: {written.folder} ({', '.join(written.made)}; captions.md)")


def _formats(text: str) -> list[str]:
    """Return the formats that are asked for, each once, in the order of the house."""
    known = USUAL.split(",")
    asked = [word.strip().lower() for word in words(text)]
    if not asked or not set(asked) <= set(known):
        raise BenchError(f"Got --format '{text}'; expected some of {', '.join(known)}, separated by commas.")
    return [name for name in known if name in asked]


def _places(folders: list[Path], to: Path | None, out: Path) -> list[Path]:
    """Return the folder of the figures of each run."""
    if to is not None and to.is_file():
        raise BenchError(f"Got --to {to}, which is a file; expected a folder: there are several figures.")
    if to is not None and to.suffix.lower().removeprefix(".") in USUAL.split(",") and not to.is_dir():
        raise BenchError(f"Got --to {to}; expected a folder, as there are several figures. Say the kind by --format.")
    if to is not None and len(folders) == 1:
        return [to]
    names = [folder.name for folder in folders]
    alike = sorted({name for name in names if names.count(name) > 1})
    if alike:
        raise BenchError(f"Got several runs called {alike[0]}; expected one of that name at a time, with --to FOLDER.")
    return [(to or out / "figures") / name for name in names]
