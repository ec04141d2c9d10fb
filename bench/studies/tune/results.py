"""What `bench tune` is asked, and what it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.errors import BenchError
from bench.heads import Params
from bench.protocol.protocol import SCALE_BY, check_scale_by
from bench.report.pages.numbers import decimal, interval, points


@dataclass(frozen=True)
class TuneRequest:
    """What is tuned: a head on an encoder, at `shots` labels a class. episodes=None: as many draws as a run has.

    scale_by: the rows that all are scaled by, as in a run; see `bench.fitting.scaling`.
    """

    encoder: str
    head: str = "xgboost"
    shots: int = 10
    trials: int = 40
    episodes: int | None = None
    draw: str = "spread"
    scale_by: str = SCALE_BY[0]

    def __post_init__(self) -> None:
        check_scale_by(self.scale_by)
        for name in ("shots", "trials", "episodes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BenchError(f"Got {name} {value}; expected a whole number from 1, e.g. --{name} 10.")


@dataclass(frozen=True)
class SettingScore:
    """A setting on the evaluation half: mean over draws, with the 95% interval of its balanced accuracy."""

    balanced_accuracy: float
    low: float
    high: float
    log_loss: float

    def texts(self) -> tuple[str, str, str]:
        """Return balanced accuracy in percent, its interval, and log loss, as they are shown."""
        return points(self.balanced_accuracy), interval(self.low, self.high), decimal(self.log_loss)


@dataclass(frozen=True)
class Tuned:
    """What a study found. gain: balanced accuracy, tuned minus published; its interval is NaN with too few groups."""

    folder: Path
    setting: Params
    trials: pd.DataFrame
    importance: Mapping[str, float]
    published: SettingScore
    tuned: SettingScore
    gain: tuple[float, float, float]
    halves: tuple[int, int]  # groups
    published_is_best: bool  # on the tuning half
    made: int
