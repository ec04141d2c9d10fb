"""Which methods differ from the best one."""

from __future__ import annotations

from bench.report.pages.model import Block, Code, Field, Heading, Row, Text, code_field, number_field, say, table_of
from bench.report.pages.numbers import decimal, p_value, points, signed_interval
from bench.report.pages.sections.context import RunPage
from bench.report.tables.rows import head_label, labels_of, main_series, most_labels

METHODS = 5  # that are shown
ALPHA = 0.05
MEANING = (
    "At {labels}, against {encoder} with {head}, the best of {all}: how many points of balanced accuracy "
    "the {count} closest methods are below it. *p* is for one pair alone; *p (joint)* allows for all pairs, and so "
    "for having picked the best on the same test. Methods that cannot be told apart from the best (p (joint) above "
    "{alpha}): {alike}. All pairs: `pairs.csv`."
)


def pairs(run: RunPage) -> list[Block]:
    """Return the methods closest to the best one at the most labels, or why there is no comparison."""
    title = Heading(say("Which methods differ from the best one"))
    if run.board.no_pairs:
        return [title, Text(say("Not available: {why}.", why=run.board.no_pairs))]
    if run.board.pairs.empty:
        return []
    rows = most_labels(run.board.pairs)
    closest = rows.head(METHODS).to_dict("records")
    fields = [
        code_field("encoder_b", "encoder"), Field("head", lambda row: _head(row, "b"), right=False),
        number_field("difference", points, "below the best"),
        Field("95% interval", lambda row: signed_interval(row["ci_low"], row["ci_high"])),
        number_field("p", p_value, "p"), number_field("p_joint", p_value, "p (joint)"),
    ]  # fmt: skip
    labels = labels_of(main_series(run.board.table), int(closest[0]["shots"]))
    meaning = say(
        MEANING, labels=labels, encoder=Code(closest[0]["encoder_a"]),
        head=_head(closest[0], "a"), all=len(rows) + 1, count=len(closest), alpha=decimal(ALPHA, 2),
        alike=int((rows["p_joint"] > ALPHA).sum()),
    )  # fmt: skip
    return [title, table_of(closest, fields), Text(meaning)]


def _head(row: Row, side: str) -> str:
    return head_label({"head": row[f"head_{side}"], "selection": row[f"selection_{side}"]})
