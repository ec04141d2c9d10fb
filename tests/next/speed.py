"""How long a proposal takes, and how much memory: from drawn embeddings to 20 picks. Markdown.

    python tests/next/speed.py --rows 100000 --columns 768
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from bench.active.pool import Pool
from bench.active.propose import propose
from bench.active.strategies import STRATEGIES
from bench.fitting.views import Embedded
from bench.report.pages.markdown import table_lines
from bench.studies.label_next.models import opinions, rows_for_picks, side_by_side


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=768)
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    told = parser.parse_args()
    rng = np.random.default_rng(0)
    N, y = told.rows, rng.integers(5, size=100)
    group = rng.integers(50, size=N)
    X = rng.normal(size=(60, told.columns)).astype(np.float32)[rng.integers(60, size=N)]
    X += 1.5 * rng.standard_normal(X.shape, np.float32)
    labelled, may, order = np.arange(100), np.arange(N) >= 100, rng.random(N)
    start, cpu = time.perf_counter(), time.process_time()
    parts = rows_for_picks([Embedded("drawn", "drawn", "unit", X)], group.astype(str))
    Z = side_by_side(parts)
    axes, axes_cpu = time.perf_counter() - start, time.process_time() - cpu
    rows = []
    for name in told.strategies.split(","):
        start, cpu = time.perf_counter(), time.process_time()
        P = opinions(parts, labelled, y, 5, STRATEGIES[name].models)
        propose(Pool(Z=Z, labelled=labelled, P=P), may, group, order, count=20, strategy=name)
        spent, cpu = time.perf_counter() - start, time.process_time() - cpu
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        rows.append([name, f"{axes + spent:.1f}", f"{axes_cpu + cpu:.1f}", f"{most:.1f}"])
        print(rows[-1], flush=True)
    print(table_lines([["strategy", "seconds", "of the processor", "memory so far, GB"], *rows]))
    print(f"Of them to scale and turn to axes: {axes:.1f} s, {axes_cpu:.1f} s of the processor.")


if __name__ == "__main__":
    main()
