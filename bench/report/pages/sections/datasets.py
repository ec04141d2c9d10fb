"""Several datasets, each by itself: the best rows of each, and its diagnostics."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bench.instances.blank import diagnostic_of
from bench.protocol.split_kinds import RANDOM
from bench.report.pages.model import (
    Block,
    Field,
    Heading,
    Row,
    Text,
    code_field,
    long_table,
    name_field,
    number_field,
    say,
    table_of,
)
from bench.report.pages.numbers import interval, points
from bench.report.pages.sections.diagnostics import LOST
from bench.report.pages.sections.scores import HEAD, score_of
from bench.report.tables.across import Across
from bench.report.tables.protocols import by_protocol
from bench.report.tables.rows import (
    best_first,
    cleanest,
    competing,
    is_diagnostic,
    labels_of,
    main_series,
    most_labels,
)

DIAGNOSTICS = 5  # rows of a dataset
CELL_BLANKED = "the cell blanked in every window"
NO_RESULTS = (
    "These rows are not results and are never ranked: something was removed from the images, or the network has "
    "random weights. *Lost*: points below the same encoder and head with nothing removed, with its 95% interval. "
    "Where little is lost, a score is no evidence that the encoder used what was removed."
)
FIELDS = (
    code_field("encoder"), HEAD, number_field("balanced_accuracy", points, "balanced accuracy"),
    Field("95% interval", lambda row: interval(row["ci_low"], row["ci_high"])),
    number_field("n_groups", str, "groups tested"),
)  # fmt: skip
DIAGNOSTIC_FIELDS = (
    Field("dataset", lambda row: called(row, str(row["instances"]), row["protocol"]), right=False),
    code_field("encoder"), HEAD, name_field("different", "what is different"),
    Field("labels", lambda row: str(int(row["shots"]))), Field("balanced accuracy", score_of), LOST,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Overview:
    """Merged leaderboards, as `bench.report.tables.merge` gives them, with columns of calibration or without.

    notes: what a reader has to know first. across: what holds across datasets, None where that was not asked for. top:
    rows that are shown of a dataset.
    """

    table: pd.DataFrame
    notes: tuple[str, ...] = ()
    across: Across | None = None
    top: int = 5


def called(row: Row, *more: str) -> str:
    """Return a row's dataset, with what tells it from other rows of it."""
    told = ", ".join(filter(None, more))
    return f"{row['dataset']} ({told})" if told else str(row["dataset"])


def best_of_datasets(runs: Overview) -> list[Block]:
    """Return the best rows of every dataset and protocol at its most labels, clean; no diagnostics."""
    blocks: list[Block] = [
        Text(say("The {top} best rows of each dataset, at the most labels, with clean labels.", top=runs.top))
    ]
    for differs, part in by_protocol(competing(runs.table)):
        part = most_labels(cleanest(main_series(part)))
        if part.empty:
            continue
        best = part.sort_values("balanced_accuracy", ascending=False, kind="stable").head(runs.top)
        first = best.iloc[0]
        title = say(
            "{dataset} ({instances}), {labels}{which}", dataset=str(first["dataset"]),
            instances=str(first["instances"]), labels=labels_of(best, int(first["shots"])),
            which=f", {differs}" if differs else "",
        )  # fmt: skip
        blocks += [Heading(title), table_of(best.to_dict("records"), FIELDS)]
    return blocks


def diagnostics_of_datasets(runs: Overview) -> list[Block]:
    """Return the diagnostics of all datasets, the best head of each; none where there are none.

    Rows of a random split are left to `leak.csv`, which holds them against the split by group.
    """
    table = runs.table
    rows = table[is_diagnostic(table) & (table["selection"] != "oracle") & (table["split"] != RANDOM)]
    shown: list[Row] = []
    for differs, part in by_protocol(rows):
        best = best_first(most_labels(cleanest(main_series(part)))).drop_duplicates("encoder").head(DIAGNOSTICS)
        shown += [{**row, "different": _what_is_different(row), "protocol": differs} for row in best.to_dict("records")]
    if not shown:
        return []
    title = Heading(say("Diagnostics: what scores rest on"))
    return [title, *long_table(table_of(shown, DIAGNOSTIC_FIELDS)), Text(say(NO_RESULTS))]


def _what_is_different(row: Row) -> str:
    whole_run = [CELL_BLANKED] if diagnostic_of(str(row["instances"])) else []
    return "; ".join([*whole_run, *([row["diagnostic"]] if isinstance(row["diagnostic"], str) else [])])
