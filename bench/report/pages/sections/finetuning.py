"""What fine-tuning gains over the frozen network, what it costs, and from how many labels on it pays."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench.fitting.finetune.recipe import KINDS
from bench.report.pages.model import (
    Block,
    Bullets,
    Code,
    Heading,
    Text,
    Words,
    code_field,
    long_table,
    name_field,
    number_field,
    say,
    table_of,
)
from bench.report.pages.numbers import decimal, gain, points, signed_interval
from bench.report.pages.sections.context import RunPage
from bench.report.tables.finetuning import FROZEN, pays_from
from bench.report.tables.rows import cleanest, counted_by, labels_of, main_series

MEANING = (
    "Points of balanced accuracy above {frozen} on the vectors of the same network, frozen: a head fixed in advance, "
    "on the same draws and the same test. Intervals are for new training and test slides, each for its row alone. "
    "*Seconds*: for one training and its predictions on the test images, on one core or a GPU; a fit of {frozen} "
    "takes milliseconds once the images are embedded. All rows, also those with wrong labels: `finetuning.csv`."
)
PAYS = {  # whether it does so only at the most labels that were run
    False: "{head} of {encoder} pays from {first} on: {gain} points there ({interval}).",
    True: "{head} of {encoder} pays at {first}, the most that were run: {gain} points there ({interval}).",
}
SCHEDULE = (
    "Every network is trained with one fixed schedule. It starts from the linear head of the frozen network, and the "
    "statistics of batch normalisation are kept; no setting is chosen and nothing stops early."
)


def finetuning(run: RunPage) -> list[Block]:
    """Return what fine-tuning gains on the cleanest labels; none of a run without it."""
    if not run.board.table["head"].isin(list(KINDS)).any() or run.facts.diagnostic:
        return []
    title = Heading(say("From how many labels fine-tuning pays"))
    if run.finetuning.empty:
        return [title, Text(say("Not available: add {frozen} to --head, to compare with.", frozen=Code(FROZEN)))]
    rows = cleanest(main_series(run.finetuning.assign(selection="fixed")))
    fields = [
        code_field("encoder"), name_field("head"),
        number_field("shots", lambda n: f"{n:d}", f"labels {counted_by(rows)}"),
        number_field("balanced_accuracy", points, "balanced accuracy"),
        number_field("base", points, f"{FROZEN}, frozen"), number_field("difference", gain),
        number_field("interval", str, "95% interval"),
        number_field("fit_seconds", lambda x: decimal(x, 1), "seconds"),
    ]  # fmt: skip
    shown = rows.assign(interval=[signed_interval(*ends) for ends in zip(rows["ci_low"], rows["ci_high"], strict=True)])
    verdicts = tuple(_verdict(own, str(encoder), str(head)) for (encoder, head), own in _methods(rows))
    return [
        title, Bullets(verdicts), *long_table(table_of(shown.to_dict("records"), fields)),
        Text(say(MEANING, frozen=FROZEN)), Text(say(SCHEDULE)),
    ]  # fmt: skip


def _methods(rows: pd.DataFrame) -> Any:
    return rows.groupby(["encoder", "head"], sort=False)


def _verdict(rows: pd.DataFrame, encoder: str, head: str) -> Words:
    """Return from how many labels on a method pays, in words. rows: of it, one per number of labels."""
    first = pays_from(rows["shots"].tolist(), rows["ci_low"].tolist())
    if first is None:
        most = labels_of(rows, int(rows["shots"].max()))
        return say("{head} of {encoder}: no gain that can be told from none, up to {most}.",
                   head=Code(head), encoder=Code(encoder), most=most)  # fmt: skip
    row = rows[rows["shots"] == first].iloc[0]
    return say(
        PAYS[bool(first == rows["shots"].max())],
        head=Code(head), encoder=Code(encoder), first=labels_of(rows, first), gain=gain(row["difference"]),
        interval=signed_interval(row["ci_low"], row["ci_high"]),
    )  # fmt: skip
