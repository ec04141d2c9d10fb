"""What a classifier that learned from labels of images cannot promise of cells, and how many cells to label first.

The numbers are measured ones, of results/granularity and results/classifier: blood smears, where one cell in thirteen
shows its image's label, and cultured nuclei, which all show it.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.report.pages.model import Code, Words, say
from bench.report.pages.numbers import rate
from bench.studies.classifier.from_images import NONE
from bench.studies.classifier.model import About
from bench.text import counted

GOOD_FOR_CELLS = "mean-pool"  # the best at cell level on blood smears labelled as they come
FIRST = 16  # cells of a class: from there on labels of cells alone were better than those of 16 images beside them
BETTER = "bench fit --data labelled.csv --instances boxes --save better.model"


def of_cells(about: About) -> Iterator[Words]:
    """Yield what is and is not known of answers for cells, and what to do."""
    yield no_promise(about)
    yield none_of_these(about)
    if not about.bag_head.startswith(GOOD_FOR_CELLS):
        yield other_heads(about)
    yield first_labels(about)


def measured() -> Words:
    """Return what the advice rests on."""
    return say(
        "Measured on blood smears, where one cell in thirteen shows its image's label: half of 345 labelled images "
        "told white cells of the other half apart in 62% of cases by mean-pool and in 30 to 46% by others (mean over "
        "four classes), and 19 to 48% of all other cells were called none of these. 16 labelled cells of each class "
        "gave 74% and 98%. On cultured nuclei, where every cell is what its image is labelled with, it is the other "
        "way round: a label of an image was worth two of cells or more. (results/classifier, results/granularity.)"
    )


def no_promise(about: About) -> Words:
    """Return that nothing is promised of cells."""
    return say(
        "Nothing is promised of single {part}s: no {part} has a label, so nothing here tells how many answers for "
        "{part}s are right. They are there to be looked at.",
        part=about.part,
    )  # fmt: skip


def none_of_these(about: About) -> Words:
    """Return which cells are called none of the classes."""
    if not about.none_level:
        return say(
            "No {part} is called '{none}': the images give no evidence of which {part}s are of no class, so {part}s of "
            "other kinds get a class all the same.",
            none=NONE, part=about.part,
        )  # fmt: skip
    return say(
        "A {part} is called '{none}' where no class has a probability of {level} or more. Of the {part}s of left-out "
        "images {share} are called so. That level was found without a label of a {part}, and is not a promise.",
        none=NONE, part=about.part, level=f"{about.none_level:.3g}", share=rate(about.none_share),
    )  # fmt: skip


def other_heads(about: About) -> Words:
    """Return that a head which is the best for images need not be the best for cells."""
    return say(
        "{head} was chosen by images, and what is best for images need not be best for {part}s: on blood smears {good} "
        "was worse for images and the best for cells. If {part}s are what you ask about, try {option} as well.",
        head=about.bag_head, part=about.part, good=GOOD_FOR_CELLS, option=Code(f"--bag-head {GOOD_FOR_CELLS}"),
    )  # fmt: skip


def first_labels(about: About) -> Words:
    """Return how many cells to label first, and what to type then."""
    count = FIRST * (len(about.classes) + 1)
    return say(
        "To know how good it is for cells, and to do better: label {first} cells of each class first, and {first} that "
        "are of none of them as one more class ({total} in all), of as many slides as possible. (Where every {part} "
        "shows what its image is labelled with, as in a culture of one kind, label more images instead.) Write them "
        "into a CSV with the columns path,x0,y0,x1,y1,label and type: {command}",
        first=str(FIRST), total=counted(count, "cell"), command=Code(BETTER), part=about.part,
    )  # fmt: skip
