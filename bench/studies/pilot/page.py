"""The page of a pilot: the verdict, one table, what overlapped, how it was made."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bench.report.pages.model import (
    Block,
    Bullets,
    Code,
    Heading,
    Page,
    Text,
    Words,
    code_field,
    listed,
    long_table,
    name_field,
    number_field,
    say,
    table_of,
)
from bench.report.pages.numbers import gain, points, signed_interval
from bench.studies.pilot.arms import ARMS, FIRST
from bench.studies.pilot.judge import ALL_LEVELS, judged_by
from bench.text import counted

TABLE, PAGE = "pilot.csv", "pilot.md"
ABOUT = (
    "Every arm makes an encoder of the same images, with the same input, and all are judged on the same draws of "
    "labels and the same test images. What was to be found was fixed before: the difference between ImageNet weights "
    "that learned on and the same weights as they are, in balanced accuracy, in the mean over heads and over numbers "
    "of labels. Its interval holds for new slides and other trainings. The other rows are beside it, each by itself."
)
SHOWN = (
    name_field("what", "arm"), name_field("labels", "labels per class"),
    number_field("balanced_accuracy", points, "balanced accuracy"), number_field("difference", gain),
    number_field("interval", str, "95% interval"), number_field("trainings", lambda n: f"{n:d}"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PilotPage:
    """What the page tells beside the table. overlap: of how many images to learn from how many were left out."""

    dataset: str
    method: str
    steps: int
    overlap: tuple[int, int]
    command: str
    notes: tuple[str, ...] = ()


def verdict(table: pd.DataFrame) -> Words:
    """Return in a few sentences whether learning on pays, and which other arms can be told from the base."""
    own = judged_by(table)
    own = own[own["shots"] == ALL_LEVELS]
    first, others = own[own["arm"] == FIRST], own[own["arm"] != FIRST]
    told = [row for row in others.to_dict("records") if row["ci_low"] > 0 or row["ci_high"] < 0]
    rest = say("No other arm can be told from ImageNet weights as they are.")
    if told:
        named = listed([_named(row) for row in told], between="; ")
        rest = say("Told from ImageNet weights as they are: {named}.", named=named)
    return rest if first.empty else say("{first} {rest}", first=_first(first.to_dict("records")[0]), rest=rest)


def _first(row: dict) -> Words:
    interval = signed_interval(row["ci_low"], row["ci_high"])
    if row["ci_low"] > 0:
        return say("Learning on pays: it gains {points} points ({interval}).", points=points(row["difference"]),
                   interval=interval)  # fmt: skip
    if row["ci_high"] < 0:
        return say("Learning on does harm: it costs {points} points ({interval}).", points=points(-row["difference"]),
                   interval=interval)  # fmt: skip
    return say(
        "Whether learning on pays cannot be told: {gain} points, and the interval from {interval} holds 0.",
        gain=gain(row["difference"]), interval=interval,
    )  # fmt: skip


def _named(row: dict) -> Words:
    return say(
        "{what}, {gain} points ({interval})", what=ARMS[row["arm"]].what, gain=gain(row["difference"]),
        interval=signed_interval(row["ci_low"], row["ci_high"]),
    )  # fmt: skip


def pilot_page(about: PilotPage, table: pd.DataFrame) -> Page:
    """Return the page of a pilot. table: `bench.studies.pilot.judge.contrasts`."""
    own = judged_by(table)
    images, removed = about.overlap
    blocks: list[Block] = [Text(say("**In short:** {verdict}", verdict=verdict(table))), Text(ABOUT)]
    blocks += long_table(table_of(shown_rows(own), SHOWN))
    heads = table[table["head"] != own["head"].iloc[0]]
    if len(heads):
        fields = (code_field("head"), *SHOWN)
        blocks += [Heading(say("Every head by itself")), *long_table(table_of(shown_rows(heads), fields))]
    told = say(
        "{removed} of {images} show what is in the labelled images too and were left out (copies turned, mirrored, "
        "moved, in another light or saved again are found, those at another scale are not).",
        removed=f"{removed:,}", images=counted(images, "image to learn from", "images to learn from"),
    )  # fmt: skip
    blocks += [Heading(say("Overlap")), Text(told)]
    if about.notes:
        blocks += [Heading(say("Notes")), Bullets(about.notes)]
    made = say("{method}, {steps} for every arm that learns.", method=about.method, steps=counted(about.steps, "step"))
    blocks += [Heading(say("How it was made")), Text(made), Code(about.command)]
    return Page(say("Does learning on your own images pay on {data}?", data=about.dataset), tuple(blocks))


def shown_rows(table: pd.DataFrame) -> list[dict]:
    """Return the rows of a table as they are shown, the mean over numbers of labels first."""
    rows = table.sort_values("shots", kind="stable").to_dict("records")
    for row in rows:
        row["what"] = ARMS[row["arm"]].what
        row["labels"] = "mean over all" if row["shots"] == ALL_LEVELS else f"{row['shots']:d}"
        row["interval"] = signed_interval(row["ci_low"], row["ci_high"])
    return rows
