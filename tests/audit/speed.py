"""How long the judging of embedded images takes, on made-up embeddings as wide as those of four encoders.

python tests/audit/speed.py --rows 10000
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from bench.fitting.views import Embedded
from bench.studies.audit.labels import audit_labels

WIDTHS = {"efficientnet-lite0": 1280, "lite0-cells": 792, "color-stats": 27, "texture": 59}
CLASSES, SLIDES = 5, 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, asked.rows)
    groups = np.array([f"slide{i}" for i in rng.integers(0, SLIDES, asked.rows)])
    views = {}
    for name, d in WIDTHS.items():
        X = rng.normal(size=(CLASSES, d))[y] + 4 * rng.normal(size=(asked.rows, d))
        views[name] = Embedded(name, name, "unit", X.astype(np.float32))
    labels = np.where(rng.random(asked.rows) < 0.1, (y + 1) % CLASSES, y)
    wall, cpu = time.monotonic(), time.process_time()
    found = audit_labels(views, labels, groups, n_classes=CLASSES)
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{asked.rows:,} rows: {wall:.1f} s, {cpu:.1f} s of one core, {peak:.2f} GB; rate {found.fitted.rate:.3f}")


if __name__ == "__main__":
    main()
