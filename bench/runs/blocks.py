"""Blocks of fits, the unit of work: all draws and noise rates of an encoder, a head and a number of labels.

A block is named by content: by everything that its numbers depend on, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.protocol.level import Level
from bench.seeds import content_name

FORMAT = "cell-classifier predictions 4"
LEDGER_FORMAT = "cell-classifier ledger 6"  # changed when the same predictions would give other rows
WEIGHTS = "root"  # of the rows of a budget where settings are judged, see `bench.heads.choice.weights_of`
USUAL_UNIT, USUAL_SCALING = "instance", "pool"  # what is not said in a name


@dataclass(frozen=True, kw_only=True)
class FitBlock:
    """One block of fits of one encoder by one head.

    level: the labels of a draw, None where there are none. draws: their number. rates: of wrong labels, of the kind
    noise_kind. selection: how settings were to be chosen, see `bench.fitting.selection`; way: how they were really
    chosen: of 'auto', as 'auto' where groups were left out, else as 'fixed', and as 'auto 7/10' where they were in so
    many draws of a budget alone. settings: what there was to choose from.
    shot_unit: what the level counts, see `bench.protocol.supports.draw_supports`. scale_by: the rows that all are
    scaled by, see `bench.fitting.scaling`. made_of: what else the numbers depend on, as who makes the block says.
    """

    encoder: str
    head: str
    level: Level | None
    draws: int
    rates: tuple[float, ...]
    noise_kind: str
    selection: str
    made_of: Mapping[str, Any]
    way: str = ""
    settings: tuple[Mapping[str, Any], ...] = ()
    shot_unit: str = USUAL_UNIT
    scale_by: str = USUAL_SCALING

    @property
    def identity(self) -> dict[str, Any]:
        """Everything the numbers depend on."""
        return {
            **self.made_of,
            "selection": self.selection,
            **({"way": self.way} if self.chosen_by != self.selection else {}),
            **({"weights": WEIGHTS} if self.weighs and self.chosen_by.startswith("auto") else {}),
            **({"scale by": self.scale_by} if self.scale_by != USUAL_SCALING else {}),
            **({"shot unit": self.shot_unit} if self.shot_unit != USUAL_UNIT else {}),
        }

    @property
    def name(self) -> str:
        """32 hex characters that name the block by content."""
        return content_name([FORMAT, self.identity])

    @property
    def chosen_by(self) -> str:
        """How settings were really chosen."""
        return self.way or self.selection

    @property
    def weighs(self) -> bool:
        """Whether rows weigh by their class where settings are judged: of a budget, whose classes are unlike."""
        return self.series == "budget"

    @property
    def shots(self) -> int:
        """The labels of the level, 0 where there are none."""
        return self.level.count if self.level else 0

    @property
    def series(self) -> str:
        """The series of the level, see `Level.series`."""
        return self.level.series if self.level else "balanced"

    def labels(self, n_classes: int) -> int:
        """Return the labels of a draw."""
        return self.level.labels(n_classes) if self.level else 0

    def path(self, run: Path) -> Path:
        """Return where the block's predictions lie in a run's folder."""
        return run / "predictions" / f"{self.name}.safetensors"

    def part(self, run: Path) -> Path:
        """Return where the block's rows of the ledger lie."""
        return run / "ledger" / f"{part_name(self.name)}.parquet"


def block_of(
    identity: Mapping[str, Any], *, encoder: str, head: str, level: Level | None, draws: int, rates: tuple[float, ...],
    noise_kind: str,
) -> FitBlock:  # fmt: skip
    """Return the block of this identity, as it was stored with its predictions, and of these words for people."""
    made_of = dict(identity)
    made_of.pop("weights", "")  # follows from the rest
    settings = identity["head"][2:]  # a list of them, of what chose its settings
    return FitBlock(
        encoder=encoder, head=head, level=level, draws=draws, rates=rates, noise_kind=noise_kind,
        selection=made_of.pop("selection"), way=made_of.pop("way", ""),
        scale_by=made_of.pop("scale by", USUAL_SCALING), shot_unit=made_of.pop("shot unit", USUAL_UNIT),
        settings=tuple(settings[0]) if settings else (), made_of=made_of,
    )  # fmt: skip


def part_name(block: str) -> str:
    """Return the name of a block's part of the ledger, by the block's name."""
    return content_name([LEDGER_FORMAT, block])
