"""`bench segment`: look at the cells that `--instances segments` would use."""

from __future__ import annotations

from typing import Annotated

from bench.cli.console import console, print_problems, print_rows, progress_bars
from bench.cli.options.data import Masks, ReadOptions
from bench.cli.options.groups import STUDY, option
from bench.cli.options.output import DEFAULT_OUT, Out, To
from bench.cli.startup import imports
from bench.cli.tables import make_table
from bench.data.layout import existing
from bench.errors import BenchError

EXAMPLES = (
    "bench segment --data Data/raw --to seen",
    "bench segment --data Data/raw --to seen --set foreground=dark --set min=50 --masks masks",
)
PAGE = "segment.html"
WORDS = "foreground=dark, threshold=otsu, min=50, border=drop"


def segment(
    to: To,
    source: ReadOptions,
    setting: Annotated[
        list[str] | None, option(STUDY, f"A setting, repeatable: {WORDS}.", "--set", value="KEY=VALUE")
    ] = None,
    masks: Masks = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Draw the outlines of the cells that --instances segments finds, and count them; compare with masks if there are.

    --to is a folder for segment.html, a page to look at, for the outlines in full size and for cells.csv. The settings
    are those of --instances segments:WINDOW:foreground=dark:min=50.
    """
    existing(source.data)
    with imports():
        from bench.data.datasets import load_dataset
        from bench.data.paths import refuse_among_images
        from bench.instances.cell_boxes import CellFiles
        from bench.instances.outlines import FOLDER, segment_images
        from bench.instances.segment import Segmenter
        from bench.report.html.still.segmentation import Segmented, segment_page
        from bench.storage.atomic import write_atomically

    refuse_among_images(source.data, to, "the outlines")
    how = Segmenter.parse(setting or ())
    if how is None:
        raise BenchError(f"Got --set {' --set '.join(setting or ())}; expected settings such as {WORDS}.")
    cache = out / "store"
    dataset = load_dataset(source.data, cache=cache, reading=source.reading())
    with progress_bars() as report:
        table = segment_images(
            dataset, how, CellFiles(masks=masks), cache, to, lambda done, total: report("segment images", done, total)
        )
    compared = "f1" in table
    more = ("with masks", "F1 at IoU .5", "count error", "bias") if compared else ()
    heads = ("class", "images", "cells", "median per image", "median area (px)", *more)
    rows, lines = [], []
    for name, part in [*table.groupby("label"), ("all", table)]:
        row = [len(part), part["cells"].sum(), part["cells"].median(), part["median_area"].median()]
        if compared:
            error = part["count_error"]
            row += [int(part["f1"].notna().sum()), part["f1"].mean(), error.abs().mean(), error.mean()]
        rows.append(dict(zip(heads, [str(name), *row], strict=True)))
        texts = (f"{v:.3f}" if i > 4 else f"{v:,.0f}" for i, v in enumerate(row))
        lines.append([str(name), *("" if text == "nan" else text for text in texts)])
    print_rows(rows)
    shown = make_table(*heads)
    for line in lines:
        shown.add_row(*line)
    console.print(shown, soft_wrap=False)
    print_problems(dataset.problems)
    if "mask_problem" in table:
        lacking = table[["path", "mask_problem"]].dropna().set_axis(["path", "reason"], axis=1)
        print_problems(lacking.assign(reason="not compared, " + lacking["reason"]))
    found = Segmented(dataset=dataset, how=how, table=table, heads=heads, lines=lines)
    write_atomically(to / PAGE, segment_page(found, cache))
    console.print(f"Look at them: {to / PAGE}; in full size: {to / FOLDER}; one line per image: {to / 'cells.csv'}")
