"""Counts of hits from predictions, of which `bench.studies.granularity.exchange` makes accuracies and rates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.statistics.hits import Hits
from bench.statistics.learning import margins
from bench.studies.granularity.bags import bags_of_one
from bench.studies.granularity.design import Design
from bench.studies.granularity.fits import Scaled, fit_methods, labelled
from bench.studies.granularity.methods import Method, Planned
from bench.studies.granularity.predictions import Predictions
from bench.studies.granularity.training import luck_of_training, only_learned_from

Level = Literal["image", "cell"]
LEVELS: tuple[Level, Level] = ("image", "cell")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Hits of every method at both levels; see `bench.statistics.hits.Hits`. The draws of all are the same.

    image_luck, cell_luck (M,): of `bench.studies.granularity.training.luck_of_training`, None where groups are tested
    in turn.
    """

    methods: tuple[Method, ...]
    image: Hits
    cell: Hits
    image_luck: np.ndarray | None = None
    cell_luck: np.ndarray | None = None


def count_outcome(design: Design, predictions: Iterable[tuple[Method, Predictions]]) -> Outcome:
    """Return the hits of every method; predictions: of all draws of the design, method by method."""
    total = {level: _totals(design, level) for level in LEVELS}
    right: dict[Level, list[np.ndarray]] = {level: [] for level in LEVELS}
    luck: dict[Level, list[float]] = {level: [] for level in LEVELS}
    methods = []
    for method, predicted in predictions:
        methods.append(method)
        P = {"image": predicted.images[..., : len(design.classes)], "cell": predicted.cells}  # no image is of none
        for level in LEVELS:
            right[level].append(_right(design, level, P[level], total[level].shape))
            if only_learned_from(design.plan):
                luck[level].append(_luck(design, level, method, P[level]))
    counted = {level: total[level].sum(1) > 0 for level in LEVELS}
    if design.paired:  # one list of groups for both, so that one resample of it serves both
        counted = dict.fromkeys(LEVELS, counted["image"] | counted["cell"])
    hits = {level: Hits(np.stack(right[level])[:, :, counted[level]], total[level][counted[level]]) for level in LEVELS}
    lucks = {level: np.array(luck[level]) if luck[level] else None for level in LEVELS}
    return Outcome(
        methods=tuple(methods), image=hits["image"], cell=hits["cell"], image_luck=lucks["image"],
        cell_luck=lucks["cell"],
    )  # fmt: skip


def fit_design(design: Design, scaled: Scaled, planned: Planned) -> Outcome:
    """Make every fit of a design in memory; see `fit_methods`."""
    return count_outcome(design, fit_methods(design, scaled, planned, range(design.seeds)).items())


def _right(design: Design, level: Level, P: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the hits of a method by draw, group and class, float (S, G, K), of probabilities P (S, n, K)."""
    right = np.zeros((len(P), *shape))
    for draw, own in enumerate(P):
        unit, y = _tested(design, level, draw)
        np.add.at(right[draw], (unit, y), own.argmax(1) == y)
    return right


def _luck(design: Design, level: Level, method: Method, P: np.ndarray) -> float:
    """Return `luck_of_training` of a method at a level, of probabilities P (S, n, K)."""
    [[split]] = design.plan.repeats
    side = design.test_sides[split.name]
    tested = side.test_bags if level == "image" else bags_of_one(side.test_cells, design.cell_y[side.test_cells])
    learned = [labelled(design, method, (draw, split.name)) for draw in range(design.seeds)]
    margin = np.stack([margins(own, tested.y).astype(np.float32) for own in P])
    return luck_of_training(learned, design.unit, margin, tested)


def _tested(design: Design, level: Level, draw: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the group's number and the class of everything tested in a draw, split after split."""
    units, classes = [], []
    for split in design.plan.splits(draw):
        side = design.test_sides[split.name]
        units.append(side.bag_unit if level == "image" else design.unit[side.test_cells])
        classes.append(side.test_bags.y if level == "image" else design.cell_y[side.test_cells])
    return np.concatenate(units), np.concatenate(classes)


def _totals(design: Design, level: Level) -> np.ndarray:
    """Return how much is tested of every group and class, (G, K); the same in every repeat."""
    unit, y = _tested(design, level, 0)
    groups = int(unit.max()) + 1 if len(unit) else 0
    if design.paired:
        groups = int(design.unit.max()) + 1
    total = np.zeros((groups, len(design.classes if level == "image" else design.cell_classes)), np.int64)
    np.add.at(total, (unit, y), 1)
    return total
