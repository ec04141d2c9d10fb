"""Made-up slides, and what heads answer to them through the engine: its splits, draws, scaling and heads.

An item's vector is the sum of its class's mean, an effect of its slide, one of its class in its slide (a block), and
noise of its own. Splits and draws depend on names alone, so they are made once for a design, and only vectors are new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.fitting.scaling import scale_rows
from bench.heads import get_heads
from bench.heads.support import Support
from bench.protocol.splits import plan_splits
from bench.protocol.supports import draw_supports
from bench.runs.tested import scored_items
from bench.statistics.chance import share_of_answers

WIDTH = 8  # dimensions
HEADS = ("centroid", "ridge")


@dataclass(frozen=True)
class Design:
    """slides: items of every class in every slide. official: slides to learn from, or None for a split of the engine.

    slide, block, item: standard deviations of the effects of slides, of classes within slides, and of items. by_item:
    whether the split ignores slides, which is a mistake.
    """

    slides: tuple[Mapping[str, int], ...]
    shots: int = 5
    slide: float = 0.5
    block: float = 0.5
    item: float = 1.0
    official: tuple[int, ...] | None = None
    by_item: bool = False


class Engine:
    """The splits and draws of a design. y, group (N,): of the tested items; rule: how the engine splits them."""

    def __init__(self, design: Design, draws: int = 5) -> None:
        self.design, self.draws = design, draws
        rows = [(label, f"slide{g:03}", f"{g:03}-{label}-{i}") for g, held in enumerate(design.slides)
                for label, count in held.items() for i in range(count)]  # fmt: skip
        table = pd.DataFrame(rows, columns=["label", "group", "instance"])
        table = table.assign(split=pd.NA, level="expert", image=table["instance"])
        if design.official is not None:
            learned = table["group"].isin([f"slide{g:03}" for g in design.official])
            table["split"] = np.where(learned, "train", "test")
        self.slide = np.unique(table["group"], return_inverse=True)[1]
        if design.by_item:
            table["group"] = table["instance"]
        self.classes = tuple(sorted(set(table["label"])))
        self.plan = plan_splits(table, self.classes)
        drawn = draw_supports(table, self.classes, self.plan, (design.shots,), draws=draws)
        assert not drawn.refused, drawn.refused
        self.supports = {key: rows for key, rows in drawn.supports.items()}
        self.test = self.plan.test_rows()
        self.tested = scored_items(table, self.test, self.classes)
        self.label = pd.Index(self.classes).get_indexer(table["label"])
        self.names = table["group"].to_numpy(str)

    @property
    def rule(self) -> str:
        return self.plan.rule

    def vectors(self, rng: np.random.Generator, signal: float = 0.0) -> np.ndarray:
        """Return new vectors float32 (items, WIDTH) whose classes differ by `signal`."""
        design, K = self.design, len(self.classes)
        means = signal * np.eye(WIDTH)[np.arange(K) % WIDTH]
        of_slide = design.slide * rng.standard_normal((len(design.slides), WIDTH))
        of_block = design.block * rng.standard_normal((len(design.slides), K, WIDTH))
        noise = design.item * rng.standard_normal((len(self.label), WIDTH))
        X = means[self.label] + of_slide[self.slide] + of_block[self.slide, self.label] + noise
        return X.astype(np.float32)

    def answers(self, X: np.ndarray, heads: Sequence[str] = HEADS) -> np.ndarray:
        """Return probabilities (heads, draws, tested items, K) at the heads' default settings."""
        K = len(self.classes)
        P = np.full((len(heads), self.draws, len(self.test), K), np.nan, np.float32)
        scaled: dict[str, np.ndarray] = {}
        for seed in range(self.draws):
            for split in self.plan.splits(seed):
                if split.name not in scaled:
                    scaled[split.name] = scale_rows(X, split.train, self.names, "unit")
                Z = scaled[split.name]
                rows = self.supports[self.design.shots, seed, split.name]
                support = Support(Z[rows], Z[split.test], groups=self.names[rows])
                at = np.searchsorted(self.test, split.test)
                for h, head in enumerate(get_heads(list(heads))):
                    P[h, seed, at] = head.scores(support, self.label[rows][None], K, [head.default]).P[0, 0]
        return P

    def shares(self, rng: np.random.Generator, signal: float = 0.0, encoders: int = 2) -> np.ndarray:
        """Return `share_of_answers` of every encoder and head, (encoders x heads, N, K); encoders are independent."""
        found = [self.answers(self.vectors(rng, signal)) for _ in range(encoders)]
        return np.stack([share_of_answers(own) for P in found for own in P])
