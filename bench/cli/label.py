"""`bench label`: label images or cells by hand, in a page of this computer."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from bench.cli.console import console, print_notes, print_problems, progress_bars, speech
from bench.cli.interrupts import Interrupted
from bench.cli.options.data import Classes, DataOptions
from bench.cli.options.groups import COMPUTER, STUDY, option
from bench.cli.options.output import DEFAULT_OUT, Out, ToIfGiven
from bench.cli.options.protocol import Seed
from bench.cli.options.reading import words
from bench.cli.startup import imports
from bench.data.layout import existing

if TYPE_CHECKING:
    from bench.studies.label.labelling import Tally

EXAMPLES = (
    "bench label --data images --classes neuron,glia,debris --to labels.csv",
    "bench label --data Data/raw --order audit --to corrected.csv",
    "bench label --data fields --instances boxes:64 --cells cells.csv --classes rbc,wbc",
)


def label(
    source: DataOptions,
    to: ToIfGiven = None,
    classes: Classes = "",
    order: Annotated[str, option(STUDY, "Which comes first: {orders}.", value="KIND")] = "random",
    seed: Seed = 0,
    keep_labels: Annotated[
        bool,
        option(
            STUDY,
            "Start from the labels that the data have: images without a label come first, and labels that you do not "
            "change are kept.",
            "--keep-labels",
        ),
    ] = False,
    port: Annotated[
        int,
        option(
            COMPUTER, "Port of 127.0.0.1 that the page is at; 0: a free one.", "--port", value="N", min=0, max=65535
        ),
    ] = 0,
    no_browser: Annotated[
        bool, option(COMPUTER, "Only print the address; do not open a browser.", "--no-browser")
    ] = False,
    out: Out = DEFAULT_OUT,
) -> None:
    """Label images or cells by hand: a page shows them one by one or many at once, and one key labels them.

    The page is for this computer alone. Every label is on the disk before the next image is shown. --to is a table that
    --data takes (default: NAME-labels.csv beside the data). The same command goes on where it ended.
    """
    existing(source.data)

    with imports():
        from bench.data.table_place import folder_before
        from bench.studies.label.items import LabelRequest, read_task
        from bench.studies.label.labelling import Labelling
        from bench.studies.label.pictures import Pictures
        from bench.studies.label.server import LabelServer
        from bench.studies.label.table import EXAMPLE, about_labels, opened_for, place_beside

    table = to or place_beside(source.data)
    request = LabelRequest(
        source=source.spec(), out=out, order=order, seed=seed, classes=tuple(words(classes)), keep=keep_labels
    )
    with progress_bars() as report:
        task = read_task(request, report)
    folder_before(task.root, table, EXAMPLE)
    print_problems(task.problems)
    print_notes(task.notes)
    with (
        opened_for(table, about_labels(task.root, table, source.instances)) as journal,
        closing(Labelling(task, journal, table)) as labelling,
    ):
        pictures = Pictures(task.rows, task.root, out / "store", follow_links=task.follow_links)
        server = LabelServer(labelling, pictures, port)
        with server.answering():
            _tell(server.address, len(task.keys), labelling.tally(), table)
            if not no_browser:
                _open(server.address)
            try:
                server.done.wait()
            except Interrupted:
                console.print("")
        labelling.close()
        _close(labelling.tally(), table)


def _tell(address: str, count: int, tally: Tally, table: Path) -> None:
    done = f"{count - tally.left:,} of {count:,} are labelled" if tally.pressed else f"{count:,} to label"
    console.print(f"{done}; labels go to {table}. The page, for this computer alone:")
    console.print(f"  {address}")
    if not speech.quiet:
        console.print("To end, press Done in the page or Ctrl-C here. No label is lost.")
    sys.stdout.flush()


def _close(tally: Tally, table: Path) -> None:
    """Print what came out, and what to type next."""
    from bench.cli.next_step import Evidence, levels, proposal, typed_options

    counts = {name: number for name, number in tally.labels.items() if number}
    found = ", ".join(f"{name} {number:,}" for name, number in counts.items()) or "none"
    more = f" (of them {tally.given:,} as they were in the data)" if tally.given else ""
    unsure = f"; unsure {tally.unsure:,}" if tally.unsure else ""
    console.print(f"Labels: {found}{more}{unsure}. Left: {tally.left:,}.")
    if len(counts) < 2:
        console.print("At least two classes need labels. The same command goes on from here.")
        return
    if few := [name for name, number in tally.groups.items() if number == 1]:
        console.print(
            f"Of {', '.join(few)} there are labels in 1 image or group only, and a run needs 2 of every class, one to "
            "learn from and one to test on. The same command goes on from here."
        )
        return
    images = sum(counts.values())
    evidence = Evidence(images=images, groups=tally.groups, items=counts, n_groups=images, sided=False, grouped=False)
    shots = ",".join(map(str, levels(evidence)))
    same = ("--follow-links", "--series", "--out")  # cells are rows of the table, with their groups
    command = proposal("run", typed_options(speech.context), same, {"--data": str(table), "--shots": shots})
    console.print(f"Next: {command}")


def _open(address: str) -> None:
    """Open the page where there is a browser with windows; one within the terminal would hold it."""
    import webbrowser

    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    has_windows = isinstance(browser, webbrowser.BackgroundBrowser) or not isinstance(
        browser, webbrowser.GenericBrowser
    )
    if has_windows:
        browser.open(address)
