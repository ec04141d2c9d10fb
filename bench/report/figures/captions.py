"""The captions of figures, as the page `captions.md` beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.html.context import ReportContext
from bench.report.pages.markdown import render
from bench.report.pages.model import Block, Bullets, Code, Heading, Inline, Page, Text, Words, listed, say

FIRST = "Figures of "  # how the page begins, by which a folder of figures is known


@dataclass(frozen=True, kw_only=True)
class Caption:
    """What a figure or table is called, its caption, and its files."""

    key: str
    words: Inline
    files: Sequence[str]


def captions_md(
    context: ReportContext, captions: Sequence[Caption], left_out: Sequence[tuple[str, str]], notes: Sequence[Words]
) -> str:
    """Return the page. left_out: (figure, why it is missing); notes: what to know of the files."""
    blocks: list[Block] = [Text(listed([_of_run(context), *notes]))]
    for caption in captions:
        blocks += [Heading(caption.key), Text(caption.words), Text(_files(caption.files))]
    if left_out:
        blocks.append(Heading("Left out"))
        blocks.append(Bullets(tuple(say("{key}: {why}.", key=key, why=why.rstrip(".")) for key, why in left_out)))
    command = context.run.command
    if command:
        blocks += [Heading("The command of the run"), Code(command)]
    return render(Page(say("{first}{dataset}", first=FIRST, dataset=context.facts.dataset), tuple(blocks)))


def _of_run(context: ReportContext) -> Words:
    facts = context.facts
    return say(
        "{encoders} encoders and baselines on {classes} classes. Split: {split}.", encoders=len(context.encoders),
        classes=len(context.classes), split=facts.split_reason.rstrip("."),
    )  # fmt: skip


def _files(names: Sequence[str]) -> Words:
    return listed([Code(name) for name in names], between=", ")
