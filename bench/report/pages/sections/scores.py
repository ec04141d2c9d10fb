"""The tables of scores of a run: balanced accuracy over numbers of labels, and every metric at the most labels."""

from __future__ import annotations

import pandas as pd

from bench.report.pages.model import Block, Field, Heading, Inline, Row, Table, code_field, long_table, say, table_of
from bench.report.pages.numbers import NOT_KNOWN, Number, rate, score
from bench.report.pages.sections.context import RunPage
from bench.report.tables import columns
from bench.report.tables.rows import best_first, cleanest, head_label, labels_of, main_series

HEAD = Field("head", head_label, right=False)


def score_of(row: Row) -> Number:
    """Return the balanced accuracy of a row of a leaderboard with its interval."""
    return score(row["balanced_accuracy"], row["ci_low"], row["ci_high"])


def scores_by_labels(run: RunPage) -> list[Block]:
    """Return a table per rate and kind of noise: a method per row, a number of labels per column."""
    table = run.results
    names_kind = not set(table["noise_kind"]) <= {"none", "symmetric"}
    blocks: list[Block] = []
    for (series, noise, kind), rows in table.groupby(["series", "noise", "noise_kind"], sort=True):
        title: Inline = say("{rate} wrong labels", rate=rate(float(str(noise)))) if noise else say("Clean labels")
        if noise and names_kind:
            title = say("{title}, {kind}", title=title, kind=str(kind))
        if series == "budget":
            title = say("{title}, a budget of labels in all", title=title)
        blocks += [Heading(title), *long_table(_by_labels(rows))]
    return blocks


def _by_labels(rows: pd.DataFrame) -> Table:
    """Return encoder and head with a column per number of labels, the best at the most labels first."""
    labels = sorted(int(n) for n in rows["shots"].unique())
    order = best_first(rows).sort_values("shots", ascending=False, kind="stable")
    method = ["encoder", "head", "selection"]
    rows = rows[[*method, "series", "shots", "balanced_accuracy", "ci_low", "ci_high"]]
    order = order.drop_duplicates(method)  # zero-shot rows have no more labels to be ordered by
    cells = {(*(row[key] for key in method), row["shots"]): score_of(row) for row in rows.to_dict("records")}

    def field(n: int) -> Field:
        return Field(labels_of(rows, n), lambda row: cells.get((*(row[key] for key in method), n), NOT_KNOWN))

    return table_of(order.to_dict("records"), [code_field("encoder"), HEAD, *map(field, labels)])


def all_scores(run: RunPage) -> list[Block]:
    """Return every column of the leaderboard that is shown, at the most labels and the cleanest."""
    table = run.results
    if table.empty:
        return []
    balanced = main_series(table)
    rows = cleanest(balanced)
    rows = rows[rows["shots"].isin([0, balanced["shots"].max()])]
    rows = best_first(rows).sort_values("shots", ascending=False, kind="stable")
    shown = [column.shown for column in columns.COLUMNS if column.shown and column.key in rows]
    title = Heading(say("All scores at the most labels, clean"))
    return [title, *long_table(table_of(rows.to_dict("records"), shown))]
