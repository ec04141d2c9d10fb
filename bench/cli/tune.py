"""`bench tune`: search the settings of a head, and see what they are worth."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.console import console, progress_bars
from bench.cli.options import (
    BoxUnits,
    CellColumn,
    Cells,
    FollowLinks,
    Instances,
    LeaveOut,
    Masks,
    MaxInstances,
    Series,
    reading_of,
)
from bench.cli.tables import make_table

if TYPE_CHECKING:
    from bench.studies.tune.tune import Tuned

SHOWN = 10  # trials


def tune(
    encoder: Annotated[str, typer.Option("--encoder", "-e", help="One encoder or variant; see `bench encoders`.")],
    data: Annotated[
        Path, typer.Option(help="A folder with one sub-folder per class, or a CSV with columns path,label.")
    ] = Path("Data/raw"),
    head: Annotated[str, typer.Option(help="The head to tune.")] = "xgboost",
    shots: Annotated[int, typer.Option(help="Labelled examples a class.")] = 10,
    trials: Annotated[int, typer.Option(help="Settings to try in all, those of earlier calls included.")] = 40,
    episodes: Annotated[int | None, typer.Option(help="Draws a setting is scored on (default 30, 20 or 10).")] = None,
    draw: Annotated[
        str, typer.Option(help="Which items are labelled: spread (round the slides), proportional, concentrated.")
    ] = "spread",
    instances: Instances = "whole",
    cells: Cells = None,
    cell_column: CellColumn = None,
    masks: Masks = None,
    max_instances: MaxInstances = None,
    group_pattern: Annotated[str | None, typer.Option(help="Regular expression; its first (...) is the slide.")] = None,
    group_column: Annotated[str | None, typer.Option(help="Column of the CSV that names the slide.")] = None,
    leave_out: LeaveOut = None,
    follow_links: FollowLinks = False,
    box_units: BoxUnits = "pixels",
    series: Series = None,
    out: Annotated[Path, typer.Option(help="Folder for embeddings and studies.")] = Path("results"),
    device: Annotated[str, typer.Option(help="Where encoders run: auto, cpu, cuda or cuda:N.")] = "auto",
    name: Annotated[str | None, typer.Option(help="Name of the study's folder below <out>/tune.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that try settings.")] = os.cpu_count() or 1,
    plots: Annotated[bool, typer.Option("--plots", help="Also draw history.png and importance.png.")] = False,
) -> None:
    """Tune a head on half of the groups and compare it with the published setting on the other half."""
    from bench.embeddings.embed import DataSpec
    from bench.instances.cell_boxes import CellFiles
    from bench.studies.tune.tune import TuneRequest
    from bench.studies.tune.tune import tune as tune_all

    aim = TuneRequest(encoder, head, shots, trials, episodes, draw)
    told = CellFiles(cells, cell_column, masks, max_instances, box_units)
    read = reading_of(leave_out, follow_links, box_units, series)
    source = DataSpec(data, instances, group_pattern, group_column, cells=told, reading=read)
    with progress_bars() as report:
        result = tune_all(
            source, aim, out=out, name=name, device=device, workers=workers, plots=plots, on_progress=report
        )
    _show(result)


def _show(result: Tuned) -> None:
    from bench.studies.tune.tune import verdict

    parameters = list(result.setting)
    table = make_table("setting", "balanced accuracy", "95% interval", "log loss", *parameters)
    published = result.trials[result.trials["default"]].iloc[0]
    both = (("published", result.published, published), ("tuned", result.tuned, result.setting))
    for what, compared, setting in both:
        table.add_row(what, *compared.texts(), *(f"{setting[key]:.4g}" if key in setting else "" for key in parameters))
    history = make_table("trial", "state", "episodes", "log loss", "balanced accuracy")
    best = result.trials.sort_values(["state", "balanced_accuracy"], ascending=[True, False]).head(SHOWN)
    for row in best.to_dict("records"):
        history.add_row(str(row["trial"]), row["state"], str(row["episodes"]), f"{row['log_loss']:.3f}",
                        f"{100 * row['balanced_accuracy']:.1f}")  # fmt: skip
    history.title = f"The best {len(best)} of {len(result.trials)} trials, on the tuning half"
    console.print(history, soft_wrap=False)
    if result.importance:
        shares = make_table("parameter", "importance")
        for key, share in result.importance.items():
            shares.add_row(key, f"{share:.2f}")
        console.print(shares, soft_wrap=False)
    table.title = "On the evaluation half, of which no label was tuned on"
    console.print(table, soft_wrap=False)
    console.print(verdict(result))
    before = len(result.trials) - result.made
    console.print(f"{before} trials reused, {result.made} made; all of it: {result.folder / 'report.md'}")
