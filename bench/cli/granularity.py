"""`bench granularity`: what labels of images are worth when cells are what one wants to know about."""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.console import console, print_notes, print_problems, progress_bars
from bench.cli.options import (
    DEFAULT_DATA,
    DEFAULT_OUT,
    BoxUnits,
    CellColumn,
    Cells,
    Data,
    Device,
    Encoders,
    FollowLinks,
    GroupColumn,
    GroupPattern,
    Instances,
    LeaveOut,
    Masks,
    MaxInstances,
    Out,
    Series,
    encoder_names,
    numbers,
    reading_of,
    words,
)
from bench.cli.startup import imports
from bench.cli.tables import make_column, make_table
from bench.data.layout import existing
from bench.errors import BenchError

if TYPE_CHECKING:
    import pandas as pd


def granularity(
    data: Data = DEFAULT_DATA,
    encoder: Encoders = None,
    instances: Instances = "whole",
    cells: Cells = None,
    cell_column: CellColumn = None,
    masks: Masks = None,
    max_instances: MaxInstances = None,
    group_pattern: GroupPattern = None,
    group_column: GroupColumn = None,
    leave_out: LeaveOut = None,
    follow_links: FollowLinks = False,
    box_units: BoxUnits = "pixels",
    series: Series = None,
    classes: Annotated[
        str, typer.Option(help="Only these classes, e.g. a,b (default: all that have labels enough).")
    ] = "",
    image_labels: Annotated[str, typer.Option(help="Labelled images per class.")] = "0,5,10,50",
    cell_labels: Annotated[str, typer.Option(help="Labelled cells per class.")] = "0,1,2,4,8,16,32,64,128",
    bag_head: Annotated[
        str,
        typer.Option(
            help="How labels of images are learned from: mean-pool, inherit, noisy-or, log-sum-exp, attention (from 50 "
            "images per class), joint (with labels of cells as well); mean-pool:centroid rests on another head. A "
            "wrong name lists all."
        ),
    ] = "joint,mean-pool,inherit,noisy-or",
    pure: Annotated[
        bool,
        typer.Option("--pure", help="Every cell (or tile) shows its image's label, as in a culture of one kind."),
    ] = False,
    purity: Annotated[
        str,
        typer.Option(
            help="Simulate images from labelled cells, this share of them of the image's class, e.g. 1,0.8,0.6."
        ),
    ] = "",
    simulate_bags: Annotated[
        int | None, typer.Option(min=1, help="Cells of a simulated image (default 10; alone, of purity 1).")
    ] = None,
    none_class: Annotated[
        str, typer.Option(help="Name a class, e.g. other, for cells of other types than the images' classes.")
    ] = "",
    minutes: Annotated[str, typer.Option(help="Your minutes for one label of each kind.")] = "image=0.1,cell=0.5",
    seeds: Annotated[int, typer.Option(min=2, help="Draws of labelled images and cells.")] = 20,
    name: Annotated[str | None, typer.Option(help="Name of the folder below <out>/granularity.")] = None,
    out: Out = DEFAULT_OUT,
    device: Device = "auto",
) -> None:
    """Say how many labels of images are worth one label of a cell, and which mix of both is cheapest.

    Images are labelled, cells are what is asked about: every head learns from so many labels of images and of cells
    per class, and is tested on images, and on cells whose class is known, of groups that it did not learn from.
    """
    existing(data)

    with imports():
        from bench.embeddings.embed import DataSpec
        from bench.instances.cell_boxes import CellFiles
        from bench.studies.granularity.design import Levels
        from bench.studies.granularity.request import GranularityRequest
        from bench.studies.granularity.run import run

    levels = Levels(
        tuple(numbers(image_labels, "--image-labels", int)), tuple(numbers(cell_labels, "--cell-labels", int)), seeds
    )
    told = CellFiles(cells, cell_column, masks, max_instances, box_units)
    read = reading_of(leave_out, follow_links, box_units, series)
    request = GranularityRequest(
        source=DataSpec(data, instances, group_pattern, group_column, cells=told, reading=read),
        encoders=encoder_names(encoder), levels=levels, heads=tuple(words(bag_head)), classes=tuple(words(classes)),
        purities=tuple(numbers(purity, "--purity", float)[::-1]), size=simulate_bags, minutes=_minutes(minutes),
        out=out, name=name, pure=pure, none=none_class,
    )  # fmt: skip
    with progress_bars() as report:
        found = run(request, device, shlex.join(["bench", *sys.argv[1:]]), report)
    _print(found.rates)
    print_notes(found.notes)
    print_problems(found.problems)
    console.print(found.summary())
    console.print(f"Written: {found.folder / 'granularity.md'}")


def _minutes(text: str) -> dict[str, float]:
    """Return 'image' and 'cell' -> minutes for one label."""
    pairs = dict(re.findall(r"\s*(\w+)\s*=\s*([\d.]+)\s*(?:,|$)", text))
    try:
        found = {name: float(value) for name, value in pairs.items()}
        if set(found) == {"image", "cell"} and text.count("=") == 2:
            return found
    except ValueError:
        pass
    raise BenchError(
        f"Got --minutes '{text}'; expected minutes for one label of each, e.g. --minutes image=0.1,cell=0.5."
    )


def _print(rates: pd.DataFrame) -> None:
    heads = (
        "image labels per class",
        "image level",
        "cell level",
        "as many cell labels",
        "image labels for a cell label",
    )
    for (encoder, purity), own in rates.groupby(["encoder", "purity"], sort=False, dropna=False):
        table = make_table("head", *(make_column(name, justify="right") for name in heads), pad_edge=False)
        for row in own.to_dict("records"):
            scores = (f"{100 * row[level]:.1f}" for level in ("image", "cell"))
            table.add_row(row["head"], str(row["images"]), *scores, row["cells_text"], row["text"])
        table.title = f"{encoder}, purity {purity:g}" if purity == purity else str(encoder)
        console.print(table, soft_wrap=False)
