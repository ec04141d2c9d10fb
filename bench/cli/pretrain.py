"""`bench pretrain`: an encoder out of your own images, without labels."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

from bench.cli.console import console, print_notes, print_rows, progress_bars
from bench.cli.options.data import InstanceOptions
from bench.cli.options.encoders import CORES, Workers
from bench.cli.options.groups import BASIC, STUDY, option
from bench.cli.options.output import To
from bench.cli.startup import imports
from bench.data.layout import existing

EXAMPLES = (
    "bench pretrain --data unlabelled --to cells.encoder",
    "bench pretrain --data fields --instances segments --to cells.encoder",
    "bench run --data Data/raw --encoder ./cells.encoder,efficientnet-lite0",
)
METHODS = ("dictionary",)


def pretrain(
    to: To,
    source: InstanceOptions,
    method: Annotated[
        str, option(BASIC, "How to learn: dictionary (of patches; minutes on a CPU).", value="METHOD")
    ] = "dictionary",
    size: Annotated[int, option(STUDY, "Side of the input in pixels.", value="PIXELS", min=16, max=512)] = 64,
    words: Annotated[int, option(STUDY, "Patches in the dictionary.", "--words", value="N", min=2, max=8192)] = 400,
    patch: Annotated[int, option(STUDY, "Side of a patch in pixels.", "--patch", value="PIXELS", min=2, max=32)] = 6,
    grid: Annotated[
        int,
        option(
            STUDY, "Pool over N x N parts of the image; 1 forgets where something is, as befits cells.", "--grid",
            value="N", min=1, max=8,
        ),
    ] = 1,
    grey: Annotated[bool, option(STUDY, "Learn without colour.", "--grey")] = False,
    most: Annotated[
        int, option(STUDY, "Instances that are learned from at most, drawn by hash.", "--most", value="N", min=10)
    ] = 20_000,
    seed: Annotated[int, option(STUDY, "Of what is drawn.", "--seed", value="N", min=0)] = 0,
    weights_licence: Annotated[
        str,
        option(
            STUDY, "Licence of what is made, for its card; mind that of the images.", "--weights-licence",
            value="NAME",
        ),
    ] = "unknown",
    workers: Workers = CORES,
) -> None:
    """Learn an encoder from images without labels; --to is its folder, for --encoder ./FOLDER.

    The images may lie in any folders; labels are not looked at. The same images give the same encoder, to the bit.
    """  # fmt: skip
    existing(source.data)
    one_of_methods(method)

    with imports():
        from bench.studies.pretrain.dictionary import DictionarySettings
        from bench.studies.pretrain.run import PretrainRequest, as_row
        from bench.studies.pretrain.run import pretrain as learn

    request = PretrainRequest(
        source=source.spec(), to=to, size=size, color="grey" if grey else "rgb", most=most, licence=weights_licence,
        settings=DictionarySettings(words=words, patch=patch, grid=grid, seed=seed),
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
        "",
        "Next, what it is worth on labelled images, from slides that it has not seen:",
        "",
        f"  bench run --data Data/raw --encoder {shlex.quote(_as_folder(to))},efficientnet-lite0",
        sep="\n",
    )


def one_of_methods(method: str) -> None:
    """Raise BenchError for a method that there is not."""
    from bench.errors import BenchError, did_you_mean

    if method not in METHODS:
        raise BenchError(
            f"Got --method {method}{did_you_mean(method, METHODS) or '.'} Expected one of {', '.join(METHODS)}."
        )


def _as_folder(to: Path) -> str:
    """Return a folder as --encoder knows it for one: with a separator."""
    text = str(to)
    return text if "/" in text or "\\" in text else f"./{text}"
