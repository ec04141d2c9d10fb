"""Studies of made-up slides, taken through the whole engine: splits, draws, scaling, heads, predictions, leaderboard.

An item's vector is the mean of its class, plus a shift of its slide, plus a shift of its class in its slide, plus noise;
slides may differ in size and in how noisy they are. Whoever knows the class means, and nothing of the slides, is what a
reader takes a score for: learned from new slides, tested on new slides.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import plan_sweep
from bench.fitting.views import Embedded
from bench.protocol.protocol import Protocol
from bench.protocol.splits import plan_splits
from bench.report.tables.leaderboard import Leaderboard, build_leaderboard
from bench.runs.facts import EncoderFacts, RunFacts

WIDTH = 16
HEADS = ("centroid", "ridge", "logreg")


@dataclass(frozen=True, kw_only=True)
class Design:
    """A kind of study.

    slides: in all. classes: of the set; in_slide: how many of them a slide holds (all: crossed, 1: pure). items: of a
    class in a slide, in the mean; unequal: deviation of their logarithm. gap: length of the class means; slide, both:
    deviations of the shift of a slide and of a class in a slide, along one dimension, where an item's noise is 1; hard:
    deviation of the logarithm of a slide's noise. train: slides that an official split gives to learn from. draws:
    None for the protocol's number.
    """

    name: str
    slides: int
    classes: int = 2
    in_slide: int = 2
    items: int = 20
    shots: int = 5
    gap: float = 1.5
    slide: float = 0.5
    both: float = 0.5
    unequal: float = 0.0
    hard: float = 0.0
    train: int = 0
    draws: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(f"c{k:02}" for k in range(self.classes))


PURE = {"in_slide": 1}
DESIGNS = (
    Design(name="12 slides of 2 classes", slides=12, gap=1.2),
    Design(name="the same, near chance", slides=12, gap=0.35),
    Design(name="the same, at .96", slides=12, gap=2.5),
    Design(name="12 slides, strong slide effect", slides=12, gap=1.5, slide=1.2, both=1.0, shots=20),
    Design(name="20 slides of one class", slides=20, shots=16, **PURE),
    Design(name="200 groups of one image", slides=200, items=1, shots=16, **PURE),
    Design(name="60 slides, unequal, varying difficulty, folds", slides=60, items=8, unequal=1.0, hard=0.4, **PURE),
    Design(name="72 slides, unequal, varying difficulty, fixed", slides=72, items=40, unequal=1.0, hard=0.4, **PURE),
    Design(name="60 slides, 64 shots, strong slide effect", slides=60, shots=64, gap=2, slide=1, both=0.7, **PURE),
    Design(name="80 slides of 8 classes, unequal, varying", slides=80, classes=8, shots=16, gap=2.5, unequal=0.7, hard=0.3,
           **PURE),
    Design(name="official, 4 train, 60 test slides", slides=64, train=4),
    Design(name="official, 6 train, 30 test slides", slides=36, train=6),
    Design(name="official, 12 train, 60 test slides", slides=72, train=12),
    Design(name="6 slides per class", slides=12, **PURE),
    Design(name="8 slides per class", slides=16, **PURE),
    Design(name="6 slides of 2 classes", slides=6),
    Design(name="9 slides of 2 classes", slides=9),
    # meant to break it
    Design(name="official, 10 train slides of one class, unequal, 40 shots", slides=50, train=10, shots=40, unequal=0.8,
           hard=0.5, slide=1.0, items=60, **PURE),
    Design(name="24 slides, each of 2 of 4 classes, strong slide effect", slides=24, classes=4, in_slide=2, gap=2, slide=1,
           both=1, shots=10),
    Design(name="official, 6 train slides, at .97, 20 shots", slides=36, train=6, gap=2.6, shots=20),
    Design(name="15 slides, 2 shots, varying difficulty", slides=15, shots=2, gap=2.0, hard=0.8),
)  # fmt: skip


def make_study(design: Design, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Return an instance table and vectors float32 (N, WIDTH)."""
    K = design.classes
    means = np.random.default_rng(7).standard_normal((K, WIDTH))
    means -= means.mean(0)
    means *= design.gap / np.sqrt((means**2).sum(1).mean())
    rows, X = [], []
    for g in range(design.slides):
        shift = design.slide * rng.standard_normal(WIDTH)
        noise = np.exp(design.hard * rng.standard_normal())
        split = None if not design.train else "train" if g < design.train else "test"
        for k in ((g + j) % K for j in range(min(design.in_slide, K))):
            centre = means[k] + shift + design.both * rng.standard_normal(WIDTH)
            size = np.exp(design.unequal * rng.standard_normal() - design.unequal**2 / 2)
            n = max(1, round(design.items * size))
            X.append(centre + noise * rng.standard_normal((n, WIDTH)))
            rows += [(f"s{g:03}/{k}/{i:03}", design.names[k], f"s{g:03}", split) for i in range(n)]
    table = pd.DataFrame(rows, columns=["instance", "label", "group", "split"])
    return table.assign(level="expert", image=table["instance"]), np.concatenate(X).astype(np.float32)


def board_of(design: Design, table: pd.DataFrame, X: np.ndarray, heads: tuple[str, ...] = HEADS) -> Leaderboard:
    """Return the leaderboard of a study as `bench run` makes it."""
    protocol = Protocol(shots=(design.shots,), draws=design.draws)
    views = {"e": Embedded("e", "key", "unit", X)}
    with tempfile.TemporaryDirectory() as folder:
        sweep = plan_sweep(table, design.names, protocol, {"e": ("key", "unit")}, list(heads))
        HeadFits(views=views, workers=1).make(sweep, sweep.blocks, Path(folder))
        facts = RunFacts("made up", "whole", "", "", sweep.plan.rule, sweep.plan.reason, protocol.support_groups, design.names,
                         {"e": EncoderFacts("none", WIDTH, False, 0.0)})  # fmt: skip
        return build_leaderboard(Path(folder), sweep.blocks, sweep.table, sweep.plan, facts)


def truth(design: Design, studies: int, heads: tuple[str, ...] = HEADS) -> tuple[np.ndarray, np.ndarray]:
    """Return (score, its standard error) of each head: learned from new slides, as many as in a split of the design,
    and tested on new slides that nobody learns from; mean over studies."""  # fmt: skip
    scores = []
    for i in range(studies):
        rng = np.random.default_rng([99, i])
        train = design.train
        if not train:
            table, _ = make_study(design, np.random.default_rng([98, i]))
            split = plan_splits(table, design.names).repeats[0][i % len(plan_splits(table, design.names).repeats[0])]
            train = table["group"].iloc[split.train].nunique()
        other = replace(design, slides=train + 24, train=train, draws=6)
        board = board_of(other, *make_study(other, rng), heads=heads).table
        scores.append(board.set_index("head")["balanced_accuracy"][list(heads)].to_numpy())
    return np.mean(scores, 0), np.std(scores, 0, ddof=1) / np.sqrt(studies)
