"""How far probabilities can be trusted, of the best rows of every dataset."""

from __future__ import annotations

import pandas as pd

from bench.report.pages.model import (
    Block,
    Field,
    Heading,
    Text,
    code_field,
    long_table,
    number_field,
    say,
    table_of,
)
from bench.report.pages.numbers import band, decimal
from bench.report.pages.sections.datasets import Overview, called
from bench.report.pages.sections.scores import HEAD
from bench.report.tables.calibration import BINS
from bench.report.tables.protocols import by_protocol
from bench.report.tables.rows import cleanest, competing, main_series, most_labels

EACH = 5  # rows of a dataset
MEANING = (
    "*ECE*: the expected calibration error: how far probabilities are from the frequencies observed, in {bins} bins "
    "of equal width, for the best rows at the most labels, clean. It is never 0, least of all on few items. "
    "*calibrated would show* is the range in 95 of 100 cases for probabilities that are correct, so only an ECE above "
    "it is a fault. Brier score and log loss have no such floor that depends on the number of items."
)


FIELDS = (
    Field("dataset", lambda row: called(row, str(row["instances"]), row["protocol"]), right=False),
    code_field("encoder"), HEAD, number_field("n_test", str, "tested"),
    number_field("ece", decimal, "ECE"),
    Field("calibrated would show", lambda row: band(row["ece_null_low"], row["ece_null_high"])),
    number_field("brier", decimal, "Brier"), number_field("log_loss", decimal, "log loss"),
)  # fmt: skip


def calibration(runs: Overview) -> list[Block]:
    """Return the calibration of the best rows of every dataset; none where it was not asked for."""
    table = runs.table
    if "ece" not in table or table["ece"].isna().all():
        return []
    best = [
        most_labels(cleanest(main_series(rows))).nlargest(EACH, "balanced_accuracy").assign(protocol=differs)
        for differs, rows in by_protocol(competing(table[table["ece"].notna()]))
    ]
    shown = pd.concat(best).to_dict("records") if best else []
    return [
        Heading(say("Calibration")), *long_table(table_of(shown, FIELDS)), Text(say(MEANING, bins=BINS)),
    ]  # fmt: skip
