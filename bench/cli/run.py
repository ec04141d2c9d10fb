"""`bench run`: from images to a leaderboard, or what that would take."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from bench.cli.closing import say_next
from bench.cli.console import (
    console,
    print_board,
    print_data,
    print_forecast,
    print_leak,
    print_notes,
    print_problems,
    print_rows,
    progress_bars,
    speech,
)
from bench.cli.options.data import DataOptions, Verify, fetched
from bench.cli.options.encoders import (
    CORES,
    AllowMissing,
    Baselines,
    Device,
    Encoders,
    Ensembles,
    FitDevice,
    Heads,
    Memory,
    Precision,
    Prompts,
    Workers,
    ZeroShot,
    encoder_names,
    ensembles,
)
from bench.cli.options.engine import EngineOptions
from bench.cli.options.groups import BASIC, LABELS, OUTPUT, option
from bench.cli.options.output import DEFAULT_OUT, Name, Out
from bench.cli.options.protocol import ProtocolOptions
from bench.cli.options.reading import words
from bench.cli.options.slurm import MEMORY, SlurmOptions
from bench.cli.report import report_of
from bench.cli.startup import imports
from bench.cli.unchanged import question
from bench.errors import BenchError
from bench.storage.buckets.address import is_address

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.datasets import Dataset
    from bench.pipeline import RunReport
    from bench.request import Request

EXAMPLES = (
    "bench run --data Data/raw --shots 1,5,10 --encoder dino,resnet50,color-stats,texture",
    "bench run --data Data/raw --group-pattern '([^/]+)__' --noise 0,0.2 --noise-kind symmetric,group --dry-run",
    "bench run --data Data/raw --encoder mine=timm:resnet18.a1_in1k,my.py:brightness --head knn,logreg --name mine",
    "bench run --data slides --instances tiles:256 --encoder uni --budget 20,50 --config cells.toml",
)


def run(
    source: DataOptions,
    protocol: ProtocolOptions,
    engine: EngineOptions,
    slurm: SlurmOptions,
    encoder: Encoders = None,
    head: Heads = "knn,centroid,logreg,xgboost",
    dry_run: Annotated[
        bool,
        option(
            BASIC, "Only count the fits and estimate the time: nothing is embedded, fitted or written.", "--dry-run"
        ),
    ] = False,
    leak: Annotated[
        bool,
        option(
            LABELS,
            "Also split at random, with slides on both sides, and say how much too high the scores then are "
            "(leak.csv).",
            "--leak",
        ),
    ] = False,
    baselines: Baselines = True,
    ensemble: Ensembles = None,
    zero_shot: ZeroShot = False,
    prompts: Prompts = None,
    out: Out = DEFAULT_OUT,
    device: Device = "auto",
    fit_device: FitDevice = "cpu",
    precision: Precision = "named",
    verify: Verify = False,
    allow_missing: AllowMissing = False,
    name: Name = None,
    html: Annotated[
        bool, option(OUTPUT, "Also write report.html, an interactive page of the run.", "--report/--no-report")
    ] = True,
    workers: Workers = CORES,
    memory: Memory = None,
) -> None:
    """Compare encoders: train each head on few, partly wrong labels, test it on other slides, write a leaderboard.

    Start the same command several times, also on machines that share the folder, to divide the work among them.
    """
    protocol.check_numbers()
    source.reading()
    slurm.check()
    if slurm.slurm is not None:
        _print_slurm(slurm, engine, dry_run=dry_run)
        return
    engine.check_devices(device, fit_device)
    engine.check_precision(precision)
    engine.check_places(out, source.data)
    local = fetched(source)  # a slip is told before all that takes long to import
    is_plain = not (dry_run or leak or verify or speech.json or is_address(out) or local is not source)
    asked = question(out) if is_plain else None
    if asked and (said := asked.answer()):
        console.say_again(said)
        return
    source = local

    with imports():
        from bench.pipeline import forecast_run
        from bench.pipeline import run as run_all
        from bench.protocol.split_kinds import SPLIT_KINDS
        from bench.report.in_bucket import bring_results, publish_run, until_published
        from bench.request import Request
        from bench.storage.buckets.mirror import open_results

    out = open_results(out)
    request = Request(
        source=source.spec(verify=verify), protocol=protocol.protocol(), encoders=encoder_names(encoder),
        heads=words(head), ensembles=ensembles(ensemble), zero_shot=prompts or zero_shot, out=out, name=name,
        baselines=baselines, allow_missing=allow_missing, precision=precision,
    )  # fmt: skip
    if leak and protocol.split != "group":
        raise BenchError(
            f"Got --leak with --split {protocol.split}; expected --split group, which random is held against."
        )
    seen: list[Dataset] = []

    def on_data(dataset: Dataset, warned: Sequence[str]) -> None:
        seen.append(dataset)
        print_data(dataset, warned)

    bring_results(out)
    if dry_run:
        from bench.storage.shadow import shadow

        with shadow(out) as there:
            forecast = forecast_run(
                replace(request, out=there), workers=workers, memory=memory, device=device, on_data=on_data
            )
        print_rows(forecast.table)
        print_forecast(forecast)
        say_next("dry run", seen[0].table, seen[0].classes)
        return
    command = shlex.join(["bench", *sys.argv[1:]])

    with console.hear() as heard:
        for made_in in until_published(out):
            with (
                engine.open(out, workers=workers, memory=memory, sees=[source.data]) as opened,
                progress_bars() as report,
            ):
                how: dict[str, Any] = {
                    "device": device, "fit_device": fit_device, "workers": workers, "memory": memory, "engine": opened,
                }  # fmt: skip
                result = run_all(request, command=command, on_progress=report, on_data=on_data, **how)
                leaked = _audit(request, result, command, on_progress=report, **how) if leak else None
            made_in(result.folder)
        _say(result, SPLIT_KINDS[protocol.split].diagnostic)
        if html:
            console.print(report_of(result.folder))
            publish_run(out, result.folder)
        if leaked is not None:
            print_leak(leaked)
            console.print(f"Full results: {result.folder / 'leak.csv'}")
        table = seen[0].table
        table = table[~table["path"].isin(list(result.extracted.problems))]  # what could not be decoded
        say_next("run", table, seen[0].classes, board=result.leaderboard.table, run=result.folder.name)
    if asked and result.up_to_date and not result.missing:  # what could not be loaded may be there next time
        asked.keep("".join(heard), seen[0])


def _say(result: RunReport, diagnostic: str) -> None:
    """Print what a run made, and what is to be known of it. diagnostic: why its split is no estimate, or ""."""
    import pandas as pd

    from bench.storage.buckets.together import shown_member

    print_notes(reason.removesuffix(".") for reason in result.missing)
    print_problems(pd.DataFrame(list(result.extracted.problems.items()), columns=["path", "reason"]))
    print_rows(result.leaderboard.table)
    print_board(result.leaderboard.table)
    print_notes(result.leaderboard.flags.values())
    if diagnostic:
        console.print(f"{diagnostic}.")
    if result.left_out:
        console.print(f"Left out: {result.left_out}.")
    for reason in result.refused:
        console.print(f"Not run: {reason}.")
    print_notes(result.notes)
    console.print(result.summary())
    console.print(f"Leaderboard: {shown_member(result.folder / 'leaderboard.md')}")


def _print_slurm(slurm: SlurmOptions, engine: EngineOptions, *, dry_run: bool) -> None:
    if dry_run or engine.engine != "local":
        other = "--dry-run" if dry_run else f"--engine {engine.engine}"
        raise BenchError(f"Got --slurm with {other}; expected one of them.")
    console.write_document(slurm.script([("--workers", '--workers "$SLURM_CPUS_PER_TASK"'), ("--memory", MEMORY)]))


def _audit(request: Request, result: RunReport, command: str, **how: Any) -> pd.DataFrame:
    """Run the same on items split at random, and write beside the run what that scores too high."""
    from bench.pipeline import run as run_all
    from bench.runs.place import write_leak
    from bench.runs.record import read_about
    from bench.studies.leak import leak_table

    signature = str(read_about(result.folder).get("signature"))
    name = request.name and f"{request.name}-random-split"
    other = replace(request, protocol=replace(request.protocol, split="random"), name=name)
    at_random = run_all(other, command=command, **how)
    table = leak_table(result.leaderboard.table, at_random.leaderboard.table)
    if not write_leak(result.folder, table, signature):
        print_notes([f"{result.folder} holds tables of another request by now, so leak.csv is not written there"])
    return table
