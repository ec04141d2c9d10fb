"""What a figure for a paper is, and the sentences that captions have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.protocol.split_kinds import IN_TURN
from bench.report.html.context import Method, ReportContext, head_of
from bench.report.pages.model import Code, Inline, Row, Words, listed, say
from bench.report.tables.flags import EXACT
from bench.text import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEST_HEADS = "Of every encoder its best head is shown."
SCORE = "Balanced accuracy is the mean recall of the classes."
MEANS = "Values are means over {draws} of the labelled items."
TESTED = "Tested on {items} of {groups}."
EXACT_INTERVALS = (
    "Intervals are exact 95% limits that count every tested group as one observation; groups are too few to say more."
)
INTERVALS = "Intervals are 95%, for other groups to learn from and to be tested on."
ALIKE_INTERVALS = (
    "Intervals are 95%, for other groups to be tested on, and for others to learn from where draws of labels differ."
)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A figure that can be drawn. caption: what it shows, in sentences; names: texts of others that stand in it."""

    draw: Callable[[], Figure]
    caption: Words
    names: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure of a run. key: the name of its files; make: None where there is nothing to show; empty: why not."""

    key: str
    make: Callable[[ReportContext], Shown | None]
    empty: Callable[[ReportContext], str]


def what_was_tested(context: ReportContext, rows: Sequence[Row] = ()) -> Words:
    """Return how often labels were drawn, and what was tested: as many as the leaderboard says.

    rows: of the leaderboard, that are shown (default: those of the headline). Fewer labels are drawn more often.
    """
    rows = rows or context.at_level()[:1]
    items, groups = counted(int(rows[0]["n_test"]), "item"), counted(int(rows[0]["n_groups"]), "group")
    fewest, most = (int(end(row["seeds"] for row in rows)) for end in (min, max))
    draws = counted(most, "draw") if fewest == most else f"{fewest} to {most} draws (more where labels are fewer)"
    return listed([say(MEANS, draws=draws), say(TESTED, items=items, groups=groups)])


def score_words(context: ReportContext, rows: Sequence[Row] = ()) -> Words:
    """Return what a score is, what it was tested on, and what its interval is. rows: see `what_was_tested`."""
    methods = {str(row["ci_method"]) for row in rows or context.at_level()}
    alike = "training-as-it-is" in context.run.board.flags and context.facts.split_rule not in IN_TURN
    interval = say(EXACT_INTERVALS if methods == {EXACT} else ALIKE_INTERVALS if alike else INTERVALS)
    return listed([say(SCORE), what_was_tested(context, rows), interval])


def method_words(method: Method) -> Inline:
    """Return encoder and head in words."""
    return say("{encoder} with head {head}", encoder=Code(method.encoder), head=Code(head_of(method)))
