"""What a classifier that learned from labels of images cannot promise of cells, and how many cells to label first.

The numbers are measured ones, of results/granularity: blood smears, where one cell in thirteen shows its image's label,
and cultured nuclei, which all show it.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.report.pages.model import Code, Inline, Words, say
from bench.report.pages.numbers import counted, rate
from bench.studies.classifier.from_images import NONE
from bench.studies.classifier.model import About

FIRST = 16  # cells of a class: from there on labels of cells alone were better than those of 16 images beside them
BETTER = "bench fit --data labelled.csv --instances boxes --save better.model"


def of_cells(about: About) -> Iterator[Inline]:
    """Yield what is and is not known of answers for cells."""
    yield no_promise()
    yield none_of_these(about)
    yield first_labels(about)
    yield say(
        "Measured: on blood smears, where one cell in thirteen shows its image's label, 16 labelled images per class told "
        "cells apart in 57% (95% interval 50 to 65), 4 labelled cells per class in 60% and 16 in 72% (64 to 79). Cells "
        "of none of the classes were recognised in 2 to 30% from 16 labelled images per class, and in 96% from 16 "
        "labelled cells. On cultured nuclei, where every cell is what its image is labelled with, it is the other way "
        "round: a label of an image was worth two of cells or more. (results/granularity of the program.)"
    )


def no_promise() -> Words:
    """Return that nothing is promised of cells."""
    return say(
        "Nothing is promised of single cells: no cell has a label, so nothing here tells how many answers for cells are "
        "right. They are there to be looked at."
    )


def none_of_these(about: About) -> Words:
    """Return which cells are called none of the classes."""
    if not about.none_level:
        return say(
            "No cell is called '{none}': the images give no evidence of which cells are of no class, so cells of other "
            "kinds get a class all the same.",
            none=NONE,
        )  # fmt: skip
    return say(
        "A cell is called '{none}' where no class has a probability of {level} or more. Of the cells of left-out images "
        "{share} are called so. That level was found without a label of a cell, and is not a promise.",
        none=NONE, level=f"{about.none_level:.3g}", share=rate(about.none_share),
    )  # fmt: skip


def first_labels(about: About) -> Words:
    """Return how many cells to label first, and what to type then."""
    count = FIRST * (len(about.classes) + 1)
    return say(
        "To know how good it is for cells, and to do better: label {first} cells of each class first, and {first} that "
        "are of none of them as one more class ({total} in all), of as many slides as possible. Write them into a CSV "
        "with the columns path,x0,y0,x1,y1,label and type {command}",
        first=str(FIRST), total=counted(count, "cell"), command=Code(BETTER),
    )  # fmt: skip
