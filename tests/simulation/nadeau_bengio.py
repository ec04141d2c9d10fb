"""How often two equally good methods are told apart over repeated grouped folds: the level of the test of `bench.report.pairs`.

    python tests/simulation/nadeau_bengio.py [--sets 1000]

Datasets are drawn anew: G groups a class, each with an effect of its own (ICC: its share of the variance), and two
views of every item, independent given the class, with the same distance between the classes. Nearest centroids learn
from the draws of `bench.draws.episodes` under its rule `folds` in each view. By symmetry neither method is better, so every
rejection is a false one. A test at level .05 should reject 5% of the sets, or fewer.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.draws.episodes import draw_supports, plan_splits
from bench.fitting.ledger import tested_items
from bench.report.pairs import Block, corrected_t, fold_parts, folds_of

CLASSES = ("a", "b")
DIMS, SIGNAL, LEVEL = 4, 0.5, 0.05


@dataclass(frozen=True)
class Case:
    """What the sets are like: groups a class, items a group, labels a class, draws, the groups' share of variance."""

    groups: int
    items: int
    shots: int
    seeds: int
    icc: float


CASES = (Case(6, 5, 5, 10, 0.3), Case(6, 20, 1, 30, 0.3), Case(12, 5, 5, 30, 0.2), Case(12, 5, 5, 10, 0.0),
         Case(25, 8, 20, 10, 0.2))  # fmt: skip


class Simulation:
    """The splits and draws of a case, the same for all sets: they depend on names alone."""

    def __init__(self, case: Case) -> None:
        self.case = case
        rows = [(c, f"{c}{g}", f"{c}{g}-{i}") for c in CLASSES for g in range(case.groups) for i in range(case.items)]
        table = pd.DataFrame(rows, columns=["label", "group", "instance"])
        table = table.assign(split=pd.NA, level="expert", image=table["instance"])
        self.plan = plan_splits(table, CLASSES)
        assert self.plan.rule == "folds", self.plan
        self.draws = draw_supports(table, CLASSES, self.plan, (case.shots,), seeds=case.seeds)
        self.tested = tested_items(table, self.plan.test_rows(), CLASSES)
        self.y, self.group = self.tested.y, np.unique(self.tested.group, return_inverse=True)[1]
        self.fold = folds_of(self.plan, self.tested, case.seeds)
        [*_, split] = self.plan.repeats[0]
        self.ratio = len(split.test) / len(split.train)

    def differences(self, rng: np.random.Generator) -> np.ndarray:
        """Return the differences of two equal methods over the folds of one new set, (J,)."""
        block = Block(np.stack([self._right(self._view(rng)) for _ in range(2)]), self.tested, self.plan)
        first, second = fold_parts(block.right, block.weight, self.fold)
        return (first - second).ravel()

    def _view(self, rng: np.random.Generator) -> np.ndarray:
        of_group, of_item = rng.normal(size=(self.group.max() + 1, DIMS)), rng.normal(size=(len(self.y), DIMS))
        icc = self.case.icc
        return SIGNAL * np.eye(DIMS)[self.y] + np.sqrt(icc) * of_group[self.group] + np.sqrt(1 - icc) * of_item

    def _right(self, X: np.ndarray) -> np.ndarray:
        right = np.zeros((self.case.seeds, len(self.y)), bool)
        for seed in range(self.case.seeds):
            for split in self.plan.splits(seed):
                support = self.draws.supports[self.case.shots, seed, split.name]
                centre = X[support].reshape(len(CLASSES), self.case.shots, DIMS).mean(1)
                away = ((X[split.test][:, None] - centre) ** 2).sum(-1)
                right[seed, split.test] = away.argmin(1) == self.y[split.test]
        return right


def rejections(case: Case, sets: int, seed: int = 0) -> tuple[float, float]:
    """Return the share of sets in which equal methods are told apart: (corrected, plain paired t-test)."""
    rng, simulation = np.random.default_rng(seed), Simulation(case)
    apart = np.stack([simulation.differences(rng) for _ in range(sets)])
    corrected, plain = (corrected_t(apart, ratio).p < LEVEL for ratio in (simulation.ratio, 0))
    return float(corrected.mean()), float(plain.mean())


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=1000)
    sets = parser.parse_args(arguments).sets
    print("| groups a class | items a group | labels | draws | ICC | corrected | plain t-test |")
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        corrected, plain = rejections(case, sets)
        print(f"| {case.groups} | {case.items} | {case.shots} | {case.seeds} | {case.icc} | {corrected:.1%} | {plain:.0%} |")


if __name__ == "__main__":
    main()
