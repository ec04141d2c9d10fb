"""What stands first on the page of a run: what to know before any number, the best row, and what was run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isnan

import pandas as pd

from bench.protocol.split_kinds import IN_TURN
from bench.report.pages.model import Block, Bullets, Cited, Code, Folded, Inline, Text, say
from bench.report.pages.numbers import Number, decimal, points, rate, whole
from bench.report.pages.sections.context import RunPage
from bench.report.tables.flags import EXACT, headline
from bench.report.tables.rows import labels_of
from bench.text import counted, sentence

BOARD = "leaderboard"
FIRST = 6  # notes that are shown; the others are folded


def read_this_first(run: RunPage) -> list[Block]:
    """Return what a reader has to know before the first number; none where there is nothing to say."""
    diagnostic = [run.facts.diagnostic] if run.facts.diagnostic else []
    return notes_first([*diagnostic, *run.board.flags.values(), *run.facts.warnings, *run.refused])


def notes_first(notes: Sequence[str]) -> list[Block]:
    """Return notes under 'Read this first', the first FIRST of them open and the others folded."""
    items: list[Inline] = [sentence(note) for note in dict.fromkeys(notes)]
    if not items:
        return []
    shown, rest = (items, []) if len(items) == FIRST + 1 else (items[:FIRST], items[FIRST:])
    blocks: list[Block] = [Text(say("**Read this first**")), Bullets(tuple(shown))]
    return [*blocks, Folded(counted(len(rest), "more note"), (Bullets(tuple(rest)),))] if rest else blocks


def verdict(run: RunPage) -> list[Block]:
    """Return the best row in a sentence; none where no row may be called the best."""
    words = summary(run.board.table)
    return [Text(words)] if words else []


def summary(board: pd.DataFrame) -> Inline:
    """Return the best row, and what to expect of a method that is chosen by such a table; "" where there is none."""
    rows = headline(board)
    if rows.empty:
        return ""
    best = rows.iloc[0]

    def of_best(column: str, text: Callable[[float], Number]) -> Cited:
        return Cited(text(best[column]), BOARD, int(rows.index[0]), column, share=True)

    alone = len(rows) == 1  # then it is no news that it is the best
    probably: Inline = ""
    if not alone and not isnan(best["p_best"]):
        probably = say("; the probability that it is the best is {chance}", chance=of_best("p_best", rate))
    expected: Inline = ""
    if not alone and not isnan(best["held_out_best"]):
        expected = say(
            " Being the best of many is partly luck: the method that is best on one half of the test groups scores "
            "{score} on the other half, which is what to expect.",
            score=of_best("held_out_best", points),
        )
    limits: Inline = ""
    if not isnan(best["ci_low"]):
        limits = say(" [{low}-{high}]", low=of_best("ci_low", whole), high=of_best("ci_high", whole))
    return say(
        "Best at {labels}: {encoder} with {head}, {score}{limits}{probably}.{expected}",
        labels=labels_of(rows, int(best["shots"])), encoder=Code(best["encoder"]), head=best["head"],
        score=of_best("balanced_accuracy", points), limits=limits, probably=probably, expected=expected,
    )  # fmt: skip


def about_the_run(run: RunPage) -> list[Block]:
    """Return what was run on which data, and what its scores were measured on."""
    facts = run.facts
    blocks: list[Block] = [Code(run.command)] if run.command else []
    blocks.append(Text(say("**{tier}.** {reason}", tier=facts.tier.capitalize(), reason=facts.tier_reason)))
    blocks.append(Text(say("**Split: {rule}.** {reason}.", rule=facts.split_rule, reason=facts.split_reason)))
    table = run.results
    if len(table):
        first = table.iloc[0]
        words = say(
            "Classes: {classes}. {training} {items} {unit} in {groups}{worth}; {rows}. Balanced accuracy in percent "
            "with its 95% interval ({method}); guessing gives about {guess}.",
            classes=", ".join(facts.classes), training=_training(table), items=int(first["n_test"]),
            unit="images" if first["level"] == "image" else "instances",
            groups=counted(int(first["n_groups"]), "test group"), worth=_worth(table),
            rows=counted(len(run.board.table), "row"), method=_interval_method(run),
            guess=whole(1 / len(facts.classes)),
        )  # fmt: skip
        blocks.append(Text(words))
    return blocks


def _interval_method(run: RunPage) -> Inline:
    """Return in words how the intervals of a run were made."""
    if (run.results["ci_method"] == EXACT).all():
        return say("exact limits combined over classes")
    if "training-as-it-is" in run.board.flags and not set(run.results["split"]) & set(IN_TURN):
        return say("for new test slides, and for new training slides where draws differ")
    return say("for new training and test slides")


def _training(table: pd.DataFrame) -> Inline:
    """Return from how many groups is learned, and that what follows is tested."""
    most = table["n_train_groups"].max()
    if not most:
        return say("Scored on")
    mean = say(" (mean over splits)") if table["split"].iloc[0] in IN_TURN else ""
    return say("Trained on {groups}{mean}, tested on", groups=counted(round(most), "group"), mean=mean)


def _worth(table: pd.DataFrame) -> Inline:
    """Return what the tested items are worth, as items of one group are answered alike."""
    known = table[(table["selection"] != "oracle") & table["icc"].notna()]
    if known.empty:
        return ""
    return say(
        ", as informative as about {items} independent ones (correlation within a group: {icc})",
        items=decimal(known["n_eff"].median(), 0), icc=decimal(known["icc"].median(), 2),
    )  # fmt: skip
