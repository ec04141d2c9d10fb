"""How often the intervals of a pilot hold the difference on new slides and of other trainings. Markdown.

    python tests/simulation/pilots.py --studies 200

An encoder is the items of a study, seen with an error of its own. The base has the same error in all studies; that of a
training is larger or smaller by chance, as some trainings come out better than others. All goes through the whole
engine. The truth of a design is the mean difference over all its studies, each of which has other slides and other
trainings.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from ablations import DESIGNS, fitted
from designs import Design
from threadpoolctl import threadpool_limits

from bench.report.pages.markdown import table_lines
from bench.studies.pilot.judge import ALL_LEVELS, contrasts, judged_by

BASE, TRAININGS = 1.0, 3  # the deviation of the base's error, where an item's is 1
UNLIKE = (0.0, 0.2, 0.6)  # by how much the errors of trainings differ


def study(design: Design, unlike: float, rng: np.random.Generator) -> pd.Series:
    """Return the row that a verdict rests on: the mean over heads and numbers of labels."""
    own = {f"training{i}": abs(BASE + unlike * rng.standard_normal()) for i in range(TRAININGS)}
    with tempfile.TemporaryDirectory() as folder:
        record = fitted(design, {"base": BASE, **own}, Path(folder), rng)
        found = judged_by(contrasts(Path(folder), record, {"base": ["base"], "arm": list(own)}, "base"))
    return found.set_index("shots").loc[ALL_LEVELS]


def line(design: Design, unlike: float, studies: int) -> list[str]:
    """Return a row of the table."""
    rows = pd.DataFrame([study(design, unlike, np.random.default_rng([int(10 * unlike), i])) for i in range(studies)])
    found = rows["difference"].to_numpy(float)
    truth, deviation = found.mean(), found.std(ddof=1)

    def holds(low: str, high: str) -> str:
        return f"{((rows[low] <= truth) & (truth <= rows[high])).mean():.3f}"

    width = float((rows["ci_high"] - rows["ci_low"]).mean() / (2 * 1.96 * deviation))
    return [
        design.name, f"{unlike}", f"{100 * truth:+.1f}", f"{100 * deviation:.1f}", holds("ci_low", "ci_high"),
        holds("ci_slides_low", "ci_slides_high"), f"{width:.2f}",
    ]  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--design", type=int, choices=range(len(DESIGNS)), help="one of the designs alone")
    asked = parser.parse_args()
    head = ["design", "trainings differ by", "difference", "its deviation over studies", "95% interval holds it",
            "limits for new slides alone hold it", "width / ideal"]  # fmt: skip
    designs = DESIGNS if asked.design is None else [DESIGNS[asked.design]]
    with threadpool_limits(1):
        print(table_lines([head, *(line(design, unlike, asked.studies) for design in designs for unlike in UNLIKE)]))


if __name__ == "__main__":
    main()
