"""`bench leaderboard`: several runs as one leaderboard, and what holds across their datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.console import console, print_notes, print_rows, progress_bars
from bench.cli.options.groups import STUDY, option
from bench.cli.options.output import DEFAULT_OUT, Out
from bench.cli.startup import imports
from bench.cli.tables import make_column, make_table
from bench.text import counted

if TYPE_CHECKING:
    import pandas as pd

    from bench.report.tables.across import Across
    from bench.report.tables.merge import Merged, StoredRun

EXAMPLES = (
    "bench leaderboard",
    "bench leaderboard blood nuclei --calibration",
    "bench leaderboard --out results --json > leaderboard.json",
)
SHOWN = 10


def leaderboard(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Runs by name below <out>/runs or by folder (default: all of <out>).", metavar="RUN"),
    ] = None,
    out: Out = DEFAULT_OUT,
    calibration: Annotated[
        bool,
        option(
            STUDY,
            "Also whether probabilities are calibrated (ECE, with the range for calibrated ones).",
            "--calibration",
        ),
    ] = False,
    rebuild: Annotated[
        bool, option(STUDY, "Write the tables of these runs again from their stored predictions.", "--rebuild")
    ] = False,
) -> None:
    """Join runs into <out>/leaderboard.csv and .md and compare methods across datasets (across.csv); fits nothing.

    Tables that are damaged, or that an earlier version wrote, are made again from the stored predictions.
    """
    with imports():
        from bench.report.in_bucket import bring_results, publish_overview, publish_run
        from bench.report.tables.across import across
        from bench.report.tables.merge import draw_scores, find_runs, merge_runs, read_runs
        from bench.report.write_up import write_merged
        from bench.storage.buckets.mirror import open_results
        from bench.storage.buckets.together import shown_member

    out = open_results(out)
    bring_results(out, runs or [])
    folders = find_runs(out, runs or [])
    notes = _bring_up_to_date(folders, rebuild)
    stored, of_datasets = read_runs(folders)
    merged = merge_runs(stored)
    scores, left_out = draw_scores(stored, merged)
    found = across(scores)
    if calibration:
        merged = _calibrated(stored, merged)
    notes += [*of_datasets, *merged.notes, *left_out, *found.notes]
    write_merged(out, merged.table, found, notes)
    for folder in folders:
        publish_run(out, folder)  # those that were written anew; where another was first, its tables count
    publish_overview(out, lambda: write_merged(out, merged.table, found, notes))
    print_rows(merged.table)
    _print_best(merged.table)
    _print_across(found, len({run.counts_as for run in stored}))
    print_notes(note.removesuffix(".") for note in notes)
    names = ", ".join(run.name for run in stored)
    count = f"{counted(len(merged.table), 'row')} of {counted(len(stored), 'run')}"
    console.print(f"{count} ({names}). Leaderboard: {shown_member(out / 'leaderboard.md')}")


def _bring_up_to_date(folders: list[Path], rebuild: bool) -> list[str]:
    """Write the tables of runs anew where they are damaged or of an earlier version, or of all; returns what to say."""
    from bench.report.write_up import bring_up_to_date
    from bench.report.write_up import rebuild as write_anew

    notes = []
    with progress_bars() as report:
        for i, folder in enumerate(folders):
            report("write tables", i, len(folders))
            if rebuild:
                write_anew(folder)
            else:
                notes.append(bring_up_to_date(folder))
    return list(filter(None, notes))


def _calibrated(stored: list[StoredRun], merged: Merged) -> Merged:
    from dataclasses import replace

    from bench.report.tables.calibration import calibration
    from bench.report.tables.merge import join_by_row
    from bench.runs.record import read_record_of

    with progress_bars() as report:
        tables = [calibration(run.folder, read_record_of(run.folder), report) for run in stored]
    return replace(merged, table=join_by_row(merged.table, stored, tables))


def _print_best(merged: pd.DataFrame) -> None:
    """Print the best row of every dataset and protocol at its most labels, clean."""
    from bench.report.pages.sections.datasets import called
    from bench.report.tables.protocols import by_protocol
    from bench.report.tables.rows import cleanest, competing, head_label, main_series

    names = ("labels", "balanced accuracy", "95% interval", "groups tested")
    table = make_table(
        "dataset",
        make_column("best encoder", overflow="fold", min_width=15),
        "head",
        *(make_column(name, justify="right") for name in names),
        pad_edge=False,
    )
    for differs, own in by_protocol(competing(merged)):
        clean = cleanest(main_series(own))
        if clean.empty:
            continue  # written before noise was a column
        row = clean[clean["shots"] == clean["shots"].max()].nlargest(1, "balanced_accuracy").iloc[0]
        named = called(row, "" if row["instances"] == "whole" else str(row["instances"]), differs)
        known = row["ci_low"] == row["ci_low"]
        interval = f"{100 * row['ci_low']:.0f}-{100 * row['ci_high']:.0f}" if known else ""
        score = f"{100 * row['balanced_accuracy']:.1f}"
        table.add_row(named, row["encoder"], head_label(row), f"{row['shots']:.0f}", score, interval,
                      str(row["n_groups"]))  # fmt: skip
    console.print(table, soft_wrap=False)


def _print_across(found: Across, datasets: int) -> None:
    from bench.report.pages.sections.across import shown_level
    from bench.report.tables.rows import head_label

    if found.methods.empty:
        return
    part = shown_level(found.methods)
    names = ("mean skill", "95% interval", "mean rank", "first is better")
    table = make_table(
        make_column("encoder", overflow="fold", min_width=15),
        "head",
        *(make_column(name, justify="right") for name in names),
        pad_edge=False,
    )
    for row in part.head(SHOWN).to_dict("records"):
        better = "" if row["p_improvement"] != row["p_improvement"] else f"{100 * row['p_improvement']:.0f}%"
        low, mid, high = (f"{100 * row[name]:.1f}" for name in ("mean_low", "mean", "mean_high"))
        table.add_row(row["encoder"], head_label(row), mid, f"{low}-{high}", f"{row['rank']:.1f}", better)
    shots, count = int(part["shots"].iloc[0]), int(part["datasets"].iloc[0])
    table.title = (
        f"Skill above guessing over {count} of {datasets} datasets, {counted(shots, 'label')} per class "
        f"(the first {min(SHOWN, len(part))} of {len(part)} methods)"
    )
    console.print(table, soft_wrap=False)
