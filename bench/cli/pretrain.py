"""`bench pretrain`: an encoder out of your own images, without labels."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

from bench.cli.console import console, print_notes, print_rows, progress_bars
from bench.cli.options.data import GroupPattern, InstanceOptions
from bench.cli.options.encoders import CORES, Device, Workers, check_device
from bench.cli.options.groups import STUDY, option
from bench.cli.options.output import To
from bench.cli.options.pretrain import (
    DictionaryOptions,
    InputSize,
    Method,
    Most,
    NetworkOptions,
    given,
    one_of_colours,
    settings_of,
)
from bench.cli.options.protocol import Seed
from bench.cli.startup import imports
from bench.data.layout import existing
from bench.errors import BenchError, did_you_mean
from bench.studies.pretrain.names import DEFAULT_METHOD, METHODS

EXAMPLES = (
    "bench pretrain --data unlabelled --to cells.encoder",
    "bench pretrain --data unlabelled --to cells.encoder --method vicreg --init imagenet --steps 500",
    "bench pretrain --data fields --instances segments --to cells.encoder --method simclr --labels Data/raw",
    "bench run --data Data/raw --encoder ./cells.encoder,efficientnet-lite0",
)


def pretrain(
    *,
    to: To,
    source: InstanceOptions,
    method: Method = DEFAULT_METHOD,
    network: NetworkOptions,
    dictionary: DictionaryOptions,
    size: InputSize = None,
    colour: Annotated[
        str,
        option(
            STUDY,
            "kept; jittered (views of a network differ in it, for stains that do); or grey (learn without it).",
            value="kept|jittered|grey",
        ),
    ] = "kept",
    labels: Annotated[
        Path | None,
        option(
            STUDY,
            "Labelled images to watch a network with, by its nearest neighbours in other groups (--group-pattern); it "
            "does not learn from them.",
            value="FOLDER|CSV",
        ),
    ] = None,
    group_pattern: GroupPattern = None,
    most: Most = 20_000,
    seed: Seed = 0,
    weights_licence: Annotated[
        str,
        option(
            STUDY,
            "Licence of what is made, for its card; mind that of the images.",
            "--weights-licence",
            value="NAME",
        ),
    ] = "unknown",
    device: Device = "auto",
    workers: Workers = CORES,
) -> None:
    """Learn an encoder from images without labels; --to is its folder, for --encoder ./FOLDER.

    The images may lie in any folders; labels are not looked at. The same images give the same encoder, to the bit: a
    dictionary everywhere, a network on a CPU of one kind with the same --workers. A training that is stopped or
    killed goes on from where it was by the same command.
    """  # fmt: skip
    existing(source.data)
    if labels is not None:
        existing(labels, "--labels")
    one_of_methods(method)
    one_of_colours(colour)
    for name in device.split(","):
        check_device(name.strip())
    if group_pattern is not None and labels is None:
        raise BenchError(
            "Got --group-pattern without --labels; expected both, or neither: nothing else has groups here."
        )

    with imports():
        from bench.embeddings.embed import DataSpec
        from bench.studies.pretrain.methods import METHODS as KNOWN
        from bench.studies.pretrain.run import PretrainRequest, as_row
        from bench.studies.pretrain.run import pretrain as learn

    settings = settings_of(KNOWN[method].settings, method, given(network, dictionary), colour, seed)
    request = PretrainRequest(
        source=source.spec(), to=to, method=method, settings=settings, size=size or 64,
        color="grey" if colour == "grey" else "rgb", most=most, licence=weights_licence, device=device,
        labelled=None if labels is None else DataSpec(labels, source.instances, group_pattern),
    )  # fmt: skip
    with progress_bars() as report:
        made = learn(request, workers=workers, command=shlex.join(["bench", *sys.argv[1:]]), on_progress=report)
    print_rows([as_row(made)])
    print_notes(made.notes)
    if made.problems:
        path, why = next(iter(sorted(made.problems.items())))
        console.print(f"{len(made.problems):,} not used, e.g. {path}: {why}")
    console.print(
        f"Learned from {made.instances:,} instances of {made.images:,} images in {made.seconds:.0f} s; "
        f"{made.dim:,} numbers per instance.",
        *made.facts,
        "",
        "Next, what it is worth on labelled images, from slides that it has not seen:",
        "",
        f"  bench run --data Data/raw --encoder {shlex.quote(_as_folder(to))},efficientnet-lite0",
        sep="\n",
    )


def one_of_methods(method: str) -> None:
    """Raise BenchError for a method that there is not."""
    if method not in METHODS:
        raise BenchError(
            f"Got --method {method}{did_you_mean(method, METHODS) or '.'} Expected one of {', '.join(METHODS)}."
        )


def _as_folder(to: Path) -> str:
    """Return a folder as --encoder knows it for one: with a separator."""
    text = str(to)
    return text if "/" in text or "\\" in text else f"./{text}"
