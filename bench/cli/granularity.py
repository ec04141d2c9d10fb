"""`bench granularity`: what labels of images are worth when cells are what one wants to know about."""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

from bench.cli.console import console, print_notes, print_problems, print_rows, progress_bars
from bench.cli.options.data import Classes, DataOptions
from bench.cli.options.encoders import BagHeads, Device, Encoders, encoder_names
from bench.cli.options.engine import EngineOptions
from bench.cli.options.groups import STUDY, option
from bench.cli.options.minutes import MINUTES
from bench.cli.options.output import DEFAULT_OUT, Name, Out
from bench.cli.options.protocol import Draws
from bench.cli.options.reading import numbers, words
from bench.cli.startup import imports
from bench.cli.tables import make_column, make_table
from bench.data.layout import existing
from bench.errors import BenchError

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = (
    "bench granularity --data fields --instances boxes --cells cells.csv --cell-column kind --encoder dino",
    "bench granularity --data fields --instances masks:64 --pure --image-labels 0,1,5,10 --cell-labels 0,1,2,4,8",
    "bench granularity --data fields --instances masks:64 --purity 1,0.8,0.6 --simulate-bags 10",
)
DRAWS = 20


def granularity(
    source: DataOptions,
    engine: EngineOptions,
    encoder: Encoders = None,
    classes: Classes = "",
    image_labels: Annotated[str, option(STUDY, "Labelled images per class.", value="NUMBERS")] = "0,5,10,50",
    cell_labels: Annotated[str, option(STUDY, "Labelled cells per class.", value="NUMBERS")] = "0,1,2,4,8,16,32,64,128",
    bag_head: BagHeads = "joint,mean-pool,inherit,noisy-or",
    pure: Annotated[
        bool, option(STUDY, "Every cell (or tile) shows its image's label, as in a culture of one kind.", "--pure")
    ] = False,
    purity: Annotated[
        str,
        option(
            STUDY,
            "Simulate images from labelled cells, this share of them of the image's class, e.g. 1,0.8,0.6.",
            value="SHARES",
        ),
    ] = "",
    simulate_bags: Annotated[
        int | None,
        option(
            STUDY, "Cells of a simulated image (default 10; without --purity all are of its class).", value="N", min=1
        ),
    ] = None,
    none_class: Annotated[
        str,
        option(STUDY, "Name a class, e.g. other, for cells of other types than the images' classes.", value="CLASS"),
    ] = "",
    minutes: Annotated[str, MINUTES] = "image=0.1,cell=0.5",
    draws: Draws = None,
    name: Name = None,
    out: Out = DEFAULT_OUT,
    device: Device = "auto",
) -> None:
    """Say how many labels of images are worth one label of a cell, and which mix of both is cheapest.

    Images are labelled, cells are what is asked about: every head learns from so many labels of images and of cells
    per class, and is tested on images, and on cells whose class is known, of groups that it did not learn from.
    """
    images, cells = numbers(image_labels, "--image-labels", int), numbers(cell_labels, "--cell-labels", int)
    existing(source.data)
    engine.check_devices(device)

    with imports():
        from bench.studies.granularity.design import Levels
        from bench.studies.granularity.request import GranularityRequest
        from bench.studies.granularity.run import run

    levels = Levels(tuple(images), tuple(cells), DRAWS if draws is None else draws)
    request = GranularityRequest(
        source=source.spec(),
        encoders=encoder_names(encoder), levels=levels, heads=tuple(words(bag_head)), classes=tuple(words(classes)),
        purities=tuple(numbers(purity, "--purity", float)[::-1]), size=simulate_bags, minutes=_minutes(minutes),
        out=out, name=name, pure=pure, none=none_class,
    )  # fmt: skip
    with engine.open(out, sees=[source.data]) as opened, progress_bars() as report:
        found = run(request, device, shlex.join(["bench", *sys.argv[1:]]), report, engine=opened)
    print_rows(found.rates)
    _print(found.rates)
    print_notes(found.notes)
    print_problems(found.problems)
    console.print(found.summary())
    console.print(f"Written: {found.folder / 'granularity.md'}")


def _minutes(text: str) -> dict[str, float]:
    """Return 'image' and 'cell' -> minutes for one label."""
    pairs = dict(re.findall(r"\s*(\w+)\s*=\s*([\d.]+)\s*(?:,|$)", text))
    try:
        found = {name: float(value) for name, value in pairs.items()}
        if set(found) == {"image", "cell"} and text.count("=") == 2:
            return found
    except ValueError:
        pass
    raise BenchError(
        f"Got --minutes '{text}'; expected minutes for one label of each, e.g. --minutes image=0.1,cell=0.5."
    )


def _print(rates: pd.DataFrame) -> None:
    heads = (
        "image labels per class",
        "image level",
        "cell level",
        "as many cell labels",
        "image labels for a cell label",
    )
    for (encoder, purity), own in rates.groupby(["encoder", "purity"], sort=False, dropna=False):
        table = make_table("head", *(make_column(name, justify="right") for name in heads), pad_edge=False)
        for row in own.to_dict("records"):
            scores = (f"{100 * row[level]:.1f}" for level in ("image", "cell"))
            table.add_row(row["head"], str(row["images"]), *scores, row["cells_text"], row["text"])
        table.title = f"{encoder}, purity {purity:g}" if purity == purity else str(encoder)
        console.print(table, soft_wrap=False)
