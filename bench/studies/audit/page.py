"""The page of an audit: what was found in one paragraph, then a table per kind of finding, then what to do."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bench.report.pages.model import (
    Block,
    Bullets,
    Code,
    Field,
    Heading,
    Inline,
    Page,
    Text,
    Words,
    listed,
    long_table,
    name_field,
    number_field,
    say,
    table_of,
)
from bench.report.pages.numbers import decimal, interval, p_value, places, points, whole
from bench.studies.audit.findings import CLASS, COPY, FIXABLE, GROUPS, IMAGE, LABEL, SLIDE
from bench.studies.audit.labels import LabelAudit
from bench.text import counted

TABLE, PAGE = "audit.csv", "audit.md"
TOO_WIDE = 0.4  # an interval of the share of wrong labels that says nothing
ABOUT = (
    "Every label is compared with the predictions of models trained on other slides (or images): heads on the "
    "embeddings of several encoders, pooled. A label looks wrong if it is more likely wrong than right. Ranks have a "
    "95% interval over encoders, heads and draws: look at the first ones, and stop when they turn out right. Models "
    "can be wrong, too, above all where classes look alike; so nothing is changed here."
)
FIXING = (
    "In fix.csv, write keep, relabel or drop in the column action. For relabel, correct the class in the column "
    "proposed if it is not the right one. A row left empty is kept. Then run"
)
TEST = (
    "There is an official test split. Its labels are judged as well, but corrected only if you add --test-too, "
    "because scores on a test set that was corrected by models are over-optimistic."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditPage:
    """What the page tells. findings: `bench.studies.audit.findings`; test: of `run.test_scores`."""

    dataset: str
    classes: tuple[str, ...]
    labels: LabelAudit
    findings: pd.DataFrame
    test: tuple[float, float, int] | None = None
    command: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Section:
    kind: str
    heading: Words
    says: str
    fields: tuple[Field, ...]


RANKS = Field("rank", lambda row: places(row["rank_low"], row["rank_high"]))
SECTIONS = (
    _Section(kind=SLIDE, heading=say("Slides whose labels look wrong"), says="p tests whether a slide stands out from "
        "the others.",
             fields=(name_field("group", "slide"), name_field("reason"), number_field("p", p_value))),
    _Section(kind=LABEL, heading=say("Labels that look wrong"), says="The most suspicious first.",
             fields=(name_field("path", "image"), name_field("label"), name_field("suggested", "more likely"),
                     number_field("p_wrong", whole, "wrong in %"), RANKS)),
    _Section(kind=COPY, heading=say("Copies"), says="Correlation of fine detail where the two images match best; 1 is "
        "identical.",
             fields=(name_field("path", "image"), name_field("reason"),
                     number_field("score", lambda x: decimal(x, 2), "correlation"))),
    _Section(kind=GROUPS, heading=say("Groups that ought to be one"), says="They share images.",
             fields=(name_field("group"), name_field("other_group", "and"), name_field("reason"))),
    _Section(kind=IMAGE, heading=say("Images that may be useless"), says="How far they are from the other images, in "
        "robust standard deviations.",
             fields=(name_field("path", "image"), name_field("label"), name_field("reason"),
                     number_field("score", lambda x: decimal(x, 1), "deviations"))),
    _Section(kind=CLASS, heading=say("Classes that size or colour tells"), says="Without any morphology.",
             fields=(name_field("label", "class"), name_field("reason"))),
)  # fmt: skip


def verdict(about: AuditPage) -> Words:
    """Return in a few sentences how many labels are wrong, and what else was found."""
    found, judged = about.labels, int(about.labels.judged.sum())
    counts = about.findings["kind"].value_counts()
    parts: list[Inline] = []
    if not judged:
        parts.append(say("No label can be judged: every class has fewer than 3 slides (or images)."))
    elif found.fitted.high - found.fitted.low > TOO_WIDE:
        parts.append(say(
            "How many of {labels} are wrong cannot be estimated (95% interval {limits}%); {doubted}.",
            labels=counted(judged, "label"), limits=interval(found.fitted.low, found.fitted.high),
            doubted=doubted(int(found.doubted.sum())),
        ))  # fmt: skip
    else:
        fitted = found.fitted
        parts.append(say(
            "About {rate}% of {labels} are wrong (95% interval {limits}%); {doubted}.",
            rate=points(fitted.rate), labels=counted(judged, "label"), limits=interval(fitted.low, fitted.high, 1),
            doubted=doubted(int(found.doubted.sum())),
        ))  # fmt: skip
    for kind, one, several in COUNTED:
        if kind in counts:
            parts.append(say("{count}.", count=counted(int(counts[kind]), one, several)))
    return listed(parts)


COUNTED = (
    (SLIDE, "slide looks mislabelled as a whole", "slides look mislabelled as a whole"),
    (COPY, "pair of images shows the same thing", "pairs of images show the same thing"),
    (GROUPS, "pair of groups should be one group", "pairs of groups should be one group"),
    (IMAGE, "image may be useless", "images may be useless"),
    (CLASS, "class can be recognised by size or colour alone", "classes can be recognised by size or colour alone"),
)


def doubted(count: int) -> str:
    """Return how many labels are doubted, in words."""
    return "no single label looks wrong" if not count else f"{counted(count, 'label looks', 'labels look')} wrong"


def audit_page(about: AuditPage) -> Page:
    """Return the page."""
    blocks: list[Block] = [Text(say("**In short:** {verdict}", verdict=verdict(about))), Text(ABOUT)]
    for section in SECTIONS:
        own = about.findings[about.findings["kind"] == section.kind]
        if len(own):
            blocks += [Heading(section.heading), Text(section.says)]
            blocks += long_table(table_of(shown(own), section.fields))
    if about.findings["kind"].isin(FIXABLE).any():
        blocks += [
            Heading(say("What to do")), Text(FIXING),
            Code("bench audit --data DATA --apply fix.csv --to corrected.csv"),
        ]  # fmt: skip
    if about.test:
        blocks += [Text(TEST), Text(on_test(about.test))]
    if about.notes:
        blocks += [Heading(say("Notes")), Bullets(about.notes)]
    members = about.labels.members.sort_values("weight", ascending=False, kind="stable").head(10)
    weights = (name_field("encoder"), name_field("head"), number_field("weight", lambda x: decimal(x, 2)))
    blocks += [Heading(say("What it rests on")), *long_table(table_of(members.to_dict("records"), weights))]
    blocks += [Heading(say("How it was made")), Code(about.command)]
    return Page(say("What is wrong with {data}?", data=about.dataset), tuple(blocks))


def on_test(test: tuple[float, float, int]) -> Words:
    """Return the agreement with the test labels as they are, and as they would be corrected."""
    return say(
        "The pooled models predict {given}% of the test labels as they are, and would predict {corrected}% if the "
        "{count} that look wrong were corrected. Only the first number is a fair test.",
        given=points(test[0]), corrected=points(test[1]), count=test[2],
    )  # fmt: skip


#: Columns of texts, also where none has a value and pandas takes them for numbers.
TEXTS = {"kind", "path", "group", "split", "label", "suggested", "other_path", "other_group", "reason"}


def shown(table: pd.DataFrame) -> list[dict]:
    """Return the rows of findings as they are shown, missing texts empty and missing numbers NaN."""
    numbers = {name for name in table if pd.api.types.is_numeric_dtype(table[name])} - TEXTS
    return [
        {str(name): _as_shown(value, name in numbers) for name, value in row.items()}
        for row in table.astype(object).to_dict("records")
    ]


def _as_shown(value: object, is_number: bool) -> object:
    if pd.isna(value):  # type: ignore[call-overload]
        return float("nan") if is_number else ""
    return float(value) if is_number else value  # type: ignore[arg-type]
