"""How often the intervals of `bench granularity` hold the accuracy on new slides to label and to be tested on. Markdown.

    python tests/simulation/granularity_slides.py --studies 200

Two classes; every slide has an effect of its own on all of its images, every image one on all of its cells, and a share
of an image's cells is of the other class. The whole of `measure` is run on every study. The accuracy that is to be held is
the mean of all studies, each with slides of its own.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from bench.studies.granularity.design import Levels, design_images
from bench.studies.granularity.exchange import measure
from bench.studies.granularity.heads import get_bag_heads

CLASSES, DIMS, DISTANCE = ("a", "b"), 40, 2.0
METHODS = [("mean-pool:centroid", 4, 0), ("centroid", 0, 4), ("centroid", 0, 16)]


@dataclass(frozen=True)
class Design:
    """slides: of both classes together; images: a slide; cells: an image; effect: sd of slides. official: split given."""

    name: str
    slides: int
    images: int
    cells: int
    effect: float
    official: float = 0.0


DESIGNS = (
    Design("folds, 16 slides", 16, 4, 6, 0.5),
    Design("folds, 16 slides, strong effect", 16, 4, 6, 1.0),
    Design("fixed, 72 slides", 72, 10, 3, 0.5),
    Design("official, 12 of 60 slides to label", 60, 4, 6, 0.5, 0.2),
)


def make_study(design: Design, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a table of cells and their embeddings."""
    y = np.arange(design.slides) % len(CLASSES)
    image = np.repeat(np.arange(design.slides * design.images), design.cells)
    slide = image // design.images
    other = rng.random(len(image)) < 0.1
    label = np.where(other, 1 - y[slide], y[slide])
    means = np.eye(len(CLASSES), DIMS) * DISTANCE / np.sqrt(2)
    X = (
        means[label]
        + design.effect * rng.standard_normal((design.slides, DIMS))[slide]
        + design.effect / 2 * rng.standard_normal((image[-1] + 1, DIMS))[image]
        + rng.standard_normal((len(image), DIMS))
    )
    kind = rng.integers(1 << 40)  # names decide about draws, which are to differ from study to study
    names = np.array(CLASSES)
    table = pd.DataFrame({
        "instance": [f"{kind}-{i}" for i in range(len(image))], "image": [f"{kind}-i{i}" for i in image],
        "digest": [f"{kind}-i{i}" for i in image], "label": names[y[slide]], "cell_label": names[label],
        "group": [f"{kind}-s{i}" for i in slide], "split": pd.NA,
    })  # fmt: skip
    if design.official:
        first = design.slides * design.official
        table["split"] = np.where(slide < first, "train", "test")
    return table, X.astype(np.float32)


def curves(design: Design, studies: int) -> pd.DataFrame:
    """Return the curves of all studies, and the rule of the split."""
    levels, heads, found = Levels((4,), (4, 16), 10), get_bag_heads(["mean-pool:centroid"]), []
    for i in range(studies):
        table, X = make_study(design, np.random.default_rng([7, i]))
        planned = design_images(table, CLASSES, levels)
        own = measure(planned, heads, lambda train, X=X: X, {"image": 0.1, "cell": 0.5}).curves
        found.append(own.assign(rule=planned.plan.rule, study=i))
    return pd.concat(found)


def main() -> None:
    """Print a row for each design, method and level."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--studies", type=int, default=200)
    asked = parser.parse_args()
    print("| design | split | labels per class | level | accuracy | holds it | width / ideal |")
    print("|---|---|---|---|---|---|---|")
    with threadpool_limits(1):
        for design in DESIGNS:
            found = curves(design, asked.studies)
            for head, images, cells in METHODS:
                rows = found[(found["head"] == head) & (found["images"] == images) & (found["cells"] == cells)]
                for level in ("image", "cell"):
                    true, sd = rows[level].mean(), rows[level].std()
                    inside = ((rows[f"{level}_low"] <= true) & (true <= rows[f"{level}_high"])).mean()
                    width = (rows[f"{level}_high"] - rows[f"{level}_low"]).mean() / (2 * 1.96 * sd)
                    what = f"{images} images" if images else f"{cells} cells"
                    print(f"| {design.name} | {rows['rule'].iloc[0]} | {what} | {level} | {100 * true:.1f} | {inside:.3f} "
                          f"| {width:.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
