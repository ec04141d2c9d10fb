"""What the page of a run is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from bench.report.tables.leaderboard import Leaderboard
from bench.report.tables.rows import results
from bench.runs.facts import RunFacts


@dataclass(frozen=True, kw_only=True)
class RunPage:
    """A run's leaderboard and the facts about it. refused: why shot levels have no rows. command: as it was typed.

    robustness, efficiency, finetuning: see the rooms of that name in `bench.report.tables`; without rows where they do
    not apply.
    """

    board: Leaderboard
    facts: RunFacts
    refused: tuple[str, ...] = ()
    command: str = ""
    robustness: pd.DataFrame = field(default_factory=pd.DataFrame)
    efficiency: pd.DataFrame = field(default_factory=pd.DataFrame)
    finetuning: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def results(self) -> pd.DataFrame:
        """The rows of the leaderboard that are results, or all of a run that is a diagnostic."""
        return results(self.board.table)
