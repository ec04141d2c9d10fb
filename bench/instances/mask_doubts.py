"""What makes one doubt that a mask holds labels of cells: said aloud, with the number of masks and an example."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

FEW = 8  # values in a mask that may be types of cell
MANY = 20  # values from which most of them in crumbs are no cells
Facts = Mapping[str, int]  # of one mask, see `bench.instances.masks`


@dataclass(frozen=True)
class Doubt:
    """applies: whether a mask gives cause. says: from the number of masks, the sum of `counts`, and one's name."""

    applies: Callable[[Facts], bool]
    says: str
    counts: str = "values"


DOUBTS = (
    Doubt(
        lambda fact: fact["split"] > 0,
        "{masks} masks mark all cells with one value, e.g. {example}: each of the {count:,} pieces that do not touch "
        "is taken for a cell, and cells that touch cannot be told apart; give each cell its own value",
        "split",
    ),
    Doubt(
        lambda fact: _in_crumbs(fact),
        "{masks} masks hold {count:,} values of which most have fewer than 5 pixels or lie in several pieces, e.g. "
        "{example}: such are a picture, and labels that were smoothed, scaled or compressed with loss",
    ),
    Doubt(
        lambda fact: fact["torn"] > 0 and not _in_crumbs(fact),  # unless they may be types, see `doubts_of`
        "{masks} masks hold cells in several pieces, {count:,} in all, e.g. {example}, as where cells overlap: a mask "
        "holds one value a pixel, and what another cell covers of one is lost",
        "torn",
    ),
    Doubt(
        lambda fact: fact["wide"] > 0,
        "in {masks} masks one value covers more than half of the picture and reaches all four sides, e.g. {example}: "
        "if that is the background, it must be 0",
    ),
    Doubt(
        lambda fact: fact["void"] > 0,
        "{masks} masks have the colours of VOC, in which 255 marks borders, e.g. {example}: {count:,} such pixels are "
        "taken for background",
        "void",
    ),
    Doubt(
        lambda fact: fact["full"] > 0 and fact["wide"] == 0,
        "in {masks} masks no pixel is 0, the background, e.g. {example}: every pixel is taken for a part of a cell",
    ),
)


def doubts_of(facts: Mapping[str, Facts]) -> list[str]:
    """Return a sentence for each kind of doubt about some masks (name -> facts)."""
    said = [*_of_types(facts)]
    for doubt in DOUBTS:
        if said and doubt.counts == "torn":
            continue
        about = [name for name, fact in facts.items() if doubt.applies(fact)]
        if about:
            count = sum(facts[name][doubt.counts] for name in about)
            said.append(doubt.says.format(masks=len(about), count=count, example=about[0]))
    return said


def _of_types(facts: Mapping[str, Facts]) -> Iterator[str]:
    """Say that values may be types of cell: few in every mask, and in most masks one of them in several pieces."""
    torn = [name for name, fact in facts.items() if fact["torn"] > 0]
    if 2 * len(torn) > len(facts) and all(fact["values"] <= FEW for fact in facts.values()):
        yield (
            f"in {len(torn)} of {len(facts)} masks a value lies in several pieces that do not touch, and no mask has "
            f"over {FEW} values, e.g. {torn[0]}: are the values types of cell? Then all cells of a type are taken for "
            "one cell; give each cell its own value"
        )


def _in_crumbs(fact: Facts) -> bool:
    return fact["values"] >= MANY and 2 * max(fact["small"], fact["torn"]) > fact["values"]
