"""How many labels are learned from: so many of every class, or so many in all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bench.errors import BenchError

Per = Literal["class", "total"]


@dataclass(frozen=True)
class Level:
    """A number of labels, of every class or in all. Raises BenchError for less than 1.

    >>> Level(5).labels(n_classes=4), Level(20, per="total").labels(n_classes=4)
    (20, 20)
    """

    count: int
    per: Per = "class"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise BenchError(f"Got {self.asked}; expected whole numbers from 1, e.g. {EXAMPLE[self.per]}.")

    @property
    def series(self) -> str:
        """What its series is called in tables: 'balanced', or 'budget' for labels in all."""
        return "budget" if self.per == "total" else "balanced"

    @property
    def asked(self) -> str:
        """The level in words of the command line."""
        return f"--budget {self.count}" if self.per == "total" else f"shots={self.count}"

    @property
    def identity(self) -> dict[str, Any]:
        """What names it in the name of a fit."""
        return {"shots": self.count, **({"series": self.series} if self.per == "total" else {})}

    def labels(self, n_classes: int) -> int:
        """Return the labels of a draw."""
        return self.count if self.per == "total" else self.count * n_classes

    def per_class(self, n_classes: int) -> int:
        """Return the labels of a class, in the mean and at least 1."""
        return max(1, self.count // n_classes) if self.per == "total" else self.count

    def default_draws(self, n_classes: int) -> int:
        """Return how many draws are made where nobody says: few labels vary more, so they get more draws."""
        return default_draws(self.per_class(n_classes))


EXAMPLE = {"class": "--shots 1,5,10", "total": "--budget 20,50"}


def level_of(count: int, series: str) -> Level:
    """Return the level that is called so in tables."""
    return Level(count, "total" if series == "budget" else "class")


def default_draws(shots: int) -> int:
    """Return how many draws of so many labels per class are made where nobody says."""
    return 30 if shots <= 8 else 20 if shots <= 32 else 10
