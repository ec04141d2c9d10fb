"""The page of a run. A section is a function from `RunPage` to blocks with a place in SECTIONS."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.report.pages.model import Block, Page, say
from bench.report.pages.sections.context import RunPage
from bench.report.pages.sections.diagnostics import diagnostics
from bench.report.pages.sections.finetuning import finetuning
from bench.report.pages.sections.more_labels import more_labels
from bench.report.pages.sections.pairs import pairs
from bench.report.pages.sections.reading import how_to_read
from bench.report.pages.sections.scores import all_scores, scores_by_labels
from bench.report.pages.sections.verdict import about_the_run, read_this_first, verdict
from bench.report.pages.sections.wrong_labels import wrong_labels

SECTIONS: tuple[Callable[[RunPage], Sequence[Block]], ...] = (
    read_this_first, verdict, about_the_run, scores_by_labels, diagnostics, wrong_labels, more_labels, finetuning,
    pairs, all_scores, how_to_read,
)  # fmt: skip


def run_page(run: RunPage) -> Page:
    """Return the page of a run."""
    title = say("{dataset}: which encoder and head to trust", dataset=run.facts.dataset)
    return Page(title, tuple(block for section in SECTIONS for block in section(run)))
