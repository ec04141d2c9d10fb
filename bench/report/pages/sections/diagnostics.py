"""Diagnostics: how much of a score is lost when something is taken away from the images."""

from __future__ import annotations

import pandas as pd

from bench.report.pages.model import (
    Block,
    Field,
    Heading,
    Text,
    code_field,
    long_table,
    name_field,
    number_field,
    say,
    table_of,
)
from bench.report.pages.numbers import difference, points
from bench.report.pages.sections.context import RunPage
from bench.report.pages.sections.scores import HEAD, score_of
from bench.report.tables.rows import best_first, cleanest, is_diagnostic, labels_of, main_series, most_labels

SAME = ["head", "selection", "series", "shots", "noise_kind", "noise"]  # in a diagnostic and in its intact twin
RANDOM_WEIGHTS = "random weights"  # what the column diagnostic says of such encoders
LOST = Field("lost", lambda row: difference(row["lost"], row["lost_low"], row["lost_high"]))
NO_RESULTS = (
    "These rows are not results: they are never ranked or called the best, and do not change the rank or p of other "
    "rows. Each shows what is left of a score when something is removed from the images. *Lost*: points of balanced "
    "accuracy below the same encoder and head with nothing removed, with the 95% interval of this paired difference; "
    "empty where that encoder took no part. Where nothing is lost, the score is no evidence that the encoder used "
    "what was removed: morphology, if shuffled patches do as well, or stain, if grey images do. A wide interval that "
    "contains 0 means that it is not known yet.{random}"
)
RANDOM = (
    " A network with random weights has learned nothing: its score comes from the architecture and the pixels alone. "
    "It counts among the baselines of *over baselines*."
)


def diagnostics(run: RunPage) -> list[Block]:
    """Return the diagnostics of a run at the most labels, clean; none of a run without, or of them alone.

    A variant is held against the same encoder with nothing removed.
    """
    board = run.board.table
    rows = board[is_diagnostic(board) & (board["selection"] != "oracle")]
    if rows.empty or is_diagnostic(board).all():
        return []
    shown = best_first(most_labels(cleanest(main_series(rows))))
    fields = [
        code_field("encoder"), HEAD, name_field("diagnostic", "what is different"),
        Field(labels_of(shown, int(shown["shots"].iloc[0])), score_of),
        number_field("of_twin", points, "nothing taken away"), LOST,
    ]  # fmt: skip
    table = table_of(shown.assign(of_twin=_scores_of_twins(board, shown)).to_dict("records"), fields)
    random = say(RANDOM) if rows["diagnostic"].str.contains(RANDOM_WEIGHTS).any() else ""
    title = Heading(say("Diagnostics: what the score rests on"))
    return [title, *long_table(table), Text(say(NO_RESULTS, random=random))]


def _scores_of_twins(board: pd.DataFrame, rows: pd.DataFrame) -> list[float]:
    """Return the balanced accuracy of the intact twin of every row, NaN where it took no part."""
    known = board.set_index([*SAME, "encoder"])["balanced_accuracy"].to_dict()
    return [known.get((*(row[key] for key in SAME), row["intact"]), float("nan")) for row in rows.to_dict("records")]
