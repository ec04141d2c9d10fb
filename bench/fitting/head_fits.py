"""Heads as a producer: their blocks are fitted on every draw, by as many processes as asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.fitting.plan import Sweep
from bench.fitting.schedule import OnProgress, run_units
from bench.fitting.views import View
from bench.runs.blocks import FitBlock
from bench.work.calls import Engine
from bench.work.local import LOCAL


@dataclass(frozen=True, kw_only=True)
class HeadFits:
    """Fits the blocks of a sweep. The rest is as `bench.fitting.schedule.run_units` takes it."""

    views: Mapping[str, View]
    workers: int = 1
    memory: float | None = None
    device: str = "cpu"
    scratch: Path | None = None
    engine: Engine = LOCAL
    on_progress: OnProgress | None = None

    def plan(self, sweep: Sweep) -> tuple[FitBlock, ...]:
        """Return the blocks that were planned with the sweep, all of encoders that it has views of."""
        return tuple(block for block in sweep.blocks if block.level and block.encoder in self.views)

    def make(self, sweep: Sweep, blocks: Sequence[FitBlock], run: Path) -> tuple[int, int]:
        """Fit those that have no output yet; returns (reused, made)."""
        return run_units(
            replace(sweep, blocks=tuple(blocks)), self.views, run, workers=self.workers, memory=self.memory,
            device=self.device, scratch=self.scratch, engine=self.engine, on_progress=self.on_progress,
        )  # fmt: skip
