"""`bench next`: which images or cells to label next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from bench.cli.console import console, print_notes, print_rows, progress_bars, speech
from bench.cli.options.data import DataOptions
from bench.cli.options.encoders import CORES, Device, Encoders, Workers, check_device, encoder_names
from bench.cli.options.groups import BASIC, STUDY, option
from bench.cli.options.output import DEFAULT_OUT, Name, Out
from bench.cli.options.protocol import Seed
from bench.cli.startup import imports
from bench.cli.tables import make_column, make_table
from bench.data.layout import existing

if TYPE_CHECKING:
    from bench.studies.label_next.run import Next, NextRequest

EXAMPLES = (
    "bench next --data images --labelled labels.csv",
    "bench next --data images --labelled labels.csv --group-pattern '([^/]+)__' --n 40",
    "bench next --data images --labelled labels.csv --strategy margin",
)
SHOWN = 20


def next_up(
    source: DataOptions,
    labels: Annotated[
        Path | None,
        option(
            BASIC,
            "The labels so far, as `bench label` wrote them; the file need not exist yet (default: the labels of the "
            "data).",
            "--labelled",
            value="CSV",
        ),
    ] = None,
    n: Annotated[int, option(BASIC, "How many images or cells to propose.", "--n", value="N", min=1)] = 20,
    strategy: Annotated[
        str,
        option(
            STUDY, "How to pick the images that are not drawn at random: auto (by the number of labels), {strategies}.",
            "--strategy", value="KIND",
        ),
    ] = "auto",
    any_image: Annotated[
        bool,
        option(STUDY, "Also propose images that look blank, out of focus, too dark or saturated.", "--any-image"),
    ] = False,
    seed: Seed = 0,
    encoder: Encoders = None,
    out: Out = DEFAULT_OUT,
    device: Device = "auto",
    name: Name = None,
    workers: Workers = CORES,
) -> None:  # fmt: skip
    """Propose which images or cells to label next, spread over slides, as a list for `bench label`.

    At least a quarter of them are drawn at random and marked so. Only these represent all images: a run learns from all
    labels, but is tested only on the random ones. It also lists labels that deserve a second look. Afterwards: bench
    label --order next.
    """
    existing(source.data)
    check_device(device)

    with imports():
        from bench.studies.label_next.run import NextRequest, next_labels

    request = NextRequest(
        source=source.spec(), labels=labels, count=n, strategy=strategy, encoders=encoder_names(encoder),
        any_image=any_image, seed=seed, out=out, name=name,
    )  # fmt: skip
    with progress_bars() as report:
        found = next_labels(request, device=device, workers=workers, on_progress=report)
    _show(found)
    _what_next(found, request)


def _show(found: Next) -> None:
    from bench.data.chosen_by import BY_LOT, CHOSEN_BY
    from bench.studies.label_next.page import item_words, items_words, nearest_words, verdict
    from bench.studies.label_next.table import CHECK, NEW, TABLE

    print_notes(found.notes)
    print_rows(found.table)
    new = found.table[found.table["task"] == NEW]
    table = make_table(make_column("", justify="right"), "label next", "slide", "why", "nearest labels")
    for row in new.head(SHOWN).to_dict("records"):
        group = "" if row["group"] == row["path"] else row["group"]
        table.add_row(str(row["order"]), item_words(row), group, row["why"], nearest_words(row))
    drawn = int((new[CHOSEN_BY] == BY_LOT).sum())
    shown = "" if len(new) <= SHOWN else f", the first {SHOWN}"
    picked = f", {len(new) - drawn} by {found.strategy}" if drawn < len(new) else ""
    table.title = f"{items_words(new)} to label next{shown}: {drawn} at random{picked}"
    console.print(table, soft_wrap=False)
    checks = found.table[found.table["task"] == CHECK]
    if len(checks):
        again = make_table("look again", "why")
        for row in checks.to_dict("records"):
            again.add_row(item_words(row), row["why"])
        again.title = "Labels that are more likely wrong than right: look at them again before you label new images"
        console.print(again, soft_wrap=False)
    for sentence in verdict(found):
        console.print(sentence)
    console.print(f"The list: {found.folder / TABLE}")


def _table_for(labels: Path) -> Path:
    """Return where new labels go: on in the same table, unless it is one that `bench label` did not write."""
    from bench.studies.label.table import journal_of

    goes_on = not labels.exists() or journal_of(labels).exists()
    return labels if goes_on else labels.with_name(f"{labels.stem}-more.csv")


def _what_next(found: Next, asked: NextRequest) -> None:
    """Print what to type next: the images, cells and groups are found by the same options."""
    from bench.cli import next_step

    labels = asked.labels
    changes: dict[str, str | None] = {"--order": "next" if asked.name is None else f"next:{asked.name}"}
    if labels:
        changes["--to"] = str(_table_for(labels))
    elif found.labels:
        changes["--keep-labels"] = ""
    typed, known = next_step.typed_options(speech.context), next_step.options_of(speech.context, "label")
    console.print(f"Next: {next_step.proposal('label', typed, known, changes)}")
