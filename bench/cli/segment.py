"""`bench segment`: look at the cells that `--instances segments` would use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import console, print_problems, progress_bars
from bench.cli.options import (
    DEFAULT_DATA,
    DEFAULT_OUT,
    Data,
    FollowLinks,
    LeaveOut,
    Masks,
    Series,
    reading_of,
)
from bench.cli.tables import make_table
from bench.data.layout import existing
from bench.errors import BenchError

WORDS = "foreground=dark, threshold=otsu, min=50, border=drop"


def segment(
    to: Annotated[Path, typer.Option("--out", help="Folder to write outlines and cells.csv into.")],
    data: Data = DEFAULT_DATA,
    setting: Annotated[list[str] | None, typer.Option("--set", help=f"A setting, repeatable: {WORDS}.")] = None,
    masks: Masks = None,
    leave_out: LeaveOut = None,
    follow_links: FollowLinks = False,
    series: Series = None,
    results: Annotated[Path, typer.Option(help="Folder that keeps what was found.")] = DEFAULT_OUT,
) -> None:
    """Draw the outlines of the cells that --instances segments finds, and count them; compare with masks if there are.

    The settings are those of --instances segments:WINDOW:foreground=dark:min=50.
    """
    existing(data)

    from bench.data.datasets import load_dataset
    from bench.instances.cell_boxes import CellFiles
    from bench.instances.outlines import FOLDER, segment_images
    from bench.instances.segment import Segmenter

    how = Segmenter.parse(setting or ())
    if how is None:
        raise BenchError(f"Got --set {' --set '.join(setting or ())}; expected settings such as {WORDS}.")
    cache = results / "store"
    dataset = load_dataset(data, cache=cache, reading=reading_of(leave_out, follow_links, series=series))
    with progress_bars() as report:
        table = segment_images(
            dataset, how, CellFiles(masks=masks), cache, to, lambda done, total: report("segment images", done, total)
        )
    compared = "f1" in table
    more = ("with masks", "F1 at IoU .5", "count error", "bias") if compared else ()
    shown = make_table("class", "images", "cells", "median an image", "median area", *more)
    for name, part in [*table.groupby("label"), ("all", table)]:
        row = [len(part), part["cells"].sum(), part["cells"].median(), part["median_area"].median()]
        if compared:
            error = part["count_error"]
            row += [int(part["f1"].notna().sum()), part["f1"].mean(), error.abs().mean(), error.mean()]
        shown.add_row(str(name), *(f"{v:.3f}" if i > 4 else f"{v:,.0f}" for i, v in enumerate(row)))
    console.print(shown, soft_wrap=False)
    print_problems(dataset.problems)
    if "mask_problem" in table:
        lacking = table[["path", "mask_problem"]].dropna().set_axis(["path", "reason"], axis=1)
        print_problems(lacking.assign(reason="not compared, " + lacking["reason"]))
    console.print(f"Look at them: {to / FOLDER}; one line an image: {to / 'cells.csv'}")
