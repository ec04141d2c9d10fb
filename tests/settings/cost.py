"""What does choosing cost, next to fitting at the published setting? Prints Markdown, CPU milliseconds of a draw.

    OMP_NUM_THREADS=1 python tests/settings/cost.py

Made-up rows (`tests/performance/rows.py`), two label vectors, 1000 tested rows, all of a head's grid. `left out / fit`
of logistic regression: what leaving rows out takes as a share of fitting the grid, without scoring the test.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1] / "performance"))
from rows import Case, Draw, draw, synthetic

from bench.fitting.episode import Episode
from bench.fitting.selection import choose
from bench.fitting.selection_plan import settings_of
from bench.heads import get_heads
from bench.heads.logreg import CROSS_ENTROPY
from bench.heads.pool import Pool
from bench.heads.support import Support
from bench.report.pages.markdown import table_lines
from bench.solvers.linalg import minimise

HEADS = ("centroid", "knn", "ridge", "lda", "logreg")
CASES = ((2, 1280, 10), (4, 768, 5), (8, 768, 50), (22, 1280, 10), (22, 1280, 50))  # K, d, labels a class
TIMES = 2


def main() -> None:
    """Print the table."""
    lines = [["K", "d", "labels a class", *(f"{name}: fixed, auto, inner-cv" for name in HEADS), "left out / fit"]]
    with threadpool_limits(1):
        for K, d, shots in CASES:
            case = synthetic(K, d, shots)
            drawn = draw(case, shots, 0, [0.0, 0.2])
            assert drawn is not None
            of_heads = [", ".join(f"{_chosen(case, drawn, name, way):.0f}" for way in ("fixed", "auto", "inner-cv"))
                        for name in HEADS]  # fmt: skip
            lines.append([str(K), str(d), str(shots), *of_heads, f"{_share(case, drawn):.2f}"])
    print(table_lines(lines))


def _fresh(case: Case, drawn: Draw) -> Support:
    return Pool(case.X).support(drawn.rows, case.test)


def _least(run: Callable[[Support], object], case: Case, drawn: Draw) -> float:
    took = []
    for _ in range(TIMES):
        support = _fresh(case, drawn)
        started = time.thread_time()
        run(support)
        took.append(time.thread_time() - started)
    return min(took)


def _chosen(case: Case, drawn: Draw, name: str, way: str) -> float:
    [head] = get_heads([name])
    groups, settings = np.arange(len(drawn.rows)), settings_of(way, head)
    return 1e3 * _least(lambda own: choose(way, head, settings, Episode(own, drawn.Y, case.K, groups)), case, drawn)


def _share(case: Case, drawn: Draw) -> float:
    [head] = get_heads(["logreg"])
    l2 = [setting["l2"] for setting in head.grid]
    fit = _least(lambda own: minimise(own.linear.rows, drawn.Y, case.K, l2, CROSS_ENTROPY), case, drawn)
    assert head.loo is not None
    return _least(lambda own: head.loo(own, drawn.Y, case.K, head.grid), case, drawn) / fit - 1


if __name__ == "__main__":
    main()
