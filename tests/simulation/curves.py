"""How often the intervals of the labels needed and of the breakdown rate hold the true ones. Prints Markdown.

Answers as in `studies.py`; the levels of a curve (numbers of labels, or rates of wrong labels) take the place of its
methods, tested on the same groups. The true curve gives the true value.

    python tests/simulation/curves.py --studies 500
"""

from __future__ import annotations

import argparse

import numpy as np
from studies import Setting, study, truth

from bench.report.pages.markdown import table_lines
from bench.report.tables.efficiency import Goal, labels_interval, labels_needed
from bench.report.tables.resamples import censored_interval, first_crossing, resample
from bench.report.tables.robustness import breakdown
from bench.statistics.spread import spread_of

NULL = 1 / 3
SHOTS, CURVE = np.array([1.0, 2, 5, 10, 50]), (-0.25, -0.15, -0.07, -0.02, 0.0)
RATES, FALL = np.array([0.1, 0.2, 0.3, 0.4]), (0.0, -0.04, -0.12, -0.24, -0.36)
SETTINGS = tuple(Setting(groups, crossed, 5, 10, 0.8) for groups in (10, 40) for crossed in (True, False))


def labels(setting: Setting, studies: int, alike: float) -> tuple[float, float, float]:
    """Return (true n90, share of intervals that hold it, median of their widths in doublings)."""
    true = np.array([truth(setting, gap) for gap in CURVE])
    at, _ = labels_needed(SHOTS, true, NULL + 0.9 * (true[-1] - NULL))
    held, width = [], []
    for i in range(studies):
        hits = study(setting, np.random.default_rng([i, setting.groups]), CURVE, alike)
        again = resample(hits, spread_of(hits), i)
        goal = Goal(0.0, np.where(again[-1] > NULL, NULL + 0.9 * (again[-1] - NULL), np.nan))
        low, high = labels_interval(SHOTS, again, goal)
        held.append(low < at <= high)
        width.append(np.log2(min(high, SHOTS[-1]) / max(low, SHOTS[0])))
    return at, float(np.mean(held)), float(np.median(width))


def rates(setting: Setting, studies: int, alike: float) -> tuple[float, float, float]:
    """Return (true breakdown, share of intervals that hold it, median of their widths)."""
    true = np.array([truth(setting, gap) for gap in FALL]) - NULL
    at = breakdown(RATES, true[1:] / true[0])
    held, width = [], []
    for i in range(studies):
        hits = study(setting, np.random.default_rng([i, setting.groups]), FALL, alike)
        again = resample(hits, spread_of(hits), i) - NULL
        kept = np.where(again[:1] > 0, again / again[:1], np.nan).T
        found = first_crossing(np.r_[0, RATES], -kept, np.full(len(kept), -0.5))
        low, high = censored_interval(found, 0, RATES[-1], least=0)
        held.append(low < at <= high)
        width.append(min(high, RATES[-1]) - low)
    return at, float(np.mean(held)), float(np.median(width))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=500)
    asked = parser.parse_args()
    lines = [["test groups per class", "design", "levels alike", "true n90", "held", "width, doublings", "true breakdown",
              "held", "width"]]  # fmt: skip
    for setting in SETTINGS:
        for alike in (0.5, 0.95):
            found = labels(setting, asked.studies, alike), rates(setting, asked.studies, alike)
            design = "all classes in a group" if setting.crossed else "one class a group"
            (n90, held, wide), (broken, kept, span) = found
            lines.append([str(setting.groups), design, f"{alike:g}", f"{n90:.1f}", f"{held:.3f}", f"{wide:.1f}",
                          f"{broken:.2f}", f"{kept:.3f}", f"{span:.2f}"])  # fmt: skip
    print(table_lines(lines))


if __name__ == "__main__":
    main()
