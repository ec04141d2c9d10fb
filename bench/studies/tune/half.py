"""One half of the groups as `bench tune` uses it: draws of labelled examples, and their scores at settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.errors import BenchError
from bench.fitting.scaling import ScaledByDraw, Scaling, scaling_of
from bench.fitting.views import Embedded
from bench.heads import Head, Params
from bench.heads.support import Support
from bench.heads.temperature import soften
from bench.protocol.protocol import SCALE_BY
from bench.protocol.splits import Split, SplitPlan
from bench.protocol.supports import Draws
from bench.runs.tested import Tested


@dataclass(frozen=True)
class Half:
    """One half of a dataset of N rows. y (N,): class indices. The draws have one shot level, `shots`.

    scale_by: the rows that all are scaled by, see `bench.fitting.scaling`.
    """

    view: Embedded
    y: np.ndarray
    groups: np.ndarray
    n_classes: int
    plan: SplitPlan
    draws: Draws
    tested: Tested
    shots: int
    scale_by: str = SCALE_BY[0]

    @cached_property
    def scalings(self) -> Mapping[str, Scaling]:
        """How rows are scaled, by split, where draws share that; the same for every trial."""
        if self.scale_by == "support":
            return {}
        X, scaling = self.view.X, self.view.scaling
        splits = (split for repeat in self.plan.repeats for split in repeat)
        return {split.name: scaling_of(X, split.train, self.groups, scaling) for split in splits}

    def published(self, head: Head) -> Params:
        """Return the head's published setting for a draw of this size."""
        return head.published(self.shots * self.n_classes, self.n_classes, self.view.X.shape[1])

    def score(self, head: Head, settings: list[Params], seed: int) -> np.ndarray:
        """Return class probabilities (L, n_items, K) of the scored items by draw number `seed` at L settings.

        They are softened by the published temperature, as `bench run` does for settings that are given.
        """
        rows = self.plan.test_rows()
        P = np.zeros((len(settings), len(rows), self.n_classes))
        for split in self.plan.splits(seed):
            support = self.draws.supports[self.shots, seed, split.name]
            drawn = self._support(split, support)
            own = head.scores(drawn, self.y[support][None], self.n_classes, settings).P[0]
            T = head.published_temperature(len(support), self.n_classes, self.view.X.shape[1])
            P[:, np.searchsorted(rows, split.test)] = soften(own, np.full(len(settings), T))
        if not np.isfinite(P).all():
            raise BenchError(f"Head '{head.name}' gave probabilities that are not finite on '{self.view.name}'.")
        return self.tested.pool(P)

    def _support(self, split: Split, rows: np.ndarray) -> Support:
        if self.scale_by == "support":
            return ScaledByDraw(self.view.take, self.groups).support(rows, split.test)
        scaled = self.scalings[split.name].of
        return Support(scaled(self.view.X[rows]), scaled(self.view.X[split.test]))
