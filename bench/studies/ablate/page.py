"""The page of an ablation: what can be told apart from the encoder as it is, one table, one picture."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bench.report.pages.figures import png_bytes
from bench.report.pages.model import (
    Block,
    Bullets,
    Code,
    Figure,
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
from bench.report.pages.numbers import decimal, gain, p_value, points, signed_interval
from bench.statistics.intervals import T_FROM
from bench.studies.ablate.effects import ALL_HEADS
from bench.text import counted, plain

TABLE, PAGE, PICTURE = "ablation.csv", "ablation.md", "ablation.png"
SAME = "the same"
TOLD = 0.05  # adjusted p up to which a variation is told apart
ABOUT = (
    "Every variation changes one option and leaves the others as they are. It is compared with the encoder as it is on "
    "the same draws of labels and the same test images. Differences are points of balanced accuracy, intervals hold "
    "for new slides, and p is adjusted for all variations and numbers of labels."
)
SHOWN = (
    name_field("factor", "option"), name_field("value"), number_field("shots", lambda n: f"{n:d}", "labels per class"),
    number_field("balanced_accuracy", points, "balanced accuracy"), number_field("difference", gain),
    number_field("interval", str, "95% interval"), number_field("p_adjusted", p_value, "p, adjusted"),
    number_field("times_base", lambda x: decimal(x, 2), "times the cost"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class AblationPage:
    """What the page tells beside the table. missing: variants that could not be run, and why."""

    encoder: str
    dataset: str
    command: str
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def judged_by(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that a verdict rests on, of the mean of heads or the only one, most labels and least p first."""
    own = table[table["head"] == (ALL_HEADS if (table["head"] == ALL_HEADS).any() else table["head"].iloc[0])]
    return own.sort_values(["shots", "p", "difference"], ascending=[False, True, True], kind="stable")


def verdict(table: pd.DataFrame, encoder: str) -> Words:
    """Return a sentence or two: which variations can be told from the encoder as it is."""
    own = pd.DataFrame(with_intervals(judged_by(table)))
    count = counted(own["encoder"].nunique(), "variation")
    if (own["interval"] == SAME).all():
        return say("No variation changes a score ({count} tried).", count=count)
    if own["p"].isna().all():
        return say(
            "No variation can be tested ({count} tried), as a class has fewer than {least} tested groups. The "
            "intervals are exact and wide.",
            count=count, least=T_FROM,
        )  # fmt: skip
    told = own[own["p_adjusted"] <= TOLD].drop_duplicates("encoder")
    if told.empty:
        return say(
            "No variation can be told from {encoder} as it is ({count} tried). The intervals say how much each may "
            "still cost or gain.",
            count=count, encoder=Code(encoder),
        )  # fmt: skip
    named = listed([_named(row) for row in told.to_dict("records")], between="; ")
    return say("Told from {encoder} as it is: {named}.", encoder=Code(encoder), named=named)


def _named(row: dict) -> Words:
    """Return a variation and what it changes, in words."""
    return say(
        "{variation} {does} {points} points ({interval}, {labels} per class)",
        variation=Code(f"{row['factor']}={row['value']}"), does="costs" if row["difference"] < 0 else "gains",
        points=points(abs(row["difference"])), interval=signed_interval(row["ci_low"], row["ci_high"]),
        labels=counted(row["shots"], "label"),
    )  # fmt: skip


def ablation_page(about: AblationPage, table: pd.DataFrame, picture: bool) -> Page:
    """Return the page of an ablation. table: `bench.studies.ablate.effects.effects`."""
    own = judged_by(table)
    blocks: list[Block] = [Text(say("**In short:** {verdict}", verdict=verdict(table, about.encoder))), Text(ABOUT)]
    if picture:
        blocks.append(Figure(PICTURE, "difference from the encoder as it is, with 95% intervals, per variation"))
    blocks += long_table(table_of(with_intervals(own), SHOWN))
    heads = table[table["head"] != own["head"].iloc[0]]
    if len(heads):
        fields = (code_field("head"), *SHOWN)
        blocks += [Heading(say("Every head by itself")), *long_table(table_of(with_intervals(heads), fields))]
    if about.missing or about.notes:
        blocks += [Heading(say("Notes")), Bullets((*about.missing, *about.notes))]
    blocks += [Heading(say("How it was made")), Code(about.command)]
    title = say("What matters to {encoder} on {data}", encoder=Code(about.encoder), data=about.dataset)
    return Page(title, tuple(blocks))


def with_intervals(table: pd.DataFrame) -> list[dict]:
    """Return the rows of a table with their interval as it is shown; SAME where no score ever differs."""
    rows = table.to_dict("records")
    for row in rows:
        same = row["difference"] == row["ci_low"] == row["ci_high"] == 0
        row["interval"] = SAME if same else signed_interval(row["ci_low"], row["ci_high"])
    return rows


def draw(table: pd.DataFrame, encoder: str) -> bytes | None:
    """Return a PNG of the differences with their intervals at most labels; None where matplotlib is absent."""
    try:
        from matplotlib.figure import Figure as Drawing
    except ImportError:
        return None
    own = judged_by(table)
    own = own[own["shots"] == own["shots"].max()].iloc[::-1]
    figure = Drawing(figsize=(6.4, 1.4 + 0.32 * len(own)), layout="constrained")
    axes = figure.add_subplot()
    for at, row in enumerate(own.to_dict("records")):
        told = row["p_adjusted"] <= TOLD
        middle, ends = 100 * row["difference"], [100 * row["ci_low"], 100 * row["ci_high"]]
        axes.plot(ends, [at, at], color="C0" if told else "0.6", lw=2)
        axes.plot(middle, at, "o", color="C0" if told else "0.6", mfc=None if told else "white")
    axes.axvline(0, color="0.3", lw=0.8)
    axes.set_yticks(range(len(own)), [f"{row['factor']}={row['value']}" for row in own.to_dict("records")])
    axes.set_ylim(-0.7, len(own) - 0.3)
    axes.set_xlabel("points of balanced accuracy, 95% interval (filled: told apart)")
    labels = counted(int(own["shots"].iloc[0]), "label")
    axes.set_title(plain(f"Against {encoder} as it is, {labels} per class"), fontsize=10, parse_math=False)
    return png_bytes(figure)
