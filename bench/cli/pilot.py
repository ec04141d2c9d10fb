"""`bench pilot`: whether learning on your own unlabelled images pays."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from bench.cli.console import console, print_data, print_notes, print_rows, progress_bars
from bench.cli.options.data import DataOptions
from bench.cli.options.encoders import CORES, Device, Heads, Workers, check_device
from bench.cli.options.groups import BASIC, STUDY, option
from bench.cli.options.output import DEFAULT_OUT, Name, Out
from bench.cli.options.pretrain import Batch, InputSize, Method, Most, Steps
from bench.cli.options.protocol import Draws, ScaleBy, Shots, SupportGroups
from bench.cli.options.reading import numbers, words
from bench.cli.startup import imports
from bench.cli.tables import make_column, make_table
from bench.data.layout import existing

if TYPE_CHECKING:
    from bench.studies.pilot.run import Pilot

EXAMPLES = (
    "bench pilot --data Data/raw --pool unlabelled --group-pattern '([^/]+)__'",
    "bench pilot --data Data/raw --pool fields --pool-instances segments --method orient --steps 500 --shots 5,20",
)


def pilot(
    source: DataOptions,
    pool: Annotated[
        Path,
        option(BASIC, "Images without labels, which the arms learn from, in any folders.", "--pool", value="FOLDER"),
    ],
    pool_instances: Annotated[
        str,
        option(
            BASIC,
            "What is cut out of the images of --pool, as --instances: whole, tiles:SIZE, segments.",
            "--pool-instances",
            value="KIND",
        ),
    ] = "whole",
    method: Method = "vicreg",
    steps: Steps = None,
    arms: Annotated[
        str,
        option(
            STUDY,
            "Which ways to an encoder are compared, comma-separated: imagenet, continued, scratch, norms, dictionary, "
            "random (default: all that the method allows).",
            "--arms",
            value="ARMS",
        ),
    ] = "",
    trainings: Annotated[
        int, option(STUDY, "Encoders of every arm that depends on chance, each from a seed of its own.", value="N")
    ] = 3,
    batch: Batch = None,
    size: InputSize = None,
    most: Most = 20_000,
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
    """Say, with intervals, whether encoders that learn on your unlabelled images are better than ImageNet weights.

    The arms are ways to make an encoder of one network, EfficientNet-Lite0, from the same images, with as many steps
    and several trainings each. All are judged on the same draws of your labelled images. Images of --pool that are
    also labelled ones are left out and counted. A pilot that was stopped goes on by the same command.
    """  # fmt: skip
    levels = tuple(numbers(shots, "--shots", int))
    existing(source.data)
    existing(pool, "--pool")
    check_device(device)

    with imports():
        from bench.embeddings.embed import DataSpec
        from bench.protocol.protocol import Protocol
        from bench.studies.pilot.arms import Training
        from bench.studies.pilot.run import PilotRequest
        from bench.studies.pilot.run import pilot as run_pilot

    usual = Training()
    training = Training(method=method, steps=steps or usual.steps, batch=batch or usual.batch, size=size or usual.size)
    request = PilotRequest(
        source=source.spec(), pool=DataSpec(pool, pool_instances), heads=words(head), arms=words(arms),
        protocol=Protocol(shots=levels, draws=draws, support_groups=support_groups, scale_by=scale_by),
        training=training, trainings=trainings, most=most, out=out, name=name,
    )  # fmt: skip
    with progress_bars() as report:
        found = run_pilot(
            request, command=shlex.join(["bench", *sys.argv[1:]]), device=device, workers=workers, on_progress=report,
            on_data=print_data,
        )  # fmt: skip
    _show(found)


def _show(found: Pilot) -> None:
    from bench.report.pages.numbers import gain, points
    from bench.report.pages.plain_text import plain_words
    from bench.studies.pilot.judge import ALL_LEVELS, judged_by
    from bench.studies.pilot.page import PAGE, shown_rows, verdict
    from bench.text import counted

    notes = (*found.notes, *found.run.refused, *found.run.notes, found.kept)
    print_notes(reason.removesuffix(".") for reason in filter(None, notes))
    print_rows(found.table)
    right = ("balanced accuracy", "difference", "95% interval", "trainings")
    table = make_table("arm", *(make_column(heading, justify="right") for heading in right))
    rows = [row for row in shown_rows(judged_by(found.table)) if row["shots"] == ALL_LEVELS]
    for row in rows:
        values = points(row["balanced_accuracy"]), gain(row["difference"]), row["interval"], f"{row['trainings']:d}"
        table.add_row(row["what"], *values)
    table.title = f"Against ImageNet weights as they are ({points(rows[0]['base'])}), mean over numbers of labels"
    console.print(table, soft_wrap=False)
    console.print(plain_words(verdict(found.table)))
    images, removed = found.overlap
    console.print(
        f"{removed:,} of {counted(images, 'image to learn from', 'images to learn from')} are also labelled ones, "
        "and were left out.",
        found.run.summary(), f"Full results: {found.folder / PAGE}",
        sep="\n",
    )  # fmt: skip
