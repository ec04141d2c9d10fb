"""How often a model whose probabilities are true lies above the band of calibration, and one that is too sure. Prints Markdown.

Items are right with the probability that the model says. In a slide they are right or wrong together: the normal
variable behind an item's answer shares a part with those of its slide. The model that is too sure has the same answers
and says a probability nearer to 1. "Items alone" is a band that draws every item by itself.

    python tests/simulation/calibration.py --sets 1000
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import norm

from bench.report.pages.markdown import table_lines
from bench.report.tables.calibration import ece, null_band

DRAWS = 3
CASES = (  # slides, items in each, share of variance in common, mean probability: from this to 1
    (20, 100, 0.0, 0.5), (20, 100, 0.1, 0.5), (20, 100, 0.3, 0.5), (20, 100, 0.3, 0.9), (10, 40, 0.2, 0.5),
    (40, 25, 0.2, 0.5), (60, 10, 0.3, 0.7), (200, 1, 0.0, 0.5), (200, 5, 0.5, 0.8),
)  # fmt: skip
TEMPER = 1.6  # by which the log odds of a model that is too sure are multiplied


def one(case: tuple[int, int, float, float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (probabilities of class 0 (DRAWS, N), class (DRAWS, N), slide (N,)); draws differ a little."""
    slides, items, shared, least = case
    slide = np.repeat(np.arange(slides), items)
    common = np.sqrt(shared) * rng.standard_normal(slides)[slide] + np.sqrt(1 - shared) * rng.standard_normal(len(slide))
    luck = norm.cdf(common)  # uniform, alike within a slide
    base = rng.uniform(least, 1, len(slide))
    sure = np.clip(base + rng.uniform(-0.02, 0.02, (DRAWS, len(slide))), 0.5, 1)
    return sure, luck > sure, slide


def too_sure(sure: np.ndarray) -> np.ndarray:
    """Return probabilities whose log odds are TEMPER times as large."""
    odds = (sure / np.maximum(1 - sure, 1e-9)) ** TEMPER
    return odds / (1 + odds)


def items_alone(sure: np.ndarray, rng: np.random.Generator) -> float:
    """Return the upper limit of the mean ECE when items are independent. sure (DRAWS, N)."""
    P = two(sure)
    drawn = [np.mean([ece(own, (luck > row).astype(int)) for own, row in zip(P, sure, strict=True)])
             for luck in rng.random((200, sure.shape[1]))]  # fmt: skip
    return float(np.quantile(drawn, 0.975))


def two(sure: np.ndarray) -> np.ndarray:
    return np.stack([sure, 1 - sure], -1)


def rates(case: tuple[int, int, float, float], sets: int, alone: int) -> list[float]:
    """Return the shares of sets in which the true model and the too sure one lie above, and of `items_alone`."""
    rng = np.random.default_rng([int(100 * x) for x in case])
    above: list[list[bool]] = [[], [], []]
    for i in range(sets):
        sure, wrong, slide = one(case, rng)
        # Draws have classes of their own here, so that each is true: answers swap instead.
        for j, said in enumerate((sure, too_sure(sure))):
            P = np.where(wrong[..., None], two(said)[..., ::-1], two(said))  # class 0 is true of every item
            y = np.zeros(len(slide), int)
            error = float(ece(P, y).mean())
            above[j].append(error > null_band(P, y, slide, seed=i)[1])
            if j == 0 and i < alone:
                above[2].append(error > items_alone(sure, rng))
    return [float(np.mean(own)) for own in above]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--alone", type=int, default=200, help="sets on which items are also drawn by themselves")
    asked = parser.parse_args()
    lines = [["slides", "items in each", "in common", "probabilities", "true model above", "items alone",
              "too sure, above"]]  # fmt: skip
    for case in CASES:
        true, sharp, alone = rates(case, asked.sets, asked.alone)
        slides, items, shared, least = case
        lines.append([str(slides), str(items), f"{shared:g}", f"{least:g}-1", f"{true:.3f}", f"{alone:.2f}", f"{sharp:.2f}"])
    print(table_lines(lines))


if __name__ == "__main__":
    main()
