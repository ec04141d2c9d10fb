"""The page of several runs: what holds across datasets, the best rows of each, calibration, diagnostics.

A section is a function from `Overview` to blocks with a place in SECTIONS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.report.pages.model import Block, Page, say
from bench.report.pages.sections.across import across_datasets
from bench.report.pages.sections.calibration import calibration
from bench.report.pages.sections.datasets import Overview, best_of_datasets, diagnostics_of_datasets
from bench.report.pages.sections.verdict import notes_first

SECTIONS: tuple[Callable[[Overview], Sequence[Block]], ...] = (
    lambda runs: notes_first(runs.notes), across_datasets, best_of_datasets, calibration, diagnostics_of_datasets,
)  # fmt: skip


def overview(runs: Overview) -> Page:
    """Return the page of several runs."""
    return Page(say("Leaderboard"), tuple(block for section in SECTIONS for block in section(runs)))
