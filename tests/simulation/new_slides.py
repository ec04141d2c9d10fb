"""How often the interval of a leaderboard holds the score on new slides to learn from and to be tested on. Markdown.

    python tests/simulation/new_slides.py --studies 300

Every design of `designs.DESIGNS` goes through the whole engine. The truth is found apart from it: many datasets more, of
which as many slides as in a split are learned from and others tested. "Ideal" is the interval that knows the deviation
of the score from study to study: 2 x 1.96 of it.
"""

from __future__ import annotations

import argparse

import numpy as np
from designs import DESIGNS, HEADS, Design, board_of, make_study, truth
from threadpoolctl import threadpool_limits

from bench.report.pages.markdown import table_lines

COLUMNS = ["balanced_accuracy", "ci_low", "ci_high", "ci_these_low", "ci_these_high"]


def boards(design: Design, studies: int, seed: int = 0) -> tuple[np.ndarray, str]:
    """Return (score, limits, limits for these training slides (studies, heads, 5), rule of the split)."""
    found, rule = [], ""
    for i in range(studies):
        board = board_of(design, *make_study(design, np.random.default_rng([seed, i]))).table.set_index("head")
        found.append(board.loc[list(HEADS), COLUMNS].to_numpy())
        rule = board["split"].iloc[0]
    return np.stack(found), rule


def coverage(found: np.ndarray, true: np.ndarray) -> dict[str, np.ndarray]:
    """Return of each head: bias, coverage of new slides, the same of intervals for these training slides, width, ideal."""
    score, low, high, low_these, high_these = np.moveaxis(found, 2, 0)
    return {
        "bias": score.mean(0) - true,
        "holds": ((low <= true) & (true <= high)).mean(0),
        "these": ((low_these <= true) & (true <= high_these)).mean(0),
        "width": (high - low).mean(0),
        "ideal": 2 * 1.96 * score.std(0, ddof=1),
    }


def row(design: Design, studies: int) -> list[str]:
    """Return the line of one design, three heads in every cell."""
    true, error = truth(design, max(studies // 2, 20))
    found, rule = boards(design, studies)
    said = coverage(found, true)

    def cell(values: np.ndarray, digits: int = 3) -> str:
        return " / ".join(f"{value:.{digits}f}" for value in values)

    return [design.name, rule, cell(100 * true, 1), f"{100 * error.max():.1f}", cell(100 * said["bias"], 1), cell(said["holds"]),
            cell(said["these"], 2), cell(said["width"]), cell(said["width"] / said["ideal"], 2)]  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=300)
    parser.add_argument("--designs", default="", help="numbers from 0, comma-separated; all if empty")
    asked = parser.parse_args()
    chosen = [DESIGNS[int(i)] for i in asked.designs.split(",")] if asked.designs else DESIGNS
    head = ["design", "split", "true", "+-", "bias", "holds new slides", "of these slides", "width", "width / ideal"]
    with threadpool_limits(1):
        first = True
        for design in chosen:
            lines = table_lines([head, row(design, asked.studies)]).splitlines()
            print("\n".join(lines if first else lines[2:]), flush=True)
            first = False


if __name__ == "__main__":
    main()
