"""Which methods are compared: bag heads at numbers of labelled images and cells, and why others are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.errors import BenchError
from bench.studies.granularity.design import Design
from bench.studies.granularity.heads import BagHead, all_bag_heads
from bench.studies.granularity.none_of_these import LEAST_IMAGES


class Method(NamedTuple):
    """head: name of a bag head, or of a head of `bench.heads` where images is 0. images, cells: labels per class."""

    head: str
    images: int
    cells: int


Planned = Mapping[Method, BagHead]  # what makes each method


def plan_methods(heads: Sequence[BagHead], design: Design) -> tuple[dict[Method, BagHead], tuple[str, ...]]:
    """Return the methods with what makes them, and why some are left out."""
    from_cells = all_bag_heads()["inherit"]  # learns from the cells of images of one; scores images by mean probability
    planned = {
        Method(base, 0, c): from_cells.with_base(base)
        for base in dict.fromkeys(head.base for head in heads)
        for c in design.cell_levels
    }
    refused: list[str] = []
    for head in heads:
        mixed = design.cell_levels if head.mixes and (head.mixes_none or not design.none) else ()
        refused += _refused(head, design, mixes=bool(mixed))
        for m in (m for m in design.image_levels if m >= head.least_bags):
            alone = (0,) if not design.none or m >= LEAST_IMAGES else ()
            planned |= {Method(head.name, m, c): head for c in (*alone, *mixed)}
    single = [m for m in design.image_levels if m < LEAST_IMAGES]
    if design.none and single:
        refused.append(
            f"{_listed(single)} image label per class without labels of cells: what is '{design.none}' is learned from "
            f"images left out in turn, which takes {LEAST_IMAGES} per class"
        )
    return planned, tuple(refused)


def check_methods(heads: Sequence[BagHead], design: Design) -> None:
    """Raise BenchError where no head learns from the numbers of labelled images that can be drawn."""
    planned, refused = plan_methods(heads, design)
    if not any(method.images for method in planned):
        raise BenchError(
            f"Got --bag-head {','.join(head.name for head in heads)}, which learns from none of these numbers of "
            f"images: {'; '.join((*refused, *design.refused))}. Give more --image-labels, or another --bag-head."
        )


def _refused(head: BagHead, design: Design, *, mixes: bool) -> list[str]:
    """Return why a head is left out at some levels. mixes: whether it learns from labels of both kinds here."""
    refused = []
    few = [m for m in design.image_levels if m < head.least_bags]
    if few:
        refused.append(
            f"{head.name} with {_listed(few)} image labels per class: it is fitted from {head.least_bags}, below "
            "which it learns which images it has seen"
        )
    if head.mixes and not mixes:
        refused.append(
            f"{head.name} with labels of cells: it takes an image for one large cell, which is never labelled "
            f"'{design.none}', so that it would learn that the mean of such cells is not '{design.none}'"
        )
    return refused


def _listed(levels: Sequence[int]) -> str:
    return ", ".join(map(str, levels))
