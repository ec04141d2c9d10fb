"""Who makes fits: a run is a loop over producers, each of which plans blocks and makes those that have no output yet.

Heads fit them (`bench.fitting.head_fits`), means of encoders put them together (`bench.fitting.ensembles`), zero-shot
classification compares words (`bench.fitting.zero_shot`), networks are trained (`bench.fitting.finetune.producer`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from bench.fitting.plan import Sweep
from bench.runs.blocks import FitBlock


class Producer(Protocol):
    """Something that makes blocks of fits."""

    def plan(self, sweep: Sweep) -> tuple[FitBlock, ...]:
        """Return the blocks it makes, given those of the sweep and of the producers before it in `sweep.blocks`."""

    def make(self, sweep: Sweep, blocks: Sequence[FitBlock], run: Path) -> tuple[int, int]:
        """Make those of its blocks that have no output below a run's folder; returns (reused, made)."""


def plan_blocks(
    sweep: Sweep, producers: Sequence[Producer]
) -> tuple[Sweep, list[tuple[Producer, tuple[FitBlock, ...]]]]:
    """Return the sweep with the blocks of all producers, and which of them each makes, in the order of the producers.

    Blocks without labels come last.
    """
    planned: list[tuple[Producer, tuple[FitBlock, ...]]] = []
    everything: dict[str, FitBlock] = {block.name: block for block in sweep.blocks}
    for producer in producers:
        blocks = producer.plan(replace(sweep, blocks=tuple(everything.values())))
        everything |= {block.name: block for block in blocks}
        planned.append((producer, blocks))
    in_order = sorted(everything.values(), key=lambda block: block.level is None)
    return replace(sweep, blocks=tuple(in_order)), planned
