"""`bench ablate`: what each part of how an encoder sees images is worth."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

from bench.cli.console import console, print_data, print_notes, print_rows, progress_bars
from bench.cli.options.data import DataOptions
from bench.cli.options.encoders import (
    CORES,
    Device,
    Encoders,
    Heads,
    Workers,
    check_device,
    encoder_names,
    one_of,
)
from bench.cli.options.groups import BASIC, option
from bench.cli.options.output import DEFAULT_OUT, Name, Out
from bench.cli.options.protocol import Draws, ScaleBy, Shots, SupportGroups
from bench.cli.options.reading import numbers, words
from bench.cli.startup import imports
from bench.cli.tables import make_column, make_table
from bench.data.layout import existing

if TYPE_CHECKING:
    from bench.studies.ablate.run import Ablation

EXAMPLES = (
    "bench ablate --data Data/raw --encoder efficientnet-lite0 --vary size=96,448 --vary color,window,pool,orient8",
    "bench ablate --data Data/raw --encoder dino --vary size,precision --head logreg --shots 5,20",
)


def ablate(
    source: DataOptions,
    vary: Annotated[
        list[str],
        option(
            BASIC,
            "Options of the encoder, each changed by itself: size=96,448 are its values, and color,window,pool,"
            "precision,orient8 stand for all that the encoder offers. Repeat.",
            "--vary",
            value="OPTIONS",
        ),
    ],
    encoder: Encoders = None,
    head: Heads = "knn,logreg",
    shots: Shots = "1,5,10",
    draws: Draws = None,
    support_groups: SupportGroups = "spread",
    scale_by: ScaleBy = "pool",
    out: Out = DEFAULT_OUT,
    device: Device = "auto",
    name: Name = None,
    workers: Workers = CORES,
) -> None:
    """Change one option of an encoder at a time and say, with intervals, what each change costs or gains.

    All variants are fitted on the same draws and tested on the same images, which are decoded once. It takes one
    encoder; where none is named, efficientnet-lite0.
    """  # fmt: skip
    levels = tuple(numbers(shots, "--shots", int))
    existing(source.data)
    from encoders import DEFAULT

    one_encoder = one_of(encoder_names(encoder) or [DEFAULT], "--encoder")
    check_device(device)

    with imports():
        from bench.protocol.protocol import Protocol
        from bench.studies.ablate.run import AblationRequest
        from bench.studies.ablate.run import ablate as ablate_all
        from bench.studies.ablate.variations import read_factors

    protocol = Protocol(shots=levels, draws=draws, support_groups=support_groups, scale_by=scale_by)
    request = AblationRequest(
        source=source.spec(), protocol=protocol, encoder=one_encoder, factors=read_factors(vary), heads=words(head),
        out=out, name=name,
    )  # fmt: skip
    with progress_bars() as report:
        found = ablate_all(
            request, command=shlex.join(["bench", *sys.argv[1:]]), device=device, workers=workers, on_progress=report,
            on_data=print_data,
        )  # fmt: skip
    _show(found)


def _show(found: Ablation) -> None:
    from bench.report.pages.numbers import decimal, gain, p_value, points
    from bench.report.pages.plain_text import plain_words
    from bench.studies.ablate.page import PAGE, judged_by, verdict, with_intervals
    from bench.text import counted

    notes = (*found.run.missing, *found.run.refused, *found.run.notes, found.kept)
    print_notes(reason.removesuffix(".") for reason in filter(None, notes))
    print_rows(found.table)
    own = judged_by(found.table)
    most = own[own["shots"] == own["shots"].max()]
    right = ("balanced accuracy", "difference", "95% interval", "p, adjusted", "times the cost")
    table = make_table("option", "value", *(make_column(heading, justify="right") for heading in right))
    for row in with_intervals(most):
        table.add_row(
            row["factor"], row["value"], points(row["balanced_accuracy"]), gain(row["difference"]),
            row["interval"], p_value(row["p_adjusted"]), decimal(row["times_base"], 2),
        )  # fmt: skip
    labels = counted(int(most["shots"].iloc[0]), "label")
    table.title = f"Against {found.encoder} as it is ({points(most['base'].iloc[0])}), {labels} per class"
    console.print(table, soft_wrap=False)
    console.print(plain_words(verdict(found.table, found.encoder)))
    console.print(found.run.summary(), f"Full results: {found.folder / PAGE}", sep="\n")
