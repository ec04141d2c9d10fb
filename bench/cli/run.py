"""`bench run`: from images to a leaderboard, or what that would take."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.console import (
    console,
    print_board,
    print_data,
    print_forecast,
    print_leak,
    print_notes,
    print_problems,
    progress_bars,
)
from bench.cli.options import (
    DEFAULT_DATA,
    DEFAULT_OUT,
    AllowMissing,
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
    Verify,
    encoder_names,
    ensembles,
    numbers,
    reading_of,
    words,
)
from bench.cli.startup import imports
from bench.data.layout import existing
from bench.errors import BenchError

if TYPE_CHECKING:
    import pandas as pd

    from bench.pipeline import RunReport
    from bench.request import Request


def run(
    shots: Annotated[str, typer.Option(help="Labelled examples a class, e.g. 1,5,10.")] = "1,5,10",
    budget: Annotated[
        str, typer.Option(help="Also labels in all, e.g. 20,50: of the classes as they come, rare ones rarely.")
    ] = "",
    data: Data = DEFAULT_DATA,
    encoder: Encoders = None,
    head: Annotated[
        str,
        typer.Option(
            help="Heads: centroid, knn, ridge, lda, logreg, xgboost, ...; a wrong name lists all. my.py:NAME: a "
            "scikit-learn classifier in a file, which is run."
        ),
    ] = "knn,centroid,logreg,xgboost",
    noise: Annotated[str, typer.Option(help="Shares of wrong training labels, e.g. 0,0.2,0.4.")] = "0",
    noise_kind: Annotated[
        str,
        typer.Option(
            help="How labels go wrong, rows of their own for each: symmetric (any other class), asymmetric (the class "
            "it is mistaken for), group (whole slides or images alike), resemblance (a class that the item looks "
            "like), instance-dependent (items that look alike go wrong alike), open-set (items of --foreign classes "
            "take the place of examples)."
        ),
    ] = "symmetric",
    confusable: Annotated[
        str,
        typer.Option(
            help="For asymmetric: which class is mistaken for which, e.g. 'a>b,b>a'; auto: as colour, texture and "
            "thumbnail confuse them; or the names of descriptors to go by (default: each for the next in alphabetical "
            "order)."
        ),
    ] = "",
    foreign: Annotated[
        str, typer.Option(help="For open-set: classes that are no classes but what is put among the examples.")
    ] = "",
    seeds: Annotated[int | None, typer.Option(help="Draws per shot level (default 30, 20 or 10 by shots).")] = None,
    split: Annotated[
        str,
        typer.Option(
            help="What is never both learned from and tested: group (slide, patient), source (each lab or stain held "
            "out in turn). random ignores groups: a diagnostic, never ranked."
        ),
    ] = "group",
    leak: Annotated[
        bool, typer.Option("--leak", help="Also the random split, and what it scores too high: leak.csv.")
    ] = False,
    draw: Annotated[
        str,
        typer.Option(
            help="Which items are labelled: spread (round the slides, those that hold more of a class more often), "
            "proportional (as they come), concentrated (from few slides)."
        ),
    ] = "spread",
    scale_by: Annotated[
        str,
        typer.Option(
            help="What embeddings are centred and scaled by: pool (all images of the training side, no labels), or "
            "support (the labelled examples of a draw alone)."
        ),
    ] = "pool",
    shot_unit: Annotated[
        str, typer.Option(help="What --shots counts: instance (a tile or cell), or image, with all its tiles or cells.")
    ] = "instance",
    select: Annotated[
        str,
        typer.Option(
            help="How settings are chosen, rows of their own for each: auto (on the examples, each predicted without "
            "its slide, near the published setting where examples are few; the published one where a class is of one "
            "slide), fixed (published), loo or inner-cv (on the examples alone), transfer (on other runs), tuned (see "
            "--params), oracle (on the test; never ranked)."
        ),
    ] = "auto",
    transfer: Annotated[
        list[Path] | None, typer.Option(help="A run of other data with --select oracle, for --select transfer. Repeat.")
    ] = None,
    params: Annotated[
        list[Path] | None,
        typer.Option(
            help="A tuned.json of `bench tune`, for rows of their own (tuned). Groups it was tuned on are left out of "
            "the whole run. Repeat."
        ),
    ] = None,
    trivial: Annotated[
        bool,
        typer.Option(
            "--trivial/--no-trivial",
            help="Add what every encoder has to beat, the panel `trivial`: constant (guessing), image-size, "
            "color-stats, color-histogram, grey-histogram, focus-spectrum, texture, thumbnail, raw-pixels.",
        ),
    ] = True,
    ensemble: Annotated[
        list[str] | None,
        typer.Option(help="concat:a,b (vectors side by side) or mean:a,b (of log-probabilities) of encoders. Repeat."),
    ] = None,
    zero_shot: Annotated[
        bool, typer.Option("--zero-shot", help="Also class names in words instead of labels, for open_clip encoders.")
    ] = False,
    prompts: Annotated[
        Path | None, typer.Option(help="The words for --zero-shot: a file that starts as `bench prompts > FILE`.")
    ] = None,
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
    out: Out = DEFAULT_OUT,
    device: Device = "auto",
    fit_device: Annotated[
        str, typer.Option(help="Where logistic regression is solved: cpu, or cuda for many classes and labels.")
    ] = "cpu",
    verify: Verify = False,
    allow_missing: AllowMissing = False,
    name: Annotated[str | None, typer.Option(help="Name of the run's folder below <out>/runs.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that fit heads.")] = os.cpu_count() or 1,
    memory: Annotated[
        float | None, typer.Option(min=0, help="GB for all of them, by estimate (default: half of the machine's).")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count the fits and estimate the time; embed and fit nothing.")
    ] = False,
) -> None:
    """Train every head on few, partly wrong labels over every encoder and write the leaderboard.

    Run it in several processes, or on machines that share the folder, and they share the work.
    """
    levels, rates = tuple(numbers(shots, "--shots", int)), tuple(numbers(noise, "--noise", float))
    totals = tuple(numbers(budget, "--budget", int))
    read = reading_of(leave_out, follow_links, box_units, series)
    existing(data)  # a slip is told before all that takes long to import

    with imports():
        import pandas as pd

        from bench.data.spellings import one_form
        from bench.embeddings.embed import DataSpec
        from bench.instances.cell_boxes import CellFiles
        from bench.pipeline import forecast_run
        from bench.pipeline import run as run_all
        from bench.protocol.confusion_targets import read_confusable
        from bench.protocol.protocol import Protocol
        from bench.protocol.split_kinds import DIAGNOSTIC
        from bench.request import Request

    protocol = Protocol(
        shots=levels, noise=rates, noise_kinds=tuple(dict.fromkeys(words(noise_kind))), draws=seeds,
        support_groups=draw, select=tuple(dict.fromkeys([*words(select), *["tuned"] * bool(params)])),
        transfer=tuple(transfer or ()), tuned=tuple(params or ()), confusable=read_confusable(one_form(confusable)),
        foreign=tuple(words(foreign)), budget=totals, split=split, shot_unit=shot_unit, scale_by=scale_by,
    )  # fmt: skip
    source = DataSpec(
        data, instances, group_pattern, group_column, verify,
        CellFiles(cells, cell_column, masks, max_instances, box_units), read,
    )  # fmt: skip
    request = Request(
        source=source, protocol=protocol, encoders=encoder_names(encoder), heads=words(head),
        ensembles=ensembles(ensemble), zero_shot=prompts or zero_shot, out=out, name=name, trivial=trivial,
        allow_missing=allow_missing,
    )  # fmt: skip
    if leak and split != "group":
        raise BenchError(f"Got --leak with --split {split}; expected --split group, which random is held against.")
    if dry_run:
        print_forecast(forecast_run(request, workers=workers, memory=memory, on_data=print_data))
        return
    how: dict[str, Any] = {"device": device, "fit_device": fit_device, "workers": workers, "memory": memory}
    command = shlex.join(["bench", *sys.argv[1:]])
    with progress_bars() as report:
        result = run_all(request, command=command, on_progress=report, on_data=print_data, **how)
        leaked = _audit(request, result, command, on_progress=report, **how) if leak else None
    print_notes(reason.removesuffix(".") for reason in result.missing)
    print_board(result.leaderboard.table)
    for text in result.leaderboard.flags.values():
        console.print(f"Note: {text}.")
    if split == "random":
        console.print(f"{DIAGNOSTIC}.")
    if result.left_out:
        console.print(f"Left out: {result.left_out}.")
    for reason in result.refused:
        console.print(f"Not run: {reason}.")
    print_problems(pd.DataFrame(list(result.extracted.problems.items()), columns=["path", "reason"]))
    print_notes(result.notes)
    console.print(result.summary())
    console.print(f"Leaderboard: {result.folder / 'leaderboard.md'}")
    if leaked is not None:
        print_leak(leaked)
        console.print(f"All of it: {result.folder / 'leak.csv'}")


def _audit(request: Request, result: RunReport, command: str, **how: Any) -> pd.DataFrame:
    """Run the same on items split at random, and write beside the run what that scores too high."""
    from bench.pipeline import run as run_all
    from bench.runs.place import LEAK
    from bench.storage.tables import write_csv
    from bench.studies.leak import leak_table

    name = request.name and f"{request.name}-random-split"
    other = replace(request, protocol=replace(request.protocol, split="random"), name=name)
    at_random = run_all(other, command=command, **how)
    table = leak_table(result.leaderboard.table, at_random.leaderboard.table)
    write_csv(result.folder / LEAK, table)
    return table
