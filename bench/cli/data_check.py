"""`bench data check`: what is in a dataset, and what it can support. It writes nothing."""

from __future__ import annotations

from bench.cli.closing import say_next
from bench.cli.console import print_check, print_instances, print_rows, progress_bars
from bench.cli.options.data import DataOptions, Verify
from bench.cli.options.output import DEFAULT_OUT, Out
from bench.cli.startup import imports
from bench.data.layout import existing

EXAMPLES = (
    "bench data check --data Data/raw",
    "bench data check --data Data/raw --group-pattern '([^/]+)__'",
    "bench data check --data cells.csv --group-column patient --instances boxes:64 --cells boxes.csv --json",
)


def data_check(source: DataOptions, out: Out = DEFAULT_OUT, verify: Verify = False) -> None:
    """Show classes, counts, sizes, groups, duplicates, unreadable files and what the data can support; writes nothing.

    Every image is decoded once. What is known from --out is used, and nothing is kept there.
    """
    existing(source.data)

    with imports():
        from dataclasses import replace

        from bench.data.check import check_dataset
        from bench.data.datasets import load_dataset
        from bench.data.warnings import data_warnings
        from bench.instances.cut import count_instances, cut_instances
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
    print_rows(check.classes.assign(tier=check.tier))
    print_check(check)
    if source.instances != "whole":
        print_instances(count_instances(cut.table), cut.table["cell_label"].dropna())
    say_next("data check", check.dataset.table, sorted(set(check.dataset.table["label"])), check.dataset.lost)
