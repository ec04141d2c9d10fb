"""The command line. Each command's help is its function's docstring; the work is done elsewhere."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import (
    Interrupted,
    console,
    interrupt,
    print_board,
    print_check,
    print_data,
    print_error,
    print_instances,
    print_notes,
    progress_bars,
    speak_for_libraries,
)
from bench.cli.granularity import granularity
from bench.cli.leaderboard import leaderboard
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
    reading_of,
    words,
)
from bench.cli.proxies import proxies
from bench.cli.run import run
from bench.cli.segment import segment
from bench.cli.store import app as store_app
from bench.cli.streams import flush_all, open_missing
from bench.cli.tune import tune
from bench.data.layout import existing
from bench.errors import BenchError
from bench.storage.atomic import refused
from bench.storage.notices import take_notices

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    help="Which frozen encoder, with which classical head, can you trust on your cell images, with how many labels?",
)
data_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at a dataset before using it.")
app.add_typer(data_app, name="data")
app.add_typer(store_app, name="store")


def main() -> None:
    """Run the command line; foreseeable mistakes exit with 2 and Ctrl-C with 130, without a traceback."""
    take_notices()  # of what else was done in this process
    open_missing()
    speak_for_libraries()
    signal.signal(signal.SIGINT, interrupt)
    try:
        app()
    except _foreseeable() as error:
        print_error(*error.args)
        sys.exit(2)
    except OSError as error:  # a file, a folder or a stream that is not as it has to be
        print_error(refused(error))
        sys.exit(2)
    except Interrupted:
        print_error("Interrupted. What was finished is kept; the same command goes on from there.", first="")
        flush_all()
        os._exit(130)  # decode and worker threads must not hold the exit back
    finally:
        print_notes(take_notices())
        flush_all()


def _foreseeable() -> tuple[type[Exception], ...]:
    """Return the errors whose text is for the user; one of encoders can only come of a package that was imported."""
    known = sys.modules.get("encoders.errors")  # not imported for this, as it brings numpy along
    return (BenchError, known.EncoderError) if known else (BenchError,)


@app.command()
def quickstart(
    folder: Annotated[Path, typer.Option(help="Where to put the sample data and the results.")] = Path("quickstart"),
    workers: Annotated[int, typer.Option(min=1, help="Processes that fit heads.")] = os.cpu_count() or 1,
) -> None:
    """Make sample microscopy images and take them all the way to a leaderboard, without a network."""
    from bench.demo import DemoSpec, write_demo
    from bench.embeddings.embed import DataSpec
    from bench.fitting.sweep import Protocol
    from bench.pipeline import run
    from bench.request import Request

    console.print(f"Drawing sample images of neuron, phloem, rbc and xylem into {folder / 'demo'} ...")
    write_demo(folder / "demo", DemoSpec())
    with progress_bars() as report:
        request = Request(
            DataSpec(folder / "demo" / "raw", group_pattern=r"([^/]+)__"),
            Protocol(shots=(1, 2, 5), noise=(0.0, 0.4), seeds=10),
            encoders=("color-stats", "texture", "random-resnet18"),
            heads=("knn", "centroid", "logreg"),
            out=folder / "results",
            name="quickstart",
            trivial=False,
        )
        result = run(request, workers=workers, command="bench quickstart", on_progress=report)
    print_board(result.leaderboard.table)
    console.print(result.summary())
    console.print(
        "",
        f"All of it: {result.folder / 'leaderboard.md'}",
        "",
        "Now your own images, one folder per class:",
        "",
        "  bench data check --data Data/raw",
        "  bench run --data Data/raw --shots 1,2,5 --encoder dino,resnet50,color-stats,texture",
        "",
        sep="\n",
    )


@data_app.command("check")
def data_check(
    data: Data = DEFAULT_DATA,
    group_pattern: GroupPattern = None,
    group_column: GroupColumn = None,
    leave_out: LeaveOut = None,
    follow_links: FollowLinks = False,
    box_units: BoxUnits = "pixels",
    series: Series = None,
    out: Out = DEFAULT_OUT,
    instances: Instances = "whole",
    cells: Cells = None,
    cell_column: CellColumn = None,
    masks: Masks = None,
    max_instances: MaxInstances = None,
    verify: Annotated[bool, typer.Option("--verify", help="Read every file again, also unchanged ones.")] = False,
) -> None:
    """Show classes, counts, sizes, bit depths, groups, duplicates and unreadable files, and what the data can bear."""
    existing(data)

    from dataclasses import replace

    from bench.data.check import check_dataset
    from bench.data.datasets import load_dataset
    from bench.data.warnings import data_warnings
    from bench.instances.cell_boxes import CellFiles
    from bench.instances.cut import count_instances, cut_instances

    cache = out / "store"
    dataset = load_dataset(
        data, group_pattern=group_pattern, group_column=group_column, cache=cache, verify=verify,
        reading=reading_of(leave_out, follow_links, box_units, series), strict=False,
    )  # fmt: skip
    check = check_dataset(dataset, cache)
    if instances == "whole":
        print_check(check)
        return
    told = CellFiles(cells, cell_column, masks, max_instances, box_units)
    with progress_bars() as report:
        cut = cut_instances(check.dataset, instances, told, cache, report)
    print_check(replace(check, dataset=cut.dataset, warnings=data_warnings(cut.dataset)))
    print_instances(count_instances(cut.table), cut.table["cell_label"].dropna())


@app.command("encoders")
def list_encoders(
    name: Annotated[str | None, typer.Argument(help="Show this encoder or variant in full.")] = None,
    family: Annotated[str | None, typer.Option(help="One family only: pathology, microscopy, clip, ...")] = None,
    licence: Annotated[
        str, typer.Option(help="What the weights may be used for: open, custom, research, non-commercial, unknown.")
    ] = "",
    max_params: Annotated[float | None, typer.Option(min=0, help="At most so many million parameters.")] = None,
    here: Annotated[bool, typer.Option("--here", help="Only what can be used now, without a download.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Everything known, as CSV.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="As a Markdown table.")] = False,
) -> None:
    """List the encoders: size, licence, what they were pretrained on, and whether their weights are here."""
    from bench.cli import listing
    from encoders import resolve

    if name:
        console.print(listing.in_full(resolve(name)), soft_wrap=False)
        return
    specs, problems = listing.catalogue()
    chosen = listing.choose(specs, listing.EncoderFilter(family, words(licence), max_params, here))
    if csv or markdown:
        console.write_document(listing.as_csv(chosen) if csv else listing.markdown(chosen))
        return
    console.print(listing.table(chosen, console.width), soft_wrap=False)
    console.print(f"{len(chosen)} of {len(specs)} encoders.", *listing.NOTES, *problems, sep="\n")


@app.command()
def extract(
    encoder: Encoders = None,
    data: Data = DEFAULT_DATA,
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
    keep_pixels: Annotated[
        bool, typer.Option("--keep-pixels", help="Keep the decoded images too, 150 kB each at 224 px.")
    ] = False,
    verify: Verify = False,
    allow_missing: AllowMissing = False,
) -> None:
    """Embed every image (or tile) with the encoders and keep the embeddings."""
    wanted = encoder_names(encoder, required=True)
    existing(data)

    from bench.data.warnings import data_warnings
    from bench.embeddings.embed import DataSpec, extract_encoders, prepare
    from bench.embeddings.missing import left_out, resolve_all
    from bench.instances.cell_boxes import CellFiles

    specs, missing = resolve_all(wanted, allow_missing=allow_missing)
    told = CellFiles(cells, cell_column, masks, max_instances, box_units)
    read = reading_of(leave_out, follow_links, box_units, series)
    with progress_bars() as report:
        prepared = prepare(DataSpec(data, instances, group_pattern, group_column, verify, told, read), out, report)
        prepared, done = extract_encoders(
            prepared, specs, device, report, keep_pixels=keep_pixels, allow_missing=allow_missing
        )
    print_notes(reason.removesuffix(".") for reason in left_out(missing | dict(done.failed)))
    for name in done.made:
        if name not in done.failed:
            console.print(f"{name}: {done.reused[name]:,} reused, {done.made[name]:,} made")
    print_data(prepared.dataset, data_warnings(prepared.dataset))
    console.print(done.summary())


app.command()(run)
app.command()(tune)
app.command()(proxies)
app.command()(leaderboard)
app.command()(granularity)
app.command()(segment)


@app.command()
def prompts(
    data: Data = DEFAULT_DATA,
    leave_out: LeaveOut = None,
    follow_links: FollowLinks = False,
    series: Series = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Print the words that `bench run --zero-shot` uses for each class, as a file to edit and give to --prompts."""
    existing(data)

    from bench.data.datasets import load_dataset
    from bench.fitting.prompts import prompts_file

    dataset = load_dataset(data, cache=out / "store", reading=reading_of(leave_out, follow_links, series=series))
    console.write_document(prompts_file(sorted(dataset.table["label"].unique())))


@app.command()
def export(
    to: Annotated[Path, typer.Option("--out", help="File to write: NAME.npz or NAME.parquet.")],
    encoder: Annotated[str, typer.Option("--encoder", "-e", help="One encoder or variant.")],
    data: Data = DEFAULT_DATA,
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
    results: Annotated[Path, typer.Option(help="Folder that holds the embeddings.")] = DEFAULT_OUT,
) -> None:
    """Write stored embeddings with path, label, group and split to one file."""
    existing(data)

    from bench.embeddings.embed import DataSpec, prepare
    from bench.embeddings.export import export_embeddings
    from bench.instances.cell_boxes import CellFiles
    from encoders import resolve

    told = CellFiles(cells, cell_column, masks, max_instances, box_units)
    with progress_bars() as report:
        read = reading_of(leave_out, follow_links, box_units, series)
        source = DataSpec(data, instances, group_pattern, group_column, cells=told, reading=read)
        prepared = prepare(source, results, report)
    count = export_embeddings(prepared.instances, prepared.store, resolve(encoder).key, to)
    console.print(f"{count:,} embeddings written to {to}")
