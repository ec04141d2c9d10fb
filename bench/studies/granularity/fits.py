"""How well do heads tell images and cells apart that learned from so many labels of images and of cells?

`fit_methods` makes fits of a `bench.studies.granularity.design.Design` on one encoder's embeddings and keeps the class
probabilities of everything tested. A method is a bag head at m labelled images and c labelled cells of a class; where
there are no labelled images it is the head of `bench.heads` that the bag head rests on. Cell level is scored on cells
whose class is known and among the images' classes, in groups that nothing was learned from; image level on the images
of these groups. Where the design has a class for none of these, cells can be labelled as such, and what learned from
images alone finds them by `bench.studies.granularity.none_of_these`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from bench.errors import BenchError
from bench.studies.granularity.bags import Bags, bags_of_one, join_bags
from bench.studies.granularity.design import Design, TestSide
from bench.studies.granularity.heads import BagHead, BagScored, Draw
from bench.studies.granularity.heads.contract import no_bags
from bench.studies.granularity.methods import Method, Planned
from bench.studies.granularity.none_of_these import call_none, none_level_of
from bench.studies.granularity.predictions import Predictions

Scaled = Callable[[np.ndarray], np.ndarray]  # rows that may be learned from -> embeddings of all rows, (N, d)


def fit_methods(design: Design, scaled: Scaled, planned: Planned, draws: range) -> dict[Method, Predictions]:
    """Make the fits of some methods in some draws. scaled: as heads see the embeddings.

    One BLAS thread. What a fit gives depends on its own labels alone, not on the other methods or draws. Raises
    BenchError for probabilities that are not finite.
    """
    from threadpoolctl import threadpool_limits

    visits = [(split.name, draw) for draw in draws for split in design.plan.splits(draw)]
    scores: dict[tuple[Method, int, str], BagScored] = {}
    with threadpool_limits(1):
        for name in dict.fromkeys(name for name, _ in visits):
            side = design.test_sides[name]
            X = scaled(side.train)
            for draw in (draw for visited, draw in visits if visited == name):
                for method, head in planned.items():
                    learned = _draw(design, side, X, method, (draw, name))
                    scores[method, draw, name] = _checked(_scored(head, learned, design), method)
    return {method: _joined(scores, design, method, draws) for method in planned}


def _joined(
    scores: Mapping[tuple[Method, int, str], BagScored], design: Design, method: Method, draws: range
) -> Predictions:
    """Return the scores of a method as arrays: split after split, draw over draw."""
    by_draw = [[scores[method, draw, split.name] for split in design.plan.splits(draw)] for draw in draws]
    return Predictions(
        images=np.stack([np.concatenate([scored.bags for scored in splits]) for splits in by_draw]),
        cells=np.stack([np.concatenate([scored.cells for scored in splits]) for splits in by_draw]),
    )


def labelled(design: Design, method: Method, which: tuple[int, str]) -> Bags:
    """Return everything that has a label, in a draw of a split."""
    images = design.images[(method.images, *which)] if method.images else no_bags()
    return join_bags(images, _cells(design, method, which)) if method.cells else images


def _cells(design: Design, method: Method, which: tuple[int, str]) -> Bags:
    rows = design.cells[(method.cells, *which)]
    return bags_of_one(rows, design.cell_y[rows])


def _draw(design: Design, side: TestSide, X: np.ndarray, method: Method, which: tuple[int, str]) -> Draw:
    cells = _cells(design, method, which) if method.cells else no_bags()
    bags = design.images[(method.images, *which)] if method.images else cells
    with_none = bool(design.none and method.cells)
    K = len(design.cell_classes) if with_none else len(design.classes)
    mixed = cells if method.images else no_bags()
    return Draw(X, bags, mixed, K, side.test_bags, side.test_cells, none=with_none, group=design.unit)


def _scored(head: BagHead, draw: Draw, design: Design) -> BagScored:
    """Return what a head says of the tested; of cells also that they are none of the classes, if the design asks it."""
    scored = head.scores(draw, head.settings)
    if not design.none or draw.none:
        return scored

    def score(bags: Bags, rows: np.ndarray) -> np.ndarray:
        one_bag = draw.test_bags.take(np.arange(1))  # its answer is not needed
        return head.scores(replace(draw, bags=bags, test_bags=one_bag, test_cells=rows), head.settings).cells

    unit = design.unit[draw.bags.rows[draw.bags.start]]
    return BagScored(scored.bags, call_none(scored.cells, none_level_of(score, draw.bags, unit)))


def _checked(scored: BagScored, method: Method) -> BagScored:
    if not (np.isfinite(scored.bags).all() and np.isfinite(scored.cells).all()):
        raise BenchError(f"Bag head '{method.head}' gave probabilities that are not finite; leave it out.")
    return scored
