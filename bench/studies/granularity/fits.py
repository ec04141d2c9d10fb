"""How well do heads tell images and cells apart that learned from so many labels of images and of cells?

`fit_design` makes every fit of a `bench.studies.granularity.design.Design` on one encoder's embeddings and keeps counts
of hits, from which `bench.studies.granularity.exchange` makes accuracies, intervals and rates. A method is a bag head
at m labelled images and c labelled cells of a class; where there are no labelled images it is the head of `bench.heads`
that the bag head rests on. Cell level is scored on cells whose class is known and among the images' classes, in groups
that nothing was learned from; image level on the images of these groups. Where the design has a class for none of
these, cells can be labelled as such, and what learned from images alone finds them by
`bench.studies.granularity.none_of_these`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from bench.errors import BenchError
from bench.statistics.hits import Hits
from bench.statistics.learning import margins
from bench.studies.granularity.bags import Bags, bags_of_one, join_bags
from bench.studies.granularity.design import Design, TestSide
from bench.studies.granularity.heads import BagHead, BagScored, Draw, all_bag_heads
from bench.studies.granularity.heads.contract import no_bags
from bench.studies.granularity.none_of_these import LEAST_IMAGES, call_none, left_out_scores, none_level
from bench.studies.granularity.training import luck_of_training, only_learned_from

OnProgress = Callable[[int, int], None]


class Method(NamedTuple):
    """head: name of a bag head, or of a head of `bench.heads` where images is 0. images, cells: labels per class."""

    head: str
    images: int
    cells: int


@dataclass(frozen=True)
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


def plan_methods(heads: Sequence[BagHead], design: Design) -> tuple[dict[Method, BagHead], tuple[str, ...]]:
    """Return the methods with what makes them, and why some are left out."""
    from_cells = all_bag_heads()["inherit"]  # learns from the cells of images of one; scores images by mean probability
    planned = {
        Method(base, 0, c): from_cells.with_base(base)
        for base in dict.fromkeys(head.base for head in heads)
        for c in design.cell_levels
    }
    refused = []
    for head in heads:
        few = [m for m in design.image_levels if m < head.least_bags]
        if few:
            refused.append(
                f"{head.name} with {_listed(few)} image labels per class: it is fitted from {head.least_bags}, below "
                "which it learns which images it has seen"
            )
        mixed = design.cell_levels if head.mixes and (head.mixes_none or not design.none) else ()
        if head.mixes and not mixed:
            refused.append(
                f"{head.name} with labels of cells: it takes an image for one large cell, which is never labelled "
                f"'{design.none}', so that it would learn that the mean of such cells is not '{design.none}'"
            )
        for m in (m for m in design.image_levels if m not in few):
            alone = (0,) if not design.none or m >= LEAST_IMAGES else ()
            planned |= {Method(head.name, m, c): head for c in (*alone, *mixed)}
    single = [m for m in design.image_levels if m < LEAST_IMAGES]
    if design.none and single:
        refused.append(
            f"{_listed(single)} image label per class without labels of cells: what is '{design.none}' is learned from "
            f"images left out in turn, which takes {LEAST_IMAGES} per class"
        )
    return planned, tuple(refused)


def _listed(levels: Sequence[int]) -> str:
    return ", ".join(map(str, levels))


def fit_design(
    design: Design,
    scaled: Callable[[np.ndarray], np.ndarray],
    planned: dict[Method, BagHead],
    on_progress: OnProgress = lambda done, total: None,
) -> Outcome:
    """Make every fit. scaled: rows that may be learned from -> embeddings of all rows as heads see them, (N, d).

    One BLAS thread. What a fit gives depends on its own labels alone, not on the other levels or heads.
    """
    from threadpoolctl import threadpool_limits

    names = sorted({split.name for repeat in design.plan.repeats for split in repeat})
    total = {level: _totals(design, level) for level in ("image", "cell")}
    right = {level: np.zeros((len(planned), design.seeds, *total[level].shape)) for level in total}
    margin: dict[tuple[str, Method], list[np.ndarray]] = defaultdict(list)
    done, visits = 0, sum(len(design.plan.splits(seed)) for seed in range(design.seeds))
    with threadpool_limits(1):
        for name in names:
            arena = design.arenas[name]
            seeds = [s for s in range(design.seeds) if name in {split.name for split in design.plan.splits(s)}]
            X = scaled(arena.train) if seeds else np.zeros((0, 0))
            for seed in seeds:
                for at, (method, head) in enumerate(planned.items()):
                    found = _scored(head, _draw(design, arena, X, method, (seed, name)), design)
                    _check(found.bags, found.cells, method)
                    of_images = found.bags[:, : len(design.classes)]  # no image is of none of the classes
                    for level, P in (("image", of_images), ("cell", found.cells)):
                        unit, y = _tested(design, arena, level)
                        np.add.at(right[level][at, seed], (unit, y), P.argmax(1) == y)
                        if only_learned_from(design.plan):
                            margin[level, method].append(margins(P, y).astype(np.float32))
                done += 1
                on_progress(done, visits)
    there = {level: total[level].sum(1) > 0 for level in total}
    if design.paired:  # one list of groups for both, so that one resample of it serves both
        there = dict.fromkeys(there, there["image"] | there["cell"])
    image, cell = (Hits(right[level][:, :, there[level]], total[level][there[level]]) for level in ("image", "cell"))
    lucks = [_lucks(design, planned, level, margin) if margin else None for level in total]
    return Outcome(tuple(planned), image, cell, *lucks)


def _lucks(
    design: Design, planned: Iterable[Method], level: str, margin: Mapping[tuple[str, Method], list[np.ndarray]]
) -> np.ndarray:
    """Return `luck_of_training` of every method at a level, (M,)."""
    [[split]] = design.plan.repeats
    arena = design.arenas[split.name]
    tested = arena.test_bags if level == "image" else bags_of_one(arena.test_cells, design.cell_y[arena.test_cells])
    return np.array([
        luck_of_training(
            [_labelled(design, method, (seed, split.name)) for seed in range(design.seeds)], design.unit,
            np.stack(margin[level, method]), tested,
        )
        for method in planned
    ])  # fmt: skip


def _labelled(design: Design, method: Method, which: tuple[int, str]) -> Bags:
    """Return everything that has a label in a draw."""
    images = design.images[(method.images, *which)] if method.images else no_bags()
    return join_bags(images, _cells(design, method, which)) if method.cells else images


def _cells(design: Design, method: Method, which: tuple[int, str]) -> Bags:
    rows = design.cells[(method.cells, *which)]
    return bags_of_one(rows, design.cell_y[rows])


def _draw(design: Design, arena: TestSide, X: np.ndarray, method: Method, which: tuple[int, str]) -> Draw:
    cells = _cells(design, method, which) if method.cells else no_bags()
    bags = design.images[(method.images, *which)] if method.images else cells
    labelled = bool(design.none and method.cells)
    K = len(design.cell_classes) if labelled else len(design.classes)
    mixed = cells if method.images else no_bags()
    return Draw(X, bags, mixed, K, arena.test_bags, arena.test_cells, none=labelled, group=design.unit)


def _scored(head: BagHead, draw: Draw, design: Design) -> BagScored:
    """Return what a head says of the tested; of cells also that they are none of the classes, if the design asks it."""
    found = head.scores(draw, head.settings)
    if not design.none or draw.none:
        return found

    def score(bags: Bags, rows: np.ndarray) -> np.ndarray:
        one = draw.test_bags.take(np.arange(1))  # its answer is not needed
        return head.scores(replace(draw, bags=bags, test_bags=one, test_cells=rows), head.settings).cells

    unit = design.unit[draw.bags.rows[draw.bags.start]]
    level = none_level(*left_out_scores(score, draw.bags, unit))
    return BagScored(found.bags, call_none(found.cells, level))


def _tested(design: Design, arena: TestSide, level: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the group's number and the class of everything tested."""
    if level == "image":
        return arena.bag_unit, arena.test_bags.y
    return design.unit[arena.test_cells], design.cell_y[arena.test_cells]


def _totals(design: Design, level: str) -> np.ndarray:
    """Return how much is tested of every group and class, (G, K); the same in every repeat."""
    pairs = [_tested(design, design.arenas[split.name], level) for split in design.plan.splits(0)]
    unit, y = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    groups = int(unit.max()) + 1 if len(unit) else 0
    if design.paired:
        groups = int(design.unit.max()) + 1
    total = np.zeros((groups, len(design.classes if level == "image" else design.cell_classes)), np.int64)
    np.add.at(total, (unit, y), 1)
    return total


def _check(bags: np.ndarray, cells: np.ndarray, method: Method) -> None:
    if not (np.isfinite(bags).all() and np.isfinite(cells).all()):
        raise BenchError(f"Bag head '{method.head}' gave probabilities that are not finite; leave it out.")
