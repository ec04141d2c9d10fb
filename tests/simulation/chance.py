"""How often rows without skill are called better than chance, and how often rows with skill are. Prints Markdown.

Every dataset goes through the engine's splits, draws, scaling and heads: two encoders, independent of each other, with
two heads each. Without signal, a p-value of .05 or less is a false claim.

    python tests/simulation/chance.py --datasets 1000
    python tests/simulation/chance.py --part power --datasets 300 --against old_chance.py

--against: a file with an earlier `chance_test`, which is run on the same data; its p-values are those of the best of all.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from answers import Design, Engine

from bench.protocol.split_kinds import IN_TURN
from bench.report.pages.markdown import table_lines
from bench.statistics.chance import Chance, chance_test

ALPHA = 0.05
PERMUTATIONS = 999
Test = Callable[..., object]


def pure(slides: int, items: int, classes: str = "ab") -> tuple[Mapping[str, int], ...]:
    """So many slides of every class."""
    return tuple({label: items} for _ in range(slides) for label in classes)


def crossed(slides: int, **items: int) -> tuple[Mapping[str, int], ...]:
    """So many slides that hold every class."""
    return (items,) * slides


def some_of(slides: int, items: int, classes: str = "abcdef", held: int = 3) -> tuple[Mapping[str, int], ...]:
    """Slides that hold `held` classes each, in turn."""
    return tuple({classes[(g + i * (1 + g // len(classes) % 2)) % len(classes)]: items for i in range(held)}
                 for g in range(slides))  # fmt: skip


def strays(slides: int, items: int) -> tuple[Mapping[str, int], ...]:
    """So many slides of either class, in each of which one item is of the other."""
    return tuple(held for _ in range(slides) for held in ({"a": items - 1, "b": 1}, {"b": items - 1, "a": 1}))


def unequal(slides: int, classes: str = "ab") -> tuple[Mapping[str, int], ...]:
    """Slides of one class with 2 to 60 items."""
    sizes = np.random.default_rng(0).geometric(0.08, (slides, len(classes))) + 2
    return tuple({label: int(n)} for row in sizes for label, n in zip(classes, row, strict=True))


DESIGNS: Mapping[str, Design] = {
    "one class a slide, 36 + 36 slides of 10": Design(pure(36, 10)),
    "one class a slide, 12 + 12 slides of 10": Design(pure(12, 10)),
    "one class a slide, 40 + 12 slides of 10": Design(pure(12, 10) + pure(28, 10, "a")),
    "one class a slide, 30 + 30 slides of 2 to 60": Design(unequal(30)),
    "12 images of 40 tiles, 4 classes, ICC .2": Design(pure(3, 40, "abcd"), 20, slide=0.5, block=0.0, item=1.0),
    "12 images of 40 tiles, 4 classes, ICC .5": Design(pure(3, 40, "abcd"), 20, slide=1.0, block=0.0, item=1.0),
    "400 images, 20 slides of one class": Design(pure(10, 20), 16),
    "2 classes in each of 12 slides": Design(crossed(12, a=20, b=20)),
    "2 classes in each of 12 slides, strong shifts": Design(crossed(12, a=20, b=20), slide=1.0, block=1.0),
    "2 classes in each of 36 slides": Design(crossed(36, a=10, b=10)),
    "4 classes in each of 12 slides": Design(crossed(12, a=10, b=10, c=10, d=10), block=1.0),
    "3 of 6 classes in each of 36 slides": Design(some_of(36, 8), block=1.0),
    "2 classes in each of 5 slides": Design(crossed(5, a=20, b=20)),
    "90 : 10 in each of 16 slides, no shifts": Design(crossed(16, a=45, b=5), slide=0.0, block=0.0),
    "90 : 10 in each of 16 slides": Design(crossed(16, a=45, b=5), block=1.0),
    "one stray item a slide, 36 + 36 slides of 30": Design(strays(36, 30)),
    "one stray item a slide, 12 + 12 slides of 30": Design(strays(12, 30)),
    "official: 4 + 4 slides learned, 60 tested": Design(pure(34, 10), official=tuple(range(8))),
    "official: 6 slides of 2 classes learned, 30 tested": Design(crossed(36, a=10, b=10), official=tuple(range(6))),
}
SIGNALS: Mapping[str, float] = {  # by which the classes differ where power is measured
    "one class a slide, 36 + 36 slides of 10": 0.6,
    "one class a slide, 12 + 12 slides of 10": 0.9,
    "one class a slide, 40 + 12 slides of 10": 0.6,
    "one class a slide, 30 + 30 slides of 2 to 60": 0.6,
    "12 images of 40 tiles, 4 classes, ICC .2": 1.0,
    "400 images, 20 slides of one class": 0.7,
    "2 classes in each of 12 slides, no shifts": 0.4,
    "2 classes in each of 12 slides": 0.9,
    "2 classes in each of 36 slides": 0.6,
    "3 of 6 classes in each of 36 slides": 0.9,
    "90 : 10 in each of 16 slides, no shifts": 0.4,
    "one stray item a slide, 36 + 36 slides of 30": 0.6,
    "official: 4 + 4 slides learned, 60 tested": 0.6,
}
BY_ITEM: Mapping[str, Design] = {
    f"{name}, split by tile": replace(design, by_item=True) for name, design in DESIGNS.items() if "tiles" in name
}
EXTRA: Mapping[str, Design] = {
    "2 classes in each of 12 slides, no shifts": Design(crossed(12, a=20, b=20), slide=0.0, block=0.0),
}


def p_values(engine: Engine, signal: float, datasets: int, against: Test | None) -> list[list[np.ndarray]]:
    """Return for every dataset [p alone (M,), p best (M,), earlier p (M,) if asked for]."""
    y, group, in_turn = engine.tested.y, engine.tested.group, engine.rule in IN_TURN
    found = []
    for i in range(datasets):
        shares = engine.shares(np.random.default_rng([i, int(1000 * signal)]), signal)
        given = {"in_turn": in_turn, "permutations": PERMUTATIONS, "seed": i}
        now = chance_test(shares, y, group, **given)
        assert isinstance(now, Chance)
        found.append([now.alone, now.best])
        if against is not None:
            found[-1].append(np.asarray(against(shares, y, group, **given)))
    return found


def claims(found: list[list[np.ndarray]]) -> list[str]:
    """Return the share of rows with p_chance <= ALPHA, of datasets with any p_chance_best, and with any earlier p."""
    alone = np.mean([one[0] <= ALPHA for one in found])
    rest = [np.mean([one[j].min() <= ALPHA for one in found]) for j in range(1, len(found[0]))]
    return [f"{share:.3f}" for share in (alone, *rest)]


def level(asked: argparse.Namespace, against: Test | None) -> str:
    """Return how often rows without skill are called better than chance."""
    return sweep(DESIGNS, dict.fromkeys(DESIGNS, 0.0), asked, against)


def power(asked: argparse.Namespace, against: Test | None) -> str:
    """Return how often rows with skill are called better than chance."""
    return sweep({**DESIGNS, **EXTRA}, SIGNALS, asked, against)


def sweep(
    designs: Mapping[str, Design], signals: Mapping[str, float], asked: argparse.Namespace, against: Test | None
) -> str:
    """Return a row for every design that was asked for."""
    lines = [["design", "split", "classes apart by", "p_chance, a row", "p_chance_best, any row",
              *["before"] * (against is not None)]]  # fmt: skip
    for name, signal in signals.items():
        engine = Engine(designs[name], asked.draws)
        if asked.only in name and engine.rule in asked.rules.split(","):
            found = p_values(engine, signal, asked.datasets, against)
            lines.append([name, engine.rule, f"{signal:g}", *claims(found)])
    return table_lines(lines)


def by_item(asked: argparse.Namespace, against: Test | None) -> str:
    """Return how often rows without skill are called better than chance where the split ignores images."""
    return sweep(BY_ITEM, dict.fromkeys(BY_ITEM, 0.0), asked, against)


PARTS = {"level": level, "power": power, "by-item": by_item}


def load(path: Path) -> Test:
    """Return the `chance_test` of a file."""
    spec = importlib.util.spec_from_file_location("earlier", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.chance_test


def main() -> None:
    """Print the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=1000)
    parser.add_argument("--part", default=",".join(PARTS), help="comma-separated")
    parser.add_argument("--only", default="", help="designs whose name contains this")
    parser.add_argument("--rules", default="fixed,official,folds,leave-one-group-out", help="of the splits")
    parser.add_argument("--draws", type=int, default=5, help="of the labelled examples")
    parser.add_argument("--against", type=Path)
    asked = parser.parse_args()
    against = None if asked.against is None else load(asked.against)
    for name in asked.part.split(","):
        print(f"### {name}, {asked.datasets} datasets a row\n\n{PARTS[name](asked, against)}\n", flush=True)


if __name__ == "__main__":
    main()
