"""Options that several commands share, and how their text is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bench.data.reading import Reading, check_units
from bench.data.spellings import one_form
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.fitting.ensembles import Ensemble

Data = Annotated[Path, typer.Option(help="A folder with one sub-folder per class, or a CSV with columns path,label.")]
Instances = Annotated[
    str,
    typer.Option(
        help="What gets one embedding: whole; tiles:SIZE[:STRIDE] in pixels, tiles:128:fg without empty ones; or a "
        "window around each cell: boxes (--cells), masks (--masks, or the column mask), segments (found by a "
        "threshold), cellpose:model=FILE. boxes:64 is in pixels, boxes:10um needs a scale (in the files, or a column "
        "um_per_px), boxes:fit is as large as the cell, boxes alone one size from the data. masks:64:only blanks what "
        "is not of the cell, masks:64:without the cell (not with boxes)."
    ),
]
Cells = Annotated[Path | None, typer.Option(help="CSV of cells for --instances boxes: path,x0,y0,x1,y1 (pixels).")]
CellColumn = Annotated[str | None, typer.Option(help="Column of --cells with an expert's label of each cell.")]
Masks = Annotated[
    Path | None, typer.Option(help="Folder of masks for --instances masks, named as their images; a value a cell.")
]
MaxInstances = Annotated[
    int | None, typer.Option(min=1, help="Instances kept of one image, by hash (default: 200 cells, all tiles).")
]
GroupPattern = Annotated[
    str | None, typer.Option(help="Regular expression on the path whose first (...) names the slide or patient.")
]
GroupColumn = Annotated[str | None, typer.Option(help="Column of the CSV that names the slide or patient.")]
LeaveOut = Annotated[
    list[str] | None, typer.Option("--leave-out", help="Classes to do without, comma-separated or repeated.")
]
FollowLinks = Annotated[
    bool,
    typer.Option(
        "--follow-links", help="Also read what links lead to outside of the data folder, as of a Hugging Face snapshot."
    ),
]
BoxUnits = Annotated[
    str, typer.Option(help="What boxes are given in: pixels, fractions (0 to 1) or percent of the image's size.")
]
Series = Annotated[
    int | None,
    typer.Option(
        min=1, help="Which of several pictures (series, scenes) of a file is read, from 1 (default: the largest)."
    ),
]
Out = Annotated[Path, typer.Option(help="Folder for embeddings, runs and leaderboards.")]
Encoders = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder", "-e", help="Encoders, comma-separated or repeated; see `bench encoders`. `trivial` is a panel of "
        "cheap ones: colour, texture, focus, pixels, size, and a constant. NAME@intervene=zscore takes the stain away, "
        "NAME@intervene=shuffle the morphology; NAME@color=grey the colour."
    ),
]
Verify = Annotated[bool, typer.Option("--verify", help="Read every file and every stored embedding again.")]
Device = Annotated[str, typer.Option(help="Where encoders run: auto, cpu, cuda or cuda:N.")]
AllowMissing = Annotated[
    bool,
    typer.Option("--allow-missing", help="Go on without encoders that cannot be loaded, and say so; else an error."),
]
DEFAULT_DATA = Path("Data/raw")
DEFAULT_OUT = Path("results")
Number = TypeVar("Number", int, float)


def words(text: str) -> list[str]:
    """Return the words of a comma-separated text, each in the spelling in which names of classes are kept."""
    return [one_form(word) for word in text.split(",") if word.strip()]


def reading_of(
    leave_out: list[str] | None, follow_links: bool, box_units: str = "pixels", series: int | None = None
) -> Reading:
    """Return how files are to be read."""
    check_units(box_units)
    return Reading(leave_out=tuple(leave_out or ()), follow_links=follow_links, box_units=box_units, series=series)


def encoder_names(given: list[str] | None, *, required: bool = False) -> list[str]:
    """Return the encoders of repeated or comma-separated options, each once, panels expanded; none only if allowed."""
    from encoders import expand, split_names

    found = [name for text in given or () for name in split_names(text)]
    if required and not found:
        raise BenchError("Got no --encoder; expected at least one, e.g. --encoder dino. `bench encoders` lists them.")
    return expand(found)


def ensembles(given: list[str] | None) -> list[Ensemble]:
    """Return the ensembles of options such as concat:a,b."""
    from bench.fitting.ensembles import Ensemble
    from encoders import split_names

    parts = (text.partition(":") for text in given or ())
    return [Ensemble(kind, tuple(dict.fromkeys(split_names(names)))) for kind, _, names in parts]


def numbers(text: str, option: str, kind: type[Number]) -> list[Number]:
    """Return the numbers of a comma-separated text, rising, each once."""
    try:
        return sorted({kind(word) for word in words(text)})
    except ValueError:
        example = "1,5,10" if kind is int else "0,0.2,0.4"
        raise BenchError(
            f"Got {option} '{text}'; expected numbers separated by commas, e.g. {option} {example}."
        ) from None
