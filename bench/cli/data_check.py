"""`bench data check`: what is in a dataset, and what it can support. It writes nothing but the page of --to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.closing import say_next
from bench.cli.console import console, print_check, print_instances, print_rows, progress_bars
from bench.cli.options.data import DataOptions, Verify
from bench.cli.options.output import DEFAULT_OUT, Anonymous, NoImages, Out, ToIfGiven
from bench.cli.startup import imports
from bench.data.layout import existing
from bench.errors import BenchError

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.check import DataCheck
    from bench.report.html.read import Look

EXAMPLES = (
    "bench data check --data Data/raw",
    "bench data check --data Data/raw --group-pattern '([^/]+)__' --to check.html",
    "bench data check --data cells.csv --group-column patient --instances boxes:64 --cells boxes.csv --json",
)
ENDING = ".html"


def data_check(
    source: DataOptions,
    to: ToIfGiven = None,
    out: Out = DEFAULT_OUT,
    verify: Verify = False,
    no_images: NoImages = False,
    anonymous: Anonymous = False,
) -> None:
    """Show classes, counts, sizes, groups, duplicates, unreadable files and what the data can support.

    Nothing is written but --to FILE.html, the same as a page with images of every class. Every image is decoded once.
    What is known from --out is used, and nothing is kept there.
    """
    existing(source.data)
    _check_place(to, no_images, anonymous)

    with imports():
        from dataclasses import replace

        from bench.data.check import check_dataset
        from bench.data.datasets import load_dataset
        from bench.data.warnings import data_warnings
        from bench.instances.cut import count_instances, cut_instances
        from bench.instances.doubts import doubt_sizes
        from bench.storage.atomic import write_atomically
        from bench.storage.shadow import shadow

    with shadow(out / "store") as cache:
        dataset = load_dataset(
            source.data, group_pattern=source.group_pattern, group_column=source.group_column, cache=cache,
            verify=verify, reading=source.reading(), strict=False,
        )  # fmt: skip
        check = check_dataset(dataset, cache)
        if source.instances != "whole":
            with progress_bars() as report:
                cut = cut_instances(check.dataset, source.instances, source.cell_files(), cache, report)
            check = replace(check, dataset=cut.dataset, warnings=data_warnings(cut.dataset))
        else:
            images = check.dataset.table
            sizes = doubt_sizes(images[images["x0"].isna()].drop_duplicates("path"))
            check = replace(check, warnings=(*check.warnings, *sizes))
        page = b""
        if to is not None:
            from bench.report.html.read import Look

            page = _page(
                check, cut.table if source.instances != "whole" else None, cache, source.follow_links,
                Look(pictures=not no_images, anonymous=anonymous),
            )  # fmt: skip
    print_rows(check.classes.assign(tier=check.tier))
    print_check(check)
    if source.instances != "whole":
        print_instances(count_instances(cut.table), cut.table["cell_label"].dropna())
    if to is not None:
        write_atomically(to, page)
        console.print(f"Report to open in a browser: {to}")
    say_next("data check", check.dataset.table, sorted(set(check.dataset.table["label"])), check.dataset.lost)


def _check_place(to: Path | None, no_images: bool, anonymous: bool) -> None:
    if to is None and (no_images or anonymous):
        option = "--no-images" if no_images else "--anonymous"
        raise BenchError(f"Got {option} without --to; expected it with a page: add --to check{ENDING}.")
    if to is not None and (to.suffix.lower() != ENDING or to.is_dir()):
        raise BenchError(f"Got --to {to}; expected a file whose name ends in {ENDING}. Say --to check{ENDING}.")


def _page(check: DataCheck, instances: pd.DataFrame | None, store: Path, follow_links: bool, look: Look) -> bytes:
    """Return the page of a dataset. instances: None where they are the images themselves."""
    from bench.cli.next_step import evidence_of, verdict
    from bench.instances.cut import count_instances, make_instances
    from bench.report.html.still.check import CheckPage, check_page

    images = check.dataset.table
    page = CheckPage(
        check=check, table=make_instances(check.dataset) if instances is None else instances,
        counts=None if instances is None else count_instances(instances),
        evidence=verdict(evidence_of(images, sorted(set(images["label"])))), store=store, follow_links=follow_links,
    )  # fmt: skip
    return check_page(page, look)
