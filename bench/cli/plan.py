"""`bench plan`: how many labels and how many slides are enough."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.console import console, print_notes, print_rows
from bench.cli.options.groups import BASIC, option
from bench.cli.options.minutes import MINUTES
from bench.cli.options.output import DEFAULT_OUT, Out
from bench.cli.startup import imports
from bench.cli.tables import make_column, make_table

EXAMPLES = (
    "bench plan", "bench plan blood --target .85", "bench plan blood --target .9 --minutes image=0.1,slide=30",
    "bench plan blood blood-few-slides --target .9",
)  # fmt: skip


def plan(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Runs on the same data, as names below <out>/runs or folders (default: the latest in <out>).",
            metavar="RUN",
        ),
    ] = None,
    target: Annotated[
        float | None,
        option(
            BASIC,
            "The balanced accuracy that you want on new slides (default: the next multiple of .05).",
            "--target",
            value="SCORE",
        ),
    ] = None,
    minutes: Annotated[str | None, MINUTES] = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Forecast from a finished run how many labels and slides a score needs, with a 90% interval. It trains nothing.

    Forecasts go no further than four times the labels that you have. From two runs, one of them with --support-groups
    concentrated, it also says what more slides would bring.
    """  # fmt: skip
    with imports():
        from bench.report.pages.numbers import interval, points
        from bench.report.tables.merge import find_runs, latest_run
        from bench.report.write_up import bring_up_to_date
        from bench.studies.plan.ask import plan_of
        from bench.studies.plan.minutes import read_minutes
        from bench.studies.plan.words import labels_text, sentences

    cost = None if minutes is None else read_minutes(minutes)
    folders = find_runs(out, runs) if runs else [latest_run(out)]
    notes = [] if runs else [f"This is the plan of the latest run, {folders[0].name}"]
    notes += [bring_up_to_date(folder) for folder in folders]
    print_notes(note.removesuffix(".") for note in notes if note)  # first, as an error is about these runs, too
    found = plan_of(folders, target, cost)
    print_rows(found.all_rows())
    right = ("labels now", "score", "x 2", "x 4", "labels needed", "90%")
    table = make_table("encoder", "head", *(make_column(heading, justify="right") for heading in right))
    for row in found.rows.to_dict("records"):
        table.add_row(
            row["encoder"], row["head"], f"{row['labels_now']:,}", points(row["score_now"]),
            *(f"{points(row[f'score_x{k}'])} [{interval(row[f'low_x{k}'], row[f'high_x{k}'])}]" for k in (2, 4)),
            *labels_text(row),
        )  # fmt: skip
    table.title = f"Labels per class needed for {points(found.goal)}% on new slides; forecasts with 90% intervals"
    console.print(table, soft_wrap=False)
    for sentence in sentences(found):
        console.print(sentence)
